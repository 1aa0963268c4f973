"""Tables of one detector's result by subgroup of scans, by place and by shape (see `page`)."""

from __future__ import annotations

import pandas as pd

from cmbkit.evaluation import subgroups
from cmbkit.evaluation.hypotheses import compare_groups, holm
from cmbkit.evaluation.statistics import summary_by
from cmbkit.features.columns import SHAPES, mean_shapes
from cmbkit.params import Evaluation
from cmbkit.reporting.layout import Column, laid_out
from cmbkit.scoring.page_tables import POOLED, pooled_columns

OUTLINES = {"GT": "annotated", "Pred": "predicted"}


def by_subgroup(
    scans: pd.DataFrame, factors: dict[str, pd.Series], params: Evaluation
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
    groups = subgroups.by_factor(scans, factors)
    table = pooled_columns(summary_by(groups, ["factor", "subgroup"], params))
    columns = [Column("factor", "Scans by"), Column("subgroup", "Subgroup"), *POOLED]
    note = (
        "From summed counts. Slice thickness and resolution come from the scan table, or else "
        "from the grid of the mask. Number of CMBs: none, low (1 or 2), high (3 and more)."
    )
    return laid_out(table, columns, note=note)


def by_location(
    scans: pd.DataFrame,
    matches: pd.DataFrame,
    features: pd.DataFrame,
    params: Evaluation,
) -> pd.DataFrame:
    """Detection by location (Table 8.2), from summed counts: one row per location."""
    placed = features.assign(location=subgroups.pooled_location(features))
    located = subgroups.with_features(matches, placed, ["location"])
    counted = subgroups.recounted_by_location(scans, located)
    note = "Where the annotated CMB lies; FP: where the predicted one lies."
    table = pooled_columns(summary_by(counted, ["location"], params))
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
        Column("p_value", "p", 4, shows="p"),
        Column("p_holm", "p (Holm)", 4, shows="p"),
        Column("p_least", "Smallest p possible", 4, shows="p"),
        Column("exact", "Permutations", names={True: "all", False: "10,000 random"}),
    ]
    note = (
        "Permutation of patients, scans with annotated CMBs: all, or 10,000 random ones of more; "
        "of more than two subgroups, each against all others; corrected for the number of tests "
        "after Holm."
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
        each of `features.columns.SHAPES`.
    """
    kinds = (("TP", "GT"), ("TP", "Pred"), ("FN", "GT"), ("FP", "Pred"))
    sides = (("GT", "gt_id"), ("Pred", "pred_id"))
    outlines = pd.concat(
        matches[["uid", "match", own]].dropna().rename(columns={own: "id"}).assign(type=kind)
        for kind, own in sides
    ).merge(features.astype({"id": float}), on=["uid", "type", "id"], validate="one_to_one")
    known = [kind for kind in kinds if kind[1] in set(features["type"])]
    table = mean_shapes(outlines, ["match", "type"], known)
    columns = [
        Column("match", "Match"),
        Column("type", "Outline", names=OUTLINES),
        Column("n", "n"),
        *(Column(key, title, 2) for key, title in SHAPES.items()),
    ]
    return laid_out(table, columns, note="Mean ± SD over microbleeds.")
