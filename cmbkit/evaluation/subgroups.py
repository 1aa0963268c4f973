"""Subgroups: filters on the scan rows and the calls, then the same metrics (chapter 8).

Scan rows are those of `evaluate.evaluate_scan` joined with the scan table (sequence,
in_plane_mm, slice_thickness_mm, cmb_level, n_cmb, ...).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

COUNTS = ["tp", "fp", "fn"]
LEVELS = (">=3", "<3", "0")
ELSEWHERE = "Elsewhere"
LOCATIONS = ("Cortical", "Deep", "Subcortical", ELSEWHERE)
POOLED_REGIONS = {
    "Cortex / Grey-White Junction": "Cortical",
    "Subcortical White Matter": "Subcortical",
    "Basal Ganglia Grey Matter": "Deep",
    "Thalamus": "Deep",
    "Brainstem": "Deep",
    "Cerebellum": "Deep",
}


def cmb_level(scans: pd.DataFrame) -> pd.Series:
    """Annotated CMBs of each scan: ">=3", "<3" (1 or 2) or "0" (as in Table 8.1)."""
    n = scans["n_gt"]
    return pd.Series(np.select([n >= 3, n >= 1], LEVELS[:2], LEVELS[2]), index=scans.index)


def in_plane(scans: pd.DataFrame) -> pd.Series:
    """In-plane resolution: "low" (voxels over 0.5 mm) or "high" (section 7.1.2.1)."""
    return pd.Series(np.where(scans["in_plane_mm"] > 0.5, "low", "high"), index=scans.index)


def slice_thickness(scans: pd.DataFrame) -> pd.Series:
    """Slices of the original image: "<3 mm" or ">=3 mm" (section 8.1.1)."""
    return pd.Series(
        np.where(scans["slice_thickness_mm"] < 3, "<3 mm", ">=3 mm"), index=scans.index
    )


def cmb_count(scans: pd.DataFrame) -> pd.Series:
    """Scans with up to 10 annotated CMBs, or more (section 8.1.2)."""
    return pd.Series(np.where(scans["n_gt"] > 10, ">10 CMBs", "<=10 CMBs"), index=scans.index)


def sequence(scans: pd.DataFrame) -> pd.Series:
    """Sequence type: "SWI" or "T2S"."""
    return scans["sequence"]


SCAN_SUBGROUPS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "sequence": sequence,
    "number of CMBs": cmb_level,
    "many CMBs": cmb_count,
    "in-plane resolution": in_plane,
    "slice thickness": slice_thickness,
}


def with_locations(calls: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Return the calls with the pooled location of the annotated and the predicted CMB.

    Parameters
    ----------
    calls : DataFrame
        uid, gt_id, pred_id and, where there are several models, model.
    features : DataFrame
        uid, type ("GT" or "Pred"), id, region and, on rows of type "Pred", model where calls
        has one.

    Returns
    -------
    DataFrame
        With gt_location and pred_location: "Cortical", "Subcortical", "Deep" (Table 8.2),
        "Elsewhere" where the region is none of Table 4.2, missing where there is no such CMB.

    Raises
    ------
    ValueError
        If a CMB of the calls has no row in features.
    """
    pooled = features["region"].map(POOLED_REGIONS).astype(object).fillna(ELSEWHERE)
    located = features.assign(location=pooled)
    for kind, column in (("GT", "gt"), ("Pred", "pred")):
        keys = ["uid"] + (["model"] if kind == "Pred" and "model" in calls else [])
        side = located.loc[located["type"] == kind, [*keys, "id", "location"]]
        side = side.drop_duplicates([*keys, "id"]).astype({"id": float})
        side = side.rename(columns={"id": f"{column}_id", "location": f"{column}_location"})
        calls = calls.merge(side, on=[*keys, f"{column}_id"], how="left", validate="many_to_one")
        lost = calls[calls[f"{column}_id"].notna() & calls[f"{column}_location"].isna()]
        _require_none(lost.rename(columns={f"{column}_id": "id"}), kind)
    return calls


def _require_none(lost: pd.DataFrame, kind: str) -> None:
    if len(lost):
        first = lost.iloc[0]
        raise ValueError(
            f"features: expected a row for every CMB of the calls, found none for {len(lost)}, "
            f"first {kind} {first['id']:g} of {first['uid']}"
        )


def at_location(calls: pd.DataFrame, location: str, pairs: str = "reference") -> pd.DataFrame:
    """Keep the calls of one location.

    Parameters
    ----------
    calls : DataFrame
        From `with_locations`.
    location : str
    pairs : {"reference", "each"}
        Where a TP belongs whose two halves lie in different locations. ``reference``: where
        the annotated CMB is. ``each``: annotated and predicted CMBs are filtered apart, so it
        is an FN there and an FP here; the sums of the thesis's Table 8.2 look like this.
    """
    if pairs not in ("reference", "each"):
        raise ValueError(f"pairs: expected 'reference' or 'each', found {pairs!r}")
    gt_here, pred_here = calls["gt_location"] == location, calls["pred_location"] == location
    hit = calls["call"] == "TP"
    if pairs == "reference":
        return calls[gt_here | ((calls["call"] == "FP") & pred_here)]
    whole = calls[(hit & gt_here & pred_here) | (~hit & (gt_here | pred_here))]
    missed = calls[hit & gt_here & ~pred_here].assign(call="FN", pred_id=np.nan)
    extra = calls[hit & pred_here & ~gt_here].assign(call="FP", gt_id=np.nan)
    return pd.concat([whole, missed, extra])


def recount(scans: pd.DataFrame, calls: pd.DataFrame) -> pd.DataFrame:
    """Return the scan rows with tp, fp, fn and dice_tp counted from the calls given.

    Scans without any of these calls have zeros, so that their rates are NaN.
    """
    keys = ["uid"] + (["model"] if "model" in scans and "model" in calls else [])
    counted = (
        calls.assign(**{name: (calls["call"] == name.upper()).astype(int) for name in COUNTS})
        .groupby(keys)
        .agg({**dict.fromkeys(COUNTS, "sum"), "dice": "mean"})
        .rename(columns={"dice": "dice_tp"})
        .reset_index()
    )
    kept = scans.drop(columns=[*COUNTS, "dice_tp", "n_gt", "n_pred"], errors="ignore")
    table = kept.merge(counted, on=keys, how="left", validate="one_to_one")
    table[COUNTS] = table[COUNTS].fillna(0).astype(int)
    return table.assign(n_gt=table["tp"] + table["fn"], n_pred=table["tp"] + table["fp"])


def shapes_by_call(calls: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Return the features of annotated and predicted CMBs with the call each took part in.

    Parameters
    ----------
    calls : DataFrame
        uid, dataset, call, gt_id, pred_id and, where there are several models, model.
    features : DataFrame
        uid, type, id, model (rows of type "Pred", where calls has it) and the features.

    Returns
    -------
    DataFrame
        The features with call, dataset and model of the call; TP once for each side
        (Table 8.3).

    Raises
    ------
    ValueError
        If a CMB of the calls has no row in features.
    """
    parts = []
    for kind, column, which in (("GT", "gt_id", ("TP", "FN")), ("Pred", "pred_id", ("TP", "FP"))):
        has_model = "model" in calls
        keys = ["uid"] + (["model"] if kind == "Pred" and has_model else [])
        side = features[features["type"] == kind].astype({"id": float})
        if kind == "GT" and "model" in side:
            side = side.drop(columns="model").drop_duplicates(["uid", "id"])
        names = ["uid", "dataset", "call", column] + (["model"] if has_model else [])
        side = side.drop(columns="dataset", errors="ignore")
        made = calls.loc[calls["call"].isin(which), names].rename(columns={column: "id"})
        merged = made.merge(
            side, on=[*keys, "id"], how="left", validate="many_to_one", indicator="found"
        )
        _require_none(merged[merged["found"] == "left_only"], kind)
        parts.append(merged.drop(columns="found"))
    return pd.concat(parts, ignore_index=True)
