"""Tables 7.2 to 8.4 from scan rows and the table of matches, beside what the thesis prints.

Every builder returns text ready for display, or, with ``numeric=True``, one column per number
(see `table_layout.Measure`). Scan rows and matches hold all models in a column ``model``; own
values carry 95 % intervals in brackets.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cmbkit.chapters.subgroup_analysis import (
    both_grids,
    table_8_1,
    table_8_2,
    table_8_3,
    table_by,
    without_many,
)
from cmbkit.evaluation.metrics import scan_classification
from cmbkit.evaluation.statistics import classification_f1_interval, summary, wilson
from cmbkit.params import Evaluation
from cmbkit.plotting.style import MODEL_NAMES
from cmbkit.published.literature_rows import literature_table
from cmbkit.published.thesis_audit import integer_solutions
from cmbkit.published.thesis_cohort import AT_LEAST, N_SCANS
from cmbkit.reporting.table_layout import (
    DATASET_ORDER,
    MODEL_ORDER,
    Measure,
    lay_out,
    ordered,
    printed_values,
)

__all__ = [
    "both_grids",
    "table_7_2",
    "table_7_3",
    "table_7_4",
    "table_7_5",
    "table_8_1",
    "table_8_2",
    "table_8_3",
    "table_8_4",
    "table_by",
    "without_many",
]
NO_WIDTH = "Where both limits are the same, one patient has a value, or all agree."
DATASET_MODEL = {"dataset": "Dataset", "model": "Model"}


def _groups(scans: pd.DataFrame):
    for dataset in ordered(scans["dataset"], DATASET_ORDER):
        for model in ordered(scans["model"], MODEL_ORDER):
            group = scans[(scans["dataset"] == dataset) & (scans["model"] == model)]
            if len(group):
                yield dataset, model, group


def _by_dataset_and_model(number, measures, scans, params, seed, numeric, note) -> pd.DataFrame:
    rows = []
    for dataset, model, group in _groups(scans):
        keys = {"dataset": dataset, "model": model}
        own = summary(group, params or Evaluation(), seed)
        rows.append(keys | own | printed_values(number, keys, measures))
    return lay_out(rows, DATASET_MODEL, measures, numeric=numeric, within=["Dataset"], note=note)


def table_7_2(
    scans: pd.DataFrame,
    params: Evaluation | None = None,
    *,
    seed: int = 0,
    numeric: bool = False,
) -> pd.DataFrame:
    """Detection averaged over scans.

    Parameters
    ----------
    scans : DataFrame
        Scan rows: dataset, patient, model, tp, fp, fn, ... (source where dataset is a group).
    params : Evaluation, optional
        NaN rule and bootstrap samples.
    seed : int
        Of the bootstrap.
    numeric : bool
        Numbers instead of text.
    """
    measures = [
        Measure("scan_precision", "Precision", "precision", "max"),
        Measure("scan_recall", "Recall", "recall", "max"),
        Measure("scan_f1", "F1", "f1", "max"),
        Measure("scan_f1_star", "F1*", "f1_star", "max"),
        Measure("scan_fp_cmb", "FPcmb", "fp_cmb", "min"),
        Measure("fp_scan", "FPscan", "fp_scan", "min"),
    ]
    note = (
        "Mean ± SD over scans [95 % interval, patients resampled]; undefined rates are left out. "
        f"{NO_WIDTH}"
    )
    return _by_dataset_and_model("7.2", measures, scans, params, seed, numeric, note)


def table_7_3(
    scans: pd.DataFrame,
    params: Evaluation | None = None,
    *,
    seed: int = 0,
    numeric: bool = False,
) -> pd.DataFrame:
    """Detection from summed counts (parameters as in `table_7_2`)."""
    measures = [
        *(Measure(name.lower(), name) for name in ("TP", "FP", "FN")),
        Measure("pooled_precision", "Precision", "precision", "max"),
        Measure("pooled_recall", "Recall", "recall", "max"),
        Measure("pooled_f1", "F1", "f1", "max"),
        Measure("pooled_fp_cmb", "FPcmb", "fp_cmb", "min"),
    ]
    note = "From summed counts [95 % interval, patients resampled]."
    return _by_dataset_and_model("7.3", measures, scans, params, seed, numeric, note)


def table_7_4(
    scans: pd.DataFrame,
    params: Evaluation | None = None,
    *,
    seed: int = 0,
    numeric: bool = False,
) -> pd.DataFrame:
    """Dice of the true positives; needs dice_tp (parameters as in `table_7_2`)."""
    measures = [
        Measure("scan_dice_tp", "scanDSC_TP", "scan_dsc_tp", "max", 2),
        Measure("pooled_dice_tp", "globDSC_TP", "glob_dsc_tp", "max", 2),
    ]
    note = f"scan: mean ± SD over scans; glob: mean over all TPs [95 % interval]. {NO_WIDTH}"
    return _by_dataset_and_model("7.4", measures, scans, params, seed, numeric, note)


def _thesis_classification(dataset, threshold, model, positive, measures) -> dict:
    """Return the printed values; for "at_least", what the same counts give that way."""
    keys = {"dataset": dataset, "threshold": threshold, "model": model}
    printed = printed_values("7.5", keys, measures)
    if positive == "fewer_than" or pd.isna(printed["recall_thesis"]):
        return printed
    high = AT_LEAST[dataset][(3, 5, 11).index(threshold)]
    rates = (printed[f"{name}_thesis"] for name in ("precision", "recall", "specificity"))
    ((tp, fp, tn, fn),) = integer_solutions(*rates, N_SCANS[dataset] - high, high)
    n_gt = [0] * (tp + fn) + [threshold] * (tn + fp)
    n_pred = [0] * tp + [threshold] * (fn + tn) + [0] * fp
    found = scan_classification(n_gt, n_pred, threshold, "at_least")
    return {f"{m.key}_thesis": found.get(m.key, np.nan) for m in measures}


def table_7_5(
    scans: pd.DataFrame,
    params: Evaluation | None = None,
    *,
    positive: str = "fewer_than",
    seed: int = 0,
    numeric: bool = False,
) -> pd.DataFrame:
    """Classification of scans by their number of CMBs; Wilson intervals, F1's by bootstrap.

    Parameters
    ----------
    scans : DataFrame
        Scan rows: dataset, patient, model, n_gt, n_pred.
    params : Evaluation, optional
        Thresholds and bootstrap samples.
    positive : {"fewer_than", "at_least"}
        The positive group. ``fewer_than`` is what the thesis's printed numbers are (see
        `audit`). With ``at_least``, its text's convention, the thesis's columns hold what its
        counts give that way.
    seed : int
        Of the bootstrap.
    numeric : bool
    """
    measures = [
        Measure("n_positive", "Positive scans"),
        *(
            Measure(name.lower(), name, name.lower(), "max")
            for name in ("Precision", "Recall", "F1", "Specificity")
        ),
    ]
    params, rows = params or Evaluation(), []
    for threshold in params.scan_thresholds:
        for dataset, model, group in _groups(scans):
            own = scan_classification(group["n_gt"], group["n_pred"], threshold, positive)
            tp, fp, tn, fn = (own.pop(name) for name in ("tp", "fp", "tn", "fn"))
            for name, k, n in (
                ("precision", tp, tp + fp),
                ("recall", tp, tp + fn),
                ("specificity", tn, tn + fp),
            ):
                low, high = wilson(k, n)
                own |= {f"{name}_low": float(low), f"{name}_high": float(high)}
            low, high = classification_f1_interval(
                group, threshold, positive, samples=params.bootstrap_samples, seed=seed
            )
            own |= {"f1_low": low, "f1_high": high}
            rows.append(
                {"dataset": dataset, "model": model, "n_positive": tp + fn}
                | own
                | _thesis_classification(dataset, threshold, model, positive, measures)
            )
    rank = {name: i for i, name in enumerate(ordered(scans["dataset"], DATASET_ORDER))}
    rows.sort(key=lambda row: rank[row["dataset"]])
    sign = "fewer CMBs than the threshold" if positive == "fewer_than" else "threshold or more CMBs"
    keys = {"dataset": "Dataset", "threshold": "Threshold", "model": "Model"}
    return lay_out(
        rows,
        keys,
        measures,
        numeric=numeric,
        within=["Dataset", "Threshold"],
        note=f"Positive group: scans with {sign}. 95 % intervals: Wilson; F1: patients resampled.",
    )


def table_8_4(
    scans: pd.DataFrame,
    params: Evaluation | None = None,
    *,
    synthetic: bool,
    seed: int = 0,
    numeric: bool = False,
) -> pd.DataFrame:
    """Published results and, below them, this run's, from summed counts.

    Parameters
    ----------
    scans : DataFrame
        Scan rows; rows of the test datasets are used.
    params : Evaluation, optional
        Names the test datasets and the matching rule, which each row states.
    synthetic : bool
        Whether the scans come from the embedded cohort: the data column then says so.
    seed : int
    numeric : bool
    """
    params = params or Evaluation()
    tested = scans[scans["dataset"].isin(params.test_datasets)]
    own = [
        (
            f"this run, {MODEL_NAMES.get(model, model)}",
            f"{dataset} (synthetic cohort)" if synthetic else dataset,
            group,
        )
        for dataset, model, group in _groups(tested)
    ]
    return literature_table(own, params, seed=seed, numeric=numeric)
