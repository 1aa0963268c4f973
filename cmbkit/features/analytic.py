"""Shapes whose features are known in closed form, digitised: what is shape and what is grid."""

import numpy as np
import pandas as pd
from scipy.special import ellipeinc, ellipkinc

from cmbkit.ball import ball_radius
from cmbkit.features.shape import shape_features

SURFACE_ERROR = 0.12
"""The mesh of a binary mask is a staircase: the surface of a rounded shape comes out too large
by 7 to 12 %, however small the voxels, and sphericity too small by as much."""

CASES = (
    ("ball", (3.0, 3.0, 3.0)),
    ("ellipsoid", (4.0, 3.0, 2.0)),
    ("rod", (1.5, 12.0)),
    ("slice", (4.0,)),
)
SPACINGS = ((0.25, 0.25, 0.25), (0.5, 0.5, 0.5), (0.5, 0.5, 1.0))


def digitise(kind: str, size, spacing, offset=(0.0, 0.0, 0.0)) -> np.ndarray:
    """Mask of the voxels whose centre lies in a shape.

    Parameters
    ----------
    kind : {"ball", "ellipsoid", "rod", "slice"}
        A rod is a cylinder along the third axis; a slice is a disc of one voxel's thickness
        across it.
    size : tuple of float
        mm: three half-axes; radius and length; radius.
    spacing : (3,) float
        mm.
    offset : (3,) float
        Centre of the shape from the corner of a voxel (a rod's and a slice's third axis: from
        its centre), in voxels.

    Returns
    -------
    ndarray of bool, shape (i, j, k)
    """
    spacing = np.asarray(spacing, float)
    kinds = [name for name, _ in CASES]
    if kind not in kinds:
        raise ValueError(f"kind: expected one of {sorted(kinds)}, found {kind!r}")
    flat = {"rod": (*size[:1] * 2, size[-1] / 2), "slice": (*size[:1] * 2, spacing[2] / 2)}
    half = np.ceil(np.asarray(flat.get(kind, size)) / spacing).astype(int) + 1
    axes = [
        (np.arange(-n, n) + 0.5 - shift) * step
        for n, shift, step in zip(half, offset, spacing, strict=True)
    ]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    if kind in ("ball", "ellipsoid"):
        a, b, c = size
        return (x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 <= 1
    disc = x**2 + y**2 <= size[0] ** 2
    if kind == "rod":
        return disc & (np.abs(z) <= size[1] / 2)
    return disc & (np.abs(z - spacing[2] / 2) < spacing[2] / 2)


def closed_form(kind: str, size, spacing=(1.0, 1.0, 1.0)) -> dict[str, float]:
    """Exact features of the shapes of `digitise`.

    Axis lengths are 4 standard deviations of the uniform solid along its principal axes: the
    full axes times 2 / sqrt(5) for an ellipsoid; 2 r and 4 h / sqrt(12) for a rod.
    """
    if kind in ("ball", "ellipsoid"):
        a, b, c = sorted(size, reverse=True)
        volume, surface, longest = 4 / 3 * np.pi * a * b * c, _ellipsoid_surface(a, b, c), 2 * a
        axes = np.array([c, b, a]) * 4 / np.sqrt(5)
    elif kind == "rod":
        r, h = size
        volume, surface = np.pi * r**2 * h, 2 * np.pi * r * (r + h)
        longest, axes = np.hypot(2 * r, h), np.sort([2 * r, 2 * r, 4 * h / np.sqrt(12)])
    else:
        r, h = size[0], spacing[2]
        volume, surface = np.pi * r**2 * h, 2 * np.pi * r * (r + h)
        longest, axes = np.hypot(2 * r, h), np.array([0.0, 2 * r, 2 * r])
    return {
        "volume_mm3": float(volume),
        "radius_mm": ball_radius(volume),
        "surface_mm2": float(surface),
        "sphericity": float((36 * np.pi * volume**2) ** (1 / 3) / surface),
        "max_diameter_mm": float(longest),
        "major_axis_mm": float(axes[2]),
        "inv_elongation": float(axes[1] / axes[2]),
        "inv_flatness": float(axes[0] / axes[2]),
    }


def _ellipsoid_surface(a: float, b: float, c: float) -> float:
    if a - c < 1e-12 * a:
        return 4 * np.pi * a**2
    angle = np.arccos(c / a)
    m = (a**2 * (b**2 - c**2)) / (b**2 * (a**2 - c**2))
    part = ellipeinc(angle, m) * np.sin(angle) ** 2 + ellipkinc(angle, m) * np.cos(angle) ** 2
    return 2 * np.pi * (c**2 + a * b / np.sin(angle) * part)


def allowed_error(feature: str, truth: dict[str, float], spacing) -> float:
    """Largest difference that digitising explains.

    The boundary of a digitised shape lies up to half a voxel's diagonal off, inside or outside
    by chance. Lengths may differ by one diagonal (both ends), ratios of axes by a diagonal over
    the longest length, the volume by the surface times a quarter of a diagonal (steps in and
    out cancel mostly), the radius by a third of the volume's share. The surface of the mesh is
    too large by `SURFACE_ERROR` besides.
    """
    step = float(np.linalg.norm(spacing))
    share = step / truth["max_diameter_mm"]
    volume = truth["surface_mm2"] * step / 4
    return {
        "volume_mm3": volume,
        "radius_mm": volume / truth["volume_mm3"] / 3 * truth["radius_mm"],
        "surface_mm2": (SURFACE_ERROR + share) * truth["surface_mm2"],
        "sphericity": (SURFACE_ERROR + share) * truth["sphericity"],
        "max_diameter_mm": step,
        "major_axis_mm": step,
        "inv_elongation": share,
        "inv_flatness": share,
    }[feature]


def measured(mask: np.ndarray, spacing) -> dict[str, float]:
    """Features of a mask under the names of `closed_form`."""
    volume = float(np.count_nonzero(mask) * np.prod(spacing))
    return {"volume_mm3": volume, "radius_mm": ball_radius(volume), **shape_features(mask, spacing)}


def analytic_table(spacings=SPACINGS) -> pd.DataFrame:
    """Closed form against computed, for each shape, voxel size and feature.

    Returns
    -------
    DataFrame
        shape, voxel_mm, feature, closed_form, computed, difference, allowed.
    """
    rows = []
    for kind, size in CASES:
        for spacing in spacings:
            truth = closed_form(kind, size, spacing)
            found = measured(digitise(kind, size, spacing), spacing)
            for feature, value in truth.items():
                rows.append(
                    {
                        "shape": f"{kind} {' x '.join(f'{s:g}' for s in size)} mm",
                        "voxel_mm": " x ".join(f"{s:g}" for s in spacing),
                        "feature": feature,
                        "closed_form": value,
                        "computed": found[feature],
                        "difference": found[feature] - value,
                        "allowed": allowed_error(feature, truth, spacing),
                    }
                )
    return pd.DataFrame(rows)


def ball_floor(n_voxels, *, draws: int = 40, seed: int) -> pd.DataFrame:
    """What shape features say of a perfect ball of about ``n_voxels`` isotropic voxels.

    Parameters
    ----------
    n_voxels : sequence of float
        Sizes wanted: the ball's volume over the voxel's.
    draws : int
        Balls per size, their centres anywhere within a voxel.

    Returns
    -------
    DataFrame
        n_voxels (as digitised), sphericity, inv_elongation, inv_flatness; one row per ball
        that holds a voxel centre.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for wanted in n_voxels:
        radius = ball_radius(wanted)
        for _ in range(draws):
            mask = digitise("ball", (radius,) * 3, (1, 1, 1), rng.uniform(-0.5, 0.5, 3))
            if mask.any():
                found = shape_features(mask, (1, 1, 1))
                names = ("sphericity", "inv_elongation", "inv_flatness")
                rows.append({"n_voxels": int(mask.sum()), **{n: found[n] for n in names}})
    return pd.DataFrame(rows)
