"""The anatomy of one patient: MNI maps, individually sharpened, warped, and given a contrast."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from scipy import ndimage
from scipy.special import expit

from cmbkit.phantom.scanner import averaging_weights
from cmbkit.phantom.template import CAVITIES, Fields, smooth_noise, stripped_fields, template_fields
from cmbkit.phantom.tissues import (
    FLUID,
    GREY,
    WHITE,
    GradientEcho,
    drawn_factors,
    iron_by_age,
    iron_r2star,
)

WARP_STEP_MM = 14.0  # distance between the control points of the elastic warp
MAP_STEP_MM = 4  # where the warp is computed exactly when an image is rendered
BOX_MM = np.array([[-104.0, -142.0, -88.0], [104.0, 110.0, 112.0]])  # patient frame


@dataclass(frozen=True)
class Contrast:
    """Signals relative to white matter; how strongly iron and air cavities show."""

    grey: float
    fluid: float
    iron: float
    dropout: float

    @classmethod
    def draw(cls, sequence: str, rng: np.random.Generator) -> Contrast:
        """SWI: fluid greyish, iron dark. T2*: fluid bright, iron milder."""
        if sequence == "SWI":
            return cls(
                rng.uniform(1.18, 1.32), rng.uniform(0.52, 0.75), rng.uniform(0.9, 1.3), 0.75
            )
        return cls(rng.uniform(1.15, 1.30), rng.uniform(1.5, 1.9), rng.uniform(0.5, 0.9), 0.95)

    def varied(self, sd: float, rng: np.random.Generator) -> Contrast:
        """The same with grey matter's and fluid's signal multiplied by `drawn_factors`."""
        grey, fluid = drawn_factors(sd, rng)
        return replace(self, grey=self.grey * grey, fluid=self.fluid * fluid)


class Patient:
    """One person's head: an age, an affine and an elastic warp of the template.

    Parameters
    ----------
    seed : sequence of int
        Same seed, same head: the time points of a longitudinal patient share it.

    Notes
    -----
    The patient's frame is in mm (x right, y front, z up). ``to_template`` maps it to MNI mm.
    """

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.age = float(np.clip(rng.normal(68, 12), 30, 92))
        angles = rng.normal(0, [0.06, 0.04, 0.05])
        scale = rng.normal(1.0, 0.04) * rng.normal(1.0, [0.03, 0.03, 0.03])
        self._matrix = _rotation(angles) @ np.diag(1 / scale)
        self._shift = rng.normal(0, 2, 3)
        n = np.ceil((BOX_MM[1] - BOX_MM[0]) / WARP_STEP_MM).astype(int) + 3
        knots = ndimage.gaussian_filter(rng.standard_normal((3, *n)), (0, 0.7, 0.7, 0.7))
        self._knots = [ndimage.spline_filter(2.2 * k / 0.35) for k in knots]
        self._texture_seed = int(rng.integers(2**31))
        # atrophy: ventricles swell around two centres, sulci widen
        self._swelling = float(
            np.clip(0.10 + 0.006 * (self.age - 60) + rng.normal(0, 0.06), 0, 0.3)
        )
        self._sulcal_shift = 0.10 + 0.004 * (self.age - 65) + rng.normal(0, 0.03)

    def _elastic(self, points) -> np.ndarray:
        where = ((points - BOX_MM[0]) / WARP_STEP_MM + 1).T
        shifts = [
            ndimage.map_coordinates(k, where, order=3, mode="nearest", prefilter=False)
            for k in self._knots
        ]
        return np.stack(shifts, axis=1)

    def _swell(self, mni):
        """Pull coordinates towards the ventricles' middle, so that these look larger."""
        for sign in (-1, 1):
            delta = [mni[0] - sign * 14, mni[1] + 8, mni[2] - 14]
            r2 = (delta[0] / 14) ** 2 + (delta[1] / 36) ** 2 + (delta[2] / 16) ** 2
            pull = self._swelling * np.exp(-r2 / 2)
            mni = [m - pull * d for m, d in zip(mni, delta, strict=True)]
        return mni

    def to_template(self, points) -> np.ndarray:
        """Patient-frame mm, shape (n, 3), to MNI mm."""
        points = np.asarray(points, float)
        mni = (points + self._elastic(points)) @ self._matrix.T + self._shift
        return np.stack(self._swell(list(mni.T)), 1)

    def from_template(self, mni) -> np.ndarray:
        """MNI mm, shape (n, 3), to patient-frame mm (fixed-point inverse, better than 0.1 mm)."""
        mni = np.asarray(mni, float)
        inverse = np.linalg.inv(self._matrix)
        points = (mni - self._shift) @ inverse.T
        for _ in range(5):
            points = points + (mni - self.to_template(points)) @ inverse.T
        return points

    def bounding_box(self, head: bool) -> tuple[np.ndarray, np.ndarray]:
        """Low and high corner (mm) of the brain, or of the head around it."""
        fields = template_fields()
        surface = np.argwhere(fields.brain[::4, ::4, ::4] > 0.5) * 4.0 + fields.origin
        points = self.from_template(surface)
        margin = np.array([15.0, 16.0, 9.0]) if head else np.array([4.0, 4.0, 4.0])
        low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
        if head:  # the field of view ends at the cerebellum's lower rim
            low[2] += 8.0
        return np.maximum(low, BOX_MM[0]), np.minimum(high, BOX_MM[1])

    def _shares(self, fields: Fields, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Share of tissue in each template voxel, and of white matter in that."""
        shape = fields.tissue.shape
        level = fields.tissue - 0.5 - self._sulcal_shift
        level += 0.10 * smooth_noise(shape, 7.0, rng)
        tissue = expit(11 * level)
        white = fields.white - 0.5 + 0.08 * smooth_noise(shape, 5.0, rng)
        return tissue, expit(9 * white)

    def _template_signal(self, fields: Fields, contrast: Contrast) -> np.ndarray:
        rng = np.random.default_rng(self._texture_seed)
        tissue, white = self._shares(fields, rng)
        signal = tissue * (contrast.grey + (1 - contrast.grey) * white - contrast.fluid)
        signal += contrast.fluid
        age_iron = contrast.iron * (0.6 + 0.4 * self.age / 60)
        signal *= 1 - np.minimum(age_iron * fields.iron, 0.85)
        signal *= 1 + 0.025 * smooth_noise(signal.shape, 3.0, rng)
        if fields.head is not None:
            signal += (1 - fields.brain) * (fields.head - signal)
        return signal * (1 - contrast.dropout * fields.dropout)

    def _template_physics(self, fields: Fields, acquisition: GradientEcho):
        """Magnitude relative to white matter, and susceptibility (ppm), on the template's grid."""
        rng = np.random.default_rng(self._texture_seed)
        tissue, white = self._shares(fields, rng)
        unit = acquisition.magnitude(WHITE)
        grey, fluid = (
            factor * acquisition.magnitude(tissue) / unit
            for factor, tissue in zip(acquisition.factors, (GREY, FLUID), strict=True)
        )
        signal = tissue * (grey + (1 - grey) * white - fluid) + fluid
        iron = iron_by_age(self.age) * fields.iron_chi
        decay = acquisition.te_ms / 1000 * iron_r2star(1.0, acquisition.tesla)
        signal *= np.exp(-np.float32(decay) * iron)
        signal *= 1 + 0.025 * smooth_noise(signal.shape, 3.0, rng)
        chi = tissue * (GREY.chi + (WHITE.chi - GREY.chi) * white - FLUID.chi) + FLUID.chi + iron
        chi += (1 - fields.brain) * (fields.head_chi - chi)
        if fields.head is not None:
            signal += (1 - fields.brain) * (fields.head - signal)
        return signal, chi.astype(np.float32, copy=False)

    def render(self, contrast: Contrast | GradientEcho, low, high, head: bool):
        """Maps and brain mask on grids of the patient's frame.

        Parameters
        ----------
        contrast : Contrast or GradientEcho
            Signals drawn for a contrast, or those that tissues give in an acquisition.

        Returns
        -------
        signal : ndarray, float32
            First sample at ``start``, 1 mm apart, beyond ``high``; white matter is 1. With an
            GradientEcho a pair of such maps: signal, and susceptibility in ppm.
        brain : ndarray, float32, or None
            The same with every second sample, 2 mm apart; None with a head.
        start : ndarray, shape (3,), mm
        """
        start = np.floor(low) - 3
        shape = (np.ceil(high) + 4 - start).astype(int)
        fields = template_fields() if head else stripped_fields()
        where = (
            self._map_to_template(start, shape)
            - fields.origin.astype(np.float32)[:, None, None, None]
        )
        if isinstance(contrast, GradientEcho):
            maps = self._template_physics(fields, contrast)
            signal = interpolated(*maps, where)
        else:
            signal = ndimage.map_coordinates(
                self._template_signal(fields, contrast), where, order=1
            )
        if head:
            return signal, None, start
        brain = ndimage.map_coordinates(fields.brain, where[:, ::2, ::2, ::2], order=1)
        return signal, brain, start

    def _map_to_template(self, start, shape) -> np.ndarray:
        """MNI mm of a 1 mm grid, shape (3, *shape): exact every 4 mm, cubic in between."""
        counts = shape // MAP_STEP_MM + 4
        axes = [start[a] + MAP_STEP_MM * (np.arange(n) - 1) for a, n in enumerate(counts)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        coarse = self.to_template(points).astype(np.float32).T.reshape(3, *counts)
        wx, wy, wz = (
            averaging_weights(np.arange(n), 1e-3, -MAP_STEP_MM, MAP_STEP_MM, counts[a])
            for a, n in enumerate(shape)
        )
        out = np.empty((3, *shape), np.float32)
        for component, target in zip(coarse, out, strict=True):
            part = component @ wz.T
            part = (wx @ part.reshape(counts[0], -1)).reshape(shape[0], counts[1], shape[2])
            np.matmul(wy, part, out=target)
        return out

    def cavities(self) -> np.ndarray:
        """Centres of the air cavities in the patient's frame, mm, shape (4, 3)."""
        return self.from_template([c[0] for c in CAVITIES])


@njit(cache=True, nogil=True)
def interpolated(first, second, where):
    """Two maps at the same fractional voxels, shape (3, X, Y, Z), linearly; edges go on."""
    shape = where.shape[1:]
    out = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                x = min(max(where[0, i, j, k], 0), first.shape[0] - 1.001)
                y = min(max(where[1, i, j, k], 0), first.shape[1] - 1.001)
                z = min(max(where[2, i, j, k], 0), first.shape[2] - 1.001)
                a, b, c = int(x), int(y), int(z)
                x, y, z = x - a, y - b, z - c
                one = two = 0.0
                for p in range(2):
                    for q in range(2):
                        near = (x if p else 1 - x) * (y if q else 1 - y)
                        one += near * (1 - z) * first[a + p, b + q, c]
                        one += near * z * first[a + p, b + q, c + 1]
                        two += near * (1 - z) * second[a + p, b + q, c]
                        two += near * z * second[a + p, b + q, c + 1]
                out[0][i, j, k], out[1][i, j, k] = one, two
    return out


def _rotation(angles) -> np.ndarray:
    cx, cy, cz = np.cos(angles)
    sx, sy, sz = np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x
