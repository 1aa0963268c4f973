"""Compiled loops of region growing; `region_growing` is the module to read and to call.

Arrays are indexed (i, j, k). ``allowed`` marks the voxels that the distance cap permits,
``offsets`` holds the 6 or 26 neighbour steps, ``seeds`` the voxel indices of the seeds.
"""

from __future__ import annotations

import heapq

import numpy as np
from numba import njit


@njit(cache=True)
def difference(value, reference, relative):
    """Intensity difference, absolute or in percent of the reference."""
    gap = abs(value - reference)
    if not relative:
        return gap
    if reference == 0.0:
        return 0.0 if gap == 0.0 else np.inf
    return 100.0 * gap / abs(reference)


@njit(cache=True)
def breadth_first(image, allowed, seeds, offsets, tolerance, running, relative, max_voxels):
    """Algorithm 1.

    Returns the region, the number of voxels added to the seeds (at most ``max_voxels`` + 1)
    and the smallest difference that was refused: up to and including a tolerance of that
    size, the run would be the same.
    """
    region = np.zeros(image.shape, np.bool_)
    queue = np.empty((max_voxels + 1 + len(seeds), 3), np.int64)
    waiting = 0
    total = 0.0
    for s in range(len(seeds)):
        i, j, k = seeds[s]
        if not region[i, j, k]:
            region[i, j, k] = True
            queue[waiting] = seeds[s]
            total += image[i, j, k]
            waiting += 1
    count = waiting
    added = 0
    refused = np.inf
    head = 0
    while head < waiting:
        i, j, k = queue[head]
        head += 1
        reference = total / count if running else image[i, j, k]
        for o in range(len(offsets)):
            a, b, c = i + offsets[o, 0], j + offsets[o, 1], k + offsets[o, 2]
            if a < 0 or b < 0 or c < 0:
                continue
            if a >= image.shape[0] or b >= image.shape[1] or c >= image.shape[2]:
                continue
            if region[a, b, c] or not allowed[a, b, c]:
                continue
            gap = difference(image[a, b, c], reference, relative)
            if gap >= tolerance:
                refused = min(refused, gap)
                continue
            region[a, b, c] = True
            queue[waiting, 0], queue[waiting, 1], queue[waiting, 2] = a, b, c
            waiting += 1
            added += 1
            total += image[a, b, c]
            count += 1
            if running:
                reference = total / count
            if added > max_voxels:
                return region, added, refused
    return region, added, refused


@njit(cache=True)
def running_sizes(image, allowed, seeds, offsets, tolerances, relative, max_voxels):
    """Voxels added by Algorithm 1 (running average) at each tolerance, up to the cap."""
    sizes = np.zeros(len(tolerances), np.int64)
    same_up_to = -1.0
    added = 0
    for t in range(len(tolerances)):
        if tolerances[t] > same_up_to:
            _, added, same_up_to = breadth_first(
                image, allowed, seeds, offsets, tolerances[t], True, relative, max_voxels
            )
        sizes[t] = added
        if added > max_voxels:
            return sizes[: t + 1]
    return sizes


@njit(cache=True)
def bottlenecks(image, allowed, seeds, offsets, relative, max_voxels):
    """Largest step on the easiest way from the seeds to each voxel (parent reference).

    A voxel belongs to the region at tolerance t when its bottleneck is below t, so one pass
    serves every tolerance. Voxels that were not reached hold infinity; the pass ends once
    ``max_voxels`` + 1 voxels were added. Also returns the bottlenecks of the added voxels in
    the order of growing, which is ascending.
    """
    reached = np.full(image.shape, np.inf)
    best = np.full(image.shape, np.inf)
    order = np.empty(max_voxels + 1, np.float64)
    ny, nz = image.shape[1], image.shape[2]
    heap = [(-1.0, 0) for _ in range(0)]
    for s in range(len(seeds)):
        i, j, k = seeds[s]
        if best[i, j, k] == np.inf:
            best[i, j, k] = -1.0
            heap.append((-1.0, (i * ny + j) * nz + k))
    added = 0
    while len(heap) > 0:
        level, flat = heapq.heappop(heap)
        i, j, k = flat // (ny * nz), (flat // nz) % ny, flat % nz
        if reached[i, j, k] != np.inf:
            continue
        reached[i, j, k] = level
        if level >= 0.0:
            order[added] = level
            added += 1
            if added > max_voxels:
                break
        for o in range(len(offsets)):
            a, b, c = i + offsets[o, 0], j + offsets[o, 1], k + offsets[o, 2]
            if a < 0 or b < 0 or c < 0:
                continue
            if a >= image.shape[0] or b >= image.shape[1] or c >= image.shape[2]:
                continue
            if not allowed[a, b, c] or reached[a, b, c] != np.inf:
                continue
            way = max(level, difference(image[a, b, c], image[i, j, k], relative))
            if way < best[a, b, c]:
                best[a, b, c] = way
                heapq.heappush(heap, (way, (a * ny + b) * nz + c))
    return reached, order[:added]
