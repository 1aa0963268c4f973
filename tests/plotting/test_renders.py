"""Which microbleeds are rendered, and where blanks are."""

import numpy as np
import pytest

from cmbkit.plotting import renders


@pytest.fixture(autouse=True)
def quick_renders(monkeypatch):
    picture = np.full((8, 8, 3), 100, np.uint8)
    monkeypatch.setattr(renders, "render_mask", lambda *a, **k: picture)
    monkeypatch.setattr(renders, "renderer_name", lambda: "matplotlib")


def test_evenly_by_size_includes_both_ends_and_spreads_the_rest():
    radii = [5.0, 1.0, 1.1, 3.1, 1.2, 2.0]
    # targets 1, 2.33, 3.67, 5: closest free are 1.0, 2.0, 3.1, 5.0
    assert renders.evenly_by_size(radii, 4) == [1, 5, 3, 0]
    assert renders.evenly_by_size(radii, 10) == [1, 2, 4, 5, 3, 0]


def cube(n):
    return np.pad(np.ones((n, n, n)), 1)


def test_grid_prints_radii_in_order_and_the_renderer(readable, words):
    rows = {"DOU": [(cube(n), 0.5, n / 3) for n in (5, 2, 3)], "VALDO": [(cube(2), 0.5, 0.9)]}
    figure = readable(renders.render_grid(rows, columns=4))
    axes = np.array(figure.axes).reshape(2, 4)
    assert [a.get_title() for a in axes[0]] == ["0.67 mm", "1.00 mm", "1.67 mm", ""]
    assert [len(a.images) for a in axes.ravel()] == [1, 1, 1, 0, 1, 0, 0, 0]
    assert "drawn with matplotlib" in words(figure)


def test_pairs_are_sorted_and_blank_where_missed(words):
    pairs = [(cube(4), cube(3), 0.5, 1.6), (cube(2), None, 0.5, 0.8)]
    figure = renders.render_pairs(pairs)
    above, below = np.array(figure.axes).reshape(2, 2)
    assert [a.get_title() for a in above] == ["0.80 mm", "1.60 mm"]
    assert [len(a.images) for a in below] == [0, 1]
    assert below[0].texts[0].get_text() == "missed"
    assert "1 of 2 shown were found" in words(figure)
