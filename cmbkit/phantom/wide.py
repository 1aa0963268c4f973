"""A wide prior to train on: scans of either model, acquired in any way that occurs.

Field, echo time, pixel, slice, gap, noise, the rate of k-space and the contrast of tissues are
drawn far beyond the datasets' own protocols (`profiles`), as in the randomised synthesis of Billot
et al. 2023 (SynthSeg); who is in the scanner, and how a dataset is written, stays.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cmbkit.phantom.profiles import Protocol

PHYSICAL_SHARE = 0.6
CROPPED_SHARE = 0.25
IN_PLANE_MM = (0.35, 1.0)
SLICE_MM = (0.8, 6.0)
TE_MS = {1.5: (20, 40), 3.0: (8, 40), 7.0: (8, 22)}
SNR = (6, 60)
SIZE_SD = 0.25
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
    )


def resized(radii_mm, rng: np.random.Generator) -> tuple[float, ...]:
    """Radii (mm) of one scan's microbleeds, all times one lognormal factor; 0.7 to 5 mm."""
    return tuple(np.clip(np.multiply(radii_mm, np.exp(rng.normal(0, SIZE_SD))), 0.7, 5).tolist())


def _log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
