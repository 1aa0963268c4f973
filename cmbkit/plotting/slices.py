"""Figures of single slices: the datasets at a glance, mimics, and an annotated microbleed."""

from textwrap import wrap

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from cmbkit.plotting.canvas import new_figure, nice_length, panels, with_letters
from cmbkit.plotting.cuts import show_cut
from cmbkit.volume import Volume

TOUCHES_MM = 0.7
"""Along both axes from the middle of a small finding: a point of its edge."""


def show_slice(axes, slice2d, extent_mm, outlines=None, *, view=None):
    """Show a slice indexed (i, j), i to the right and j upwards, with L and R, in mm.

    Parameters
    ----------
    slice2d : ndarray, shape (i, j)
        Percentiles 1 and 99 of its finite values become black and white.
    extent_mm : (float, float)
        Width and height of the slice in mm; its lower left corner is (0, 0).
    outlines : dict of str to ndarray, shape (i, j), optional
        Masks by role.
    view
        Part that is shown, see `cmbkit.plotting.cuts.show_cut`.

    Returns
    -------
    matplotlib Axes
        To draw on, in mm.
    """
    values = np.asarray(slice2d, float)
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, (1, 99)) if finite.size else (0, 1)
    pixel = np.asarray(extent_mm, float) / values.shape
    affine = np.diag([*pixel, 1.0, 1.0])
    affine[:2, 3] = pixel / 2
    image = Volume(np.nan_to_num(values, nan=low)[:, :, None], affine)
    masks = {role: np.asarray(mask)[:, :, None] for role, mask in (outlines or {}).items()}
    width = np.ptp(view[0]) if view else extent_mm[0]
    return show_cut(
        axes, image, masks, "axial", (0, 0, 0), window=(low, high if high > low else low + 1),
        bar_mm=nice_length(width), view=view,
    )  # fmt: skip


def contact_sheet(shown):
    """Raw slices side by side.

    ``shown`` are (title, slice2d, extent_mm), see `show_slice`; titles may have several lines.
    """
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(9, 2.75 * rows * 4 / max(columns, 3), images=True)
    grid = panels(figure, len(shown), columns)
    titles = with_letters(title for title, *_ in shown)
    for axes, title, (_, slice2d, extent_mm) in zip(grid, titles, shown, strict=True):
        show_slice(axes, slice2d, extent_mm)
        axes.set_title("\n".join(_wrapped(title.splitlines(), 34)), fontsize=8)
    return figure


def mimic_panels(crops):
    """Figure 2.1: a microbleed and its mimics; an arrow touches the finding amid each crop.

    ``crops`` are (title, crop2d, extent_mm), centred on the finding.
    """
    rows = 1 if len(crops) <= 4 else 2
    columns = -(-len(crops) // rows)
    side = 8.8 / max(columns, 3)
    figure = new_figure(9, rows * (side + 0.55) + 0.2, images=True)
    grid = panels(figure, len(crops), columns)
    titles = with_letters(title for title, *_ in crops)
    for axes, title, (_, crop, extent_mm) in zip(grid, titles, crops, strict=True):
        shown = show_slice(axes, crop, extent_mm)
        axes.set_title("\n".join(_wrapped(title.splitlines(), int(14 * side))), fontsize=8)
        middle, side_mm = np.asarray(extent_mm) / 2, min(extent_mm)
        pointed = shown.annotate(
            "", xy=middle + TOUCHES_MM, xytext=middle + 0.2 * side_mm,
            arrowprops={"arrowstyle": "-|>", "color": "white", "lw": 1.8, "shrinkB": 0},
        )  # fmt: skip
        pointed.arrow_patch.set_path_effects([withStroke(linewidth=3.4, foreground="black")])
    return figure


def annotation_overlay(slice2d, scribble2d, extent_mm, metadata: dict, mimics=()):
    """Figure 4.1: a slice with the rater's scribble, a close view of it, and what was noted.

    Parameters
    ----------
    slice2d, scribble2d : ndarray, shape (i, j)
        Image and scribble (> 0) on the same pixels.
    metadata : dict
        Shown line by line, e.g. ``{"cause": "CAA", "size": "< 5 mm"}``.
    mimics : list of (x_mm, y_mm, kind)
        Landmarks on the same slice.
    """
    scribble = np.asarray(scribble2d) > 0
    if not scribble.any():
        raise ValueError("annotation_overlay: expected a scribble with voxels, found none")
    figure = new_figure(9, 3.6)
    whole, close, words = figure.subplots(1, 3, width_ratios=[1.25, 1.25, 1])
    pixel = np.asarray(extent_mm) / scribble.shape
    centre = (np.argwhere(scribble).mean(axis=0) + 0.5) * pixel
    half = max(0.07 * max(extent_mm), 1.5 * np.ptp(np.argwhere(scribble), axis=0).max() * pixel[0])
    view = [(middle - half, middle + half) for middle in centre]
    for axes, part in ((whole, None), (close, view)):
        shown = show_slice(axes, slice2d, extent_mm, {"marked": scribble}, view=part)
        for x, y, _ in mimics:
            for colour, width in (("black", 3.4), ("white", 1.8)):
                shown.plot(x, y, "x", color=colour, ms=7, mew=width)
        if axes is whole:
            frame = {"fill": False, "edgecolor": "white", "lw": 1.2}
            shown.add_patch(Rectangle(centre - half, 2 * half, 2 * half, **frame))
    whole.set_title("A: Slice", fontsize=9)
    close.set_title("B: Close view of the scribble", fontsize=9)
    words.set_axis_off()
    lines = [f"{key}: {value}" for key, value in metadata.items()]
    lines += [f"mimic (cross): {kind}" for _, _, kind in mimics]
    words.text(
        0.02, 0.98, "\n".join(_wrapped(lines, 30)), va="top", fontsize=9, linespacing=1.5,
        bbox={"facecolor": "0.96", "edgecolor": "0.73", "boxstyle": "round,pad=0.6"},
    )  # fmt: skip
    return figure


def _wrapped(lines, width):
    return [part for line in lines for part in wrap(line, width)]
