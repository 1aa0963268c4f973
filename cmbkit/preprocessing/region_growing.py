"""Region growing from a seed, with the tolerance found at the elbow (section 5.1, Algorithm 1).

A microbleed annotated by its centre or by a scribble gets a region, and from the region only
its size is used (`labels` draws the sphere). For one setting (connectivity, reference,
difference) the region is grown at rising tolerances until it exceeds the size of the largest
possible microbleed; the elbow of the curve is the last tolerance before it leaks.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cmbkit.params import Preprocessing
from cmbkit.volume import Volume

SIX = ndimage.generate_binary_structure(3, 1)
LEAP_SHARE = 0.05
LEAP_VOXELS = 26
"""A step of the tolerance that adds more than both, the share of the size cap and so many voxels,
is a leap.

0.05 of a ball of 5 mm is a ball of 1.8 mm, chosen on synthetic CRB- and DOU-like scans of a seed of
their own (benchmarks/leak_guard.md). 26 voxels lie around one: a lesion of 3 x 3 x 3 voxels, whose
outer ones are all half dark, grows from its seed in one step. They are more than the share where
a voxel has over 1 mm3."""


@dataclass(frozen=True)
class Criterion:
    """What "similar" means while growing.

    ``connectivity`` is 6 or 26; ``reference`` is ``"parent"`` (the voxel grown from) or
    ``"running"`` (mean of the region so far); ``difference`` is ``"absolute"`` (image units)
    or ``"relative"`` (percent of the reference).
    """

    connectivity: int
    reference: str
    difference: str


@dataclass(frozen=True)
class Growth:
    """The region that one microbleed grew to.

    ``region`` is boolean in a box whose first voxel is ``origin`` in the image; ``n_voxels``
    its size. ``elbow`` tells whether the curve had one; without it the tolerance is the one
    before the last, and 0 (the seeds alone) if the first already leaked. ``leap`` tells whether
    one step of the tolerance up to it added more than `largest_step`: a leak that
    the elbow missed, and which ``growing_guard`` stops before. ``tolerances`` and
    ``sizes`` are the curve the elbow was looked for in; ``sizes`` counts voxels added to the
    seeds.
    """

    setting: Criterion
    tolerance: float
    elbow: bool
    leap: bool
    n_voxels: int
    region: np.ndarray
    origin: tuple[int, int, int]
    tolerances: np.ndarray
    sizes: np.ndarray


def tolerance_grid(difference: str) -> np.ndarray:
    """Tolerances that are tried, ascending (image units, or percent)."""
    if difference == "absolute":
        return np.arange(0.001, 100, 0.05)
    steps = (np.arange(0.001, 20, 0.05), np.arange(20, 100, 1), np.arange(100, 10001, 100))
    return np.concatenate(steps).astype(float)


def size_cap(voxel_volume_mm3: float, radius_mm: float) -> int:
    """Voxels in a sphere of the largest radius a microbleed has."""
    return max(1, round(4 / 3 * np.pi * radius_mm**3 / voxel_volume_mm3))


def largest_step(max_voxels: int) -> float:
    """Voxels that one step of the tolerance may add without being a leap, by the size cap."""
    return max(LEAP_SHARE * max_voxels, LEAP_VOXELS)


def neighbour_offsets(connectivity: int) -> np.ndarray:
    """Steps to the 6 or 26 neighbours, shape (connectivity, 3), in lexicographic order."""
    if connectivity not in (6, 26):
        raise ValueError(f"connectivity: expected 6 or 26, found {connectivity}")
    steps = np.argwhere(ndimage.generate_binary_structure(3, 1 if connectivity == 6 else 3)) - 1
    return steps[steps.any(axis=1)]


def _box(image: np.ndarray, seeds, spacing, distance_mm):
    """Part of the image within the distance cap: values, permitted voxels, seeds, origin."""
    seeds = np.atleast_2d(np.asarray(seeds, np.int64))
    if (seeds < 0).any() or (seeds >= image.shape).any():
        outside = seeds[((seeds < 0) | (seeds >= image.shape)).any(axis=1)][0].tolist()
        raise ValueError(f"seed: expected a voxel inside {image.shape}, found {outside}")
    reach = np.ceil(distance_mm / np.asarray(spacing)).astype(int)
    low = np.maximum(seeds.min(axis=0) - reach, 0)
    high = np.minimum(seeds.max(axis=0) + reach + 1, image.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    values = np.ascontiguousarray(image[box], np.float64)
    local = np.ascontiguousarray(seeds - low)
    allowed = _distance_mm(values.shape, local, spacing) < distance_mm
    return values, allowed, local, tuple(int(v) for v in low)


def _distance_mm(shape, seeds, spacing) -> np.ndarray:
    """Distance of every voxel to the nearest seed."""
    if len(seeds) == 1:
        steps = zip(np.ogrid[tuple(map(slice, shape))], seeds[0], spacing, strict=True)
        return np.sqrt(sum(((step - seed) * mm) ** 2 for step, seed, mm in steps))
    away = np.ones(shape, bool)
    away[tuple(seeds.T)] = False
    return ndimage.distance_transform_edt(away, sampling=spacing)


def pick_tolerance(tolerances: np.ndarray, sizes: np.ndarray) -> tuple[float, bool]:
    """Tolerance at the elbow of size against tolerance, and whether there is one.

    The last point of the curve is never picked: it is where the region leaked.
    """
    elbow = None
    if len(sizes) > 2 and sizes[0] != sizes[-1]:
        from kneed import KneeLocator

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            elbow = KneeLocator(tolerances, sizes, curve="convex", direction="increasing").elbow
    if elbow is not None and elbow < tolerances[-1]:
        return float(elbow), True
    return (float(tolerances[-2]) if len(sizes) > 1 else 0.0), False


def before_leap(tolerances, sizes, tolerance: float, most: float) -> float:
    """Last tolerance, up to the one given, before a step adds more than ``most`` voxels at once.

    0, so the seeds alone, if the first tolerance does; the one given if none does.
    """
    tried = np.diff(sizes[tolerances <= tolerance], prepend=0)
    leaps = np.flatnonzero(tried > most)
    if not len(leaps):
        return tolerance
    return float(tolerances[leaps[0] - 1]) if leaps[0] else 0.0


def _grow_to_elbow(box, setting: Criterion, max_voxels: int, guard: bool = False) -> Growth:
    from cmbkit.preprocessing import growing_kernels as kernels

    values, allowed, seeds, origin = box
    offsets = neighbour_offsets(setting.connectivity)
    relative = setting.difference == "relative"
    tolerances = tolerance_grid(setting.difference)
    if setting.reference == "parent":
        reached, order = kernels.bottlenecks(values, allowed, seeds, offsets, relative, max_voxels)
        sizes = np.searchsorted(order, tolerances, side="left")
        leaked = np.flatnonzero(sizes > max_voxels)
        sizes = sizes[: leaked[0] + 1] if len(leaked) else sizes
    else:
        sizes = kernels.running_sizes(
            values, allowed, seeds, offsets, tolerances, relative, max_voxels
        )
    tolerances = tolerances[: len(sizes)]
    tolerance, elbow = pick_tolerance(tolerances, sizes)
    safe = before_leap(tolerances, sizes, tolerance, largest_step(max_voxels))
    leap = safe < tolerance and not guard
    tolerance = safe if guard else tolerance
    if setting.reference == "parent":
        region = reached < tolerance
    else:
        region, _, _ = kernels.breadth_first(
            values, allowed, seeds, offsets, tolerance, True, relative, max_voxels
        )
    region = largest_component(region)
    n_voxels = int(region.sum())
    return Growth(setting, tolerance, elbow, leap, n_voxels, region, origin, tolerances, sizes)


def largest_component(region: np.ndarray) -> np.ndarray:
    """Largest 6-connected component of a boolean array (the first of equals)."""
    box = ndimage.find_objects(region.view(np.uint8))
    if not box:
        return region
    labels, count = ndimage.label(region[box[0]], SIX)
    if count <= 1:
        return region
    largest = np.zeros_like(region)
    largest[box[0]] = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    return largest


def settings(params: Preprocessing) -> list[Criterion]:
    """Return every combination of connectivity, reference and difference to be tried."""
    return [
        Criterion(*combination)
        for combination in itertools.product(
            params.growing_connectivities,
            params.growing_references,
            params.growing_differences,
        )
    ]


def grow_each_setting(image: Volume, seeds: Sequence, params: Preprocessing) -> list[list[Growth]]:
    """Grow every microbleed of one scan with every setting; parameters as in `grow_study`."""
    cap = size_cap(image.voxel_volume_mm3, params.growing_max_radius_mm)
    boxes = [_box(image.data, s, image.spacing, params.growing_max_distance_mm) for s in seeds]
    guard = params.growing_guard
    return [[_grow_to_elbow(box, s, cap, guard) for box in boxes] for s in settings(params)]


def grow_study(image: Volume, seeds: Sequence, params: Preprocessing) -> list[Growth]:
    """Grow every microbleed of one scan with the setting that suits the scan (5.1, step 1).

    Each microbleed has its own tolerance; connectivity, reference and difference are chosen
    once per scan: those with which the regions together are biggest.

    Parameters
    ----------
    image : Volume
        Native grid, finite values.
    seeds : sequence of array-like, each shape (3,) or (n, 3)
        Seed voxels (0-based) of each microbleed.

    Returns
    -------
    list of Growth
        In the order of ``seeds``.
    """
    if not len(seeds):
        return []
    trials = grow_each_setting(image, seeds, params)
    return max(trials, key=lambda trial: sum(growth.n_voxels for growth in trial))
