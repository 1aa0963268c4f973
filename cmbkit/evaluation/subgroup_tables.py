"""Tables 8.1 to 8.3, and the same for any other split of the scans."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from cmbkit.evaluation import subgroups
from cmbkit.evaluation.statistics import summary
from cmbkit.evaluation.table_layout import (
    DATASET_ORDER,
    Measure,
    lay_out,
    ordered,
    printed_values,
)
from cmbkit.params import Evaluation
from cmbkit.reporting.style import MODEL_NAMES

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
    Measure("glob_f1", "globF1", "glob_f1"),
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
    calls: pd.DataFrame,
    features: pd.DataFrame,
    params: Evaluation | None = None,
    *,
    model: str = "scratch",
    pairs: str = "reference",
    seed: int = 0,
    numeric: bool = False,
) -> pd.DataFrame:
    """Detection by location, for one model (``pairs``: see `subgroups.at_location`).

    CMBs in no region of Table 4.2 have rows of their own ("Elsewhere"), so that the counts
    add up.
    """
    scans, calls = scans[scans["model"] == model], calls[calls["model"] == model]
    located = subgroups.with_locations(calls, features)
    parts = {name: subgroups.at_location(located, name, pairs) for name in subgroups.LOCATIONS}
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


def table_8_3(
    calls: pd.DataFrame,
    features: pd.DataFrame,
    *,
    model: str = "scratch",
    numeric: bool = False,
) -> pd.DataFrame:
    """Shape of annotated and predicted CMBs by call, for one model.

    Parameters
    ----------
    calls : DataFrame
        uid, dataset, model, call, gt_id, pred_id.
    features : DataFrame
        uid, type, id and the shape features; rows of type "Pred" carry model too.
    model : str
    numeric : bool
    """
    calls = calls[calls["model"] == model]
    shapes = subgroups.shapes_by_call(calls, features)
    measures = [Measure("n", "n", "n", None, 0)]
    measures += [Measure(key, title, key, None, 2) for key, title in SHAPES.items()]
    rows = []
    for call, kind in (("FN", "GT"), ("FP", "Pred"), ("TP", "GT"), ("TP", "Pred")):
        for dataset in ordered(calls["dataset"], DATASET_ORDER):
            keys = {"call": call, "type": kind, "dataset": dataset}
            group = shapes
            for name, value in keys.items():
                group = group[group[name] == value]
            own = {"n": len(group)}
            for key in SHAPES:
                own |= {key: group[key].mean(), f"{key}_sd": group[key].std()}
            thesis = printed_values("8.3", keys if model == "scratch" else {}, measures)
            rows.append(keys | own | thesis)
    keys = {"call": "Call", "type": "Type", "dataset": "Dataset"}
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
