"""Intensity of one microbleed against its surroundings."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SHELL_MM = 2.0


def intensity_features(image: np.ndarray, mask: np.ndarray, others: np.ndarray, spacing) -> dict:
    """Mean intensity and contrast to a shell of 2 mm around the lesion.

    Parameters
    ----------
    image : ndarray, shape (i, j, k)
        Crop of the image with room for the shell.
    mask : ndarray of bool, shape (i, j, k)
        The lesion.
    others : ndarray of bool, shape (i, j, k)
        Voxels that do not count as surroundings (other lesions).
    spacing : (3,) float
        mm.

    Returns
    -------
    dict
        mean_intensity (in the image's units; z-scores on the standard grid) and contrast: mean
        of the shell minus mean of the lesion, positive for a dark lesion; NaN without a shell.
    """
    away = ndimage.distance_transform_edt(~mask, sampling=spacing)
    shell = (away > 0) & (away <= SHELL_MM) & ~others
    inside = float(image[mask].mean())
    contrast = float(image[shell].mean()) - inside if shell.any() else float("nan")
    return {"mean_intensity": inside, "contrast": contrast}
