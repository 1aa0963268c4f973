"""The standard grid of a scan (RAS, isotropic, along the scanner's axes) and the way back.

Images are interpolated linearly, masks and labels take the nearest voxel (section 5.2, step 4).
Where the scan's axes are those of the scanner, which is the rule, the work is done axis by
axis; oblique scans are resampled voxel by voxel.

Ties: with the grids aligned by voxel centres, as published, a target that lies half-way between
two voxels takes the upper one (as nilearn's does). On an axis whose spacing is an even multiple
of the grid's (1 mm slices on 0.5 mm) a mask so comes to lie half a target voxel (0.25 mm) lower
than the image, which is interpolated; the way back undoes it. Aligned by edges there are no ties.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from cmbkit.boxes import widened
from cmbkit.volume import Volume

DRIFT_VOXELS = 1e-3
RIM_VOXELS = 1e-6


def crop(volume, box: tuple[slice, slice, slice]) -> Volume:
    """Part of what `Volume.of` takes; the affine moves along."""
    volume = Volume.of(volume)
    affine = volume.affine.copy()
    affine[:3, 3] = volume.to_mm([s.start for s in box])
    return Volume(volume.data[box], affine, volume.path)


def standard_grid(
    volume: Volume, spacing_mm: float, alignment: str = "centres"
) -> tuple[tuple[int, int, int], np.ndarray]:
    """Shape and affine of the isotropic grid that covers a volume.

    Parameters
    ----------
    volume : path-like, nibabel image or Volume
    spacing_mm : float
    alignment : {"centres", "edges"}
        "centres" covers the voxel centres: the first voxel's centre lies on the lowest corner
        of their bounding box in RAS mm, and voxels beyond the last centre, if any, are outside
        the volume. "edges" covers the voxels: the first voxel's edge lies on the lowest edge.

    Examples
    --------
    Slices of 2 mm, 0.75 mm within the slice, on a grid of 0.5 mm:

    >>> scan = Volume(np.zeros((41, 41, 11), np.float32), np.diag([0.75, 0.75, 2.0, 1.0]))
    >>> shape, affine = standard_grid(scan, 0.5)
    >>> shape
    (61, 61, 41)
    """
    volume = Volume.of(volume)
    beyond = 0.5 if alignment == "edges" else 0.0
    ends = np.array(np.meshgrid(*[(-beyond, n - 1 + beyond) for n in volume.shape]))
    corners = volume.to_mm(ends.reshape(3, -1).T)
    low, high = corners.min(axis=0), corners.max(axis=0)
    low, high = low + beyond * spacing_mm, high - beyond * spacing_mm
    i, j, k = (np.ceil((high - low) / spacing_mm - DRIFT_VOXELS).astype(int) + 1).tolist()
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = low
    return (i, j, k), affine


def _along_axes(volume: Volume, shape, affine) -> list[np.ndarray] | None:
    """Source position of each target index per axis, or None if the axes are not parallel."""
    matrix = np.linalg.inv(volume.affine) @ affine
    drift = np.abs(matrix[:3, :3] - np.diag(np.diag(matrix[:3, :3]))) * np.asarray(shape)
    if drift.max() > DRIFT_VOXELS:
        return None
    return [
        np.arange(n) * step + start
        for n, step, start in zip(shape, np.diag(matrix), matrix[:3, 3], strict=False)
    ]


def resample_linear(volume: Volume, shape, affine, fill: float, rim: float = 0.0) -> Volume:
    """Linear interpolation on another grid; positions outside get ``fill``. Returns float32.

    Positions up to ``rim`` voxels beyond the outermost centres take the value there (half a
    voxel where grids are aligned by edges).

    Parameters
    ----------
    volume : path-like, nibabel image or Volume
    shape : 3 ints
    affine : ndarray, shape (4, 4)
    fill, rim : float

    Examples
    --------
    Half-way between voxels lies the mean of two:

    >>> line = Volume(np.arange(4.0).reshape(4, 1, 1), np.eye(4))
    >>> half = np.diag([0.5, 1.0, 1.0, 1.0])
    >>> resample_linear(line, (7, 1, 1), half, fill=0.0).data.ravel().tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    """
    volume = Volume.of(volume)
    from cmbkit.preprocessing.grid_kernels import interpolate, interpolate_oblique

    positions = _along_axes(volume, shape, affine)
    values = volume.data.astype(np.float32, copy=False)
    if positions is None:
        data = _oblique(interpolate_oblique, values, volume, shape, affine, fill, rim + RIM_VOXELS)
        return Volume(data, affine, volume.path)
    steps = []
    for position, size in zip(positions, volume.shape, strict=True):
        inside = np.clip(position, 0, size - 1)
        below = np.minimum(np.floor(inside).astype(np.int64), max(size - 2, 0))
        steps.append((below, (inside - below).astype(np.float32)))
    data = _in_memory_order(interpolate, values, steps)
    for axis, position in enumerate(positions):
        last = volume.shape[axis] - 1
        beyond = rim + DRIFT_VOXELS
        outside = (position < -beyond) | (position > last + beyond)
        data[(slice(None),) * axis + (outside,)] = fill
    return Volume(data, affine, volume.path)


def resample_nearest(volume: Volume, shape, affine) -> Volume:
    """Nearest voxel on another grid; positions outside get 0. Keeps the dtype.

    Takes what `Volume.of` takes; a file is read as float32.
    """
    volume = Volume.of(volume)
    from cmbkit.preprocessing.grid_kernels import pick, pick_oblique

    positions = _along_axes(volume, shape, affine)
    if positions is None:
        data = _oblique(pick_oblique, volume.data, volume, shape, affine)
        return Volume(data, affine, volume.path)
    index = [np.floor(p + 0.5).astype(np.int64) for p in positions]
    index = [np.where((i >= 0) & (i < n), i, -1) for i, n in zip(index, volume.shape, strict=True)]
    return Volume(_in_memory_order(pick, volume.data, [(i,) for i in index]), affine, volume.path)


def _in_memory_order(kernel, data: np.ndarray, steps: list[tuple]) -> np.ndarray:
    """Run a kernel on the array, or on its transpose where that is how it lies in memory."""
    if data.flags.f_contiguous:
        return kernel(data.T, *itertools.chain(*steps[::-1])).T
    return kernel(np.ascontiguousarray(data), *itertools.chain(*steps))


def _oblique(kernel, data: np.ndarray, volume: Volume, shape, affine, *more) -> np.ndarray:
    """Run a kernel of an oblique grid, in the order in which the array lies in memory."""
    forward = np.linalg.inv(volume.affine) @ affine
    matrix, offset = forward[:3, :3], forward[:3, 3]
    if data.flags.f_contiguous:
        matrix, offset = np.ascontiguousarray(matrix[::-1, ::-1]), offset[::-1].copy()
        return kernel(data.T, matrix, offset, *map(int, shape[::-1]), *more).T
    matrix, offset = matrix.copy(), offset.copy()
    return kernel(np.ascontiguousarray(data), matrix, offset, *map(int, shape), *more)


def label_boxes(labels: np.ndarray) -> Iterator[tuple[int, tuple[slice, slice, slice]]]:
    """Every label that occurs, ascending, with its bounding box."""
    flipped = labels.flags.f_contiguous
    for label, box in enumerate(ndimage.find_objects(labels.T if flipped else labels), 1):
        if box is not None:
            yield label, box[::-1] if flipped else box


def labels_box(labels: np.ndarray, margin: int) -> tuple[slice, slice, slice]:
    """Box that holds every label with ``margin`` voxels around it, cut at the array's border.

    Without any label it is the first voxel.
    """
    boxes = [box for _, box in label_boxes(labels)] or [(slice(0, 1),) * 3]
    low = np.min([[s.start for s in box] for box in boxes], axis=0).tolist()
    high = np.max([[s.stop for s in box] for box in boxes], axis=0).tolist()
    return widened(map(slice, low, high), margin, labels.shape)


def padded_grid(shape, affine, voxels: int) -> tuple[tuple[int, int, int], np.ndarray]:
    """Grid enlarged to a cube of ``voxels`` per side, the given one in its middle (step 6).

    The affine moves along, so `to_native` takes a padded volume as it takes the other. An odd
    voxel goes to the end of an axis; an axis longer than the cube stays as it is.
    """
    missing = np.maximum(voxels - np.array(shape), 0)
    padded = np.array(affine)
    padded[:3, 3] -= padded[:3, :3] @ (missing // 2)
    i, j, k = (np.array(shape) + missing).tolist()
    return (i, j, k), padded


def resample_labels(labels: Volume, shape, affine) -> Volume:
    """Nearest voxel on another grid, label by label within its box: for few small labels."""
    labels = Volume.of(labels, np.int32)
    result = np.zeros(shape, labels.data.dtype)
    forward = np.linalg.inv(affine) @ labels.affine
    back = np.linalg.inv(forward)
    for label, box in label_boxes(labels.data):
        ends = [(s.start - 0.5, s.stop - 0.5) for s in box]
        corners = np.array(np.meshgrid(*ends)).reshape(3, -1)
        corners = forward[:3, :3] @ corners + forward[:3, 3:]
        low = np.clip(np.floor(corners.min(axis=1)), 0, shape).astype(int)
        high = np.clip(np.ceil(corners.max(axis=1)) + 1, 0, shape).astype(int)
        steps = np.indices(high - low).reshape(3, -1) + low[:, None]
        source = np.floor(back[:3, :3] @ steps + back[:3, 3:] + 0.5).astype(int)
        inside = ((source >= 0) & (source < np.array(labels.shape)[:, None])).all(axis=0)
        hit = inside.copy()
        hit[inside] = labels.data[tuple(source[:, inside])] == label
        result[tuple(steps[:, hit])] = label
    return Volume(result, affine, labels.path)


def mark_voxel(labels: np.ndarray, centre, label: int) -> tuple[int, int, int]:
    """Write a label into the voxel nearest to ``centre`` that no other label has.

    Parameters
    ----------
    labels : ndarray of int, shape (i, j, k)
        Changed in place.
    centre : 3 floats
        Voxel indices; moved into the array if outside.
    label : int

    Returns
    -------
    tuple of int
        The voxel, within one step of the nearest one.
    """
    centre = np.clip(np.asarray(centre, float), 0, np.array(labels.shape) - 1)
    steps = np.rint(centre).astype(int) + np.indices((3, 3, 3)).reshape(3, -1).T - 1
    steps = steps[((steps >= 0) & (steps < labels.shape)).all(axis=1)]
    steps = steps[np.argsort(np.linalg.norm(steps - centre, axis=1), kind="stable")]
    for voxel in map(tuple, steps.tolist()):
        if labels[voxel] == 0:
            labels[voxel] = label
            return voxel
    raise ValueError(f"label {label}: expected a free voxel near {steps[0].tolist()}, found none")


def to_native(labels: Volume, record: dict) -> Volume:
    """Bring labels on the standard grid back to the scan's own grid.

    Parameters
    ----------
    labels : path-like, nibabel image or Volume, of int
        On the standard grid (masks, instances or a parcellation).
    record : dict
        `StandardScan.record()`; its ``native`` holds shape and affine.

    Returns
    -------
    Volume
        Array order, shape and affine of the raw image. A label that falls between thick
        slices, so that no native voxel has it as nearest, is written to the native voxels
        that its own voxels lie in: no microbleed disappears on the way.

    Examples
    --------
    From 1 mm to slices of 4 mm; the microbleed lies between two of them:

    >>> found = Volume(np.zeros((9, 9, 9), np.uint8), np.eye(4))
    >>> found.data[4, 4, 2] = 1
    >>> record = {"native": {"shape": [9, 9, 3], "affine": np.diag([1, 1, 4, 1]).tolist()}}
    >>> native = to_native(found, record)
    >>> native.shape, np.argwhere(native.data).tolist()
    ((9, 9, 3), [[4, 4, 0]])
    """
    labels = Volume.of(labels, np.int32)
    shape, affine = tuple(record["native"]["shape"]), np.array(record["native"]["affine"], float)
    native = Volume(np.broadcast_to(np.zeros((), labels.data.dtype), shape), affine)
    axes = native.reoriented("RAS")
    found = resample_nearest(labels, axes.shape, axes.affine).reoriented(native.orientation).data
    kept = {label for label, _ in label_boxes(found)}
    for label in [label for label, _ in label_boxes(labels.data) if label not in kept]:
        where = native.to_voxels(labels.to_mm(np.argwhere(labels.data == label)))
        voxels = np.unique(np.clip(np.rint(where).astype(int), 0, np.array(shape) - 1), axis=0)
        free = voxels[found[tuple(voxels.T)] == 0]
        if len(free):
            found[tuple(free.T)] = label
        else:
            mark_voxel(found, where.mean(axis=0), label)
    return Volume(found, affine)
