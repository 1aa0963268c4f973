"""Maps on the MNI grid that all synthetic heads share: tissue, iron, skull and scalp, dropout."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage
from scipy.special import expit

from cmbkit.anatomy.atlas import SYNTHSEG_LABELS, load_atlas, load_templates
from cmbkit.boxes import bounding_box
from cmbkit.phantom.scanner import averaging_weights
from cmbkit.phantom.tissues import AIR_CHI, BONE_CHI, GREY, MASTOID_CHI, NUCLEI_CHI

# How much iron darkens a structure on SWI of a 60-year-old (share of signal lost).
_IRON = {
    "Pallidum": 0.34,
    "Putamen": 0.13,
    "Caudate": 0.10,
    "Thalamus": 0.03,
    "Ventral DC": 0.10,
}
# MNI centre, half-axes (mm), share lost.
_DARK_NUCLEI = {
    "Red nucleus": ((4.5, -20, -9), (2.8, 3.2, 3.2), 0.28),
    "Substantia nigra": ((10, -16, -12), (4.5, 4.0, 2.2), 0.34),
    "Dentate nucleus": ((15, -56, -34), (5.5, 7.0, 3.5), 0.25),
}
# Air cavities that distort the field: MNI centre and reach (mm).
CAVITIES = [
    ((0, 36, -32), 12.0),
    ((0, 16, -32), 9.0),
    ((58, -26, -40), 11.0),
    ((-58, -26, -40), 11.0),
]


@dataclass(frozen=True)
class Fields:
    """Maps on the template grid (1 mm) that all patients share; float32.

    ``head`` is None when the skull is stripped. ``origin`` is the first voxel's centre, MNI mm.
    ``iron_chi`` is what iron adds to the susceptibility of grey matter at 60 years, ``head_chi``
    the susceptibility outside the brain (bone, air), both in ppm.
    """

    tissue: np.ndarray
    white: np.ndarray
    iron: np.ndarray
    brain: np.ndarray
    head: np.ndarray | None
    dropout: np.ndarray
    origin: np.ndarray
    iron_chi: np.ndarray
    head_chi: np.ndarray


def _depth_outside(brain: np.ndarray) -> np.ndarray:
    closed = ndimage.binary_closing(np.pad(brain[::2, ::2, ::2], 8), iterations=6)
    depth = 2 * ndimage.distance_transform_edt(~closed)[8:-8, 8:-8, 8:-8].astype(np.float32)
    depth = ndimage.zoom(depth, 2, order=1)
    grow = [(0, max(0, n - m)) for n, m in zip(brain.shape, depth.shape, strict=True)]
    return np.pad(depth, grow, mode="edge")[tuple(slice(n) for n in brain.shape)]


def _head_maps(brain: np.ndarray, x, y, z) -> tuple[np.ndarray, np.ndarray]:
    """Outside the brain: signal relative to white matter, and susceptibility (ppm).

    Fluid, skull, scalp, face, air. The air around the head counts as water: the field of the
    head's own outline is smooth, and shimmed away.
    """
    rng = np.random.default_rng(7)
    depth = _depth_outside(brain)
    depth = depth + np.minimum(depth / 4, 1) * 0.5 * smooth_noise(depth.shape, 25.0, rng)
    signal = np.interp(
        depth,
        [0, 1.5, 2.5, 3.5, 5.0, 6.5, 7.5, 8.5, 11.0, 12.5, 13.5],
        [0.8, 0.75, 0.35, 0.10, 0.28, 0.10, 0.35, 0.85, 0.75, 0.45, 0.0],
    ).astype(np.float32)
    face = ((x / 62) ** 2 + ((y - 32) / 58) ** 2 + ((z + 62) / 48) ** 2 < 1) & (z < -12 - 0.2 * y)
    neck = ((x / 58) ** 2 + ((y + 32) / 62) ** 2 < 1) & (z < -42)
    flesh = 0.45 + 0.11 * smooth_noise(depth.shape, 9.0, rng)
    soft = (face | neck) & (depth > 3)
    signal[soft] = np.maximum(signal, flesh)[soft]
    ragged = 1 + 0.2 * smooth_noise(depth.shape, 7.0, np.random.default_rng(13))
    bone = np.interp(depth, [2.5, 3.5, 6.5, 7.5], [0, 1, 1, 0])
    chi = np.where(soft, 0, BONE_CHI * bone).astype(np.float32)
    for sign in (-1, 1):  # eyes
        eye = ((x - sign * 32) ** 2 + (y - 64) ** 2 + (z + 36) ** 2 < 12**2) & (depth > 2)
        signal[eye] = 1.05
    for (cx, cy, cz), reach in CAVITIES:
        cave = (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 < (0.8 * reach) ** 2
        signal[cave & (depth > 2)] = 0.03
        cave = (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 < (0.8 * reach * ragged) ** 2
        chi[cave & (depth > 2)] = AIR_CHI if cx == 0 else MASTOID_CHI
    return signal, chi


def smooth_noise(shape, scale_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Unit-variance noise that varies over ``scale_mm``, float32."""
    coarse = [int(np.ceil(n / scale_mm)) + 3 for n in shape]
    noise = rng.standard_normal(coarse, dtype=np.float32)
    offset = rng.uniform(0, 1, 3) * scale_mm
    weights = [
        averaging_weights(offset[a] + np.arange(n), 1e-3, -scale_mm, scale_mm, coarse[a])
        for a, n in enumerate(shape)
    ]
    out = noise @ weights[2].T
    out = (weights[0] @ out.reshape(coarse[0], -1)).reshape(shape[0], coarse[1], shape[2])
    return np.matmul(weights[1], out) / 0.6


def _dropout(shape, x, y, z) -> np.ndarray:
    """Share of signal lost around the air cavities, with ragged outlines."""
    rng = np.random.default_rng(11)
    ragged = 1 + 0.22 * smooth_noise(shape, 9.0, rng)
    lost = np.zeros(shape, np.float32)
    for (cx, cy, cz), reach in CAVITIES:
        along_x = np.exp(-(((x - cx) / 1.3 / reach) ** 2) / 2)
        along_y = np.exp(-(((y - cy) / reach) ** 2) / 2)
        along_z = np.exp(-(((z - cz) / 0.9 / reach) ** 2) / 2)
        np.maximum(lost, along_x * (along_y * along_z), out=lost)
    return np.clip(1.8 * lost * ragged - 0.15, 0, 1)


def _darken(dark, axes, centre, half_axes, share: float) -> None:
    """Let an ellipsoid with a soft edge lose ``share`` of its signal; in place, in its box."""
    box, parts = [], []
    for axis, c, r in zip(axes, centre, half_axes, strict=True):
        near = np.flatnonzero(np.abs(axis.ravel() - c) < 2 * r)
        box.append(slice(near[0], near[-1] + 1))
        parts.append(((axis.ravel()[near] - c) / r) ** 2)
    squares = sum(np.ix_(*parts), 0.0)
    inside = share * expit(8 * (1 - squares))
    dark[tuple(box)] = np.maximum(dark[tuple(box)], inside)


def _in_structures(labels: np.ndarray, values: dict[str, float]) -> np.ndarray:
    """Map of a value per structure, of both sides, with soft edges."""
    of_label = np.zeros(256, np.float32)
    for label, name in SYNTHSEG_LABELS.items():
        for structure, value in values.items():
            if name.endswith(structure):
                of_label[label] = value
    return ndimage.gaussian_filter(of_label[labels], 0.8)


@lru_cache(maxsize=1)
def template_fields() -> Fields:
    """Build the shared maps once per process (about 5 s)."""
    maps, atlas = load_templates(), load_atlas()
    origin = maps.affine[:3, 3]
    axes = [origin[a] + np.arange(n, dtype=np.float32) for a, n in enumerate(maps.brain.shape)]
    x, y, z = axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]
    excess = {name: chi - GREY.chi for name, chi in NUCLEI_CHI.items()}
    dark, iron_chi = (_in_structures(atlas.data, values) for values in (_IRON, excess))
    for name, (centre, half_axes, share) in _DARK_NUCLEI.items():
        for sign in (-1, 1):
            where = (sign * centre[0], *centre[1:])
            _darken(dark, (x, y, z), where, half_axes, share)
            _darken(iron_chi, (x, y, z), where, half_axes, excess[name])
    white = maps.white / np.maximum(maps.white + maps.grey, 1e-3)
    head, head_chi = _head_maps(maps.brain, x, y, z)
    return Fields(
        maps.grey + maps.white,
        white.astype(np.float32),
        dark.astype(np.float32),
        maps.brain.astype(np.float32),
        head,
        _dropout(maps.brain.shape, x, y, z),
        origin,
        iron_chi,
        head_chi,
    )


@lru_cache(maxsize=1)
def stripped_fields() -> Fields:
    """The shared maps cropped to the brain, without a head."""
    fields = template_fields()
    box = bounding_box(fields.brain > 0, margin=3)
    cut = {
        name: np.ascontiguousarray(map_[box])
        for name, map_ in vars(fields).items()
        if name not in ("head", "origin")
    }
    return Fields(**cut, head=None, origin=fields.origin + [s.start for s in box])
