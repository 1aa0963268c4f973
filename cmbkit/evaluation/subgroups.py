"""Subgroups: filters on the scan rows and the matches, then the same metrics (chapter 8).

Scan rows are those of `scan.evaluate_scan` joined with the scan table (sequence,
in_plane_mm, slice_thickness_mm, cmb_level, n_cmb, ...), matches those of `match_table`.
"""

from collections.abc import Callable
from operator import itemgetter

import numpy as np
import pandas as pd

from cmbkit.records import cmb_level

COUNTS = ["tp", "fp", "fn"]
LEVELS = ("high", "low", "none")
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


def number_of_cmbs(scans: pd.DataFrame) -> pd.Series:
    """Level of the annotated CMBs of each scan (see `cmbkit.records.cmb_level`; Table 8.1)."""
    return scans["n_gt"].map(cmb_level)


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


SCAN_SUBGROUPS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "sequence": itemgetter("sequence"),
    "number of CMBs": number_of_cmbs,
    "many CMBs": cmb_count,
    "in-plane resolution": in_plane,
    "slice thickness": slice_thickness,
}


def pooled_location(features: pd.DataFrame) -> pd.Series:
    """Location as Table 8.2 pools regions; "Elsewhere" where it is none of Table 4.2."""
    return features["region"].map(POOLED_REGIONS).astype(object).fillna(ELSEWHERE)


def with_features(matches: pd.DataFrame, features: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the matches with features of the annotated and of the predicted CMB.

    Parameters
    ----------
    matches : DataFrame
        uid, gt_id, pred_id and, where there are several models, model.
    features : DataFrame
        uid, type ("GT" or "Pred"), id, ``names`` and, on rows of type "Pred", model where matches
        has one.

    Returns
    -------
    DataFrame
        With gt_<name> and pred_<name>, missing where there is no such CMB.

    Raises
    ------
    ValueError
        If a CMB of the matches has no row in features.
    """
    for kind, prefix in (("GT", "gt"), ("Pred", "pred")):
        keys = ["uid"] + (["model"] if kind == "Pred" and "model" in matches else [])
        side = features.loc[features["type"] == kind, [*keys, "id", *names]]
        side = side.drop_duplicates([*keys, "id"]).astype({"id": float})
        side = side.rename(columns={name: f"{prefix}_{name}" for name in ("id", *names)})
        own = [*keys, f"{prefix}_id"]
        matches = matches.merge(side, on=own, how="left", validate="many_to_one", indicator="found")
        lost = matches[matches[f"{prefix}_id"].notna() & (matches["found"] == "left_only")]
        if len(lost):
            first = lost.iloc[0]
            raise ValueError(
                f"features: expected a row for every CMB of the matches, found none for "
                f"{len(lost)}, first {kind} {first[f'{prefix}_id']:g} of {first['uid']}"
            )
        matches = matches.drop(columns="found")
    return matches


def at_location(matches: pd.DataFrame, location: str, pairs: str = "reference") -> pd.DataFrame:
    """Keep the matches of one location.

    Parameters
    ----------
    matches : DataFrame
        gt_location and pred_location, from `match_table.match_table` or `with_features`.
    pairs : {"reference", "each"}
        Where a TP belongs whose two halves lie in different locations. ``reference``: where
        the annotated CMB is. ``each``: annotated and predicted CMBs are filtered apart, so it
        is an FN there and an FP here; the sums of the thesis's Table 8.2 look like this.
    """
    if pairs not in ("reference", "each"):
        raise ValueError(f"pairs: expected 'reference' or 'each', found {pairs!r}")
    gt_here, pred_here = matches["gt_location"] == location, matches["pred_location"] == location
    hit = matches["match"] == "TP"
    if pairs == "reference":
        return matches[gt_here | ((matches["match"] == "FP") & pred_here)]
    whole = matches[(hit & gt_here & pred_here) | (~hit & (gt_here | pred_here))]
    missed = matches[hit & gt_here & ~pred_here].assign(match="FN", pred_id=np.nan)
    extra = matches[hit & pred_here & ~gt_here].assign(match="FP", gt_id=np.nan)
    return pd.concat([whole, missed, extra])


def recount(scans: pd.DataFrame, matches: pd.DataFrame) -> pd.DataFrame:
    """Return the scan rows with tp, fp, fn and dice_tp counted from the matches given.

    Scans without any of these matches have zeros, so that their rates are NaN.
    """
    keys = ["uid"] + (["model"] if "model" in scans and "model" in matches else [])
    counted = (
        matches.assign(**{name: (matches["match"] == name.upper()).astype(int) for name in COUNTS})
        .groupby(keys)
        .agg({**dict.fromkeys(COUNTS, "sum"), "dice": "mean"})
        .rename(columns={"dice": "dice_tp"})
        .reset_index()
    )
    kept = scans.drop(columns=[*COUNTS, "dice_tp", "n_gt", "n_pred"], errors="ignore")
    table = kept.merge(counted, on=keys, how="left", validate="one_to_one")
    table[COUNTS] = table[COUNTS].fillna(0).astype(int)
    return table.assign(n_gt=table["tp"] + table["fn"], n_pred=table["tp"] + table["fp"])


def recounted_by_location(
    scans: pd.DataFrame, matches: pd.DataFrame, pairs: str = "reference"
) -> pd.DataFrame:
    """Scan rows counted anew in each of `LOCATIONS`, which is a column (Table 8.2).

    "Elsewhere" is left out if nothing lies there. Parameters are those of `at_location`.
    """
    parts = {name: at_location(matches, name, pairs) for name in LOCATIONS}
    return pd.concat(
        recount(scans, part).assign(location=name)
        for name, part in parts.items()
        if len(part) or name != ELSEWHERE
    )


def by_factor(scans: pd.DataFrame, factors: dict[str, pd.Series]) -> pd.DataFrame:
    """Scan rows once for each factor, with columns factor and subgroup, sorted by both.

    ``factors``: subgroup of every scan; those without one are left out.
    """
    parts = [
        scans.assign(factor=factor, subgroup=values.to_numpy())
        .dropna(subset="subgroup")
        .astype({"subgroup": str})
        .sort_values("subgroup", kind="stable")
        for factor, values in factors.items()
    ]
    return pd.concat(parts, ignore_index=True)


def shapes_by_match(matches: pd.DataFrame) -> pd.DataFrame:
    """Return one row per annotated CMB and per candidate, with the match each took part in.

    ``matches``: from `match_table.match_table`, or `with_features`: match and columns gt_<name>
    and pred_<name>.

    Returns
    -------
    DataFrame
        type ("GT" or "Pred"), id and the features by their plain names, beside the columns of
        the match; a TP has two rows (Table 8.3).
    """
    parts = []
    for kind, prefix, other in (("GT", "gt_", "pred_"), ("Pred", "pred_", "gt_")):
        side = matches[matches[f"{prefix}id"].notna()]
        side = side.loc[:, ~side.columns.str.startswith(other)]
        own = [name for name in side if name.startswith(prefix)]
        plain = {name: name.removeprefix(prefix) for name in own}
        side = side.drop(columns=[name for name in plain.values() if name in side])
        parts.append(side.rename(columns=plain).assign(type=kind))
    return pd.concat(parts, ignore_index=True)
