"""A wide prior to train on: scans of either model, acquired in any way that occurs.

Field, echo time, pixel, slice, gap, noise, the rate of k-space and the contrast of tissues are
drawn far beyond the datasets' own protocols (`profiles`), as in the randomised synthesis of Billot
et al. 2023 (SynthSeg); who is in the scanner, and how a dataset is written, stays.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from cmbkit.anatomy.atlas import load_atlas
from cmbkit.phantom.lesions import Blob, label_at
from cmbkit.phantom.profiles import Protocol
from cmbkit.phantom.veins import STEP_MM, Tube

PHYSICAL_SHARE = 0.6
CROPPED_SHARE = 0.25
IN_PLANE_MM = (0.35, 1.0)
SLICE_MM = (0.8, 6.0)
TE_MS = {1.5: (20, 40), 3.0: (8, 40), 7.0: (8, 22)}
SNR = (6, 60)
SIZE_SD = 0.25
STRAY, STRAY_MM, STRAY_RADIUS_MM = 90, (4, 50), (0.2, 1.1)
PLEXUS, PLEXUS_RADIUS_MM = 4, (0.8, 2.5)
"""Mean numbers, lengths and radii of vessels that run anywhere, and of calcifications anywhere in
the lateral ventricles: what scans of another generator were wrongly called on."""
CONTRAST_SD = 0.2
"""Standard deviation of the logarithm of grey matter's and of fluid's signal over white matter's;
of fluid's twice that."""


def widened(protocol: Protocol, rng: np.random.Generator) -> Protocol:
    """Another way to acquire the scan of ``protocol``; head or stripped brain and country stay."""
    pixel, slices = (_log_uniform(low, high, rng) for low, high in (IN_PLANE_MM, SLICE_MM))
    # side by side, with a gap of up to a third, or overlapping as DOU's
    width = slices * rng.choice([1, 1, 1, rng.uniform(0.67, 1), rng.uniform(1, 2)])
    tesla = float(rng.choice([1.5, 3.0, 3.0, 7.0]))
    snr = _log_uniform(*SNR, rng)
    return replace(
        protocol,
        sequence=str(rng.choice(["SWI", "T2S"])),
        in_plane_mm=(pixel, pixel),
        slice_spacing_mm=(slices, slices),
        slice_thickness_mm=(width, width),
        orientations=("LPS", "RAS", "LAS", "RPI"),
        field_strength=(tesla,),
        te_ms=TE_MS[tesla],
        te_low_field_ms=None,
        tr_ms=(17, 1300),
        flip_deg=(10, 25),
        snr=(snr, snr),
        tilt_deg=15.0,
        kspace=float(rng.choice([1.0, rng.uniform(0.6, 1)])),
        contrast_sd=CONTRAST_SD,
        stray=STRAY,
    )


def resized(radii_mm, rng: np.random.Generator) -> tuple[float, ...]:
    """Radii (mm) of one scan's microbleeds, all times one lognormal factor; 0.7 to 5 mm."""
    return tuple(np.clip(np.multiply(radii_mm, np.exp(rng.normal(0, SIZE_SD))), 0.7, 5).tolist())


def draw_stray(n: float, rng: np.random.Generator) -> list[Tube]:
    """About ``n`` nearly straight vessels (MNI mm) from anywhere in the brain, in any direction."""
    n = int(rng.poisson(n))
    points, headings = _anywhere((), n, rng), rng.standard_normal((n, 3))
    paths = [points]
    for _ in range(int(STRAY_MM[1] / STEP_MM)):
        headings /= np.linalg.norm(headings, axis=1, keepdims=True)
        points = points + STEP_MM * headings
        headings = headings + 0.06 * rng.standard_normal((n, 3))
        paths.append(points)
    tubes = []
    for path in np.stack(paths, 1):
        length = int(_log_uniform(*STRAY_MM, rng) / STEP_MM) + 1
        radius, depth = rng.uniform(*STRAY_RADIUS_MM), rng.uniform(0.3, 0.95)
        tubes.append(Tube("vein", path[: max(length, 4)], radius, depth))
    return tubes


def draw_plexus(rng: np.random.Generator, accept) -> list[Blob]:
    """Calcifications anywhere in the lateral ventricles; ``accept`` as in `lesions`."""
    blobs = []
    for mni in _anywhere((4, 43), int(rng.poisson(PLEXUS)), rng):
        radius, seed = rng.uniform(*PLEXUS_RADIUS_MM), int(rng.integers(2**31))
        blob = Blob("calcification", tuple(mni), radius, rng.uniform(0.6, 0.95), seed,
                    int(label_at(mni)[0]), place="choroid plexus")  # fmt: skip
        blobs += [blob] if accept(mni) else []
    return blobs


def _anywhere(labels, n: int, rng: np.random.Generator) -> np.ndarray:
    """Places in MNI mm, shape (n, 3), within these SynthSeg labels, or any without ``labels``."""
    atlas = load_atlas()
    voxels = _voxels(labels)
    chosen = voxels[rng.integers(len(voxels), size=n)] + rng.uniform(-0.5, 0.5, (n, 3))
    return chosen @ atlas.affine[:3, :3].T + atlas.affine[:3, 3]


@lru_cache(maxsize=2)
def _voxels(labels) -> np.ndarray:
    data = load_atlas().data
    return np.argwhere(np.isin(data, labels) if labels else data > 0)


def _log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
