"""Checks that hold for any figure."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.text import Text

from cmbkit.plotting.canvas import label_synthetic


def drawn_texts(figure, monkeypatch) -> list[Text]:
    """Texts that are really drawn (tick labels beyond the limits of an axis are not)."""
    drawn = []
    draw = Text.draw

    def remember(text, renderer, *args, **kwargs):
        if text.get_visible() and text.get_text().strip():
            drawn.append(text)
        return draw(text, renderer, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Text, "draw", remember)
        FigureCanvasAgg(figure).draw()
    return drawn


def texts_outside(figure, texts) -> list[str]:
    """Texts that reach over the edge of the figure by more than a pixel."""
    renderer = figure.canvas.get_renderer()
    width, height = figure.bbox.width, figure.bbox.height
    outside = []
    for text in texts:
        box = text.get_window_extent(renderer)
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1:
            outside.append(text.get_text())
    return outside


@pytest.fixture
def readable(monkeypatch):
    """Assert that no text of a figure, label included, is clipped or smaller than 8 points."""

    def check(figure):
        label_synthetic(figure)
        texts = drawn_texts(figure, monkeypatch)
        assert texts_outside(figure, texts) == []
        assert [text.get_text() for text in texts if text.get_fontsize() < 8] == []
        assert 7 <= figure.get_figwidth() <= 10
        return figure

    return check


@pytest.fixture
def words():
    """Return all texts of a figure, joined."""
    return lambda figure: "\n".join(text.get_text() for text in figure.findobj(Text))


@pytest.fixture
def hosts():
    """Subplots of the layout, with titles and labels."""
    return lambda figure: [a for a in figure.axes if a.get_subplotspec() is not None]


@pytest.fixture
def drawn():
    """nilearn's axes, in the order of the subplots."""
    return lambda figure: [a for a in figure.axes if a.get_axes_locator() is not None]


@pytest.fixture
def outlines():
    """Colour and (left, bottom, right, top) of each coloured contour; not the dark seams."""

    def find(axes):
        found = []
        for contour in axes.collections[1::2]:
            corners = np.concatenate([path.vertices for path in contour.get_paths()])
            colour = to_hex(contour.get_edgecolor()[0]).upper()
            found.append((colour, [*corners.min(axis=0), *corners.max(axis=0)]))
        return found

    return find
