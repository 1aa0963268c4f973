"""Axial, coronal and sagittal cuts through a scan with outlines, drawn by nilearn."""

import numpy as np

from cmbkit.boxes import bounding_box, cut_box
from cmbkit.plotting.canvas import add_note, new_figure, nice_length, panels, with_letters
from cmbkit.plotting.style import MODEL_NAMES, ROLE_COLOURS
from cmbkit.preprocessing.grid import crop
from cmbkit.volume import Volume

CUTS = {"axial": (2, (0, 1)), "coronal": (1, (0, 2)), "sagittal": (0, (1, 2))}
"""Cut: (axis that is cut, axes shown to the right and upwards)."""
FINE = 8
"""Parts into which a mask's voxels are split before nilearn draws its contour."""


def outline_segments(mask2d, spacing) -> np.ndarray:
    """Edges between pixels inside and outside a mask, shape (i, j), of ``spacing`` mm per pixel.

    Returns
    -------
    ndarray, shape (n, 2, 2)
        n straight pieces, each from (x, y) to (x, y) in mm; pixel (0, 0) covers 0..spacing[0] by
        0..spacing[1].
    """
    mask = np.pad(np.asarray(mask2d) > 0, 1)
    pieces = []
    i, j = np.nonzero(mask[1:, :] != mask[:-1, :])
    pieces.append(np.stack([np.stack([i, j - 1], 1), np.stack([i, j], 1)], 1))
    i, j = np.nonzero(mask[:, 1:] != mask[:, :-1])
    pieces.append(np.stack([np.stack([i - 1, j], 1), np.stack([i, j], 1)], 1))
    return np.concatenate(pieces) * np.asarray(spacing, float)


def take_cut(volume, cut: str, index: int) -> np.ndarray:
    """Slice of a RAS volume: first axis to the right, second upwards."""
    return np.take(np.asarray(volume), index, axis=CUTS[cut][0])


def centre_of(mask, shape) -> tuple[int, int, int]:
    """Voxel of the mask closest to its centre of mass; the middle of ``shape`` if empty."""
    voxels = np.argwhere(np.asarray(mask) > 0)
    if not len(voxels):
        return tuple(int(n) // 2 for n in shape)
    nearest = ((voxels - voxels.mean(axis=0)) ** 2).sum(axis=1).argmin()
    return tuple(int(v) for v in voxels[nearest])


def crop_around(volume, centre, size_voxels, fill=0):
    """Cut a box of ``size_voxels`` around a voxel; outside the volume it is ``fill``."""
    size = np.broadcast_to(np.asarray(size_voxels, int), 3)
    return cut_box(np.asarray(volume), np.asarray(centre, int) - size // 2, size, fill)


def show_cut(axes, image: Volume, outlines, cut: str, centre, *, window, bar_mm=None, view=None):
    """Show one cut of a scan with outlines in the place of a subplot, by `nilearn.plot_anat`.

    The sides are named: L and R, on sagittal cuts P and A.

    Parameters
    ----------
    axes : matplotlib Axes
        Its title and label stay; nilearn's own axes follow its place.
    image : Volume
        RAS.
    outlines : dict of str to ndarray, shape of the image
        Masks by their role (`cmbkit.plotting.style.ROLE_COLOURS`); voxels > 0 are outlined.
    cut : {"axial", "coronal", "sagittal"}
    centre : (3,) int
        The voxel through which the cut goes.
    window : (float, float)
        Intensities that become black and white.
    bar_mm : float, optional
        Length of a scale bar.
    view : ((float, float), (float, float)), optional
        Part that is shown, in mm along the cut's two axes; default: the whole cut.

    Returns
    -------
    matplotlib Axes
        nilearn's, in the image's mm.

    Notes
    -----
    nilearn draws a picture from the middle of its first voxel to that of its last, half a voxel
    short on each side; it is set right. A contour joins the middles of voxels and so draws a
    single one as a diamond of half its area; each voxel is split into 8 x 8 before, which puts
    the contour on the voxels' edges.
    """
    from nilearn import plotting

    slab = _slab(image, cut, centre)
    axis, (right, up) = CUTS[cut]
    display = plotting.plot_anat(
        slab.to_nifti(), display_mode="xyz"[axis], cut_coords=[slab.affine[axis, 3]], axes=axes,
        figure=axes.figure, annotate=False, draw_cross=False, black_bg=True, dim=0, cmap="gray",
        colorbar=False, vmin=float(window[0]), vmax=float(window[1]),
    )  # fmt: skip
    (shown,) = (drawn.ax for drawn in display.axes.values())
    (x0, y0), (x1, y1) = slab.to_mm([[-0.5] * 3, np.array(slab.shape) - 0.5])[:, [right, up]]
    picture = shown.images[-1]
    picture.set(interpolation="none", extent=(x0, x1, y0, y1))
    for role, mask in outlines.items():
        flat = _slab(image.with_data(np.asarray(mask) > 0), cut, centre)
        if flat.data.any():
            fine = _split(crop(flat, bounding_box(flat.data)), (right, up)).to_nifti()
            display.add_contours(fine, levels=[0.5], colors=["black"], linewidths=2.0)
            display.add_contours(fine, levels=[0.5], colors=[ROLE_COLOURS[role]], linewidths=1.1)
    (x0, x1), (y0, y1) = view or ((x0, x1), (y0, y1))
    shown.axis((x0, x1, y0, y1))
    _letters(display, shown, cut)
    if bar_mm:
        display.annotate(left_right=False, positions=False, scalebar=True, size=8,
                         scale_size=bar_mm, scale_units="mm", scale_loc=3, pad=0.15,
                         borderpad=0.3, sep=2, frameon=True, label_top=True)  # fmt: skip
    _follow(shown, axes, (y1 - y0) / (x1 - x0))
    return shown


def orthogonal_cuts(rows, spacing, *, centre, title: str = ""):
    """Cuts through a voxel: a row per label, columns axial, coronal, sagittal (Figures 7.5, S54).

    ``rows`` are (label, RAS array, masks by role, see `show_cut`), all of one shape and of
    ``spacing`` mm, a number or three.
    """
    return cut_examples([(title, rows, centre)], spacing, size=2.2)


def cut_examples(examples, spacing, *, size: float = 1.55):
    """Several places side by side, each as in `orthogonal_cuts` (Figures 8.1, 8.2 and A.5).

    ``examples`` are (title, rows, centre); one window of grey holds for all rows of an example.
    """
    deepest = max(len(rows) for _, rows, _ in examples)
    lines = max(len(title.splitlines()) for title, _, _ in examples)
    width = max(7.0, len(examples) * (3 * size + 0.35))
    height = deepest * size + 0.4 + 0.18 * lines
    figure = new_figure(width, height)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02)
    outer = figure.add_gridspec(1, len(examples), wspace=0.06)
    titles = with_letters(title for title, *_ in examples)
    for part, title, (_, rows, centre) in zip(outer, titles, examples, strict=True):
        grid = part.subgridspec(deepest, 3).subplots(squeeze=False)
        _fill(grid, rows, spacing, centre)
        for axes in grid[len(rows) :].ravel():
            axes.set_axis_off()
        middle = grid[0, 1]
        middle.set_title(
            f"{title}\n{middle.get_title()}" if title else middle.get_title(), fontsize=9
        )
    return figure


def prediction_evolution(image, truth, snapshots, spacing):
    """How a prediction changes during training (Figure 7.2).

    Rows are the axial, coronal and sagittal cut; columns the raw image, the annotation and one per
    snapshot: (head, voxels predicted). Arrays of one shape (i, j, k).
    """
    columns = [("Raw", {}), ("Annotated", {"annotated": truth})]
    columns += [(head, {"predicted": predicted}) for head, predicted in snapshots]
    centre = centre_of(truth, np.shape(image))
    figure = new_figure(1.3 * len(columns) + 0.4, 4.3, images=True)
    grid = figure.subplots(3, len(columns), squeeze=False)
    scan = _volume(image, spacing)
    for line, cut in zip(grid, CUTS, strict=True):
        for axes, (label, outlines) in zip(line, columns, strict=True):
            bar = nice_length(_width(scan)) if axes is line[0] else None
            show_cut(axes, scan, outlines, cut, centre, window=window_of(image), bar_mm=bar)
            if cut == "axial":
                axes.set_title(label, fontsize=9)
        line[0].set_ylabel(cut.capitalize())
    return figure


def axial_panels(shown, window, note: str):
    """Axial slices of one scan side by side with outlines (Figure S56).

    ``shown`` are (title, Volume, masks by role, voxel) of each slice, see `show_cut`; ``window``
    the intensities that become black and white in all; ``note`` says how to read the figure.
    """
    columns = min(3, len(shown))
    figure = new_figure(9, 3.2 * -(-len(shown) // columns), images=True)
    grid = panels(figure, len(shown), columns)
    titles = with_letters(title for title, *_ in shown)
    for axes, title, (_, scan, outlines, centre) in zip(grid, titles, shown, strict=True):
        bar = nice_length(_width(scan)) if axes is grid[0] else None
        show_cut(axes, scan, outlines, "axial", centre, window=window, bar_mm=bar)
        axes.set_title(title, fontsize=9)
    add_note(figure, note)
    return figure


def window_of(*images) -> tuple[float, float]:
    """Percentiles 0.5 and 99.5 of the finite values: what becomes black and white."""
    values = np.concatenate([np.ravel(image).astype(float) for image in images])
    values = values[np.isfinite(values)]
    low, high = map(float, np.percentile(values, [0.5, 99.5]) if values.size else (0.0, 1.0))
    return (low, high) if high > low else (low, low + 1)


def _fill(grid, rows, spacing, centre) -> None:
    window = window_of(*(image for _, image, _ in rows))
    for line, (label, image, outlines) in zip(grid, rows, strict=False):
        scan = _volume(image, spacing)
        for axes, cut in zip(line, CUTS, strict=True):
            bar = nice_length(_width(scan)) if axes is grid[0, 0] else None
            show_cut(axes, scan, outlines, cut, centre, window=window, bar_mm=bar)
            if axes in grid[0]:
                axes.set_title(cut.capitalize(), fontsize=9)
        line[0].set_ylabel(MODEL_NAMES.get(label, label))


def _volume(image, spacing) -> Volume:
    scale = np.broadcast_to(np.asarray(spacing, float), 3)
    return Volume(np.asarray(image), np.diag([*scale, 1.0]))


def _width(scan: Volume) -> float:
    return float(scan.shape[0] * scan.spacing[0])


def _slab(image: Volume, cut: str, centre) -> Volume:
    """The one layer of voxels that a cut shows, on axes along the scanner's."""
    axis = CUTS[cut][0]
    first = np.zeros(3, int)
    first[axis] = centre[axis]
    affine = np.diag([*image.spacing, 1.0])
    affine[:3, 3] = image.to_mm(first)
    return Volume(np.take(image.data, [centre[axis]], axis=axis), affine)


def _split(mask: Volume, axes) -> Volume:
    """Each voxel split into `FINE` x `FINE` in the cut's plane; a rim of empty ones around.

    The affine is stretched by what nilearn draws too short (see `show_cut`).
    """
    data, affine = mask.data.astype(np.uint8), mask.affine.copy()
    for axis in axes:
        data = data.repeat(FINE, axis)
        affine[axis, axis] /= FINE
        affine[axis, 3] -= affine[axis, axis] * (FINE - 1) / 2 + affine[axis, axis]
        data = np.pad(data, [(1, 1) if a == axis else (0, 0) for a in range(3)])
        affine[axis, 3] -= affine[axis, axis] / 2
        affine[axis, axis] *= data.shape[axis] / (data.shape[axis] - 1)
    return Volume(data, affine)


def _letters(display, shown, cut: str) -> None:
    """Nilearn names left and right; of sagittal cuts it leaves the sides unnamed."""
    display.annotate(positions=False, size=8)
    if cut == "sagittal":
        plate = {"boxstyle": "square,pad=0", "fc": "black", "ec": "black"}
        for x, letter, side in ((0.1, "P", "left"), (0.9, "A", "right")):
            shown.text(x, 0.95, letter, transform=shown.transAxes, ha=side, va="top", size=8,
                       color="white", bbox=plate)  # fmt: skip


def _follow(shown, host, aspect: float) -> None:
    """Keep nilearn's axes where the layout puts the subplot, which keeps title and label."""
    shown.set_axes_locator(lambda axes, renderer: host.get_position())
    for image in list(host.images):
        image.remove()
    host.set_axis_on()
    host.set(xticks=[], yticks=[], facecolor="black", box_aspect=aspect)
    host.spines[:].set_visible(False)
