"""Down to means over blocks of voxels, and back by linear interpolation."""

import numpy as np


def block_mean(data: np.ndarray, factors) -> np.ndarray:
    """Mean over blocks of ``factors`` voxels along the three axes; the last may be smaller."""
    for axis, factor in enumerate(factors):
        if factor > 1:
            starts = np.arange(0, data.shape[axis], factor)
            counts = np.diff(np.append(starts, data.shape[axis])).astype(np.float32)
            counts = counts.reshape([-1 if a == axis else 1 for a in range(3)])
            data = np.add.reduceat(data, starts, axis=axis) / counts
    return data


def refine(coarse: np.ndarray, factors, shape) -> np.ndarray:
    """Linear interpolation of block values back to the voxels of the blocks."""
    weights = []
    for blocks, factor, voxels in zip(coarse.shape, factors, shape, strict=True):
        position = (np.arange(voxels) - (factor - 1) / 2) / factor
        position = np.clip(position, 0, blocks - 1)[:, None]
        hat = np.maximum(0, 1 - np.abs(position - np.arange(blocks)))
        weights.append(hat.astype(np.float32))
    fine = weights[1] @ (coarse @ weights[2].T)
    return np.tensordot(weights[0], fine, (1, 0))
