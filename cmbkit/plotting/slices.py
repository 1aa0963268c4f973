"""Figures of single slices: the datasets at a glance, mimics, and an annotated microbleed."""

from __future__ import annotations

from textwrap import wrap

import numpy as np
from matplotlib.patches import Rectangle

from cmbkit.plotting.canvas import add_scale_bar, new_figure, nice_length
from cmbkit.plotting.cuts import draw_outline
from cmbkit.plotting.style import OKABE_ITO


def show_slice(axes, slice2d, extent_mm, *, window=(1, 99), bar=True):
    """Show a slice indexed (i, j), i to the right and j upwards, on axes in mm.

    Parameters
    ----------
    extent_mm : (float, float)
        Width and height of the slice in mm.
    window : (float, float)
        Percentiles of the finite values that become black and white.
    """
    values = np.asarray(slice2d, float)
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, window) if finite.size else (0, 1)
    axes.imshow(
        values.T,
        cmap="gray",
        vmin=low,
        vmax=high if high > low else low + 1,
        origin="lower",
        extent=(0, extent_mm[0], 0, extent_mm[1]),
        interpolation="nearest",
    )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_xlim(0, extent_mm[0])
    axes.set_ylim(0, extent_mm[1])
    if bar:
        add_scale_bar(axes, nice_length(extent_mm[0]))


def contact_sheet(panels, synthetic: bool = False, columns: int = 4):
    """Raw slices side by side.

    Parameters
    ----------
    panels : list of (title, slice2d, extent_mm)
        See `show_slice`; the title may have several lines.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(9, 2.75 * rows * 4 / max(columns, 3), synthetic=synthetic, images=True)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (title, slice2d, extent_mm) in zip(grid, panels, strict=False):
        show_slice(axes, slice2d, extent_mm)
        axes.set_title("\n".join(_wrapped(title.splitlines(), 34)), fontsize=8)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    return figure


def mimic_panels(panels, synthetic: bool = False):
    """Figure 2.1: a microbleed and its mimics; an arrow points at the middle of each crop.

    Parameters
    ----------
    panels : list of (title, crop2d, extent_mm)
        Crops centred on the finding; the title names finding and sequence.
    """
    rows = 1 if len(panels) <= 4 else 2
    columns = -(-len(panels) // rows)
    side = 8.8 / max(columns, 3)
    figure = new_figure(9, rows * (side + 0.55) + 0.2, synthetic=synthetic, images=True)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    for axes, (title, crop, extent_mm) in zip(grid, panels, strict=False):
        show_slice(axes, crop, extent_mm)
        axes.set_title("\n".join(_wrapped(title.splitlines(), int(14 * side))), fontsize=8)
        middle = np.asarray(extent_mm) / 2
        reach = 0.22 * min(extent_mm)
        axes.annotate(
            "",
            xy=middle + 0.09 * min(extent_mm),
            xytext=middle + reach,
            arrowprops={"arrowstyle": "-|>", "color": OKABE_ITO["yellow"], "lw": 1.8},
        )
    return figure


def annotation_overlay(
    slice2d, scribble2d, extent_mm, metadata: dict, mimics=(), synthetic: bool = False
):
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
    figure = new_figure(9, 3.6, synthetic=synthetic)
    whole, close, words = figure.subplots(1, 3, width_ratios=[1.25, 1.25, 1])
    pixel = np.asarray(extent_mm) / scribble.shape
    centre = (np.argwhere(scribble).mean(axis=0) + 0.5) * pixel
    half = max(0.07 * max(extent_mm), 1.5 * np.ptp(np.argwhere(scribble), axis=0).max() * pixel[0])
    for axes in (whole, close):
        show_slice(axes, slice2d, extent_mm, bar=axes is whole)
        draw_outline(axes, scribble, pixel, OKABE_ITO["yellow"])
        for x, y, kind in mimics:
            axes.plot(x, y, "x", color=OKABE_ITO["sky"], ms=7, mew=1.8, label=f"mimic: {kind}")
    close.set_xlim(centre[0] - half, centre[0] + half)
    close.set_ylim(centre[1] - half, centre[1] + half)
    add_scale_bar(close, nice_length(2 * half))
    corner = centre - half
    frame = {"fill": False, "edgecolor": OKABE_ITO["orange"], "lw": 1.2}
    whole.add_patch(Rectangle(corner, 2 * half, 2 * half, **frame))
    whole.set_title("Slice", fontsize=9)
    close.set_title("Scribble (yellow)", fontsize=9)
    words.set_axis_off()
    lines = [f"{key}: {value}" for key, value in metadata.items()]
    lines += [f"mimic (cross): {kind}" for _, _, kind in mimics]
    words.text(
        0.02, 0.98, "\n".join(_wrapped(lines, 30)), va="top", fontsize=9, linespacing=1.5,
        bbox={"facecolor": "#F5F5F5", "edgecolor": "#BBBBBB", "boxstyle": "round,pad=0.6"},
    )  # fmt: skip
    return figure


def _wrapped(lines, width):
    return [part for line in lines for part in wrap(line, width)]
