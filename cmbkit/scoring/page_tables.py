"""Tables of one detector's result on anybody's scans, without the thesis's values beside."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cmbkit.evaluation.agreement import band_names, count_agreement
from cmbkit.evaluation.metrics import POSITIVE, scan_classification
from cmbkit.evaluation.statistics import summary, wilson
from cmbkit.params import Evaluation
from cmbkit.reporting.table_layout import Measure, cell, lay_out, number_text

GLOB = [
    Measure("n_scans", "Scans"),
    *(Measure(name.lower(), name) for name in ("TP", "FP", "FN")),
    Measure("pooled_precision", "Precision"),
    Measure("pooled_recall", "Recall"),
    Measure("pooled_f1", "F1"),
    Measure("pooled_fp_cmb", "FP per CMB"),
    Measure("fp_scan_mean", "FP per scan"),
]
SCAN = [
    Measure("n_scans", "Scans"),
    Measure("scan_precision", "Precision"),
    Measure("scan_recall", "Recall"),
    Measure("scan_f1", "F1"),
    Measure("scan_f1_star", "F1*"),
    Measure("scan_fp_cmb", "FP per CMB"),
    Measure("fp_scan", "FP per scan"),
]
DICE = [
    Measure("scan_dice_tp", "Dice of TPs, mean over scans"),
    Measure("pooled_dice_tp", "Dice of TPs, mean over TPs"),
    Measure("scan_dice", "Dice of whole scans"),
]
AGREEMENT = {
    "kappa_any": "Cohen's kappa, none or some CMBs",
    "kappa_bands": "Cohen's kappa, bands of counts",
    "kappa_bands_linear": "weighted kappa (linear), bands of counts",
    "kappa_bands_quadratic": "weighted kappa (quadratic), bands of counts",
    "icc_2_1": "ICC(2,1), absolute agreement",
    "icc_3_1": "ICC(3,1), consistency",
    "bias": "Bland-Altman: predicted - annotated, CMBs per scan",
    "lower": "Bland-Altman: lower limit of agreement",
    "upper": "Bland-Altman: upper limit of agreement",
    "lesion_dice": "Dice over microbleeds (Kuijf), equals globF1",
}
CONVENTIONS = {"at_least": "threshold or more CMBs", "fewer_than": "fewer CMBs than threshold"}
COMPARED = {
    "pooled_precision": "globPrecision",
    "pooled_recall": "globRecall",
    "pooled_f1": "globF1",
    "fp_scan": "FP per scan",
    "scan_f1": "scanF1",
    "scan_f1_star": "scanF1*",
}


def groups_of(scans: pd.DataFrame, column: str = "dataset"):
    """Rows of each value of a column, and of all of them where there are several."""
    names = list(dict.fromkeys(scans[column]))
    for name in names:
        yield name, scans[scans[column] == name]
    if len(names) > 1:
        yield "all", scans


def summaries(scans: pd.DataFrame, params: Evaluation, seed: int) -> list[dict]:
    """All averages with intervals of every data set (see `statistics.summary`)."""
    rows = []
    for name, group in groups_of(scans):
        row = {"dataset": name, **summary(group, params, seed)}
        row |= {f"fp_scan_mean{end}": row[f"fp_scan{end}"] for end in ("", "_low", "_high")}
        rows.append(row)
    return rows


def detection_tables(rows: list[dict]) -> dict[str, pd.DataFrame]:
    """Summed counts, means over scans, and Dice where outlines were compared."""
    keys = {"dataset": "Data"}
    glob = lay_out(rows, keys, GLOB, numeric=False)
    for name, k, n in (("Precision", "tp", "fp"), ("Recall", "tp", "fn")):
        limits = [wilson(row[k], row[k] + row[n]) for row in rows]
        place = glob.columns.get_loc(name) + 1
        texts = [f"[{number_text(low, 2)}, {number_text(high, 2)}]" for low, high in limits]
        glob.insert(place, f"{name}, Wilson", texts)
    tables = {"glob": glob, "scan": lay_out(rows, keys, SCAN, numeric=False)}
    if any(np.isfinite(row.get("scan_dice_tp", np.nan)) for row in rows):
        tables["dice"] = lay_out(rows, keys, DICE, numeric=False)
    return tables


def classification_table(scans: pd.DataFrame, params: Evaluation) -> pd.DataFrame:
    """Scans sorted by their number of microbleeds, under both conventions of "positive"."""
    rows = []
    for positive in POSITIVE:
        for name, group in groups_of(scans):
            for threshold in params.scan_thresholds:
                found = scan_classification(group["n_gt"], group["n_pred"], threshold, positive)
                tp, fp, tn, fn = (found.pop(key) for key in ("tp", "fp", "tn", "fn"))
                shares = {
                    "precision": (tp, tp + fp),
                    "recall": (tp, tp + fn),
                    "specificity": (tn, tn + fp),
                }
                for key, counts in shares.items():
                    low, high = wilson(*counts)
                    found |= {f"{key}_low": float(low), f"{key}_high": float(high)}
                found |= {"dataset": name, "group": CONVENTIONS[positive], "n": tp + fn}
                rows.append(found)
    keys = {"group": "Positive group", "dataset": "Data", "threshold": "Threshold"}
    measures = [Measure("n", "Positive scans")]
    measures += [Measure(n.lower(), n) for n in ("Precision", "Recall", "F1", "Specificity")]
    return lay_out(rows, keys, measures, numeric=False)


def agreement_table(scans: pd.DataFrame, params: Evaluation, seed: int) -> pd.DataFrame:
    """Agreement on the number of microbleeds, one column per data set."""
    bands = tuple(params.scan_thresholds)
    columns = {"Measure": list(AGREEMENT.values())}
    for name, group in groups_of(scans):
        found = count_agreement(
            group, thresholds=bands, samples=params.bootstrap_samples, seed=seed
        ).loc[list(AGREEMENT)]
        columns[name] = [
            cell(row["value"], np.nan, row["low"], row["high"]) for _, row in found.iterrows()
        ]
    table = pd.DataFrame(columns)
    table.attrs["note"] = f"Bands of counts: {', '.join(band_names(bands))}."
    return table


def subgroup_table(
    scans: pd.DataFrame, factors: dict[str, pd.Series], params: Evaluation, seed: int
) -> pd.DataFrame:
    """Detection by subgroup of scans, as numbers: one row per factor and subgroup.

    Parameters
    ----------
    factors : dict of name to Series
        The subgroup of every scan.
    """
    rows = []
    for factor, values in factors.items():
        for value in sorted(values.dropna().unique(), key=str):
            group = scans[(values == value).to_numpy()]
            found = summary(group, params, seed)
            rows.append({"factor": factor, "subgroup": str(value), **found})
    return pd.DataFrame(rows)


def shown_subgroups(table: pd.DataFrame) -> pd.DataFrame:
    """`subgroup_table` as text."""
    rows = table.to_dict("records")
    for row in rows:
        row |= {f"fp_scan_mean{end}": row[f"fp_scan{end}"] for end in ("", "_low", "_high")}
    return lay_out(rows, {"factor": "Scans by", "subgroup": "Subgroup"}, GLOB, numeric=False)


def comparison_table(found: pd.DataFrame, names: tuple[str, str]) -> pd.DataFrame:
    """`hypotheses.compare_models` as text."""
    rows = []
    for metric, row in found.iterrows():
        rows.append(
            {
                "Metric": COMPARED.get(metric, metric),
                names[0]: number_text(row["first"], 3),
                names[1]: number_text(row["second"], 3),
                "Difference": cell(row["difference"], np.nan, row["low"], row["high"]),
                "Effect (rank-biserial)": number_text(row["effect"], 2),
                "p": number_text(row["p_value"], 4),
                "p (Holm)": number_text(row["p_holm"], 4),
            }
        )
    return pd.DataFrame(rows)
