"""Compiled loops of resampling along the scanner's axes; `grid` is the module to read and to call.

``below`` holds per axis the source index at or below each target position, ``part`` how far the
position is beyond it (0 to 1); ``below`` + 1 is read too, except on an axis of one voxel.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, fastmath=True)
def interpolate(data, below0, part0, below1, part1, below2, part2):
    """Trilinear interpolation of float32 ``data`` at a grid of positions; one pass, no copies."""
    n0, n1, n2 = len(below0), len(below1), len(below2)
    rows, columns = data.shape[1], data.shape[2]
    last0, last1, last2 = data.shape[0] - 1, rows - 1, columns - 1
    result = np.empty((n0, n1, n2), np.float32)
    plane = np.empty((rows, columns), np.float32)
    line = np.empty(columns, np.float32)
    for i in range(n0):
        low, high, share = data[below0[i]], data[min(below0[i] + 1, last0)], part0[i]
        for b in range(rows):
            for c in range(columns):
                plane[b, c] = low[b, c] + share * (high[b, c] - low[b, c])
        for j in range(n1):
            first, second = below1[j], min(below1[j] + 1, last1)
            share = part1[j]
            for c in range(columns):
                line[c] = plane[first, c] + share * (plane[second, c] - plane[first, c])
            for k in range(n2):
                value = line[below2[k]]
                result[i, j, k] = value + part2[k] * (line[min(below2[k] + 1, last2)] - value)
    return result


@njit(cache=True)
def pick(data, index0, index1, index2):
    """Values of ``data`` at every combination of indices; an index below 0 gives 0."""
    result = np.zeros((len(index0), len(index1), len(index2)), data.dtype)
    for i in range(len(index0)):
        if index0[i] < 0:
            continue
        for j in range(len(index1)):
            if index1[j] < 0:
                continue
            row = data[index0[i], index1[j]]
            for k in range(len(index2)):
                if index2[k] >= 0:
                    result[i, j, k] = row[index2[k]]
    return result


@njit(inline="always")
def trilinear(data, x, y, z):
    """Trilinear interpolation of float32 ``data`` at one position within its voxel centres.

    Numba's cache of loops in other files (`detector.patches.warp_kernel`) does not notice a
    change here: delete their ``__pycache__``.
    """
    a, b, c = int(x), int(y), int(z)
    d = min(a + 1, data.shape[0] - 1)
    e = min(b + 1, data.shape[1] - 1)
    f = min(c + 1, data.shape[2] - 1)
    p, q, r = np.float32(x - a), np.float32(y - b), np.float32(z - c)
    ab = data[a, b, c] + r * (data[a, b, f] - data[a, b, c])
    ae = data[a, e, c] + r * (data[a, e, f] - data[a, e, c])
    db = data[d, b, c] + r * (data[d, b, f] - data[d, b, c])
    de = data[d, e, c] + r * (data[d, e, f] - data[d, e, c])
    low, high = ab + q * (ae - ab), db + q * (de - db)
    return low + p * (high - low)


@njit(cache=True)
def interpolate_oblique(data, matrix, offset, n0, n1, n2, fill, rim):
    """Trilinear interpolation of float32 ``data`` at ``matrix`` @ (i, j, k) + ``offset``.

    Positions more than ``rim`` voxels outside get ``fill``.
    """
    result = np.full((n0, n1, n2), fill, np.float32)
    last = (data.shape[0] - 1, data.shape[1] - 1, data.shape[2] - 1)
    for i in range(n0):
        for j in range(n1):
            x0 = matrix[0, 0] * i + matrix[0, 1] * j + offset[0]
            y0 = matrix[1, 0] * i + matrix[1, 1] * j + offset[1]
            z0 = matrix[2, 0] * i + matrix[2, 1] * j + offset[2]
            for k in range(n2):
                x, y, z = x0 + matrix[0, 2] * k, y0 + matrix[1, 2] * k, z0 + matrix[2, 2] * k
                if x < -rim or y < -rim or z < -rim:
                    continue
                if x > last[0] + rim or y > last[1] + rim or z > last[2] + rim:
                    continue
                x, y, z = min(max(x, 0), last[0]), min(max(y, 0), last[1]), min(max(z, 0), last[2])
                result[i, j, k] = trilinear(data, x, y, z)
    return result


@njit(cache=True)
def pick_oblique(data, matrix, offset, n0, n1, n2):
    """Values of ``data`` nearest to ``matrix`` @ (i, j, k) + ``offset``; 0 outside."""
    result = np.zeros((n0, n1, n2), data.dtype)
    for i in range(n0):
        for j in range(n1):
            x0 = matrix[0, 0] * i + matrix[0, 1] * j + offset[0] + 0.5
            y0 = matrix[1, 0] * i + matrix[1, 1] * j + offset[1] + 0.5
            z0 = matrix[2, 0] * i + matrix[2, 1] * j + offset[2] + 0.5
            for k in range(n2):
                x, y, z = x0 + matrix[0, 2] * k, y0 + matrix[1, 2] * k, z0 + matrix[2, 2] * k
                if x < 0 or y < 0 or z < 0:
                    continue
                a, b, c = int(x), int(y), int(z)
                if a < data.shape[0] and b < data.shape[1] and c < data.shape[2]:
                    result[i, j, k] = data[a, b, c]
    return result
