"""Tables 7.2 to 7.5: detection, Dice and counting by dataset and model, the thesis's beside."""

import pandas as pd

from cmbkit.chapters.beside import beside
from cmbkit.chapters.detection import (
    BY_KEYS,
    COUNTS,
    DATASET,
    DATASETS,
    INTERVAL,
    KEYS,
    MODEL,
    MODELS,
    POOLED,
    POOLED_RATES,
    in_order,
    result_table,
)
from cmbkit.evaluation.metrics import scan_classification
from cmbkit.evaluation.statistics import classification_summary, summary_by
from cmbkit.params import Evaluation
from cmbkit.published.numbers import thesis_numbers
from cmbkit.published.thesis_audit import integer_solutions
from cmbkit.published.thesis_cohort import AT_LEAST, N_SCANS, THRESHOLDS
from cmbkit.reporting.layout import Column


def table_7_2(scans: pd.DataFrame, params: Evaluation) -> pd.DataFrame:
    """Detection averaged over scans.

    ``scans``: scan rows of all models: dataset, patient, model, tp, fp, fn, ... (source where
    dataset is a group).

    Columns: dataset, model, n_scans, scan_precision, scan_recall, scan_f1, scan_f1_star,
    scan_fp_cmb, fp_scan, each with _low, _high, _thesis and (means over scans) _sd, _thesis_sd.
    """
    printed = {
        "scan_precision": "precision",
        "scan_recall": "recall",
        "scan_f1": "f1",
        "scan_f1_star": "f1_star",
        "scan_fp_cmb": "fp_cmb",
        "fp_scan": "fp_scan",
    }
    table = _beside_thesis(scans, params, "7.2", printed)
    titles = ("Precision", "Recall", "F1", "F1*", "FPcmb", "FPscan")
    shown = [
        Column(key, title, 3, "min" if "FP" in title else "max")
        for key, title in zip(printed, titles, strict=True)
    ]
    note = f"Mean ± SD over scans {INTERVAL} (scans); undefined rates are left out."
    return result_table(table, [DATASET, MODEL, *shown], within=("dataset",), note=note)


def table_7_3(scans: pd.DataFrame, params: Evaluation) -> pd.DataFrame:
    """Detection from summed counts (parameters as in `table_7_2`).

    Columns: dataset, model, n_scans, tp, fp, fn, pooled_precision, pooled_recall, pooled_f1,
    pooled_fp_cmb, each rate with _low, _high and _thesis.
    """
    printed = {f"pooled_{name}": name for name in ("precision", "recall", "f1", "fp_cmb")}
    table = _beside_thesis(scans, params, "7.3", printed)
    shown = [*COUNTS, *POOLED_RATES, Column("pooled_fp_cmb", "FPcmb", 3, "min")]
    return result_table(table, [DATASET, MODEL, *shown], within=("dataset",), note=f"{POOLED}.")


def table_7_4(scans: pd.DataFrame, params: Evaluation) -> pd.DataFrame:
    """Dice of the true positives; needs dice_tp (parameters as in `table_7_2`).

    Columns: dataset, model, n_scans, scan_dice_tp, pooled_dice_tp with their parts.
    """
    printed = {"scan_dice_tp": "scan_dsc_tp", "pooled_dice_tp": "glob_dsc_tp"}
    table = _beside_thesis(scans, params, "7.4", printed)
    shown = [
        Column("scan_dice_tp", "scanDSC_TP", 2, "max"),
        Column("pooled_dice_tp", "globDSC_TP", 2, "max"),
    ]
    note = f"scan: mean ± SD over scans {INTERVAL} (scans); glob: mean over all TPs."
    return result_table(table, [DATASET, MODEL, *shown], within=("dataset",), note=note)


def _beside_thesis(scans, params: Evaluation, number: str, printed: dict) -> pd.DataFrame:
    table = summary_by(in_order(scans, **BY_KEYS), KEYS, params)
    return beside(table, thesis_numbers(number), KEYS, printed)


def table_7_5(
    scans: pd.DataFrame, params: Evaluation, *, positive: str = "fewer_than"
) -> pd.DataFrame:
    """Classification of scans by their number of CMBs.

    Parameters
    ----------
    scans : DataFrame
        Scan rows: dataset, patient, model, n_gt, n_pred.
    positive : {"fewer_than", "at_least"}
        The positive group. ``fewer_than`` is what the thesis's printed numbers are (see
        `audit`). With ``at_least``, its text's convention, the thesis's columns hold what its
        counts give that way.

    Returns
    -------
    DataFrame
        dataset, threshold, model, n_many, n_positive, precision, recall, f1, specificity with
        _low, _high and _thesis.
    """
    keys, rates = ["dataset", "threshold", "model"], ["precision", "recall", "f1", "specificity"]
    rows = [
        dict(zip(KEYS, values, strict=True))
        | {"n_many": int((group["n_gt"] >= threshold).sum())}
        | classification_summary(group, threshold, positive)
        for threshold in params.scan_thresholds
        for values, group in scans.groupby(KEYS, sort=False)
    ]
    orders = {"dataset": DATASETS, "threshold": sorted(params.scan_thresholds), "model": MODELS}
    table = in_order(pd.DataFrame(rows), **orders)
    many = "specificity" if positive == "fewer_than" else "recall"
    printed = thesis_numbers("7.5").merge(table[keys], on=keys)
    if positive == "at_least":
        printed = pd.DataFrame([_turned_round(row) for row in printed.to_dict("records")])
        printed = printed.reindex(columns=[*keys, *rates])
    table = beside(table, printed, keys, {name: name for name in rates})
    shown = [
        DATASET,
        Column("threshold", "Threshold"),
        MODEL,
        Column("n_many", "Scans with many"),
        Column(many, "Sensitivity for many", 3, "max"),
        Column("n_positive", "Positive scans"),
        *(Column(name, name.capitalize(), 3, "max") for name in rates if name != many),
    ]
    sign = "fewer CMBs than the threshold" if positive == "fewer_than" else "threshold or more CMBs"
    note = (
        "Many: the threshold or more CMBs; sensitivity for many: the share of such scans that are "
        f"found to have as many, here the {many}. Positive group of the other rates: scans with "
        f"{sign} {INTERVAL}. The thesis's text takes scans with many as positive, its numbers "
        "those with few."
    )
    return result_table(table, shown, within=("dataset", "threshold"), note=note)


def _turned_round(row: dict) -> dict:
    """A printed row of Table 7.5 with "threshold or more CMBs" as the positive group."""
    high = AT_LEAST[row["dataset"]][THRESHOLDS.index(row["threshold"])]
    rates = (row[name] for name in ("precision", "recall", "specificity"))
    ((tp, fp, tn, fn),) = integer_solutions(*rates, N_SCANS[row["dataset"]] - high, high)
    n_gt = [0] * (tp + fn) + [row["threshold"]] * (tn + fp)
    n_pred = [0] * tp + [row["threshold"]] * (fn + tn) + [0] * fp
    return row | scan_classification(n_gt, n_pred, row["threshold"], "at_least")
