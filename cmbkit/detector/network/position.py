"""Where a patch lies in its scan, as input of the network (the thesis's section 9.3 proposes it).

A network built with ``coordinate_channels`` takes, after the image, three channels that hold
each voxel's place along right, anterior and superior.
"""

from __future__ import annotations

import numpy as np

CHANNELS = 3


def coordinates(start, patch, shape) -> np.ndarray:
    """Place of every voxel of a patch within its scan.

    Parameters
    ----------
    start, patch : 3 int
        First voxel and size of the patch; it may reach beyond the scan.
    shape : 3 int
        Of the scan on the standard grid, which ends where the brain ends.

    Returns
    -------
    ndarray (x, y, z, 3), float32
        -1 at the lower face of the scan, 1 at the upper one, at the voxels' centres.
    """
    axes = [
        (2 * (first + np.arange(n) + 0.5) / size - 1).astype(np.float32)
        for first, n, size in zip(start, patch, shape, strict=True)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def with_coordinates(patches: np.ndarray, starts, shape) -> np.ndarray:
    """Add the channels to patches of one scan: (n, x, y, z) in, (n, x, y, z, 4) out."""
    places = [coordinates(start, patches.shape[1:], shape) for start in starts]
    return np.concatenate([patches[..., None], np.stack(places)], axis=-1).astype(np.float32)
