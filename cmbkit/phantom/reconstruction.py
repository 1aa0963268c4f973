"""From a scan's complex image to what its dataset holds: T2* magnitude, SWI, phase, projection.

Sign of phase images: as in a left-handed system, so that a vein along the field is negative
(Haacke et al., AJNR 2009; 30: 19-30); the simulated signal itself is exp(+i 2 pi gamma dB TE).
"""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

LOW_PASS = 64  # samples of each in-plane axis of k-space that the homodyne filter takes as smooth
MASK_SQUARINGS = 2  # twice: the fourth power
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


def _hanning(n: int) -> np.ndarray:
    """Hanning window over the middle `LOW_PASS` samples of k-space, in the order of an FFT."""
    at = np.abs(fft.fftfreq(n, 1 / n)) / (min(LOW_PASS, n) / 2)
    return np.where(at < 1, 0.5 + 0.5 * np.cos(np.pi * at), 0).astype(np.float32)


def phase(image: np.ndarray) -> np.ndarray:
    """Homodyne high-pass filtered phase of each slice: -pi to pi rad, float32, shape (X, Y, Z).

    A slice is divided by its own low-pass filtered image, which takes the smooth background
    with its wraps (Noll et al. 1991; Haacke et al. 2004).
    """
    window = np.outer(*map(_hanning, image.shape[:2]))
    out = np.empty(image.shape, np.float32)
    for where, block in _blocks(image):
        smooth = _filtered(block, window)
        out[:, :, where] = np.angle(smooth * np.conj(block))
    return out


def negative_mask(phase: np.ndarray) -> np.ndarray:
    """1 where phase is positive, falling to 0 at -pi, to the fourth power (Haacke et al. 2004)."""
    mask = np.minimum(phase, 0) / np.float32(np.pi)
    mask += 1
    for _ in range(MASK_SQUARINGS):
        mask *= mask
    return mask


def minimum_projection(image: np.ndarray, slices: int) -> np.ndarray:
    """Minimum over a window of ``slices`` that slides along the last axis; same shape."""
    return ndimage.minimum_filter1d(image, slices, axis=2, mode="nearest")
