"""How each of the seven datasets was acquired and annotated, in miniature (Tables 4.1 and 7.1)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from cmbkit.phantom.lesions import REGION_SHARES, REGIONS
from cmbkit.records import DATASETS

MAX_CMB = 19  # the MOMENI workbook has room for 19
DATASET_NUMBER = {name: number for number, name in enumerate(DATASETS, start=1)}


@dataclass(frozen=True)
class Protocol:
    """One way of acquiring a scan.

    Attributes
    ----------
    sequence : {"SWI", "T2S"}
    in_plane_mm, slice_spacing_mm, slice_thickness_mm : tuple of float
        Lowest and highest value; a scan draws one. Thickness is the width of the slice
        profile, spacing the distance between slices; thickness (0, 0) means equal to spacing.
    orientations : tuple of str
        Array orientations to draw from.
    field_strength, te_ms, tr_ms, flip_deg
        As Table 4.1 has them, ranges where it gives ranges. The physical model scans with what
        it draws of them; the contrast model writes them into the sidecar alone.
    te_low_field_ms : (float, float), optional
        Echo time at 1.5 T where it is another.
    country : str
        For the sidecar's InstitutionAddress.
    head : bool
        Skull and scalp present; False: skull-stripped.
    snr : tuple of float
        White-matter signal over noise sd.
    kspace : float
        Share of each in-plane axis of k-space that is acquired; the rest is filled with zeros
        (physical model).
    contrast_sd : float
        By how much tissues' signals differ from what they should be (`cmbkit.phantom.wide`).
    stray : float
        Mean number of vessels that run anywhere (`wide.draw_stray`).
    """

    sequence: str
    in_plane_mm: tuple[float, float]
    slice_spacing_mm: tuple[float, float]
    orientations: tuple[str, ...]
    slice_thickness_mm: tuple[float, float] = (0.0, 0.0)
    field_strength: tuple[float, ...] = (3.0,)
    te_ms: tuple[float, float] = (20.0, 20.0)
    tr_ms: tuple[float, float] = (27.0, 27.0)
    flip_deg: tuple[float, float] = (15.0, 20.0)
    country: str = ""
    head: bool = True
    snr: tuple[float, float] = (14.0, 24.0)
    tilt_deg: float = 0.0
    te_low_field_ms: tuple[float, float] | None = None
    kspace: float = 1.0
    contrast_sd: float = 0.0
    stray: float = 0.0


@dataclass(frozen=True)
class Profile:
    """One dataset: protocols with their shares, how many CMBs a scan has and how big they are.

    ``with_cmb`` is the fraction of scans that have any. Table 7.1 has 15 % for MOMENI, 59 % for
    RODEJA and 69 % for VALDO; the miniature keeps at least 60 %, because a handful of scans
    must be enough to train on. ``cmb_mean`` is over scans with CMBs, ``radius_mm`` mean and sd.
    The table's radii are measured after refinement and resampling, which in thick slices makes
    a CMB larger: CRB's are therefore drawn at 1.7 mm, not at the table's 1.8 mm.
    ``shares`` of the microbleeds by region: Table 8.2 (microbleeds found and missed).
    """

    protocols: tuple[tuple[float, Protocol], ...]
    with_cmb: float
    cmb_mean: float
    radius_mm: tuple[float, float]
    shares: dict[str, float] = field(default_factory=lambda: dict(REGION_SHARES))


def _shares(cortex: float, white: float) -> dict[str, float]:
    """Shares by region; the rest is deep: thalamus, basal ganglia, brainstem, cerebellum."""
    deep = 1 - cortex - white
    parts = (cortex, white, *(deep * part for part in (0.3, 0.3, 0.17, 0.23)))
    return dict(zip(REGIONS, parts, strict=True))


# Of 209 microbleeds placed, the parcellation called 89 % of the cortical, 7 % of the white and 10 %
# of the deep ones cortical; 11, 93 and 16 % subcortical. From these shares it makes Table 8.2's.
_OF_CRB, _OF_DOU, _OF_VALID = _shares(0.45, 0.24), _shares(0.35, 0.21), _shares(0.19, 0.40)

_HIGH, _LOW = (0.45, 0.5), (0.55, 0.9)
"""Pixels (mm) of high and low resolution: the thesis calls those over 0.5 mm low (7.1.2.1)."""

_BRAZIL = Protocol(
    "T2S", _LOW, (4.6, 5.5), ("LAS",), field_strength=(1.5,), te_ms=(23, 48),
    tr_ms=(75, 317), country="Brazil", tilt_deg=8, snr=(12, 20), kspace=0.75,
)  # fmt: skip
_INDIA_T2S = Protocol(
    "T2S", _LOW, (3.0, 5.0), ("LAS",), field_strength=(1.5, 3.0), te_ms=(19, 40),
    tr_ms=(300, 936), flip_deg=(12, 20), country="India", tilt_deg=8, snr=(12, 22),
)  # fmt: skip
_INDIA_SWI = Protocol(
    "SWI", _LOW, (2.5, 3.0), ("LAS",), field_strength=(1.5, 3.0), te_ms=(20, 40),
    tr_ms=(48, 60), flip_deg=(12, 20), country="India", snr=(12, 20),
)  # fmt: skip
_USA = Protocol(
    "SWI", _LOW, (1.9, 1.9), ("LAS",), te_ms=(20, 20), flip_deg=(15, 15),
    country="United States",
)  # fmt: skip

# Table 4.1 has no times for it: 20 ms at 3 T, 40 ms at 1.5 T as usual for SWI (Haacke et al. 2009)
_DENMARK = Protocol(
    "SWI", (0.46, 0.5), (2.0, 3.0), ("RAS",), field_strength=(1.5, 3.0), te_low_field_ms=(40, 40),
    tr_ms=(49, 49),
)  # fmt: skip

_OF_CEREBRIU = (
    (3, _BRAZIL),
    (5, replace(_INDIA_T2S, in_plane_mm=_HIGH)),
    (3, _INDIA_T2S),
    (3, replace(_INDIA_SWI, in_plane_mm=_HIGH)),
    (1, _INDIA_SWI),
    (2, replace(_USA, in_plane_mm=_HIGH)),
    (1, _USA),
)
"""Scans of CRB: 11 T2S to 7 SWI (section 4.1), 8 of low to 10 of high resolution (Table 7.1)."""

_NETHERLANDS = Protocol(
    "T2S", (0.488, 0.488), (0.8, 0.8), ("LAS",), te_ms=(31, 31), tr_ms=(45, 45),
    flip_deg=(13, 13), field_strength=(1.5,), head=False, snr=(10, 16),
)  # fmt: skip
_SPAIN = Protocol(
    "T2S", (0.85, 0.95), (3.0, 4.0), ("LAS",), te_ms=(23, 23), tr_ms=(1300, 1300),
    flip_deg=(15, 15), head=False,
)  # fmt: skip
_UNITED_KINGDOM = replace(
    _SPAIN, in_plane_mm=_HIGH, te_ms=(21, 21), tr_ms=(1288, 1288), flip_deg=(18, 18)
)

_CHINA = Protocol(
    "SWI", (0.449, 0.449), (1.0, 1.0), ("LPS", "LPS", "RAS", "LAS"), slice_thickness_mm=(2.0, 2.0),
    te_ms=(24, 24), tr_ms=(17, 17), flip_deg=(20, 20), snr=(16, 24),
)  # fmt: skip
_AUSTRALIA = Protocol(
    "SWI", (0.9375, 0.9375), (1.75, 1.75), ("LPS",), flip_deg=(20, 20), head=False
)

PROFILES: dict[str, Profile] = {
    "CRB": Profile(_OF_CEREBRIU, 1.0, 7.06, (1.7, 0.45), _OF_CRB),
    "CRBneg": Profile(_OF_CEREBRIU, 0.0, 0.0, (1.8, 0.49)),
    "DOU": Profile(((1.0, _CHINA),), 1.0, 3.7, (1.48, 0.37), _OF_DOU),
    "MOMENI": Profile(((1.0, _AUSTRALIA),), 0.6, 2.56, (1.4, 0.2), _OF_VALID),
    "RODEJA": Profile(
        (
            (0.45, replace(_DENMARK, in_plane_mm=(0.4, 0.5), slice_spacing_mm=(1.0, 2.0))),
            (0.40, replace(_DENMARK, field_strength=(3.0,), tilt_deg=6)),
            (0.15, replace(_DENMARK, in_plane_mm=(0.9, 1.0), slice_spacing_mm=(4.0, 6.0))),
        ),
        0.7,
        5.85,
        (1.26, 0.63),
        _OF_VALID,
    ),
    # Netherlands, United Kingdom, Spain
    "VALDO": Profile(
        (
            (34, _NETHERLANDS),
            (11, _UNITED_KINGDOM),
            (27, _SPAIN),
        ),
        0.7,
        5.06,
        (1.5, 0.46),
        _OF_VALID,
    ),
}


def protocol_of(dataset: str, index: int, n_scans: int) -> Protocol:
    """Protocol of scan ``index`` of ``n_scans``, whose numbers meet the shares (largest remainder).

    Each protocol's scans are spread evenly over the dataset.
    """
    protocols = PROFILES[dataset].protocols
    quotas = np.array([share for share, _ in protocols], float)
    quotas *= n_scans / quotas.sum()
    counts = np.floor(quotas).astype(int)
    counts[np.argsort(counts - quotas, kind="stable")[: n_scans - counts.sum()]] += 1
    places = [
        ((nth + 0.5) / count, which) for which, count in enumerate(counts) for nth in range(count)
    ]
    return protocols[sorted(places)[index][1]][1]


def cmb_counts(dataset: str, n_scans: int, rng: np.random.Generator) -> list[int]:
    """Number of CMBs per scan: a fixed share of zeros, the others skewed, 1 to 19."""
    profile = PROFILES[dataset]
    n_with = int(np.ceil(profile.with_cmb * n_scans))
    if not n_with:
        return [0] * n_scans
    excess = max(profile.cmb_mean - 1, 0.1)
    # gamma-mixed Poisson (negative binomial) with the table's mean and a long tail
    drawn = 1 + rng.poisson(excess * rng.gamma(0.7, 1 / 0.7, n_with))
    counts = np.zeros(n_scans, int)
    counts[:n_with] = np.clip(drawn, 1, MAX_CMB)
    return [int(c) for c in rng.permutation(counts)]


def draw_radii(dataset: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Radii in mm from Table 7.1's mean and sd (gamma-shaped, clipped to 0.7-5 mm)."""
    mean, sd = PROFILES[dataset].radius_mm
    shape = (mean / sd) ** 2
    return np.clip(rng.gamma(shape, mean / shape, n), 0.7, 5.0)
