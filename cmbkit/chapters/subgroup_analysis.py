"""Tables 8.1 to 8.3, and the same for any other split of the scans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from cmbkit.evaluation import subgroups
from cmbkit.evaluation.statistics import summary
from cmbkit.params import Evaluation
from cmbkit.plotting.style import MODEL_NAMES
from cmbkit.published.numbers import stated, statements, thesis_numbers
from cmbkit.reporting.table_layout import (
    DATASET_ORDER,
    MODEL_ORDER,
    Measure,
    cell,
    lay_out,
    number_text,
    ordered,
    printed_values,
)

COUNTS = [
    Measure("tp", "TP", "tp", None, 0),
    Measure("fp", "FP", "fp", None, 0),
    Measure("fn", "FN", "fn", None, 0),
]
SUBGROUP = [
    *COUNTS,
    Measure("scan_precision", "scanPrecision", "scan_precision"),
    Measure("scan_recall", "scanRecall", "scan_recall"),
    Measure("scan_f1", "scanF1", "scan_f1"),
    Measure("scan_f1_star", "scanF1*", "scan_f1_star"),
    Measure("pooled_f1", "globF1", "glob_f1"),
]
SHAPES = {
    "inv_elongation": "InvElongation",
    "inv_flatness": "InvFlatness",
    "max_diameter_mm": "Max diameter (mm)",
    "volume_mm3": "Volume (mm³)",
    "sphericity": "Sphericity",
}


def table_8_1(
    scans: pd.DataFrame,
    params: Evaluation | None = None,
    *,
    model: str = "scratch",
    seed: int = 0,
    numeric: bool = False,
) -> pd.DataFrame:
    """Detection by sequence and number of CMBs, for one model.

    Scans without CMBs, which the thesis leaves out, have rows of their own (level "0"), so
    that the counts add up. ``scans`` needs sequence and n_gt.
    """
    groups = scans.assign(cmb_level=subgroups.cmb_level(scans))
    keys = {"dataset": "Dataset", "sequence": "Sequence", "cmb_level": "CMBs"}
    orders = (DATASET_ORDER, ("SWI", "T2S"), subgroups.LEVELS)
    return _subgroup_table("8.1", groups, keys, orders, params, model, seed, numeric)


def table_8_2(
    scans: pd.DataFrame,
    matches: pd.DataFrame,
    params: Evaluation | None = None,
    *,
    model: str = "scratch",
    pairs: str = "reference",
    seed: int = 0,
    numeric: bool = False,
) -> pd.DataFrame:
    """Detection by location, for one model (``pairs``: see `subgroups.at_location`).

    ``matches`` come from `match_table.match_table`; ``scans`` say which scans there are, those
    without matches too. CMBs in no region of Table 4.2 have rows of their own ("Elsewhere"), so
    that the counts add up.
    """
    scans, matches = scans[scans["model"] == model], matches[matches["model"] == model]
    parts = {name: subgroups.at_location(matches, name, pairs) for name in subgroups.LOCATIONS}
    groups = pd.concat(
        subgroups.recount(scans, part).assign(location=name)
        for name, part in parts.items()
        if len(part) or name != subgroups.ELSEWHERE
    )
    keys = {"dataset": "Dataset", "location": "Location"}
    orders = (DATASET_ORDER, subgroups.LOCATIONS)
    return _subgroup_table("8.2", groups, keys, orders, params, model, seed, numeric)


def table_by(
    subgroup: str,
    scans: pd.DataFrame,
    params: Evaluation | None = None,
    *,
    model: str = "scratch",
    seed: int = 0,
    numeric: bool = False,
) -> pd.DataFrame:
    """Detection by one of `subgroups.SCAN_SUBGROUPS`, for one model (sections 8.1.1 to 8.1.3).

    ``subgroup`` is "sequence", "number of CMBs", "many CMBs", "in-plane resolution" or "slice
    thickness"; the thesis prints no table of this form.
    """
    if subgroup not in subgroups.SCAN_SUBGROUPS:
        expected = ", ".join(subgroups.SCAN_SUBGROUPS)
        raise ValueError(f"subgroup: expected one of {expected}, found {subgroup!r}")
    groups = scans.assign(subgroup=subgroups.SCAN_SUBGROUPS[subgroup](scans))
    keys = {"dataset": "Dataset", "subgroup": subgroup.capitalize()}
    orders = (DATASET_ORDER, tuple(sorted(groups["subgroup"].unique())))
    return _subgroup_table(None, groups, keys, orders, params, model, seed, numeric)


def both_grids(
    standard: pd.DataFrame,
    native: pd.DataFrame,
    params: Evaluation | None = None,
    *,
    seed: int = 0,
    numeric: bool = False,
) -> pd.DataFrame:
    """Detection and Dice on the standard and on the scans' own grids (section 9.4).

    Parameters
    ----------
    standard, native : DataFrame
        Scan rows of the same scans and models: uid, dataset, patient, model, tp, fp, fn, dice_tp.
    """
    counts = ["tp", "fp", "fn"]
    both = standard.merge(native, on=["uid", "model"], suffixes=("", "_native"))
    if not len(both) == len(standard) == len(native):
        raise ValueError(
            f"native: expected the {len(standard)} scans and models of standard, found "
            f"{len(native)} rows, {len(both)} of them the same"
        )
    other = both[counts].to_numpy() != both[[f"{name}_native" for name in counts]].to_numpy()
    both["differ"] = other.any(axis=1)
    rows = []
    for dataset in ordered(standard["dataset"], DATASET_ORDER):
        for model in ordered(standard["model"], MODEL_ORDER):
            for name, table in (("standard", standard), ("native", native)):
                group = table[(table["dataset"] == dataset) & (table["model"] == model)]
                if not len(group):
                    continue
                differ = both.query("dataset == @dataset and model == @model")["differ"].sum()
                row = {"dataset": dataset, "model": model, "grid": name, "differ": int(differ)}
                rows.append(row | summary(group, params or Evaluation(), seed))
    measures = [
        *(Measure(name, name.upper()) for name in counts),
        Measure("pooled_precision", "Precision", None, "max"),
        Measure("pooled_recall", "Recall", None, "max"),
        Measure("pooled_f1", "F1", None, "max"),
        Measure("pooled_dice_tp", "globDSC_TP", None, "max", 2),
        Measure("differ", "Scans that differ"),
    ]
    keys = {"dataset": "Dataset", "model": "Model", "grid": "Grid"}
    note = "From summed counts [95 % interval, patients resampled]; bold: the better grid."
    within = ["Dataset", "Model"]
    return lay_out(rows, keys, measures, numeric=numeric, within=within, note=note)


def without_many(
    scans: pd.DataFrame,
    params: Evaluation | None = None,
    *,
    model: str = "scratch",
    seed: int = 0,
) -> pd.DataFrame:
    """scanF1* with and without scans of more than 10 CMBs, beside section 8.1.2.

    Returns
    -------
    DataFrame
        Dataset, Scans, Scans left out (and thesis), scanF1* of all scans, without them (and
        thesis), Change (and what the thesis's own two values give).
    """
    scans, rows = scans[scans["model"] == model], []
    printed = thesis_numbers("7.2").query("model == @model").set_index("dataset")["f1_star"]
    for dataset in ordered(scans["dataset"], DATASET_ORDER):
        group = scans[scans["dataset"] == dataset]
        kept = group[subgroups.cmb_count(group) == "<=10 CMBs"]
        found = [summary(part, params or Evaluation(), seed) for part in (group, kept)]
        told = {"left out": None, "without": np.nan, "change": np.nan}
        if model == "scratch" and dataset in printed:
            value = float(stated("Section 8.1.2", dataset, "scanF1* without them"))
            told["left out"] = int(stated("Section 8.1.2", dataset, "scans of more than 10 CMBs"))
            told |= {"without": value, "change": value - printed[dataset]}
        texts = [
            cell(f["scan_f1_star"], low=f["scan_f1_star_low"], high=f["scan_f1_star_high"])
            for f in found
        ]
        change = found[1]["scan_f1_star"] - found[0]["scan_f1_star"]
        rows.append(
            {
                "Dataset": dataset,
                "Scans": len(group),
                "Scans left out": len(group) - len(kept),
                "Scans left out (thesis)": number_text(told["left out"], 0),
                "scanF1*, all": texts[0],
                "scanF1*, without": texts[1],
                "scanF1*, without (thesis)": number_text(told["without"], 3),
                "Change": _signed(change),
                "Change (thesis)": _signed(told["change"]),
            }
        )
    table = pd.DataFrame(rows)
    table.attrs["note"] = (
        f"Model: {MODEL_NAMES.get(model, model)}. [95 % interval, patients resampled]. The "
        "thesis's change is recomputed from its two values: for CRB it prints +0.129."
    )
    return table


def _signed(value: float) -> str:
    return number_text(value, 3) if pd.isna(value) else f"{value:+.3f}"


def thesis_pooled_f1(subgroup: str, name: str, dataset: str) -> float:
    """globF1 that sections 8.1.1 and 8.1.3 state for a subgroup of scans; NaN if none."""
    thickness = {"<3 mm": "globF1 below 3 mm", ">=3 mm": "globF1 from 3 mm on"}
    where = {
        "slice thickness": ("Section 8.1.1", dataset, thickness.get(name)),
        "sequence": ("Section 8.1.3", f"{dataset} {name}", "globF1"),
    }
    table = statements().set_index(["where", "subject", "quantity"])["value"]
    return float(table.get(where.get(subgroup), np.nan))


def table_8_3(
    matches: pd.DataFrame, *, model: str = "scratch", numeric: bool = False
) -> pd.DataFrame:
    """Shape of annotated and predicted CMBs by match, for one model.

    Parameters
    ----------
    matches : DataFrame
        From `match_table.match_table`.
    model : str
    numeric : bool
    """
    matches = matches[matches["model"] == model]
    shapes = subgroups.shapes_by_match(matches)
    measures = [Measure("n", "n", "n", None, 0)]
    measures += [Measure(key, title, key, None, 2) for key, title in SHAPES.items()]
    rows = []
    for match, kind in (("FN", "GT"), ("FP", "Pred"), ("TP", "GT"), ("TP", "Pred")):
        for dataset in ordered(matches["dataset"], DATASET_ORDER):
            keys = {"match": match, "type": kind, "dataset": dataset}
            group = shapes
            for name, value in keys.items():
                group = group[group[name] == value]
            own = {"n": len(group)}
            for key in SHAPES:
                own |= {key: group[key].mean(), f"{key}_sd": group[key].std()}
            thesis = printed_values("8.3", keys if model == "scratch" else {}, measures)
            rows.append(keys | own | thesis)
    keys = {"match": "Match", "type": "Type", "dataset": "Dataset"}
    note = f"Model: {MODEL_NAMES.get(model, model)}. Mean ± SD over CMBs."
    return lay_out(rows, keys, measures, numeric=numeric, note=note)


def _subgroup_table(number, scans, keys, orders, params, model, seed, numeric) -> pd.DataFrame:
    scans = scans[scans["model"] == model]
    rows = []
    ranks = {
        name: {value: i for i, value in enumerate(ordered(scans[name], order))}
        for name, order in zip(keys, orders, strict=True)
    }
    for values, group in scans.groupby(list(keys), sort=False):
        row = dict(zip(keys, values, strict=True))
        thesis = {}
        if number:
            thesis = printed_values(number, row if model == "scratch" else {}, SUBGROUP)
        rows.append(row | summary(group, params or Evaluation(), seed) | thesis)
    rows.sort(key=lambda row: [ranks[name][row[name]] for name in keys])
    note = (
        f"Model: {MODEL_NAMES.get(model, model)}. Mean ± SD over scans [95 % interval, patients "
        "resampled]."
    )
    measures = [Measure("n_scans", "Scans"), *SUBGROUP]
    if not number:
        measures = [replace(measure, printed=None) for measure in measures]
    return lay_out(rows, keys, measures, numeric=numeric, note=note)
