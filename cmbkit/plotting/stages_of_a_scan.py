"""Figure S53: from the raw slice to the standard grid, one row per dataset."""

from dataclasses import dataclass

import numpy as np
from matplotlib.patches import Rectangle

from cmbkit.plotting.canvas import add_note, new_figure, nice_length
from cmbkit.plotting.cuts import CUTS, show_cut
from cmbkit.plotting.slices import show_slice
from cmbkit.volume import Volume

COLUMNS = ("Raw slice", "Raw annotation", "Refined mask", *(f"Standard, {cut}" for cut in CUTS))


@dataclass(frozen=True)
class StoryRow:
    """What one row shows.

    Attributes
    ----------
    raw, marks, refined : ndarray, shape (i, j)
        One slice of the image as delivered, RAS; raters' marks and refined microbleeds on it.
    standard, lesions : ndarray, shape (i, j, k)
        Part of the standard grid around the same place; the cuts go through its middle.
    """

    title: str  # written to the left; may have several lines
    raw: np.ndarray
    marks: np.ndarray
    refined: np.ndarray
    pixel_mm: tuple[float, float]  # pixel size of these
    centre_mm: tuple[float, float]  # middle of the close views, in mm from the slice's corner
    standard: np.ndarray
    lesions: np.ndarray
    spacing_mm: float  # voxel size of these
    window: tuple[float, float]  # intensities of the standard grid that become black and white


def story_figure(rows: list[StoryRow]):
    """Raw slice, raters' marks, refined mask, and three cuts of the standard grid, row by row.

    All close views of a row have the side of its part of the standard grid, hence one scale.
    """
    if not rows:
        raise ValueError("story_figure: expected at least one row, found none")
    figure = new_figure(10, 1.72 * len(rows) + 0.6)
    grid = figure.subplots(len(rows), len(COLUMNS), squeeze=False)
    for line, row in zip(grid, rows, strict=True):
        side = row.standard.shape[0] * row.spacing_mm
        _whole(line[0], row, side)
        _close(line[1], row, side, "marked", row.marks)
        _close(line[2], row, side, "annotated", row.refined)
        _cuts(line[3:], row)
        line[0].set_ylabel(row.title, fontsize=8, rotation=0, ha="right", va="center", labelpad=4)
    for axes, name in zip(grid[0], COLUMNS, strict=True):
        axes.set_title(name, fontsize=9)
    add_note(figure, "Purple: raters' marks. Yellow: after refinement. Frame: the close views.")
    return figure


def _whole(axes, row, side):
    shown = show_slice(axes, row.raw, np.array(row.raw.shape) * row.pixel_mm)
    corner = np.array(row.centre_mm) - side / 2
    shown.add_patch(Rectangle(corner, side, side, fill=False, edgecolor="black", lw=2.2))
    shown.add_patch(Rectangle(corner, side, side, fill=False, edgecolor="white", lw=1.1))


def _close(axes, row, side, role, mask):
    extent = np.array(row.raw.shape) * row.pixel_mm
    view = [(middle - side / 2, middle + side / 2) for middle in row.centre_mm]
    shown = show_slice(axes, row.raw, extent, {role: mask}, view=view)
    if not np.any(mask):
        plate = {"facecolor": "black", "edgecolor": "none", "alpha": 0.55, "pad": 0.8}
        shown.text(0.5, 0.8, "none", transform=shown.transAxes, ha="center", va="center",
                   color="white", fontsize=8, bbox=plate)  # fmt: skip


def _cuts(line, row):
    centre = [size // 2 for size in row.standard.shape]
    scan = Volume(row.standard, np.diag([*[row.spacing_mm] * 3, 1.0]))
    bar = nice_length(scan.shape[0] * row.spacing_mm)
    for axes, cut in zip(line, CUTS, strict=True):
        show_cut(axes, scan, {"annotated": row.lesions}, cut, centre, window=row.window,
                 bar_mm=bar)  # fmt: skip
