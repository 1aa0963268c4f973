"""One microbleed, one row: size, shape, intensity and place."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import ndimage

from cmbkit.features.intensity import SHELL_MM, intensity_features
from cmbkit.features.location import location_features
from cmbkit.features.shape import shape_features
from cmbkit.volume import Volume

VERSION = 1
COLUMNS = [
    *("uid", "dataset", "id", "type", "n_voxels", "volume_mm3", "radius_mm"),
    *("sphericity", "max_diameter_mm", "inv_flatness", "inv_elongation", "surface_mm2"),
    *("mean_intensity", "contrast", "region", "group", "side", "x_mm", "y_mm", "z_mm"),
]


def describe_lesions(
    image: Volume,
    lesions: Volume,
    labels: Volume | None,
    *,
    uid: str,
    dataset: str,
    type: str = "GT",
    grouping: str = "thesis",
) -> pd.DataFrame:
    """Describe every lesion of a scan (chapter 4.9).

    Parameters
    ----------
    image : Volume
    lesions : Volume of int
        One integer per lesion, on the image's grid.
    labels : Volume of int or None
        SynthSeg-style parcellation on the same grid; without it region, group and side are
        empty.
    uid, dataset : str
        Carried into the table.
    type : {"GT", "Pred"}
    grouping : {"thesis", "bombs"}
        High-level groups, see `cmbkit.anatomy.rating_scales`.

    Returns
    -------
    DataFrame
        One row per lesion, columns `COLUMNS`; lengths in mm, positions in RAS mm.

    Raises
    ------
    VolumeError
        If the grids differ.
    """
    image.require_same_grid(lesions)
    if labels is not None:
        image.require_same_grid(labels)
    margin = np.ceil(SHELL_MM / image.spacing).astype(int) + 1
    rows = []
    for label, box in enumerate(ndimage.find_objects(lesions.data), 1):
        if box is not None:
            wide = tuple(
                slice(max(0, s.start - m), s.stop + m) for s, m in zip(box, margin, strict=True)
            )
            row = _describe(image, lesions, labels, label, wide, grouping)
            rows.append({"uid": uid, "dataset": dataset, "id": label, "type": type, **row})
    return pd.DataFrame(rows, columns=COLUMNS)


def _describe(image, lesions, labels, label, box, grouping) -> dict:
    piece = lesions.data[box]
    mask = piece == label
    voxels = np.argwhere(mask) + [s.start for s in box]
    volume = len(voxels) * image.voxel_volume_mm3
    centre = image.to_mm(voxels.mean(axis=0))
    place = {"region": None, "group": None, "side": None}
    if labels is not None:
        place = location_features(labels.data[box][mask], grouping)
    others = (piece != 0) & ~mask
    return {
        "n_voxels": len(voxels),
        "volume_mm3": volume,
        "radius_mm": (3 * volume / (4 * np.pi)) ** (1 / 3),
        **shape_features(mask, image.spacing),
        **intensity_features(image.data[box], mask, others, image.spacing),
        **place,
        **dict(zip(("x_mm", "y_mm", "z_mm"), centre, strict=True)),
    }
