"""Veins and vessel ends: dark tubes that follow sulci or run towards the ventricles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import ndimage

from cmbkit.anatomy.atlas import load_atlas, load_templates

STEP_MM = 0.8  # between the points of a path in template space
_COARSE = 2  # template voxels per sample of the guiding fields

# Deep veins, right side, MNI mm: path, radius in mm. Mirrored for the left.
_DEEP = [
    ([(3, 0, 9), (3, -8, 14), (2.5, -20, 15), (2, -34, 10), (1, -43, 7)], 0.9),
    ([(19, -22, 21), (17, -8, 19), (11, 0, 14), (3, 1, 9)], 0.6),
    ([(5, 24, 12), (4, 12, 13), (3, 2, 9)], 0.5),
    ([(13, -3, -16), (19, -14, -13), (17, -28, -6), (9, -40, 2), (1, -45, 7)], 0.8),
    ([(1, -44, 7), (1, -56, 13), (1, -68, 8), (1, -80, 0)], 1.2),
]


@dataclass(frozen=True)
class Tube:
    """A vessel: its middle line in MNI mm (n, 3), radius in mm, share of signal it takes."""

    kind: str
    path: np.ndarray
    radius_mm: float
    depth: float


@lru_cache(maxsize=1)
def _guides():
    """Guiding fields at 2 mm: sulcus and its gradient, ventricle distance and its gradient."""
    maps, atlas = load_templates(), load_atlas()
    labels = atlas.data[::_COARSE, ::_COARSE, ::_COARSE]
    tissue = (maps.grey + maps.white)[::_COARSE, ::_COARSE, ::_COARSE]
    brain = maps.brain[::_COARSE, ::_COARSE, ::_COARSE]
    ventricle = np.isin(labels, (4, 43))
    away = ndimage.distance_transform_edt(~ventricle).astype(np.float32) * _COARSE
    sulcus = np.where(brain & (away > 10), 1 - tissue, 0).clip(0, 1).astype(np.float32)
    smooth = ndimage.gaussian_filter(sulcus, 0.9)
    starts = np.argwhere((sulcus > 0.3) & brain)
    white = np.argwhere(np.isin(labels, (2, 41)) & (away > 7) & (away < 28))
    white = white[white[:, 2] * _COARSE - 72 > -5]
    gradient = [g.astype(np.float32) for g in np.gradient(smooth)]
    towards = [-g.astype(np.float32) for g in np.gradient(ndimage.gaussian_filter(away, 1))]
    return starts, gradient, white, towards, away, maps.affine[:3, 3]


def _look(fields, points, origin):
    where = ((points - origin) / _COARSE).T
    return np.stack([ndimage.map_coordinates(f, where, order=1, mode="nearest") for f in fields], 1)


def _unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def _cortical(n: int, rng: np.random.Generator, lengths_mm, depth, radius, points=None):
    starts, gradient, *_, origin = _guides()
    if points is None:
        points = starts[rng.integers(len(starts), size=n)] * _COARSE + origin
        points = points + rng.uniform(-1, 1, (n, 3))
    heading = _unit(rng.standard_normal((n, 3)))
    paths = [points]
    steps = int(lengths_mm[1] / STEP_MM)
    for _ in range(steps):
        pull = _unit(_look(gradient, points, origin))
        side = pull - (pull * heading).sum(1, keepdims=True) * heading
        heading = _unit(heading + 0.45 * side + 0.22 * rng.standard_normal((n, 3)))
        points = points + STEP_MM * heading
        paths.append(points)
    paths = np.stack(paths, 1)
    counts = (rng.uniform(*lengths_mm, n) / STEP_MM).astype(int)
    return [
        Tube("vein", p[: max(c, 3)], r, d)
        for p, c, r, d in zip(
            paths, counts, rng.uniform(*radius, n), rng.uniform(*depth, n), strict=True
        )
    ]


def _medullary(n: int, rng: np.random.Generator, depth) -> list[Tube]:
    _, _, white, towards, away, origin = _guides()
    points = white[rng.integers(len(white), size=n)] * _COARSE + origin + rng.uniform(-1, 1, (n, 3))
    paths = [points]
    lean = 0.35 * rng.standard_normal((n, 3))
    for _ in range(30):
        heading = _unit(_unit(_look(towards, points, origin)) + lean)
        points = points + STEP_MM * heading
        paths.append(points)
    paths = np.stack(paths, 1)
    counts = (rng.uniform(6, 22, n) / STEP_MM).astype(int)
    tubes = []
    for path, count in zip(paths, counts, strict=True):
        near = _look([away], path, origin)[:, 0] < 2.5
        stop = int(np.argmax(near)) if near.any() else len(path)
        if min(stop, count) >= 4:
            radius, share = rng.uniform(0.3, 0.5), rng.uniform(*depth)
            tubes.append(Tube("vein", path[: min(stop, count)], radius, share))
    return tubes


def _deep(rng: np.random.Generator, depth) -> list[Tube]:
    tubes = []
    for path, radius in _DEEP:
        for sign in (-1, 1):
            knots = np.array(path, float) * [sign, 1, 1] + rng.normal(0, 0.7, (len(path), 3))
            at = np.linspace(0, len(path) - 1, 14 * len(path))
            line = [np.interp(at, np.arange(len(path)), knots[:, a]) for a in range(3)]
            line = ndimage.gaussian_filter1d(np.stack(line, 1), 5, axis=0, mode="nearest")
            tubes.append(Tube("vein", line, radius * rng.uniform(0.8, 1.1), rng.uniform(*depth)))
    return tubes


def draw_tubes(sequence: str, rng: np.random.Generator) -> list[Tube]:
    """All vessels of a scan, in MNI mm; many and dark on SWI, fewer and paler on T2*.

    ``vessel_end`` tubes are 2 to 5 mm long pieces in sulci that look like a microbleed in one
    slice (thesis section 2.2.2: pial flow voids, venules).
    """
    if sequence == "SWI":
        shares, n_cortical, n_medullary, n_ends = (0.4, 0.9), 260, 140, 12
    else:
        shares, n_cortical, n_medullary, n_ends = (0.3, 0.7), 120, 30, 8
    tubes = _cortical(n_cortical, rng, (10, 40), shares, (0.4, 0.9))
    tubes += _medullary(n_medullary, rng, (0.6 * shares[0], 0.8 * shares[1]))
    tubes += _deep(rng, shares)
    ends = _cortical(n_ends, rng, (2.5, 5.0), (0.9, 1.5), (0.8, 1.2))
    return tubes + [Tube("vessel_end", t.path, t.radius_mm, t.depth) for t in ends]


def draw_trees(rng: np.random.Generator) -> list[Tube]:
    """Veins as trees, in MNI mm: trunks in sulci with two orders of branches, medullary, deep.

    Radii are those of the vessels, 0.2 to 1.2 mm; what they look like follows from their
    angle to the field and from the scan. ``vessel_end`` as in `draw_tubes`.
    """
    trunks = [_smooth(t) for t in _cortical(200, rng, (18, 55), (1, 1), (0.35, 0.9))]
    tubes = list(trunks)
    for share in (0.7, 0.5):
        parents = [trunks[i] for i in rng.integers(len(trunks), size=200)]
        starts = np.stack([t.path[rng.integers(len(t.path))] for t in parents])
        twigs = _cortical(len(starts), rng, (6, 20), (1, 1), (1, 1), starts)
        tubes += [
            replace(_smooth(twig), radius_mm=max(0.2, share * trunk.radius_mm))
            for twig, trunk in zip(twigs, parents, strict=True)
        ]
    tubes += [replace(t, radius_mm=0.6 * t.radius_mm) for t in _medullary(140, rng, (1, 1))]
    tubes += _deep(rng, (1, 1))
    ends = _cortical(12, rng, (2.5, 5.0), (1, 1), (0.4, 0.8))
    return tubes + [replace(t, kind="vessel_end") for t in ends]


def _smooth(tube: Tube) -> Tube:
    """The same vessel without the wander of its path's single steps; its start stays."""
    path = ndimage.gaussian_filter1d(tube.path, 4, axis=0, mode="nearest")
    return replace(tube, path=path + tube.path[0] - path[0])


def as_gaussians(tubes: list[Tube], to_patient):
    """Beads along the tubes: centres (n, 3) in patient mm, sigmas and masses (n,).

    A row of Gaussians of sd ``radius / 1.3`` less than one sd apart adds up to a tube whose
    axis takes the share ``depth`` of the signal.
    """
    points, sigmas, masses = [], [], []
    sizes = np.cumsum([0] + [len(t.path) for t in tubes])
    patient = to_patient(np.concatenate([t.path for t in tubes]))
    for tube, a, b in zip(tubes, sizes[:-1], sizes[1:], strict=True):
        line = patient[a:b]
        sigma = tube.radius_mm / 1.3
        length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
        beads = max(2, int(np.ceil(length[-1] / (0.9 * sigma))) + 1)
        at = np.linspace(0, length[-1], beads)
        points.append(np.stack([np.interp(at, length, line[:, k]) for k in range(3)], 1))
        taper = np.minimum(1, 0.45 + np.minimum(at, length[-1] - at) / 2.5)
        sigmas.append(sigma * np.sqrt(taper))
        spacing = length[-1] / (beads - 1)
        masses.append(tube.depth * 2 * np.pi * sigma**2 * spacing * taper**1.5)
    return np.concatenate(points), np.concatenate(sigmas), np.concatenate(masses)
