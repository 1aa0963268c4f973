"""Bleeds, calcifications and veins as sources of susceptibility: spheres and straight cylinders.

Haemosiderin is paramagnetic (+0.3 to +3 ppm), calcium diamagnetic (-0.3 to -3 ppm); both take the
signal where they are, by R2* in proportion to |chi|. Around them the phase alone changes, so that
what is dark on a scan, the blooming, is larger than its source and grows with TE times B0.
"""

from __future__ import annotations

import numpy as np

from cmbkit.phantom.field import phase_per_ppm
from cmbkit.phantom.lesions import Blob
from cmbkit.phantom.tissues import BLOOD, WHITE, GradientEcho, iron_r2star, vein_chi
from cmbkit.phantom.veins import Tube

CHI_PPM = (0.3, 3.0)
PALE_CHI_PPM = (0.3, 0.6)
RADIUS_MM = (0.3, 2.5)
BLOOMING = 2.1  # visible over true radius of 1 ppm at 3 T and 20 ms; grows as its cube root
OXYGENATION = (0.55, 0.7)  # of venous blood


def source_of(blob: Blob) -> tuple[float, float]:
    """Radius (mm) and chi (ppm) of a bleed or calcification that looks ``blob.radius_mm`` large."""
    if blob.source is not None:
        return blob.source
    rng = np.random.default_rng([blob.seed, 1])
    low, high = PALE_CHI_PPM if blob.certainty == "uncertain" else (0.5, CHI_PPM[1])
    chi = low * (high / low) ** rng.random()
    radius = np.clip(blob.radius_mm / BLOOMING / np.cbrt(chi), *RADIUS_MM)
    return float(radius), float(-chi if blob.kind == "calcification" else chi)


def spheres_of(blob: Blob, centre, acquisition: GradientEcho) -> np.ndarray:
    """A structure as spheres for `dephasing.sphere_modulation`, shape (n, 6).

    A microbleed is one sphere, or two or three in touch, so that it is seldom round; a
    calcification is a cluster of crumbs, a cavernoma of small bleeds, a haemorrhage one large
    sphere. Together they have the volume of the source's radius.
    """
    rng = np.random.default_rng(blob.seed)
    radius, chi = source_of(blob)
    if blob.kind in ("cavernoma", "haemorrhage"):
        radius, chi = 0.8 * blob.radius_mm, rng.uniform(0.3, 0.8)
    number = {"cmb": rng.integers(1, 4), "calcification": rng.integers(2, 5),
              "cavernoma": 12, "haemorrhage": 1}[blob.kind]  # fmt: skip
    sizes = np.r_[1.0, rng.uniform(0.5, 0.9, number - 1)]
    sizes *= radius / np.cbrt((sizes**3).sum())
    offsets = _in_touch(sizes, rng)
    left = np.exp(-acquisition.te_ms / 1000 * iron_r2star(chi, acquisition.tesla))
    turn = phase_per_ppm(acquisition.te_ms, acquisition.tesla) * chi
    return np.column_stack(
        [np.asarray(centre) + offsets, sizes, np.full((number, 2), [turn, left])]
    )


def _in_touch(sizes, rng: np.random.Generator) -> np.ndarray:
    """Centres of spheres, each touching an earlier one, about their common centre of mass."""
    centres = [np.zeros(3)]
    for k, size in enumerate(sizes[1:], 1):
        way = rng.standard_normal(3)
        parent = 0 if k < 3 else rng.integers(k)
        reach = 0.95 * (size + sizes[parent])
        centres.append(centres[parent] + reach * way / np.linalg.norm(way))
    centres = np.array(centres)
    return centres - np.average(centres, axis=0, weights=sizes**3)


def segments_of(
    tubes: list[Tube], to_patient, acquisition: GradientEcho, rng: np.random.Generator
) -> np.ndarray:
    """Veins as straight pieces for `dephasing.tube_changes`, shape (n, 9); ends taper."""
    sizes = np.cumsum([0] + [len(t.path) for t in tubes])
    patient = to_patient(np.concatenate([t.path for t in tubes]))
    pieces, radii = [], []
    for tube, a, b in zip(tubes, sizes[:-1], sizes[1:], strict=True):
        line = patient[a:b:2] if b - a > 4 else patient[a:b]
        along = np.arange(len(line) - 1)
        taper = np.minimum(1, 0.6 + 0.15 * np.minimum(along, along[::-1]))
        pieces.append(np.hstack([line[:-1], line[1:]]))
        radii.append(tube.radius_mm * taper)
    chi = vein_chi(rng.uniform(*OXYGENATION))
    turn = phase_per_ppm(acquisition.te_ms, acquisition.tesla) * chi
    left = acquisition.magnitude(BLOOD) / acquisition.magnitude(WHITE)
    pieces, radii = np.concatenate(pieces), np.concatenate(radii)
    return np.column_stack([pieces, radii, np.full((len(radii), 2), [turn, left])])
