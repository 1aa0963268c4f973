"""Tables of one detector's result on anybody's scans: numbers, and how the page shows them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cmbkit.evaluation.agreement import band_names, count_agreement
from cmbkit.evaluation.curves import MERIT, figures_of_merit
from cmbkit.evaluation.intervals import TOO_FEW, wilson
from cmbkit.evaluation.metrics import POSITIVE
from cmbkit.evaluation.sensitivity import FEWEST_FP, froc_intervals
from cmbkit.evaluation.statistics import classification_summary, summary
from cmbkit.params import Evaluation
from cmbkit.reporting.layout import Column, laid_out

POOLED = [
    Column("n_scans", "Scans"),
    *(Column(name.lower(), name) for name in ("TP", "FP", "FN")),
    Column("pooled_precision", "Precision", 3),
    Column("precision_wilson", "Precision, Wilson"),
    Column("pooled_recall", "Recall", 3),
    Column("recall_wilson", "Recall, Wilson"),
    Column("pooled_f1", "F1", 3),
    Column("pooled_fp_cmb", "FP per CMB", 3),
    Column("fp_scan", "FP per scan", 3),
]
SCAN = [
    Column("n_scans", "Scans"),
    Column("scan_precision", "Precision", 3),
    Column("scan_recall", "Recall", 3),
    Column("scan_f1", "F1", 3),
    Column("scan_f1_star", "F1*", 3),
    Column("scan_fp_cmb", "FP per CMB", 3),
    Column("fp_scan", "FP per scan", 3),
]
DICE = [
    Column("scan_dice_tp", "Dice of TPs, mean over scans", 3),
    Column("pooled_dice_tp", "Dice of TPs, mean over TPs", 3),
    Column("scan_dice", "Dice of whole scans", 3),
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
DATA = Column("dataset", "Data")
UNITS = "95 % interval, patients as units (how: column _interval of the CSV)"


def ends_of(name: str) -> dict[str, str]:
    """Columns of an interval, and what they are called beside the column ``name``."""
    return {end: f"{name}_{end}" for end in ("low", "high", "interval")}


def groups_of(scans: pd.DataFrame):
    """Name and rows of each data set, and of all of them where there are several."""
    yield from scans.groupby("dataset", sort=False)
    if len(set(scans["dataset"])) > 1:
        yield "all", scans


def detection(scans: pd.DataFrame, params: Evaluation) -> dict[str, pd.DataFrame]:
    """Detection in every data set: summed counts, means over scans, and Dice.

    Returns
    -------
    dict
        "pooled", "scan" and, where outlines were compared, "dice": one row per data set with the
        columns of `evaluation.statistics.summary`.
    """
    rows = [{"dataset": name, **summary(group, params)} for name, group in groups_of(scans)]
    table = pd.DataFrame(rows)
    pooled = pooled_columns(table)
    for name, other in (("precision", "fp"), ("recall", "fn")):
        ends = wilson(table["tp"], table["tp"] + table[other])
        enough = table[f"pooled_{name}_interval"] != TOO_FEW
        low, high = (np.where(enough, end, np.nan) for end in ends)
        pooled = pooled.assign(**{f"{name}_wilson_low": low, f"{name}_wilson_high": high})
    note = f"Brackets: {UNITS}; Wilson takes microbleeds as independent."
    found = {"pooled": laid_out(pooled, [DATA, *POOLED], note=note)}
    note = (
        "Mean ± SD over scans [95 % interval] (scans); F1* is the harmonic mean of the two means."
    )
    counts = ["dataset", "n_scans", "tp", "fp", "fn"]
    per_scan = table[[*counts, *(n for n in table if n.startswith(("scan_", "fp_scan")))]]
    found["scan"] = laid_out(per_scan, [DATA, *SCAN], note=note)
    if "scan_dice_tp" in table and table["scan_dice_tp"].notna().any():
        dice = table[["dataset", *(name for name in table if "_dice" in name)]]
        found["dice"] = laid_out(dice, [DATA, *DICE], note="Mean ± SD [95 % interval] (scans).")
    return found


def pooled_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Columns from summed counts; FP per scan without the spread over scans."""
    mine = ("pooled_", "fp_scan")
    kept = [n for n in table if not n.startswith("scan_") and n not in ("fp_scan_sd", "fp_scan_n")]
    ends = ("_low", "_high", "_interval")
    return table[[n for n in kept if n.startswith(mine) or not n.endswith(ends)]]


def classification(scans: pd.DataFrame, params: Evaluation) -> pd.DataFrame:
    """Scans sorted by their number of microbleeds, under both conventions of "positive".

    Returns
    -------
    DataFrame
        One row per convention, data set and threshold, with the columns of
        `evaluation.statistics.classification_summary`.
    """
    rows = [
        {"positive": positive, "dataset": name, "threshold": threshold}
        | classification_summary(group, threshold, positive)
        for positive in POSITIVE
        for name, group in groups_of(scans)
        for threshold in params.scan_thresholds
    ]
    columns = [
        Column("positive", "Positive group", names=CONVENTIONS),
        DATA,
        Column("threshold", "Threshold"),
        Column("n_positive", "Positive scans"),
        *(Column(n.lower(), n, 3) for n in ("Precision", "Recall", "F1", "Specificity")),
    ]
    note = (
        "Each block names its positive group: recall of one is specificity of the other. "
        f"Brackets: {UNITS}."
    )
    return laid_out(pd.DataFrame(rows), columns, note=note)


def agreement(scans: pd.DataFrame, params: Evaluation) -> pd.DataFrame:
    """Agreement on the number of microbleeds.

    Returns
    -------
    DataFrame
        One row per measure (keys of `AGREEMENT`) and data set: value, value_low, value_high.
    """
    bands = tuple(params.scan_thresholds)
    found = {name: count_agreement(group, thresholds=bands) for name, group in groups_of(scans)}
    rows = [
        {"measure": measure, "dataset": name, "value": of.loc[measure, "value"]}
        | {end: of.loc[measure, key] for key, end in ends_of("value").items()}
        for measure in AGREEMENT
        for name, of in found.items()
    ]
    columns = [Column("measure", "Measure", names=AGREEMENT), DATA, Column("value", "Value", 3)]
    note = f"Bands of counts: {', '.join(band_names(bands))}."
    return laid_out(pd.DataFrame(rows), columns, note=note)


def with_microbleeds(matches: pd.DataFrame, scans: pd.DataFrame):
    """Name, matches and scans of each group of `groups_of` that has annotated microbleeds."""
    for name, group in groups_of(scans):
        if group["n_gt"].sum():
            yield name, matches[matches["uid"].isin(group["uid"])], group


def froc_sensitivity(matches: pd.DataFrame, scans: pd.DataFrame) -> pd.DataFrame:
    """Sensitivity at some false positives per scan, for data sets with annotated microbleeds.

    Returns
    -------
    DataFrame
        One row per data set and level: fp_per_scan, sensitivity with _low and _high.
    """
    table = pd.concat(
        froc_intervals(own, group).reset_index().assign(dataset=name)
        for name, own, group in with_microbleeds(matches, scans)
    )
    table = table.rename(columns=ends_of("sensitivity")).reset_index(drop=True)
    levels = {level: f"1/{round(1 / level)}" for level in table["fp_per_scan"] if level < 1}
    columns = [
        DATA,
        Column("fp_per_scan", "FP per scan, at most", names=levels),
        Column("sensitivity", "Sensitivity", 3),
    ]
    note = (
        f"Matched anew at every threshold; no interpolation. Brackets: {UNITS}; too few FP: the "
        f"level allows fewer than {FEWEST_FP} false positives in all scans."
    )
    return laid_out(table, columns, note=note)


def merit(
    matches: pd.DataFrame, scans: pd.DataFrame, params: Evaluation, seed: int
) -> pd.DataFrame:
    """Figures of merit of the curves, for data sets with annotated microbleeds.

    Returns
    -------
    DataFrame
        One row per data set and figure, with the columns of `curves.figures_of_merit`.
    """
    how = {"samples": params.bootstrap_samples, "seed": seed}
    table = pd.concat(
        figures_of_merit(own, group, **how).reset_index().assign(dataset=name)
        for name, own, group in with_microbleeds(matches, scans)
    )
    table = table.rename(columns=ends_of("value")).reset_index(drop=True)
    columns = [
        DATA,
        Column("figure", "Figure of merit", names=MERIT),
        Column("value", "Value", 3),
        Column("bootstrap", "Bootstrap"),
    ]
    note = (
        f"Brackets: {UNITS}; AFROC and wAFROC: as many patients count as the smaller group has, "
        f"with or without microbleeds. Bootstrap: percentiles of {params.bootstrap_samples} draws, "
        "which hold the truth too rarely where patients are few."
    )
    return laid_out(table, columns, note=note)


def comparison(found: pd.DataFrame, names: tuple[str, str]) -> pd.DataFrame:
    """`evaluation.hypotheses.compare_models` as a table: one row per metric.

    Parameters
    ----------
    found : DataFrame
    names : (str, str)
        Of the two detectors.
    """
    table = found.rename(columns=ends_of("difference")).rename_axis("metric").reset_index()
    columns = [
        Column("metric", "Metric", names=COMPARED),
        Column("first", names[0], 3),
        Column("second", names[1], 3),
        Column("difference", "Difference", 3),
        Column("effect", "Effect (rank-biserial)", 2),
        Column("p_value", "p", 4, shows="p"),
        Column("p_holm", "p (Holm)", 4, shows="p"),
    ]
    least, tested = found["p_least"].min(), int(found["p_value"].notna().sum())
    exchanged = "all" if found["exact"].all() else "10,000 random, or all where they are no more,"
    note = (
        f"Difference: first - second; brackets: {UNITS}. p: paired permutation "
        f"over {found['n_patients'].iloc[0]} patients ({exchanged} exchanges), corrected after "
        f"Holm; the smallest p that the patients who differ allow: {least:.2g}, after Holm over "
        f"{tested} metrics {min(1, least * tested):.2g}. Effect: -1 to 1, from the patients' own "
        "differences."
    )
    return laid_out(table, columns, note=note)
