"""A blank figure in the house style, and what stands in its foot and below it."""

import string
import textwrap
from collections.abc import Callable
from functools import wraps

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

from cmbkit.plotting import style
from cmbkit.plotting.style import DATASET_ORDER

SYNTHETIC_LABEL = "synthetic cohort"
_GID = "synthetic-label"
_FOOTER_INCHES = 0.24
_BELOW_GID = "below"
_LINE_INCHES = 0.1  # a whole number of pixels at 100 and 300 dpi: the figure above stays sharp
_CHARACTERS_PER_INCH = 21


def new_figure(width: float, height: float, *, images: bool = False) -> Figure:
    """Return an empty figure of ``width`` x ``height`` inches with room managed by matplotlib.

    ``images`` moves panels of fixed shape together.

    The figure is not registered with pyplot, so that drawing many of them holds no memory.
    """
    style.apply()
    figure = Figure(figsize=(width, height), layout="compressed" if images else "constrained")
    figure.get_layout_engine().set(h_pad=0.07, w_pad=0.07)
    return figure


def panels(figure: Figure, count: int, columns: int, **how) -> np.ndarray:
    """``count`` subplots in rows of ``columns``; the places left over stay empty."""
    grid = figure.subplots(-(-count // columns), columns, squeeze=False, **how).ravel()
    for axes in grid[count:]:
        axes.set_axis_off()
    return grid[:count]


def lettered(panels) -> np.ndarray:
    """The same panels, a bold letter above the left corner of each, row by row."""
    panels = np.asarray(panels)
    for letter, axes in zip(string.ascii_uppercase, panels.flat, strict=False):
        axes.set_title(letter, loc="left", fontweight="bold")
    return panels


def with_letters(titles) -> list[str]:
    """Titles of panels, each after its letter; a lone one as it is."""
    titles = list(titles)
    if len(titles) < 2:
        return titles
    return [f"{n}: {title}" for n, title in zip(string.ascii_uppercase, titles, strict=False)]


def nothing_to_show(reason: str) -> Figure:
    """A figure that says why there is no example of its kind in this run."""
    figure = new_figure(6, 1.2)
    figure.text(0.5, 0.5, reason, ha="center", va="center")
    return figure


def of_microbleeds(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Make a function that draws a table of microbleeds say so where the table has no row."""

    @wraps(draw)
    def drawn(table, *arguments, **options) -> Figure:
        if len(table):
            return draw(table, *arguments, **options)
        return nothing_to_show("No microbleed in the scans of this run.")

    return drawn


def label_synthetic(figure: Figure) -> Figure:
    """Write "synthetic cohort" in the foot of a figure, once, in room kept free for it."""
    if not is_labelled(figure):
        figure.text(0.995, 0.15 * _foot(figure), SYNTHETIC_LABEL, ha="right", va="bottom",
                    fontsize=8, style="italic", color="0.33", gid=_GID)  # fmt: skip
    return figure


def add_note(figure: Figure, text: str) -> None:
    """Write a line on how to read the figure in its foot, left of `label_synthetic`'s place."""
    figure.text(0.006, 0.15 * _foot(figure), text, ha="left", va="bottom", fontsize=8)


def write_below(figure: Figure, text: str) -> None:
    """Write small lines below a figure, which keeps its size; `drawn_area` has room for them."""
    if written := _below(figure):
        written.remove()
    if text:
        settle(figure)
        lines = textwrap.fill(text, int(figure.get_figwidth() * _CHARACTERS_PER_INCH))
        figure.text(0.006, 0, lines, ha="left", va="top", fontsize=6.5, color="0.33",
                    linespacing=1.1, gid=_BELOW_GID)  # fmt: skip


def settle(figure: Figure) -> None:
    """Lay a figure out for good, once, and tie its legends to it.

    Places are rounded: in their last digits the layout differs from run to run. The legends' own
    anchor is the saved picture, lines below included: they would move down onto these.
    """
    if not isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
        return
    figure.draw_without_rendering()
    figure.set_layout_engine(None)  # with "none" every file would be drawn twice
    for axes in figure.axes:
        axes.set_position(Bbox(axes.get_position(original=True).get_points().round(7)))
    for legend in figure.legends:
        anchor = legend.get_bbox_to_anchor().transformed(figure.transFigure.inverted())
        legend.set_bbox_to_anchor(anchor, figure.transFigure)


def drawn_area(figure: Figure) -> Bbox | None:
    """What a file shows, in inches: the figure and the lines below it; None: the figure alone."""
    written = _below(figure)
    if written is None:
        return None
    room = (written.get_text().count("\n") + 2) * _LINE_INCHES
    return Bbox.from_extents(0, -room, figure.get_figwidth(), figure.get_figheight())


def _below(figure: Figure):
    return next((text for text in figure.texts if text.get_gid() == _BELOW_GID), None)


def _foot(figure: Figure) -> float:
    """Height of the foot as a share of the figure's, kept free from now on."""
    foot = _FOOTER_INCHES / figure.get_figheight()
    engine = figure.get_layout_engine()
    if engine is not None and "rect" in engine.get():
        engine.set(rect=(0, foot, 1, 1 - foot))
    return foot


def is_labelled(figure: Figure) -> bool:
    """Whether `label_synthetic` has been here."""
    return any(text.get_gid() == _GID for text in figure.texts)


def datasets_in(values, order=DATASET_ORDER) -> list[str]:
    """Names among ``values``, in ``order``; unknown ones follow in alphabetical order."""
    present = set(values)
    return [n for n in order if n in present] + sorted(str(n) for n in present - set(order))


def nice_length(extent_mm: float) -> float:
    """Return 1, 2, 5, 10, 20 or 50 mm: the longest that is at most a third of ``extent_mm``."""
    return max((n for n in (1, 2, 5, 10, 20, 50) if n <= extent_mm / 3), default=1)
