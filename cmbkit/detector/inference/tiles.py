"""Where tiles start at inference (section 6.4.2): they cover the volume with a set overlap."""

from itertools import product

import numpy as np

MIRRORS = [
    tuple(axis for axis, mirrored in zip((1, 2, 3), chosen, strict=True) if mirrored)
    for chosen in product([False, True], repeat=3)
]
"""Axes of a stack of patches (n, x, y, z, ...) that are mirrored in each of the eight images."""


def _stride(tile: int, overlap: float) -> int:
    return max(1, int(tile * (1 - overlap)))


def axis_starts(size: int, tile: int, overlap: float) -> list[int]:
    """Starts along one axis; the last tile is moved back so that it ends with the image.

    An axis shorter than the tile gives one start, 0: the caller pads.
    """
    if not 0 <= overlap < 1:
        raise ValueError(f"expected an overlap in [0, 1), found {overlap}")
    last = max(0, size - tile)
    return [*range(0, last, _stride(tile, overlap)), last]


def tile_starts(shape, tile, overlap: float) -> np.ndarray:
    """Starts of all tiles, shape (n, 3), in voxels; neighbours share the fraction ``overlap``.

    A 400^3 image and 96^3 tiles give 343 tiles at overlap 0.4 and 125 at overlap 0.
    """
    axes = [axis_starts(n, t, overlap) for n, t in zip(shape, tile, strict=True)]
    return np.array(list(product(*axes)), int)


def odd_tiles(starts: np.ndarray, tile, overlap: float) -> np.ndarray:
    """Which of `tile_starts` are black if the first is white, as on a chessboard; boolean, (n,)."""
    strides = [_stride(n, overlap) for n in tile]
    numbers = -(-starts // strides)  # the last start is at most a stride after the one before
    return numbers.sum(axis=1) % 2 == 1


def holds_any(mask: np.ndarray, starts: np.ndarray, tile, margin: int = 0) -> np.ndarray:
    """Whether each tile holds a nonzero voxel of ``mask``; boolean, shape (n,).

    ``margin``: or has one within so many voxels of its border.
    """
    slices = [
        tuple(slice(max(0, s - margin), s + t + margin) for s, t in zip(start, tile, strict=True))
        for start in starts
    ]
    return np.array([bool(mask[cut].any()) for cut in slices], bool)


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
