"""Region growing and the automatic choice in plain Python: a breadth-first search per tolerance."""

from collections import deque
from math import dist

import numpy as np

from cmbkit.preprocessing import region_growing as rg


def grow(image, seed, tolerance, setting, spacing, max_voxels, max_mm):
    """Algorithm 1 from one seed: the region (set of voxels) and the voxels added."""
    steps = [tuple(step) for step in rg.neighbour_offsets(setting.connectivity).tolist()]
    shape, running = image.shape, setting.reference == "running"
    relative = setting.difference == "relative"
    place = tuple(s * v for s, v in zip(seed, spacing, strict=True))
    region, queue, added = {seed}, deque([seed]), 0
    total = float(image[seed])
    while queue:
        i, j, k = queue.popleft()
        reference = total / len(region) if running else float(image[i, j, k])
        for a, b, c in steps:
            near = (i + a, j + b, k + c)
            if near in region or not all(0 <= v < n for v, n in zip(near, shape, strict=True)):
                continue
            if dist(place, [v * s for v, s in zip(near, spacing, strict=True)]) >= max_mm:
                continue
            value = float(image[near])
            gap = abs(value - reference)
            if relative:
                gap = 100 * gap / abs(reference) if reference else (np.inf if gap else 0.0)
            if gap >= tolerance:
                continue
            region.add(near)
            queue.append(near)
            total += value
            added += 1
            if running:
                reference = total / len(region)
            if added > max_voxels:
                return region, added
    return region, added


def automatic(image, seed, params, spacing):
    """Setting, tolerance and region for one microbleed: every setting at every tolerance."""
    cap = rg.size_cap(float(np.prod(spacing)), params.growing_max_radius_mm)
    limits = (spacing, cap, params.growing_max_distance_mm)
    best = None
    for setting in rg.settings(params):
        tolerances, sizes = rg.tolerance_grid(setting.difference), []
        for tolerance in tolerances:
            sizes.append(grow(image, seed, tolerance, setting, *limits)[1])
            if sizes[-1] > cap:
                break
        tolerance, _ = rg.pick_tolerance(tolerances[: len(sizes)], np.array(sizes))
        region, _ = grow(image, seed, tolerance, setting, *limits)
        if best is None or len(region) > len(best[2]):
            best = (setting, tolerance, region)
    return best
