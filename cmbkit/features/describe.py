"""One microbleed, one row: size, shape, intensity and place."""

import numpy as np
import pandas as pd

from cmbkit.anatomy.parcellation import to_mni
from cmbkit.ball import ball_radius
from cmbkit.boxes import widened
from cmbkit.features import intensity, shape
from cmbkit.features.edge import BrainEdge
from cmbkit.features.location import location_features
from cmbkit.preprocessing.grid import label_boxes
from cmbkit.volume import Volume

MM, MNI = ["x_mm", "y_mm", "z_mm"], ["x_mni", "y_mni", "z_mni"]
COLUMNS = [
    *("uid", "dataset", "id", "type", "grid", "n_voxels", "volume_mm3", "radius_mm"),
    *shape.FEATURES,
    *shape.DIRECTIONS,
    *intensity.FIRST_ORDER,
    *intensity.SHELL,
    *("region", "group", "side", "mars_region"),
    *(*MM, *MNI, "x_vox", "y_vox", "z_vox", "edge_mm", "reason"),
]


def describe_lesions(
    image,
    lesions,
    labels,
    *,
    uid: str,
    dataset: str,
    type: str = "GT",
    grouping: str = "thesis",
    brain=None,
    grid: str = "standard",
    scan_to_mni=None,
) -> pd.DataFrame:
    """Describe every lesion of a scan (chapter 4.9).

    Parameters
    ----------
    image : path-like, nibabel image or Volume
    lesions : as image, of int
        One integer per lesion, on the image's grid.
    labels : as image, of int, or None
        SynthSeg-style parcellation on the same grid; without it region, group, side and MARS
        region are empty.
    type : {"GT", "Pred"}
    grouping : {"thesis", "bombs"}
        High-level groups, see `cmbkit.anatomy.rating_scales`.
    brain : as image, or None
        Brain mask on the same grid. With it the surroundings of a lesion end at the brain's
        edge, and edge_mm is the depth of its centre below that edge; else edge_mm is NaN.
    grid : str
        Carried into the table: which grid this is ("standard", "native").
    scan_to_mni : array-like, shape (4, 4), optional
        From the image's RAS mm to MNI mm (`cmbkit.anatomy.parcellation.fit_to_mni`); without it
        x_mni to z_mni are NaN.

    Returns
    -------
    DataFrame
        One row per lesion, columns `COLUMNS`; lengths in mm, x_mm to z_mm in RAS mm, x_mni to
        z_mni in MNI mm, x_vox to z_vox 0-based indices along the array's axes. ``reason`` says
        which values are NaN or doubtful, and why; it is empty where there is nothing to say.

    Raises
    ------
    VolumeError
        If the grids differ.
    """
    image, lesions = Volume.of(image), Volume.of(lesions, np.int32)
    labels = None if labels is None else Volume.of(labels, np.int32)
    brain = None if brain is None else Volume.of(brain)
    for other in (lesions, labels, brain):
        if other is not None:
            image.require_same_grid(other)
    margin = np.ceil(intensity.SHELL_MM / image.spacing).astype(int) + 1
    rows = []
    for label, tight in label_boxes(lesions.data):
        box = widened(tight, margin, lesions.shape)
        row = _describe(image, lesions, labels, brain, label, box, grouping)
        first = {"uid": uid, "dataset": dataset, "id": label, "type": type, "grid": grid}
        rows.append({**first, **row})
    table = pd.DataFrame(rows, columns=COLUMNS)
    table[MNI] = to_mni(table[MM], scan_to_mni)
    if brain is not None and len(table):
        table["edge_mm"] = BrainEdge(brain).depth_mm(table[MM])
    return table


def _describe(image, lesions, labels, brain, label, box, grouping) -> dict:
    piece = lesions.data[box]
    mask = piece == label
    voxels = np.argwhere(mask) + [s.start for s in box]
    volume = len(voxels) * image.voxel_volume_mm3
    middle = voxels.mean(axis=0)
    place = {"region": None, "group": None, "side": None, "mars_region": None}
    if labels is not None:
        place = location_features(labels.data[box][mask], grouping)
    others = (piece != 0) & ~mask
    if brain is not None:
        others |= (brain.data[box] == 0) & ~mask
    form = shape.shape_features(mask, image.spacing)
    bright = intensity.intensity_features(image.data[box], mask, others, image.spacing)
    axes = shape.axis_directions(mask, image.affine)
    found = ((form, "shape_reason"), (axes, "direction_reason"), (bright, "intensity_reason"))
    reasons = [part.pop(key) for part, key in found]
    return {
        "n_voxels": len(voxels),
        "volume_mm3": volume,
        "radius_mm": ball_radius(volume),
        **form,
        **axes,
        **bright,
        **place,
        **dict(zip(MM, image.to_mm(middle), strict=True)),
        **dict(zip(("x_vox", "y_vox", "z_vox"), middle, strict=True)),
        "edge_mm": float("nan"),
        "reason": "; ".join(filter(None, reasons)),
    }
