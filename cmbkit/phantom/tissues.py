"""What tissues are made of, and the signal they give to a spoiled gradient echo.

The signal of a tissue at the echo (Haacke et al., Magnetic Resonance Imaging, 1999, ch. 18)::

    S = M0 sin(a) (1 - E1) / (1 - E1 cos a) exp(-TE R2*) exp(i (2 pi gamma dB TE + phi0))
    E1 = exp(-TR / T1)

Values are for adults. M0 is the share of water (Ernst, Kreis & Ross 1993). T1 at 3 T: Wansapura et
al. 1999 (grey, white), at 1.5 T: Wright et al. 2008; R2* of grey and white matter: Peters et al.
2007, at 3 T and 1.5 T. Susceptibility (ppm, relative to muscle and water): the table of the QSM
Challenge's head phantom (Marques et al. 2021) for grey and white matter, fluid, air and bone; deep
nuclei as in people of 60 to 70 years (Acosta-Cabronero et al. 2016), with iron by age after
Hallgren & Sourander 1958. All are rounded: between people they differ by 10 to 20 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tissue:
    """Water share, T1 (ms) and R2* (1/s) at 1.5 T and 3 T, susceptibility (ppm)."""

    m0: float
    t1_ms: tuple[float, float]
    r2star: tuple[float, float]
    chi: float


GREY = Tissue(0.78, (1197.0, 1331.0), (11.9, 15.2), 0.02)
WHITE = Tissue(0.65, (646.0, 832.0), (15.1, 18.8), -0.03)
FLUID = Tissue(0.97, (4300.0, 4300.0), (1.0, 1.5), 0.019)
BLOOD = Tissue(0.80, (1440.0, 1650.0), (12.0, 40.0), 0.0)  # a vein's chi: `vein_chi`
AIR_CHI, BONE_CHI = 9.2, -2.1
MASTOID_CHI = (AIR_CHI + BONE_CHI) / 2  # air cells between thin walls of bone

NUCLEI_CHI = {
    "Pallidum": 0.15,
    "Putamen": 0.09,
    "Caudate": 0.07,
    "Thalamus": 0.025,
    "Ventral DC": 0.04,
    "Red nucleus": 0.12,
    "Substantia nigra": 0.14,
    "Dentate nucleus": 0.12,
}
"""Susceptibility at 60 years, ppm."""
IRON_RATE = (
    0.05  # 1/year: how fast iron nears its plateau (the caudate's; putamen .04, pallidum .09)
)
R2STAR_PER_PPM = 137.0
"""1/s per ppm of iron, or of calcium, at 3 T: the relaxivity R2' of Shin et al. 2021; in proportion
to the field."""
HAEMATOCRIT = 0.4


def iron_by_age(age: float) -> float:
    """Iron of deep nuclei relative to that at 60 years."""
    return float((1 - np.exp(-IRON_RATE * age)) / (1 - np.exp(-IRON_RATE * 60)))


def drawn_factors(sd: float, rng: np.random.Generator) -> tuple[float, float]:
    """Factors of grey matter's and fluid's signal, lognormal: sd of the logarithm, and twice it."""
    if not sd:
        return 1.0, 1.0
    return tuple(float(v) for v in np.exp(rng.normal(0, [sd, 2 * sd])))


def vein_chi(oxygenation: float) -> float:
    """Susceptibility of venous blood over tissue: 4 pi 0.27 Hct (1 - Y) ppm (Spees et al. 2001)."""
    return 4 * np.pi * 0.27 * HAEMATOCRIT * (1 - oxygenation)


def iron_r2star(chi, tesla: float):
    """R2* in 1/s that iron, or calcium, of susceptibility ``chi`` (ppm) adds."""
    return R2STAR_PER_PPM * tesla / 3 * np.abs(chi)


@dataclass(frozen=True)
class GradientEcho:
    """What a scan was acquired with: TE and TR in ms, angle in degrees, field in tesla.

    ``factors`` multiply the signals of grey matter and fluid (`Protocol.contrast_sd`).
    """

    te_ms: float
    tr_ms: float
    flip_deg: float
    tesla: float
    factors: tuple[float, float] = (1.0, 1.0)

    def magnitude(self, tissue: Tissue) -> float:
        """Steady-state signal of a tissue at the echo, M0 of water being 1."""
        strength = 0 if self.tesla < 2 else 1
        e1 = np.exp(-self.tr_ms / tissue.t1_ms[strength])
        angle = np.deg2rad(self.flip_deg)
        steady = tissue.m0 * np.sin(angle) * (1 - e1) / (1 - e1 * np.cos(angle))
        return float(steady * np.exp(-self.te_ms / 1000 * tissue.r2star[strength]))
