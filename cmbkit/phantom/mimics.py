"""What looks like a microbleed in one slice: vessels across it, bulging veins, calcifications.

A rater tells them apart by shape over slices (a vessel goes on), by place (sulci, choroid plexus,
falx) and by phase (calcium); a filter for dark blobs cannot (thesis section 2.2.2).
"""

from __future__ import annotations

import numpy as np

from cmbkit.phantom.lesions import Blob, blob_at
from cmbkit.phantom.veins import STEP_MM, Tube

ACROSS_MM = (4.0, 8.0)
ACROSS_RADIUS_MM = (0.5, 0.9)
BULGE_MM = (2.0, 3.5)
BULGE_RADIUS_MM = (0.7, 1.2)
PLACES = {
    "choroid plexus": ((24, -40, 10), (3.0, 5.0, 5.0)),
    "falx": ((0, 10, 52), (0.7, 28.0, 9.0)),
    "basal ganglia": ((19, -1, 0), (2.5, 4.0, 3.0)),
}
"""MNI mm of the middle, on the right where there are two, and standard deviation by axis."""


ACROSS, BULGES, CALCIFIED = 10, 10, 3
"""Mean numbers per scan, beside those of `veins.draw_trees` and `lesions.draw_mimics`."""


def draw_vessels(veins: list[Tube], rng: np.random.Generator) -> list[Tube]:
    """Pieces of vessels in MNI mm, at places along the ``veins``.

    ``vessel_end``: straight along the slice axis (within 25 degrees), dark since it runs along the
    field. ``bulge``: a few mm of a vein, wider than the vein that goes on to both sides.
    """
    long = [t for t in veins if t.kind == "vein" and len(t.path) > 16]
    chosen = [long[i] for i in rng.integers(len(long), size=rng.poisson(ACROSS))]
    return [_across(t, rng) for t in chosen] + [
        _bulge(long[i], rng) for i in rng.integers(len(long), size=rng.poisson(BULGES))
    ]


def _across(vein: Tube, rng: np.random.Generator) -> Tube:
    middle = vein.path[rng.integers(4, len(vein.path) - 4)]
    lean = np.array([*rng.normal(0, 0.2, 2), 1.0])
    steps = np.arange(0, rng.uniform(*ACROSS_MM), STEP_MM)
    path = middle + (steps - steps.mean())[:, None] * lean / np.linalg.norm(lean)
    return Tube("vessel_end", path, rng.uniform(*ACROSS_RADIUS_MM), 1.0)


def _bulge(vein: Tube, rng: np.random.Generator) -> Tube:
    length = max(3, round(rng.uniform(*BULGE_MM) / STEP_MM))
    first = rng.integers(4, len(vein.path) - length - 4)
    path = vein.path[first : first + length]
    return Tube("bulge", path, rng.uniform(*BULGE_RADIUS_MM), 1.0)


def draw_calcified(rng: np.random.Generator, accept) -> list[Blob]:
    """Small calcifications, each named by where it is."""
    blobs = []
    for place in rng.choice(list(PLACES), rng.poisson(CALCIFIED), p=(0.5, 0.35, 0.15)):
        centre, spread = PLACES[place]
        mni = np.array(centre) * [rng.choice([-1, 1]), 1, 1] + rng.normal(0, spread)
        blob = blob_at("calcification", mni, rng.uniform(1.0, 2.0), 0.8, rng, place=str(place))
        blobs += [blob] if accept(mni) else []
    return blobs
