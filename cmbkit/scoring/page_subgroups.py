"""Tables of one detector's result by subgroup of scans, by place and by shape (see `page`)."""

from __future__ import annotations

import pandas as pd

from cmbkit.evaluation import subgroups
from cmbkit.evaluation.hypotheses import compare_groups, holm
from cmbkit.evaluation.statistics import summary_by
from cmbkit.params import Evaluation
from cmbkit.reporting.layout import Column, laid_out
from cmbkit.scoring.page_tables import POOLED, pooled_columns

OUTLINES = {"GT": "annotated", "Pred": "predicted"}
SHAPES = {
    "volume_mm3": "Volume (mm³)",
    "max_diameter_mm": "Max diameter (mm)",
    "sphericity": "Sphericity",
    "inv_flatness": "InvFlatness",
    "inv_elongation": "InvElongation",
}


def by_subgroup(
    scans: pd.DataFrame, factors: dict[str, pd.Series], params: Evaluation, seed: int
) -> pd.DataFrame:
    """Detection by subgroup of scans, from summed counts.

    Parameters
    ----------
    factors : dict of name to Series
        The subgroup of every scan.

    Returns
    -------
    DataFrame
        One row per factor and subgroup.
    """
    parts = []
    for factor, values in factors.items():
        known = scans.assign(factor=factor, subgroup=values.to_numpy())
        known = known[known["subgroup"].notna()].astype({"subgroup": str})
        known = known.sort_values("subgroup", kind="stable")
        parts.append(summary_by(known, ["factor", "subgroup"], params, seed))
    columns = [Column("factor", "Scans by"), Column("subgroup", "Subgroup"), *POOLED]
    note = (
        "From summed counts. Slice thickness and resolution come from the scan table, or else "
        "from the grid of the mask. Number of CMBs: none, low (1 or 2), high (3 and more)."
    )
    return laid_out(pooled_columns(pd.concat(parts, ignore_index=True)), columns, note=note)


def by_location(
    scans: pd.DataFrame,
    matches: pd.DataFrame,
    features: pd.DataFrame,
    params: Evaluation,
    seed: int,
) -> pd.DataFrame:
    """Detection by location (Table 8.2), from summed counts: one row per location."""
    located = subgroups.with_locations(matches, features)
    parts = []
    for name in subgroups.LOCATIONS:
        counted = subgroups.recount(scans, subgroups.at_location(located, name))
        parts.append(summary_by(counted.assign(location=name), ["location"], params, seed))
    note = "Where the annotated CMB lies; FP: where the predicted one lies."
    table = pooled_columns(pd.concat(parts, ignore_index=True))
    return laid_out(table, [Column("location", "Location"), *POOLED], note=note)


def subgroup_tests(
    scans: pd.DataFrame, factors: dict[str, pd.Series], params: Evaluation, seed: int
) -> pd.DataFrame:
    """Tests whether globF1 differs between two subgroups of the scans with microbleeds.

    Returns
    -------
    DataFrame
        One row per comparison (two subgroups; of more, each against all others): factor, the
        columns of `evaluation.hypotheses.compare_groups`, p_holm. Empty without any.
    """
    rows = []
    for name, values in factors.items():
        known = values.notna().to_numpy() & (scans["n_gt"] > 0).to_numpy()
        for split in _splits(values[known]):
            found = compare_groups(scans[known], split, seed=seed, nan_rule=params.nan_rule)
            rows.append({"factor": name, **found})
    columns = [
        Column("factor", "Scans by"),
        Column("first", "First"),
        Column("second", "Second"),
        Column("value_first", "globF1 of the first", 3),
        Column("value_second", "globF1 of the second", 3),
        Column("difference", "Difference", 3),
        Column("p_value", "p", 4),
        Column("p_holm", "p (Holm)", 4),
    ]
    note = (
        "Permutation of patients, scans with annotated CMBs; of more than two subgroups, each "
        "against all others; corrected for the number of tests after Holm."
    )
    table = pd.DataFrame(rows)
    return laid_out(table.assign(p_holm=holm(table.get("p_value", []))), columns, note=note)


def _splits(values: pd.Series):
    """Two groups against each other; of more than two, each against all others."""
    names = sorted(set(values), key=str)
    if len(names) == 2:
        yield values.astype("str")
    elif len(names) > 2:
        for name in names:
            yield values.astype("str").where(values == name, f"not {name}")


def shapes(matches: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Shape of what was found, missed and invented.

    Returns
    -------
    DataFrame
        One row per kind of match and outline (type "GT" or "Pred"): n, and mean and ``_sd`` of
        each of `SHAPES`.
    """
    kinds = (("TP", "GT"), ("TP", "Pred"), ("FN", "GT"), ("FP", "Pred"))
    rows = []
    for match, kind in kinds:
        if kind not in set(features["type"]):
            continue
        group = _with_shape(matches, features, match, kind)
        row = {"match": match, "type": kind, "n": len(group)}
        for key in SHAPES:
            row |= {key: group[key].mean(), f"{key}_sd": group[key].std()}
        rows.append(row)
    columns = [
        Column("match", "Match"),
        Column("type", "Outline", names=OUTLINES),
        Column("n", "n"),
        *(Column(key, title, 2) for key, title in SHAPES.items()),
    ]
    return laid_out(pd.DataFrame(rows), columns, note="Mean ± SD over microbleeds.")


def _with_shape(matches, features, match: str, kind: str) -> pd.DataFrame:
    """Features of the annotated or the predicted microbleeds of one kind of match."""
    column = "gt_id" if kind == "GT" else "pred_id"
    chosen = matches.loc[matches["match"] == match, ["uid", column]].rename(columns={column: "id"})
    side = features[features["type"] == kind].astype({"id": float})
    return chosen.merge(side, on=["uid", "id"], how="inner", validate="one_to_one")
