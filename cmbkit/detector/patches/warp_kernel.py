"""Compiled loop of the spatial augmentation; `augmentation` is the module to read and to call."""

import numpy as np
from numba import njit

from cmbkit.preprocessing.grid_kernels import trilinear


@njit(cache=True, nogil=True)
def warp(image, mask, matrix, offset, nodes, n0, n1, n2):
    """Image (linear) and mask (nearest) at ``matrix`` @ (i, j, k) + ``offset`` + displacement.

    Parameters
    ----------
    image, mask : ndarray (x, y, z), float32 and uint8
        Positions outside take the nearest voxel.
    matrix, offset : ndarray (3, 3) and (3,), float64
    nodes : ndarray (3, m, m, m), float32
        Displacements in voxels on a coarse grid whose corners are the output's corner voxels,
        interpolated linearly; m = 0 for none.
    n0, n1, n2 : int
        Shape of the output.
    """
    values = np.empty((n0, n1, n2), np.float32)
    marks = np.empty((n0, n1, n2), mask.dtype)
    m = nodes.shape[1]
    last = (image.shape[0] - 1, image.shape[1] - 1, image.shape[2] - 1)
    step0 = (m - 1) / max(n0 - 1, 1)
    step1 = (m - 1) / max(n1 - 1, 1)
    step2 = (m - 1) / max(n2 - 1, 1)
    plane, line = np.empty((3, m, m), np.float32), np.zeros((3, m + 1), np.float32)
    for i in range(n0):
        if m:
            at = min(int(i * step0), m - 2)
            share = np.float32(i * step0 - at)
            plane[:] = nodes[:, at] + share * (nodes[:, at + 1] - nodes[:, at])
        for j in range(n1):
            if m:
                at = min(int(j * step1), m - 2)
                share = np.float32(j * step1 - at)
                line[:, :m] = plane[:, at] + share * (plane[:, at + 1] - plane[:, at])
            x0 = matrix[0, 0] * i + matrix[0, 1] * j + offset[0]
            y0 = matrix[1, 0] * i + matrix[1, 1] * j + offset[1]
            z0 = matrix[2, 0] * i + matrix[2, 1] * j + offset[2]
            for k in range(n2):
                x, y, z = x0 + matrix[0, 2] * k, y0 + matrix[1, 2] * k, z0 + matrix[2, 2] * k
                if m:
                    at = min(int(k * step2), m - 2)
                    share = k * step2 - at
                    x += line[0, at] + share * (line[0, at + 1] - line[0, at])
                    y += line[1, at] + share * (line[1, at + 1] - line[1, at])
                    z += line[2, at] + share * (line[2, at + 1] - line[2, at])
                x = min(max(x, 0.0), last[0])
                y = min(max(y, 0.0), last[1])
                z = min(max(z, 0.0), last[2])
                values[i, j, k] = trilinear(image, x, y, z)
                marks[i, j, k] = mask[int(x + 0.5), int(y + 0.5), int(z + 0.5)]
    return values, marks
