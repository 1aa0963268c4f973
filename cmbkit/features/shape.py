"""Shape of one microbleed: pyradiomics on the lesion's crop."""

import numpy as np

from cmbkit.boxes import bounding_box

FEATURES = (
    *("sphericity", "max_diameter_mm", "inv_flatness", "inv_elongation", "surface_mm2"),
    *("mesh_volume_mm3", "major_axis_mm", "minor_axis_mm", "least_axis_mm"),
)
DIRECTIONS = ("major_x", "major_y", "major_z", "least_x", "least_y", "least_z")
ROUND = 1e-6
"""Axes whose lengths agree to this share have no direction of their own."""

_SHIFT = ((1, 0), (7, 0), (43, 0))


def ratio(smaller: float, larger: float) -> float:
    """Ratio of two principal axis lengths from eigenvalues; NaN for a single voxel (0 / 0)."""
    return float(np.sqrt(max(smaller, 0.0) / larger)) if larger > 1e-12 else float("nan")


def shape_features(mask: np.ndarray, spacing) -> dict:
    """Shape of one lesion (section 4.9.2).

    Parameters
    ----------
    mask : ndarray of bool, shape (i, j, k)
        The lesion; a crop gives the same values as the whole volume.
    spacing : (3,) float
        mm.

    Returns
    -------
    dict
        `FEATURES`: sphericity (0 to 1), max_diameter_mm (between surface vertices),
        inv_flatness and inv_elongation (least and minor over major axis; 1 is round),
        surface_mm2 and mesh_volume_mm3 of the surface mesh, lengths of the three principal
        axes in mm (of the ellipsoid with the lesion's moments, so 4 standard deviations).
        ``shape_reason`` says in words which value is NaN, or doubtful, and why; it is empty
        where there is nothing to say.

    Notes
    -----
    Values are pyradiomics' own: its compiled core makes the mesh, and the rest follows its
    formulas without the images around it, which cost more than the features of a small lesion.
    Eigenvalues that rounding makes negative count as 0, where pyradiomics gives NaN (lesions
    flat in one slice). A single voxel has no axes: both ratios
    are NaN. pyradiomics leaves its mesh open where voxels touch only along an edge or
    corner; the volume in sphericity then depends on where the lesion lies in the array. Here
    it is taken on the tight crop, so that it depends on the lesion alone, and the reason says
    so; pyradiomics on the whole volume gives another number for such a lesion, and the same
    for all others.
    """
    mask = np.asarray(mask, bool)
    mask = mask[bounding_box(mask)]
    surface, volume, diameters = _mesh(np.pad(mask, 1), spacing)
    least, minor, major = _eigenvalues(mask, spacing)
    reasons = []
    if major <= 1e-12:
        reasons.append("inv_flatness, inv_elongation: a single voxel has no axes")
    _, elsewhere, _ = _mesh(np.pad(np.pad(mask, 1), _SHIFT), spacing)
    if abs(elsewhere - volume) > 1e-6 * max(abs(volume), float(np.prod(spacing))):
        reasons.append("sphericity: surface mesh open (voxels touch along an edge or corner only)")
    return {
        "sphericity": float((36 * np.pi * volume**2) ** (1 / 3) / surface),
        "max_diameter_mm": float(diameters[3]),
        "inv_flatness": ratio(least, major),
        "inv_elongation": ratio(minor, major),
        "surface_mm2": float(surface),
        "mesh_volume_mm3": float(volume),
        "major_axis_mm": 4 * float(np.sqrt(max(major, 0.0))),
        "minor_axis_mm": 4 * float(np.sqrt(max(minor, 0.0))),
        "least_axis_mm": 4 * float(np.sqrt(max(least, 0.0))),
        "shape_reason": "; ".join(reasons),
    }


def axis_directions(mask: np.ndarray, affine: np.ndarray) -> dict:
    """Directions of the longest and the shortest principal axis in RAS.

    Parameters
    ----------
    mask : ndarray of bool, shape (i, j, k)
    affine : ndarray, shape (4, 4)
        Voxels to RAS mm.

    Returns
    -------
    dict
        `DIRECTIONS`: two unit vectors, their largest component positive. NaN where the axis
        is as long as the middle one (a ball, a cube, a single voxel), so that it has no
        direction of its own; ``direction_reason`` says so.
    """
    points = np.argwhere(mask) @ np.asarray(affine, float)[:3, :3].T
    points -= points.mean(axis=0)
    lengths, axes = np.linalg.eigh(points.T @ points / len(points))
    apart = ROUND * max(float(lengths[2]), 1e-12)
    found = []
    for vector, gap in (
        (axes[:, 2], lengths[2] - lengths[1]),
        (axes[:, 0], lengths[1] - lengths[0]),
    ):
        sign = np.sign(vector[np.argmax(np.abs(vector) > np.abs(vector).max() - ROUND)])
        found.extend(sign * vector if gap > apart else np.full(3, np.nan))
    directions = {name: float(value) for name, value in zip(DIRECTIONS, found, strict=True)}
    without = [name for name in ("major", "least") if np.isnan(directions[f"{name}_x"])]
    reason = f"direction of {', '.join(without)} axis: another is as long" if without else ""
    return {**directions, "direction_reason": reason}


def _mesh(mask: np.ndarray, spacing):
    """Surface, volume and diameters from pyradiomics' compiled core (axes there: z, y, x)."""
    from radiomics import cShape

    sizes = np.array([float(s) for s in spacing][::-1])
    return cShape.calculate_coefficients(np.ascontiguousarray(mask.transpose(2, 1, 0)), sizes)


def _eigenvalues(mask: np.ndarray, spacing) -> np.ndarray:
    """Variances in mm^2 along the principal axes of the voxel centres, ascending."""
    points = np.argwhere(mask) * np.asarray(spacing, float)
    points -= points.mean(axis=0)
    return np.linalg.eigvalsh(points.T @ points / len(points))
