"""The table of matches: everything that is known of each, so that a subgroup is a filter on it.

One row per annotated CMB and candidate; a matched pair shares its row. Scans with neither have
no row: averages over scans need the scan rows beside it.
"""

import numpy as np
import pandas as pd

from cmbkit.evaluation import subgroups

WHO = {
    "model": "trained network, or the untrained baseline",
    "dataset": "group in the tables: a test dataset, or Valid for every validation scan",
    "source": "dataset that the scan comes from",
    "split": "train, valid or test",
    "patient": "patient within the source dataset",
    "uid": "scan",
}
SCAN = {
    "sequence": "SWI or T2S",
    "in_plane_mm": "pixel size of the scan as delivered, the smaller one (mm)",
    "slice_thickness_mm": "slice thickness of the scan as delivered (mm)",
    "n_gt": "annotated CMBs of the scan",
    "cmb_level": "level of n_gt: high (3 and more), low (1 or 2) or none",
}
CALL = {
    "match": "TP, FP or FN",
    "gt_id": "label of the annotated CMB in its mask; none for an FP",
    "pred_id": "label of the candidate in its mask; none for an FN",
    "distance_mm": "between the two centres of mass of a TP (mm)",
    "overlap_voxels": "voxels that both sides of a TP share, on the standard grid",
    "dice": "Dice of the two sides of a TP",
    "score": "of the candidate: mean of its highest logits; of the baseline, of its own confidence",
    "probability": "of the candidate: share of such scores that are real on the validation scans",
    "adds": "TP or FP: what the candidate adds when the threshold falls to its score, matched anew",
    "location": "where Table 8.2 counts it: place of the annotated CMB, of the candidate for an FP",
}
SIDE = {
    "x_mm": "centre of mass, to the right (mm)",
    "y_mm": "centre of mass, to the front (mm)",
    "z_mm": "centre of mass, upwards (mm)",
    "x_mni": "centre of mass in MNI space, to the right (mm); none without a registration",
    "y_mni": "centre of mass in MNI space, to the front (mm)",
    "z_mni": "centre of mass in MNI space, upwards (mm)",
    "n_voxels": "voxels on the standard grid",
    "volume_mm3": "volume (mm3)",
    "radius_mm": "radius of the ball of that volume (mm)",
    "region": "BOMBS region",
    "group": "group of BOMBS regions, as in Table 4.2",
    "side": "side of the brain",
    "mars_region": "MARS region",
    "location": "region as Table 8.2 pools it: Cortical, Subcortical, Deep or Elsewhere",
    "edge_mm": "depth of the centre below the brain's edge (mm)",
    "sphericity": "sphericity (1: ball)",
    "max_diameter_mm": "largest diameter (mm)",
    "inv_flatness": "least by major axis (1: not flat)",
    "inv_elongation": "minor by major axis (1: not elongated)",
    "surface_mm2": "surface (mm2)",
    "major_axis_mm": "length of the major principal axis (mm)",
    "minor_axis_mm": "length of the minor principal axis (mm)",
    "least_axis_mm": "length of the least principal axis (mm)",
}
KNOWN = {
    "gt_radius_true_mm": "annotated CMB: true radius of its source, of generated ones (mm)",
    "gt_radius_visible_mm": "annotated CMB: radius of what can be seen, of generated ones (mm)",
    "gt_leaked": "annotated CMB: whether the region that gave its size leaked",
}
SIDES = {"gt": "annotated CMB", "pred": "candidate"}
COLUMNS = {
    **WHO,
    **SCAN,
    **CALL,
    **{f"{s}_{name}": f"{of}: {text}" for s, of in SIDES.items() for name, text in SIDE.items()},
    **KNOWN,
}
"""Every column in its order, and what it holds."""
WORDS = {
    *WHO,
    *("sequence", "cmb_level", "match", "adds", "location", "gt_leaked"),
    *(
        f"{s}_{name}"
        for s in SIDES
        for name in ("region", "group", "side", "mars_region", "location")
    ),
}
"""Columns that hold no numbers."""


def match_table(matches: pd.DataFrame, scans: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Put matches, scans and features together; `COLUMNS`, in the order of ``matches``.

    Parameters
    ----------
    matches : DataFrame
        From `scan.evaluate_scan`, of one or more models, with ``model``; ``source`` where
        ``dataset`` is a group.
    scans : DataFrame
        One row per scan: uid, split, sequence, in_plane_mm, slice_thickness_mm.
    features : DataFrame
        One row per annotated CMB (type "GT") and candidate ("Pred", with ``model``), from
        `cmbkit.features.describe`.

    Raises
    ------
    ValueError
        If a scan of the matches is not in ``scans``, or a CMB has no row in ``features``.
    """
    unknown = set(matches["uid"]) - set(scans["uid"])
    if unknown:
        raise ValueError(f"scans: expected every scan of the matches, {min(unknown)!r} is missing")
    matches = matches if "source" in matches else matches.assign(source=matches["dataset"])
    matches = matches if "probability" in matches else matches.assign(probability=np.nan)
    matches = matches.astype({"gt_id": float, "pred_id": float})
    acquired = ["split", *(name for name in SCAN if name not in ("n_gt", "cmb_level"))]
    table = matches.merge(scans[["uid", *acquired]], on="uid", how="left", validate="many_to_one")
    table["n_gt"] = table.groupby(["model", "uid"])["gt_id"].transform("count")
    table["cmb_level"] = subgroups.number_of_cmbs(table)
    known = [name.removeprefix("gt_") for name in KNOWN]
    placed = features.assign(location=subgroups.pooled_location(features))
    placed = placed.reindex(columns=list(dict.fromkeys([*placed, *known])))  # missing: not known
    table = subgroups.with_features(table, placed, [*SIDE, *known])
    table["location"] = table["gt_location"].fillna(table["pred_location"])
    table = table[list(COLUMNS)]
    empty = [name for name in COLUMNS if name not in WORDS and table[name].isna().all()]
    return table.astype(dict.fromkeys(empty, float))  # numbers, also where there is none
