"""Intensity of one microbleed, and against its surroundings."""

import logging
import warnings
from functools import lru_cache

import numpy as np
from scipy import ndimage

from cmbkit.boxes import bounding_box

SHELL_MM = 2.0
BIN_WIDTH = 25.0
FIRST_ORDER = {
    "mean_intensity": "Mean",
    "median_intensity": "Median",
    "min_intensity": "Minimum",
    "max_intensity": "Maximum",
    "p10_intensity": "10Percentile",
    "p90_intensity": "90Percentile",
    "iqr_intensity": "InterquartileRange",
    "range_intensity": "Range",
    "variance_intensity": "Variance",
    "mad_intensity": "MeanAbsoluteDeviation",
    "robust_mad_intensity": "RobustMeanAbsoluteDeviation",
    "rms_intensity": "RootMeanSquared",
    "skewness": "Skewness",
    "kurtosis": "Kurtosis",
    "energy": "Energy",
    "total_energy": "TotalEnergy",
    "entropy": "Entropy",
    "uniformity": "Uniformity",
}
"""Columns of the table and pyradiomics' names for them: all of its first-order features."""
SHELL = ("contrast", "shell_mean", "shell_sd")


def first_order(image: np.ndarray, mask: np.ndarray, spacing) -> dict[str, float]:
    """First-order intensity features of pyradiomics on the lesion's crop.

    Parameters
    ----------
    image : ndarray, shape (i, j, k)
    mask : ndarray of bool, shape (i, j, k)
    spacing : (3,) float
        mm; only total_energy depends on it.

    Returns
    -------
    dict
        Keys of `FIRST_ORDER`. Skewness and kurtosis (3 for a Gaussian) of equal values are 0,
        as in pyradiomics; robust_mad_intensity is NaN where no value lies between the 10th and
        the 90th percentile (2 voxels). Entropy and uniformity are of a histogram with bins of
        25 in the image's units, as in the thesis, which puts all of a z-scored lesion into one
        or two bins.

    Notes
    -----
    All 18 features of pyradiomics run with current numpy. The only use of the removed
    ``numpy.float`` is its helper for the first central moment, which no feature calls. (The
    deprecated StandardDeviation is left out: it is the root of the variance.)
    """
    values = np.asarray(image[np.asarray(mask, bool)], float)
    found = _first_order_of()(values, spacing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nothing between the percentiles
        return {
            column: float(np.squeeze(getattr(found, f"get{name}FeatureValue")()))
            for column, name in FIRST_ORDER.items()
        }


@lru_cache(maxsize=1)
def _first_order_of() -> type:
    """The class of pyradiomics, given the lesion's values instead of two images."""
    from radiomics import imageoperations
    from radiomics.firstorder import RadiomicsFirstOrder

    class FirstOrderOfValues(RadiomicsFirstOrder):
        def __init__(self, values, spacing):
            self.logger = logging.getLogger("radiomics.firstorder")
            self.pixelSpacing = np.asarray(spacing, float)
            self.voxelArrayShift = 0
            self.targetVoxelArray = values.reshape(1, -1)
            inside = np.ones(values.shape, bool)
            bins, _ = imageoperations.binImage(values, inside, binWidth=BIN_WIDTH)
            _, counts = np.unique(bins, return_counts=True)
            self.coefficients = {"p_i": counts.reshape(1, -1) / len(values)}

    return FirstOrderOfValues


def intensity_features(image: np.ndarray, mask: np.ndarray, others: np.ndarray, spacing) -> dict:
    """First-order features and the contrast to a shell of 2 mm around the lesion.

    Parameters
    ----------
    image : ndarray, shape (i, j, k)
        Crop of the image with room for the shell.
    others : ndarray of bool, shape (i, j, k)
        Voxels that do not count as surroundings (other lesions, outside the brain).
    spacing : (3,) float
        mm.

    Returns
    -------
    dict
        Keys of `FIRST_ORDER` in the image's units (z-scores on the standard grid), shell_mean
        and shell_sd, contrast: mean of the shell minus mean of the lesion, positive for a dark
        lesion. ``intensity_reason`` says why values are NaN: no shell voxel within 2 mm, or
        values in the lesion that are not finite.
    """
    box = bounding_box(mask)
    values = image[box][mask[box]]
    reasons = []
    if np.isfinite(values).all():
        found = first_order(image[box], mask[box], spacing)
        if np.isnan(found["robust_mad_intensity"]):
            reasons.append("robust_mad_intensity: no voxel between the percentiles 10 and 90")
    else:
        bad = int((~np.isfinite(values)).sum())
        reasons.append(f"intensity: {bad} of {len(values)} voxels are not finite")
        found = dict.fromkeys(FIRST_ORDER, float("nan"))
    away = ndimage.distance_transform_edt(~mask, sampling=spacing)
    shell = image[(away > 0) & (away <= SHELL_MM) & ~others]
    shell = shell[np.isfinite(shell)]
    found |= dict.fromkeys(SHELL, float("nan"))
    if shell.size:
        mean = float(shell.mean(dtype=float))
        found |= {"shell_mean": mean, "shell_sd": float(shell.std(dtype=float))}
        found["contrast"] = mean - found["mean_intensity"]
    else:
        reasons.append(f"contrast: no surrounding voxel within {SHELL_MM:g} mm")
    return {**found, "intensity_reason": "; ".join(reasons)}
