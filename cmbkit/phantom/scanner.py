"""The scanner: a grid, its slice profile, sampling of fields and of point-like losses, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.special import erf

from cmbkit.phantom.profiles import Protocol

FINE_MM = 0.25  # grid on which a lesion is drawn before the scanner averages it


@dataclass(frozen=True)
class Grid:
    """A scan's sampling grid in the patient's frame (mm, x right, y front, z up, not tilted).

    Attributes
    ----------
    start : ndarray, shape (3,)
        Centre of voxel (0, 0, 0), mm.
    spacing, width : ndarray, shape (3,)
        Distance between voxel centres, and the width over which a voxel averages, mm.
    shape : tuple of int
    """

    start: np.ndarray
    spacing: np.ndarray
    width: np.ndarray
    shape: tuple[int, int, int]

    def centres(self, axis: int) -> np.ndarray:
        """Voxel centres along an axis, mm."""
        return self.start[axis] + self.spacing[axis] * np.arange(self.shape[axis])

    def to_voxels(self, points) -> np.ndarray:
        """Patient-frame mm, shape (n, 3), to fractional voxel indices."""
        return (np.asarray(points, float) - self.start) / self.spacing

    def contains(self, points) -> np.ndarray:
        """Which points, shape (n, 3), lie inside by a voxel; shape (n,)."""
        v = self.to_voxels(points)
        return ((v >= 1) & (v <= np.array(self.shape) - 2)).all(axis=1)


def make_grid(protocol: Protocol, low, high, rng: np.random.Generator) -> Grid:
    """Lay a protocol's grid over the box from ``low`` to ``high`` (mm)."""
    in_plane = rng.uniform(*protocol.in_plane_mm)
    slices = rng.uniform(*protocol.slice_spacing_mm)
    thickness = rng.uniform(*protocol.slice_thickness_mm) or slices
    spacing = np.round([in_plane, in_plane, slices], 4)
    extent = np.asarray(high) - np.asarray(low)
    shape = tuple(int(n) for n in np.ceil(extent / spacing) + 1)
    start = (np.asarray(high) + low) / 2 - spacing * (np.array(shape) - 1) / 2
    return Grid(start, spacing, np.array([in_plane, in_plane, thickness]), shape)


def layered(grid: Grid, layers: int) -> Grid:
    """The same slices, side by side, cut into ``layers`` slices each; their order stays."""
    width = grid.width / [1, 1, layers]
    start = grid.start - [0, 0, (grid.width[2] - width[2]) / 2]
    shape = (*grid.shape[:2], grid.shape[2] * layers)
    return Grid(start, grid.spacing / [1, 1, layers], width, shape)


def averaging_weights(centres, width: float, start: float, step: float, n: int) -> np.ndarray:
    """Matrix that averages samples of a fine axis over boxes around ``centres``.

    Parameters
    ----------
    centres : ndarray, shape (m,), mm
    width : float, mm
    start, step, n
        The fine axis: first sample, distance (mm), number.

    Returns
    -------
    ndarray, shape (m, n), float32
        Cubic interpolation (Catmull-Rom) averaged over each box; outside counts as edge value.
    """
    parts = max(2, int(np.ceil(width / step * 4)))
    offsets = ((np.arange(parts) + 0.5) / parts - 0.5) * width
    where = (np.asarray(centres)[:, None] + offsets - start) / step
    base = np.floor(where).astype(int)
    t = where - base
    taps = (
        -0.5 * t**3 + t**2 - 0.5 * t,
        1.5 * t**3 - 2.5 * t**2 + 1,
        -1.5 * t**3 + 2 * t**2 + 0.5 * t,
        0.5 * t**3 - 0.5 * t**2,
    )
    weights = np.zeros((len(where), n), np.float32)
    rows = np.broadcast_to(np.arange(len(where))[:, None], base.shape)
    for shift, tap in enumerate(taps):
        np.add.at(weights, (rows, np.clip(base + shift - 1, 0, n - 1)), tap / parts)
    return weights


def sample(field: np.ndarray, start, step: float, grid: Grid) -> np.ndarray:
    """Average a finely sampled field over the voxels of a grid.

    Parameters
    ----------
    field : ndarray, shape (X, Y, Z), float32
        Isotropic samples, first at ``start`` (mm), ``step`` mm apart.

    Returns
    -------
    ndarray of ``grid.shape``, float32
    """
    wx, wy, wz = (
        averaging_weights(grid.centres(a), grid.width[a], start[a], step, field.shape[a])
        for a in range(3)
    )
    return _along_y(wy, (wx @ (field @ wz.T).reshape(len(field), -1)).reshape(
        len(wx), field.shape[1], len(wz)))  # fmt: skip


@njit(cache=True, nogil=True)
def _along_y(weights, field):
    """``weights @ sheet`` of each sheet; only the few weights that are not 0."""
    out = np.zeros((field.shape[0], len(weights), field.shape[2]), np.float32)
    for j in range(len(weights)):
        for p in np.flatnonzero(weights[j]):
            for i in range(field.shape[0]):
                for k in range(field.shape[2]):
                    out[i, j, k] += weights[j, p] * field[i, p, k]
    return out


def stamp(draw, centre, half_mm: float, grid: Grid, fine_mm: float = FINE_MM):
    """Average a small drawing over the voxels it touches.

    Parameters
    ----------
    draw : callable
        Takes offsets from the centre (x, y, z broadcastable arrays, mm), returns values.
    centre : (3,) mm
    half_mm : float
        The drawing is zero farther than this from the centre along any axis.
    fine_mm : float
        Spacing at which it is drawn.

    Returns
    -------
    (tuple of slice, ndarray) or None
        Where in the grid, and the averaged values; None when it lies outside.
    """
    low = np.maximum(np.ceil(grid.to_voxels(centre - half_mm) - grid.width / grid.spacing / 2), 0)
    high = np.minimum(
        np.floor(grid.to_voxels(centre + half_mm) + grid.width / grid.spacing / 2),
        np.array(grid.shape) - 1,
    )
    if (high < low).any():
        return None
    n = 2 * int(np.ceil(half_mm / fine_mm)) + 1
    axis = (np.arange(n) - n // 2) * fine_mm
    values = draw(axis[:, None, None], axis[None, :, None], axis[None, None, :])
    box = tuple(slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
    local = Grid(
        grid.start + low * grid.spacing,
        grid.spacing,
        grid.width,
        tuple(s.stop - s.start for s in box),
    )
    # a frame of zeros, so that what lies beyond the drawing counts as zero
    values = np.pad(values.astype(np.float32), 2)
    return box, sample(values, centre - (n // 2 + 2) * fine_mm, fine_mm, local)


def add_gaussians(loss: np.ndarray, grid: Grid, points, sigmas, masses) -> None:
    """Add 3D Gaussians, each integrated exactly over every voxel, to ``loss`` in place.

    Parameters
    ----------
    loss : ndarray of ``grid.shape``, float32, C-contiguous
    points : ndarray, shape (n, 3), mm
    sigmas, masses : ndarray, shape (n,)
        Standard deviation in mm, and the integral over space in mm^3.
    """
    if not len(points):
        return
    where = np.rint(grid.to_voxels(points)).astype(int)
    reach = np.ceil((3 * sigmas.max() + grid.width / 2) / grid.spacing).astype(int)
    factors = []
    for a in range(3):
        index = where[:, a, None] + np.arange(-reach[a], reach[a] + 1)
        edge = grid.start[a] + index * grid.spacing[a] - points[:, a, None]
        scale = np.sqrt(2) * sigmas[:, None]
        half = grid.width[a] / 2
        share = (erf((edge + half) / scale) - erf((edge - half) / scale)) / (2 * grid.width[a])
        share[(index < 0) | (index >= grid.shape[a])] = 0
        factors.append((np.clip(index, 0, grid.shape[a] - 1), share.astype(np.float32)))
    (ix, fx), (iy, fy), (iz, fz) = factors
    flat = loss.reshape(-1)
    fx = fx * masses[:, None].astype(np.float32)
    for i in range(fx.shape[1]):
        for j in range(fy.shape[1]):
            fxy = fx[:, i] * fy[:, j]
            use = np.flatnonzero(fxy > 1e-4)
            if not len(use):
                continue
            row = (ix[use, i] * grid.shape[1] + iy[use, j]) * grid.shape[2]
            values = fxy[use, None] * fz[use]
            np.add.at(flat, (row[:, None] + iz[use]).ravel(), values.ravel())


def bias_field(shape, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Smooth positive field around 1, shape ``shape``, float32 (coil sensitivity)."""
    axes = [np.linspace(-1, 1, n, dtype=np.float32) for n in shape]
    x, y, z = axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]
    c = rng.normal(0, strength, 6).astype(np.float32)
    in_plane = c[0] * x + c[1] * y + c[2] * (x * x + y * y - 0.6)
    return np.exp(in_plane + c[3] * z + c[4] * z * z + c[5] * y * z)


def magnitude_noise(image: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    """Rician noise: magnitude of the image plus complex Gaussian noise; works in place.

    The noise of a sagittal sheet is a stretch of a pool of normal samples from a random place:
    drawing all samples anew would be the slowest step of the whole phantom.
    """
    for part, real, imaginary in _noise_by_sheet(image, sd, rng):
        part += real
        np.sqrt(part * part + imaginary * imaginary, out=part)
    return image


def complex_noise(image: np.ndarray, sd: float, rng: np.random.Generator) -> None:
    """Gaussian noise of this sd on the real and on the imaginary part, in place (as above)."""
    for part, real, imaginary in _noise_by_sheet(image, sd, rng):
        part.real += real
        part.imag += imaginary


def _noise_by_sheet(image: np.ndarray, sd: float, rng: np.random.Generator):
    sheet = image[0].size
    pool = sd * rng.standard_normal(sheet + (1 << 21), dtype=np.float32)
    for part, (a, b) in zip(image, rng.integers(0, 1 << 21, (len(image), 2)), strict=True):
        yield part, *(pool[i : i + sheet].reshape(part.shape) for i in (a, b))
