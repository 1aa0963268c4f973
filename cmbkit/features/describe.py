"""One microbleed, one row: size, shape, intensity and place."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cmbkit.ball import ball_radius
from cmbkit.features import intensity, shape
from cmbkit.features.edge import BrainEdge
from cmbkit.features.location import location_features
from cmbkit.volume import Volume

_CHUNK = 1 << 18
COLUMNS = [
    *("uid", "dataset", "id", "type", "grid", "n_voxels", "volume_mm3", "radius_mm"),
    *shape.FEATURES,
    *shape.DIRECTIONS,
    *intensity.FIRST_ORDER,
    *intensity.SHELL,
    *("region", "group", "side", "mars_region"),
    *("x_mm", "y_mm", "z_mm", "x_vox", "y_vox", "z_vox", "edge_mm", "reason"),
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
    brain: Volume | None = None,
    grid: str = "standard",
    bin_width: float = intensity.BIN_WIDTH,
) -> pd.DataFrame:
    """Describe every lesion of a scan (chapter 4.9).

    Parameters
    ----------
    image : Volume
    lesions : Volume of int
        One integer per lesion, on the image's grid.
    labels : Volume of int or None
        SynthSeg-style parcellation on the same grid; without it region, group, side and MARS
        region are empty.
    uid, dataset : str
        Carried into the table.
    type : {"GT", "Pred"}
    grouping : {"thesis", "bombs"}
        High-level groups, see `cmbkit.anatomy.rating_scales`.
    brain : Volume of int or None
        Brain mask on the same grid. With it the surroundings of a lesion end at the brain's
        edge, and edge_mm is the depth of its centre below that edge; else edge_mm is NaN.
    grid : str
        Carried into the table: which grid this is ("standard", "native").
    bin_width : float
        Of the histogram behind entropy and uniformity, see `intensity.first_order`.

    Returns
    -------
    DataFrame
        One row per lesion, columns `COLUMNS`; lengths in mm, x_mm to z_mm in RAS mm, x_vox to
        z_vox 0-based indices along the array's axes. ``reason`` says which values are NaN or
        doubtful, and why; it is empty where there is nothing to say.

    Raises
    ------
    VolumeError
        If the grids differ.
    """
    for other in (lesions, labels, brain):
        if other is not None:
            image.require_same_grid(other)
    boxes = lesion_boxes(lesions.data)
    margin = np.ceil(intensity.SHELL_MM / image.spacing).astype(int) + 1
    rows = []
    for label, (low, high) in boxes.items():
        low, high = np.maximum(low - margin, 0), high + margin
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        row = _describe(image, lesions, labels, brain, label, box, grouping, bin_width)
        first = {"uid": uid, "dataset": dataset, "id": label, "type": type, "grid": grid}
        rows.append({**first, **row})
    table = pd.DataFrame(rows, columns=COLUMNS)
    if brain is not None and len(table):
        table["edge_mm"] = BrainEdge(brain).depth_mm(table[["x_mm", "y_mm", "z_mm"]])
    return table


def lesion_boxes(labels: np.ndarray) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Lowest voxel and one past the highest, shape (3,) each, of every label > 0.

    Reads the volume once, for the few voxels that are not 0; the rest of the work is on them.
    """
    order = "F" if labels.flags.f_contiguous and not labels.flags.c_contiguous else "C"
    flat = labels.ravel(order=order)
    parts = [
        np.flatnonzero(flat[start : start + _CHUNK] > 0) + start
        for start in range(0, flat.size, _CHUNK)
    ]
    where = np.concatenate(parts)
    voxels = np.stack(np.unravel_index(where, labels.shape, order=order), axis=1)
    values = flat[where]
    sort = np.argsort(values, kind="stable")
    values, voxels = values[sort], voxels[sort]
    found, starts, counts = np.unique(values, return_index=True, return_counts=True)
    return {
        int(label): (voxels[a:b].min(axis=0), voxels[a:b].max(axis=0) + 1)
        for label, a, b in zip(found, starts, starts + counts, strict=True)
    }


def _describe(image, lesions, labels, brain, label, box, grouping, bin_width) -> dict:
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
    bright = intensity.intensity_features(image.data[box], mask, others, image.spacing, bin_width)
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
        **dict(zip(("x_mm", "y_mm", "z_mm"), image.to_mm(middle), strict=True)),
        **dict(zip(("x_vox", "y_vox", "z_vox"), middle, strict=True)),
        "edge_mm": float("nan"),
        "reason": "; ".join(filter(None, reasons)),
    }
