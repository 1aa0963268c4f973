"""Boxes of voxels: around a mask, and cut out of an array."""

import numpy as np


def bounding_box(*masks: np.ndarray, margin: int = 0) -> tuple[slice, slice, slice]:
    """Smallest box that holds every nonzero voxel of all masks (same shape).

    ``margin``: so many voxels wider on every side, as far as the array goes.

    Raises
    ------
    ValueError
        If no voxel is nonzero.
    """
    box = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        used = np.flatnonzero(np.any([m.any(axis=others) for m in masks], axis=0))
        if not len(used):
            raise ValueError("mask: expected voxels > 0, found none")
        box.append(slice(max(0, int(used[0]) - margin), int(used[-1]) + 1 + margin))
    return tuple(box)


def widened(box, margin, shape) -> tuple[slice, slice, slice]:
    """Box so many voxels (one number, or one per axis) wider on every side, within ``shape``."""
    i, j, k = (
        slice(max(side.start - int(more), 0), min(side.stop + int(more), size))
        for side, more, size in zip(box, np.broadcast_to(margin, 3), shape, strict=True)
    )
    return i, j, k


def cut_box(array: np.ndarray, start, shape, fill=0) -> np.ndarray:
    """Cut ``shape`` voxels from voxel ``start`` on; both may reach beyond the array.

    Returns
    -------
    ndarray of ``shape``
        A view where the box lies within the array, else a copy with ``fill`` beyond it.
    """
    start, shape = np.asarray(start, int), np.asarray(shape, int)
    low = np.clip(start, 0, array.shape)
    high = np.clip(start + shape, 0, array.shape)
    inside = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    if inside.shape == tuple(shape):
        return inside
    cut = np.full(shape, fill, array.dtype)
    if inside.size:
        offset = low - start
        cut[tuple(slice(o, o + n) for o, n in zip(offset, inside.shape, strict=True))] = inside
    return cut
