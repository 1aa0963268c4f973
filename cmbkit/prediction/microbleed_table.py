"""The table of a scan's microbleeds: place, size, region, score, and doubts about each."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import ndimage

from cmbkit.evaluation.calibration import Calibration
from cmbkit.features.describe import describe_lesions
from cmbkit.volume import Volume

THICK_MM = 3.0
ELONGATED = 0.5
VESSEL_MM = 5.0
EDGE_MM = 2.0
LARGE_MM = 10.0
SMALL_MM = 2.0
FLAGS = {
    "near-vessel": f"a dark structure runs on from it for {VESSEL_MM:g} mm or more, as a vein does",
    "elongated": "its second axis is less than half as long as its longest",
    "thick-slice scan": f"the scan has slices of {THICK_MM:g} mm or more",
    "near brain edge": f"its centre is less than {EDGE_MM:g} mm from the edge of the brain mask",
    "over 10 mm": "longest diameter over 10 mm: larger than a microbleed by definition",
    "under 2 mm": "longest diameter under 2 mm: smaller than a microbleed usually is",
    "outside brain tissue": "no voxel of it lies in a label of brain tissue",
}
COLUMNS = [
    *("id", "i", "j", "k", "x_mm", "y_mm", "z_mm", "volume_mm3", "radius_mm", "diameter_mm"),
    *("max_diameter_mm", "region", "group", "mars_region", "side", "score"),
    *("probability", "edge_mm", "flags"),
]


def dark_run_mm(image: np.ndarray, mask: np.ndarray, spacing, reach_mm: float) -> float:
    """How far a dark structure that a lesion belongs to runs beyond the lesion.

    Parameters
    ----------
    image : ndarray, shape (i, j, k)
        Crop with ``reach_mm`` of room around the lesion.
    mask : ndarray of bool, same shape
        The lesion.
    spacing : (3,) float
        mm.
    reach_mm : float
        Looked at.

    Returns
    -------
    float
        Largest distance in mm from the lesion to a voxel that is connected with it (26
        neighbours) through voxels nearly as dark: nearer to the lesion's median than to that of
        its surroundings (within ``reach_mm``) by two to one. 0 where nothing runs on.
    """
    away = ndimage.distance_transform_edt(~mask, sampling=spacing)
    around = (away > 0) & (away <= reach_mm)
    if not around.any():
        return 0.0
    limit = (2 * float(np.median(image[mask])) + float(np.median(image[around]))) / 3
    dark = mask | (around & (image < limit))
    pieces, _ = ndimage.label(dark, np.ones((3, 3, 3), bool))
    joined = np.isin(pieces, np.unique(pieces[mask]))
    return float(away[joined].max())


def microbleed_table(
    image: Volume,
    instances: Volume,
    labels: Volume,
    brain: Volume,
    found: pd.DataFrame,
    native: Volume,
    slice_mm: float | None,
    calibration: Calibration | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per microbleed, the highest score first.

    Parameters
    ----------
    image, instances, labels, brain : Volume
        On the standard grid: z-scored image, one integer per microbleed, SynthSeg labels, mask.
    found : DataFrame
        Of `cmbkit.detector.inference.candidates.candidates`.
    native : Volume
        Its affine gives the voxel centres.
    slice_mm : float or None
        Slice thickness of the scan; None where only the distance of its slices is known.
    calibration : Calibration, optional
        Of the weights.

    Returns
    -------
    table : DataFrame
        `COLUMNS`: i, j, k are 0-based fractional voxels of the scan's own array, x_mm to z_mm
        RAS mm; diameter_mm is that of a ball of the volume, max_diameter_mm the longest; group
        is that of BOMBS; score is that of ``found``; probability is the share of candidates of
        such a score that were real where scores were calibrated, NaN without a calibration; flags
        is a tuple of keys of `FLAGS`.
    features : DataFrame
        Of `describe_lesions`, in the same order, for a rating form.
    """
    features = describe_lesions(
        image,
        instances,
        labels,
        uid="scan",
        dataset="SCAN",
        type="Pred",
        grouping="bombs",
        brain=brain,
    )
    kept = found[found["kept"]].set_index("id")
    slice_mm = slice_mm or max(native.spacing)
    features["score"] = features["id"].map(kept["score"])
    features = features.sort_values("score", ascending=False, kind="stable")
    features = features.reset_index(drop=True)
    table = features.assign(diameter_mm=2 * features["radius_mm"])
    centres = native.to_voxels(features[["x_mm", "y_mm", "z_mm"]].to_numpy(float).reshape(-1, 3))
    table[["i", "j", "k"]] = centres
    table["probability"] = calibration.probability(table["score"]) if calibration else np.nan
    flags = [_flags(row, image, instances, brain, slice_mm) for row in table.itertuples()]
    table["flags"] = pd.Series(flags, table.index, dtype=object)
    return table[COLUMNS], features


def _flags(row, image: Volume, instances: Volume, brain: Volume, slice_mm: float) -> tuple:
    centre = np.rint([row.x_vox, row.y_vox, row.z_vox]).astype(int)
    half = np.ceil((row.max_diameter_mm + VESSEL_MM) / image.spacing).astype(int) + 1
    low, high = np.maximum(centre - half, 0), centre + half + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    mask = instances.data[box] == row.id
    tissue = np.where(brain.data[box] > 0, image.data[box], np.inf)
    reach = VESSEL_MM + float(image.spacing.max())
    told = {
        "near-vessel": dark_run_mm(tissue, mask, image.spacing, reach) >= VESSEL_MM,
        "elongated": row.inv_elongation < ELONGATED,
        "thick-slice scan": slice_mm >= THICK_MM,
        "near brain edge": row.edge_mm < EDGE_MM,
        "over 10 mm": row.max_diameter_mm > LARGE_MM,
        "under 2 mm": row.max_diameter_mm < SMALL_MM,
        "outside brain tissue": row.group == "Outside brain tissue",
    }
    return tuple(name for name, holds in told.items() if holds)
