"""From a scan's complex image to what its dataset holds: T2* magnitude, SWI, phase.

Sign of phase images: as in a left-handed system, so that a vein along the field is negative
(Haacke et al., AJNR 2009; 30: 19-30); the simulated signal itself is exp(+i 2 pi gamma dB TE).
"""

from __future__ import annotations

import numpy as np
from numba import njit, vectorize
from scipy import fft

LOW_PASS = 64  # samples of each in-plane axis of k-space that the homodyne filter takes as smooth
_SLICES = 8  # filtered at a time


def _blocks(image: np.ndarray):
    for k in range(0, image.shape[2], _SLICES):
        yield slice(k, k + _SLICES), image[:, :, k : k + _SLICES]


def _filtered(block: np.ndarray, window: np.ndarray) -> np.ndarray:
    spectrum = fft.fft2(block, axes=(0, 1), workers=1)
    spectrum *= window[:, :, None]
    return fft.ifft2(spectrum, axes=(0, 1), overwrite_x=True, workers=1)


def truncate(image: np.ndarray, share: float) -> None:
    """Keep the middle ``share`` of k-space along both in-plane axes, in place (Gibbs ringing)."""
    if share >= 1:
        return
    keep = [np.abs(fft.fftfreq(n)) <= share / 2 for n in image.shape[:2]]
    window = np.outer(*keep).astype(np.float32)
    for _, block in _blocks(image):
        block[:] = _filtered(block, window)


def _low_pass(n: int) -> np.ndarray:
    """B, shape (n, samples), float32: B @ B.T is the low-pass filter of an axis of n voxels.

    It is the Hanning window over the middle `LOW_PASS` samples of k-space.
    """
    half = min(LOW_PASS, n) / 2
    k = np.arange(1, int(np.ceil(half)))
    turns = 2 * np.pi / n * np.outer(np.arange(n), k)
    waves = np.sqrt((1 + np.cos(np.pi * k / half)) / n) * np.stack([np.cos(turns), np.sin(turns)])
    return np.hstack([np.full((n, 1), 1 / np.sqrt(n)), *waves]).astype(np.float32)


def phase(image: np.ndarray) -> np.ndarray:
    """Homodyne high-pass filtered phase of each slice: -pi to pi rad, float32, shape (X, Y, Z).

    A slice is divided by its own low-pass filtered image, which takes the smooth background
    with its wraps (Noll et al. 1991; Haacke et al. 2004).
    """
    rows, columns = map(_low_pass, image.shape[:2])
    parts = (np.ascontiguousarray(part) for part in (image.real, image.imag))
    return _turned(*(_smooth(part, rows, columns) for part in parts), image)


def _smooth(part, rows, columns) -> np.ndarray:
    """``rows @ rows.T @ slice @ columns @ columns.T`` of every slice."""
    few = (rows.T @ part.reshape(len(rows), -1)).reshape(-1, *part.shape[1:])
    few = np.matmul(columns, np.matmul(columns.T, few))
    return (rows @ few.reshape(len(few), -1)).reshape(part.shape)


@njit(cache=True, fastmath=True, nogil=True)
def _turned(real, imaginary, image):
    """Phase of a smooth image relative to the image; it takes the place of ``real``."""
    x, y, one = real.reshape(-1), imaginary.reshape(-1), image.reshape(-1)
    for i in range(len(x)):
        a, b = one[i].real, one[i].imag
        x[i] = np.arctan2(y[i] * a - x[i] * b, x[i] * a + y[i] * b)
    return real


@vectorize(["float32(float32)", "float64(float64)"], cache=True)
def negative_mask(phase):
    """1 where phase is positive, falling to 0 at -pi, to the fourth power (Haacke et al. 2004)."""
    mask = 1 + min(phase, 0) / np.float32(np.pi)
    return mask * mask * mask * mask
