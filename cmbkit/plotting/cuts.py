"""Axial, coronal and sagittal cuts through a volume, with outlines and a scale bar in mm."""

from __future__ import annotations

import numpy as np

from cmbkit.boxes import cut_box
from cmbkit.plotting.canvas import add_scale_bar, new_figure, nice_length, text_plate
from cmbkit.plotting.style import CALL_COLOURS, MODEL_NAMES

CUTS = {
    "axial": (2, (0, 1), ("L", "R", "P", "A")),
    "coronal": (1, (0, 2), ("L", "R", "I", "S")),
    "sagittal": (0, (1, 2), ("P", "A", "I", "S")),
}
"""Cut: (axis that is cut, axes shown to the right and upwards, letters left right down up)."""


def outline_segments(mask2d, spacing) -> np.ndarray:
    """Edges between pixels inside and outside a mask.

    Parameters
    ----------
    mask2d : ndarray of bool, shape (i, j)
    spacing : (float, float)
        Pixel size in mm along i and j.

    Returns
    -------
    ndarray, shape (n, 2, 2)
        n straight pieces, each from (x, y) to (x, y) in mm; pixel (0, 0) covers
        0..spacing[0] by 0..spacing[1].
    """
    mask = np.pad(np.asarray(mask2d) > 0, 1)
    pieces = []
    i, j = np.nonzero(mask[1:, :] != mask[:-1, :])
    pieces.append(np.stack([np.stack([i, j - 1], 1), np.stack([i, j], 1)], 1))
    i, j = np.nonzero(mask[:, 1:] != mask[:, :-1])
    pieces.append(np.stack([np.stack([i - 1, j], 1), np.stack([i, j], 1)], 1))
    return np.concatenate(pieces) * np.asarray(spacing, float)


def draw_outline(axes, mask2d, spacing, colour, *, width: float = 1.1):
    """Draw the pixel-exact outline of a mask; a dark seam keeps it visible on bright tissue."""
    from matplotlib.collections import LineCollection

    segments = outline_segments(mask2d, spacing)
    if len(segments):
        seam = LineCollection(segments, colors="black", linewidths=width + 0.9, zorder=5)
        line = LineCollection(segments, colors=colour, linewidths=width, zorder=6)
        for collection in (seam, line):
            collection.set_capstyle("projecting")
            axes.add_collection(collection)


def take_cut(volume, cut: str, index: int) -> np.ndarray:
    """Slice of a RAS volume: first axis to the right, second upwards."""
    return np.take(np.asarray(volume), index, axis=CUTS[cut][0])


def centre_of(mask, shape) -> tuple[int, int, int]:
    """Voxel of the mask closest to its centre of mass; the middle of ``shape`` if empty."""
    if mask is None or not np.any(np.asarray(mask) > 0):
        return tuple(int(n) // 2 for n in shape)
    voxels = np.argwhere(np.asarray(mask) > 0)
    nearest = ((voxels - voxels.mean(axis=0)) ** 2).sum(axis=1).argmin()
    return tuple(int(v) for v in voxels[nearest])


def crop_around(volume, centre, size_voxels, fill=0):
    """Cut a box of ``size_voxels`` around a voxel; outside the volume it is ``fill``."""
    size = np.broadcast_to(np.asarray(size_voxels, int), 3)
    return cut_box(np.asarray(volume), np.asarray(centre, int) - size // 2, size, fill)


def show_cut(axes, volume, overlay, spacing, cut, centre, *, window, colour, letters=False):
    """Show one cut with its outline on axes in mm.

    Parameters
    ----------
    volume, overlay : ndarray, shape (i, j, k)
        RAS; overlay > 0 is outlined (for probabilities pass ``p >= 0.5``), None for none.
    spacing : float or (3,)
        mm.
    centre : (3,) int
        The voxel through which the cut goes.
    window : (float, float)
        Intensities that become black and white.
    """
    axis, (right, up), names = CUTS[cut]
    spacing = np.broadcast_to(np.asarray(spacing, float), 3)
    pixel = spacing[[right, up]]
    image = take_cut(volume, cut, centre[axis])
    width, height = np.asarray(image.shape) * pixel
    axes.imshow(
        image.T,
        cmap="gray",
        vmin=window[0],
        vmax=window[1],
        origin="lower",
        extent=(0, width, 0, height),
        interpolation="nearest",
    )
    if overlay is not None:
        draw_outline(axes, take_cut(overlay, cut, centre[axis]), pixel, colour)
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    if letters:
        places = ((0.02, 0.5), (0.98, 0.5), (0.5, 0.03), (0.5, 0.97))
        sides = (("left", "center"), ("right", "center"), ("center", "bottom"), ("center", "top"))
        for name, (x, y), (ha, va) in zip(names, places, sides, strict=True):
            axes.text(x, y, name, transform=axes.transAxes, ha=ha, va=va, color="white",
                      fontsize=8, bbox=text_plate("black"))  # fmt: skip


def orthogonal_cuts(
    rows,
    spacing,
    *,
    centre=None,
    colours=None,
    title: str | None = None,
    synthetic: bool = False,
    size: float = 2.2,
):
    """Cuts of one place: a row per label, columns axial, coronal, sagittal (Figure 7.5, A.5).

    Parameters
    ----------
    rows : list of (label, volume, overlay or None)
        RAS arrays of one shape; overlay > 0 is outlined.
    spacing : float or (3,)
        mm.
    centre : (3,) int, optional
        Voxel to cut through; default: the middle of the first overlay that has voxels.
    colours : dict, optional
        Colour of the outline by label; default: yellow for rows named "Ground truth" or
        "Annotated", light blue for others.
    size : float
        Inches per panel.
    """
    figure = new_figure(3 * size + 0.4, len(rows) * size + 0.5, synthetic=synthetic, images=True)
    if title:
        figure.suptitle(title, fontsize=10)
    _fill_cuts(figure, rows, spacing, centre, colours or {})
    return figure


def cut_examples(examples, spacing, *, colours=None, synthetic: bool = False, size: float = 1.55):
    """Several places side by side, each as in `orthogonal_cuts` (Figures 8.1 and 8.2).

    Parameters
    ----------
    examples : list of (title, rows) or (title, rows, centre)
    """
    deepest = max(len(example[1]) for example in examples)
    width = len(examples) * (3 * size + 0.35)
    figure = new_figure(width, deepest * size + 0.7, synthetic=synthetic)
    parts = figure.subfigures(1, len(examples), squeeze=False)[0]
    for part, (title, rows, *centre) in zip(parts, examples, strict=True):
        part.suptitle(title, fontsize=10)
        _fill_cuts(part, rows, spacing, centre[0] if centre else None, colours or {})
    return figure


def prediction_evolution(
    image, truth, snapshots, spacing, *, centre=None, synthetic: bool = False, size: float = 1.3
):
    """How a prediction changes during training (Figure 7.2).

    Rows are the axial, coronal and sagittal cut; columns the raw image, the ground truth and
    one per snapshot.

    Parameters
    ----------
    image, truth : ndarray, shape (i, j, k)
    snapshots : dict or list of (epoch, prediction)
        Predicted masks, or probabilities between 0 and 1 (outlined at 0.5).
    """
    snapshots = list(snapshots.items()) if isinstance(snapshots, dict) else list(snapshots)
    columns = [("Raw", None, None), ("Ground truth", truth, _colour_of("Ground truth", {}))]
    columns += [
        (f"Epoch {epoch}", np.asarray(prediction) >= 0.5, CALL_COLOURS["Pred"])
        for epoch, prediction in snapshots
    ]
    centre = centre or centre_of(truth, np.shape(image))
    figure = new_figure(len(columns) * size + 0.4, 3 * size + 0.4, synthetic=synthetic, images=True)
    grid = figure.subplots(3, len(columns), squeeze=False)
    window = _window(image)
    for row, cut in enumerate(CUTS):
        for column, (label, overlay, colour) in enumerate(columns):
            axes = grid[row, column]
            show_cut(
                axes, image, overlay, spacing, cut, centre,
                window=window, colour=colour, letters=column == 0,
            )  # fmt: skip
            if row == 0:
                axes.set_title(label, fontsize=9)
            if column == 0:
                axes.set_ylabel(cut.capitalize())
        _bar(grid[row, 0])
    return figure


def _fill_cuts(figure, rows, spacing, centre, colours):
    if centre is None:
        overlays = (overlay for _, _, overlay in rows if overlay is not None and np.any(overlay))
        centre = centre_of(next(overlays, None), np.shape(rows[0][1]))
    grid = figure.subplots(len(rows), 3, squeeze=False)
    for row, (label, volume, overlay) in enumerate(rows):
        window = _window(volume)
        for column, cut in enumerate(CUTS):
            axes = grid[row, column]
            show_cut(
                axes, volume, overlay, spacing, cut, centre,
                window=window, colour=_colour_of(label, colours), letters=row == 0,
            )  # fmt: skip
            if row == 0:
                axes.set_title(cut.capitalize(), fontsize=9)
        grid[row, 0].set_ylabel(MODEL_NAMES.get(label, label))
    _bar(grid[0, 0])


def _colour_of(label: str, colours: dict) -> str:
    if label in colours:
        return colours[label]
    annotated = any(word in label.lower() for word in ("truth", "annotat"))
    return CALL_COLOURS["GT"] if annotated else CALL_COLOURS["Pred"]


def _window(volume):
    values = np.asarray(volume, float)
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, [0.5, 99.5]) if values.size else (0.0, 1.0)
    return (low, high) if high > low else (low, low + 1)


def _bar(axes):
    left, right = axes.get_xlim()
    add_scale_bar(axes, nice_length(right - left))
