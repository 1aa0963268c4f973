"""The magnetic field that tissue makes: any map by convolution, small sources by closed forms.

A source of susceptibility chi (ppm, SI, relative to its surroundings) in a main field B0 along the
unit vector b changes the field by dB (here as dB/B0 in ppm, Lorentz's sphere taken out):

- any map (Marques & Bowtell, Concepts Magn Reson B 2005; 25: 65-78; Salomir et al. 2003)::

      dB(k) / B0 = (1/3 - (k . b)^2 / k^2) chi(k),       0 at k = 0

- a sphere of radius a, seen at distance r and angle t to b (Schenck, Med Phys 1996; 23: 815-850)::

      dB / B0 = chi/3 (a/r)^3 (3 cos^2 t - 1) outside,   0 inside

- an infinite cylinder of radius a whose axis has the angle t to b, at distance r and angle f to
  the projection of b on its cross-section (the same)::

      dB / B0 = chi/2 sin^2 t (a/r)^2 cos 2f outside,    chi/6 (3 cos^2 t - 1) inside
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import fft

HERTZ_PER_PPM_TESLA = 42.577  # gyromagnetic ratio of the proton over 2 pi, MHz/T


def phase_per_ppm(te_ms: float, tesla: float) -> float:
    """Radians that 1 ppm of dB/B0 adds until the echo: 2 pi gamma B0 TE."""
    return 2 * np.pi * HERTZ_PER_PPM_TESLA * tesla * te_ms / 1000


def dipole_field(chi: np.ndarray, spacing, direction=(0.0, 0.0, 1.0), pad=0) -> np.ndarray:
    """Field of a susceptibility map by convolution with the dipole.

    Parameters
    ----------
    chi : ndarray, shape (X, Y, Z)
        Susceptibility relative to what lies around the array, ppm.
    spacing : (3,)
        Voxel size, mm.
    direction : (3,)
        Unit vector of the main field in the array's axes.
    pad : int or (3,) int
        Voxels of zero susceptibility added to each axis at least; where it is 0 the array goes
        on beyond its end as it began.

    Returns
    -------
    ndarray, shape (X, Y, Z), float32
        dB/B0 in ppm; its mean over the padded array is 0.
    """
    padded = [fft.next_fast_len(int(n + p), True) if p else n for n, p in
              zip(chi.shape, np.broadcast_to(pad, 3), strict=True)]  # fmt: skip
    unit = [*(fft.fftfreq(n) for n in padded[:2]), fft.rfftfreq(padded[2])]
    frequencies = ((u / mm).astype(np.float32) for u, mm in zip(unit, spacing, strict=True))
    k = np.meshgrid(*frequencies, indexing="ij", sparse=True)
    # The highest frequency of an even number of voxels has no sign: no product with another axis.
    last = np.meshgrid(*(np.abs(u) == 0.5 for u in unit), indexing="ij", sparse=True)
    parts = [f * np.float32(b) for f, b in zip(k, direction, strict=True)]
    along = sum(np.where(at, 0, part) for part, at in zip(parts, last, strict=True)) ** 2
    along += sum(np.where(at, part, 0) ** 2 for part, at in zip(parts, last, strict=True))
    square = sum(f * f for f in k)
    square[0, 0, 0] = 1
    along /= square
    kernel = np.subtract(np.float32(1 / 3), along, out=along)
    kernel[0, 0, 0] = 0
    spectrum = fft.rfftn(np.asarray(chi, np.float32), padded, workers=1)
    spectrum *= kernel
    field = fft.irfftn(spectrum, padded, overwrite_x=True, workers=1)
    return field[tuple(slice(n) for n in chi.shape)]


@njit(cache=True, fastmath=True)
def sphere_at(x, y, z, radius, bx, by, bz):
    """(3 cos^2 t - 1) / 3 (a/r)^3 at one offset from a sphere's centre; 0 inside."""
    r2 = x * x + y * y + z * z
    if r2 <= radius * radius:
        return 0.0
    along = x * bx + y * by + z * bz
    return (3 * along * along / r2 - 1) / 3 * (radius * radius / r2) * (radius / np.sqrt(r2))


@njit(cache=True, fastmath=True)
def cylinder_at(x, y, z, ux, uy, uz, radius, bx, by, bz):
    """Field of an infinite cylinder of 1 ppm with the unit axis u, at one offset from it."""
    t = x * ux + y * uy + z * uz
    x, y, z = x - t * ux, y - t * uy, z - t * uz
    cos = ux * bx + uy * by + uz * bz
    r2 = x * x + y * y + z * z
    if r2 <= radius * radius:
        return (3 * cos * cos - 1) / 6
    across = x * bx + y * by + z * bz
    return (2 * across * across / r2 - 1 + cos * cos) / 2 * radius * radius / r2
