"""Where tiles start at inference (section 6.4.2): they cover the volume with a set overlap."""

from __future__ import annotations

from itertools import product

import numpy as np


def axis_starts(size: int, tile: int, overlap: float) -> list[int]:
    """Starts along one axis; the last tile is moved back so that it ends with the image.

    An axis shorter than the tile gives one start, 0: the caller pads.
    """
    if not 0 <= overlap < 1:
        raise ValueError(f"expected an overlap in [0, 1), found {overlap}")
    if size <= tile:
        return [0]
    stride = max(1, int(tile * (1 - overlap)))
    starts = list(range(0, size - tile, stride))
    return [*starts, size - tile]


def tile_starts(shape, tile, overlap: float) -> np.ndarray:
    """Starts of all tiles, shape (n, 3), in voxels.

    A 400^3 image and 96^3 tiles give 343 tiles at overlap 0.4 and 125 at overlap 0.

    Parameters
    ----------
    shape, tile : 3 int
        Voxels per axis.
    overlap : float
        Fraction of a tile shared with the next along each axis.
    """
    axes = [axis_starts(n, t, overlap) for n, t in zip(shape, tile, strict=True)]
    return np.array(list(product(*axes)), int)


def holds_any(mask: np.ndarray, starts: np.ndarray, tile, margin: int = 0) -> np.ndarray:
    """Whether each tile holds a nonzero voxel of ``mask``; boolean, shape (n,).

    ``margin``: or has one within so many voxels of its border.
    """
    slices = [
        tuple(slice(max(0, s - margin), s + t + margin) for s, t in zip(start, tile, strict=True))
        for start in starts
    ]
    return np.array([bool(mask[cut].any()) for cut in slices], bool)


def spread_starts(low: int, high: int, size: int, tile: int, overlap: float) -> list[int]:
    """Starts along one axis that cover voxels ``low`` to ``high - 1``, evenly spread.

    As few tiles as the overlap allows; all within an axis of ``size`` voxels (at least a tile).
    """
    if not 0 <= overlap < 1:
        raise ValueError(f"expected an overlap in [0, 1), found {overlap}")
    extent = high - low
    if extent <= tile:
        return [int(np.clip((low + high - tile) // 2, 0, size - tile))]
    stride = max(1, int(tile * (1 - overlap)))
    count = -(-(extent - tile) // stride) + 1
    return np.rint(np.linspace(low, high - tile, count)).astype(int).tolist()


def brain_starts(brain: np.ndarray, tile, overlap: float) -> np.ndarray:
    """Starts of tiles fitted to a brain: slabs, in each its rows, in each row its tiles.

    Every brain voxel is covered. Each slab and row spans only its own part of the brain, so a
    round brain needs fewer tiles than its bounding box.

    Parameters
    ----------
    brain : ndarray (x, y, z)
        Nonzero inside; at least a tile along each axis.
    tile : 3 int
        Voxels per axis.
    overlap : float
        Smallest fraction of a tile shared with the next along each axis.

    Returns
    -------
    ndarray of int (n, 3)
    """
    starts = []
    for x in _along(brain.any((1, 2)), tile[0], overlap):
        slab = brain[x : x + tile[0]].any(0)
        for y in _along(slab.any(1), tile[1], overlap):
            row = slab[y : y + tile[1]].any(0)
            starts += [(x, y, z) for z in _along(row, tile[2], overlap)]
    return np.array(starts, int).reshape(-1, 3)


def _along(line: np.ndarray, tile: int, overlap: float) -> list[int]:
    """Starts that cover the true part of a boolean line; none where nothing is true."""
    where = np.flatnonzero(line)
    if not len(where):
        return []
    return spread_starts(int(where[0]), int(where[-1]) + 1, len(line), tile, overlap)


def covering_starts(points: np.ndarray, shape, tile, margin: int) -> np.ndarray:
    """Starts of few tiles such that each point lies in one, ``margin`` voxels from its border.

    Greedy: a tile takes in the first point that is left and, while they fit together, the
    points nearest to it, and is centred on them. Nearer than ``margin`` only at the image's
    border.

    Parameters
    ----------
    points : ndarray (n, 3)
        Voxels.
    shape, tile : 3 int
        Voxels per axis; a tile fits into the image.
    """
    left = np.asarray(points, float).reshape(-1, 3)
    tile, room = np.array(tile), np.array(tile) - 2 * margin - 1
    starts = []
    while len(left):
        order = np.argsort(np.abs(left - left[0]).max(1), kind="stable")
        low, high, taken = left[0], left[0], []
        for which in order:
            wider = np.minimum(low, left[which]), np.maximum(high, left[which])
            if (wider[1] - wider[0] <= room).all():
                (low, high), taken = wider, [*taken, which]
        start = np.rint((low + high + 1 - tile) / 2).astype(int)
        starts.append(np.clip(start, 0, np.array(shape) - tile))
        left = np.delete(left, taken or [0], axis=0)
    return np.array(starts, int).reshape(-1, 3)


def gaussian_weights(tile) -> np.ndarray:
    """Weights of a tile's voxels, float32: 1 in the middle, sigma an eighth of each side.

    At least 0.001, so that a voxel that only borders see is still defined.
    """
    axes = []
    for n in tile:
        away = np.arange(n) - (n - 1) / 2
        axes.append(np.exp(-0.5 * (away / (n / 8)) ** 2))
    product = axes[0][:, None, None] * axes[1][None, :, None] * axes[2][None, None, :]
    return np.maximum(product, 1e-3).astype(np.float32)
