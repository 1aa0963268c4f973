"""Shape of one microbleed: pyradiomics on the lesion's crop."""

from __future__ import annotations

import logging

import numpy as np

FEATURES = ("sphericity", "max_diameter_mm", "inv_flatness", "inv_elongation", "surface_mm2")


def ratio(smaller: float, larger: float) -> float:
    """Ratio of two principal axis lengths from eigenvalues; NaN for a single voxel (0 / 0)."""
    return float(np.sqrt(max(smaller, 0.0) / larger)) if larger > 1e-12 else float("nan")


def shape_features(mask: np.ndarray, spacing) -> dict[str, float]:
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
        sphericity (0 to 1), max_diameter_mm (between surface vertices), inv_flatness and
        inv_elongation (least and minor over major axis; 1 is round), surface_mm2. A single
        voxel has no axes: both ratios are NaN.

    Notes
    -----
    Values are pyradiomics' own; eigenvalues that rounding makes negative count as 0, where
    pyradiomics gives NaN (lesions flat in one slice). pyradiomics 3.0.1 leaves its mesh open
    where voxels touch only along an edge or corner; the volume in sphericity then depends on
    where the lesion lies in the array. The crop keeps that error small (the array's origin is
    near), the whole volume does not.
    """
    import SimpleITK as sitk

    logging.getLogger("radiomics").setLevel(logging.ERROR)
    from radiomics.shape import RadiomicsShape

    array = np.ascontiguousarray(np.asarray(mask, np.uint8).transpose(2, 1, 0))
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(s) for s in spacing])
    shape = RadiomicsShape(image, image, label=1)
    least, minor, major = np.sort(np.real(np.asarray(shape.eigenValues)))
    return {
        "sphericity": float(shape.getSphericityFeatureValue()),
        "max_diameter_mm": float(shape.getMaximum3DDiameterFeatureValue()),
        "inv_flatness": ratio(least, major),
        "inv_elongation": ratio(minor, major),
        "surface_mm2": float(shape.getSurfaceAreaFeatureValue()),
    }
