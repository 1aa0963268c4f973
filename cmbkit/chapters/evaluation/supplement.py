"""Tables beyond the thesis: other grid, operating points, baseline, the real scan."""

import numpy as np
import pandas as pd

from cmbkit.chapters.detection import (
    BY_KEYS,
    COUNTS,
    DATASET,
    INTERVAL,
    KEYS,
    MODEL,
    POOLED,
    POOLED_RATES,
    in_order,
    result_table,
)
from cmbkit.evaluation.coverage import coverage
from cmbkit.evaluation.curves import MERIT, figures_of_merit
from cmbkit.evaluation.hypotheses import compare_models, holm
from cmbkit.evaluation.intervals import METHODS
from cmbkit.evaluation.statistics import summary_by
from cmbkit.params import Evaluation, Inference
from cmbkit.plotting.style import MODEL_NAMES
from cmbkit.reporting.layout import Column, heads, laid_out
from cmbkit.running.steps import counted

SAID = {
    "pooled_precision": "Precision, all CMBs",
    "pooled_recall": "Recall, all CMBs",
    "pooled_f1": "F1, all CMBs",
    "fp_scan": "FP per scan",
    "scan_f1": "F1, mean over scans",
    "scan_f1_star": "F1*, of means over scans",
    "pooled_dice_tp": "Dice of true positives",
}
"""What Table S45 compares."""
COHORTS = {
    "usual": "usual",
    "alike": "their CMBs alike (.4)",
    "half_healthy": "half without CMBs",
    "uneven_fp": "few have most FP",
    "all_or_none": "all of their CMBs found, or none",
    "a_few_with_40": "one of seven with 40 CMBs",
}
"""Simulated patients of Table S40."""
RATES = [Column(name, name.capitalize(), 3) for name in ("precision", "recall", "f1")]


def table_s30(standard: pd.DataFrame, native: pd.DataFrame, params: Evaluation) -> pd.DataFrame:
    """Detection and Dice on the standard and on the scans' own grids (section 9.4).

    ``standard``, ``native``: scan rows of the same scans and models: uid, dataset, patient,
    model, tp, fp, fn, dice_tp.

    Columns: dataset, model, grid ("standard", "native"), n_scans, tp, fp, fn, pooled_precision,
    pooled_recall, pooled_f1, pooled_dice_tp and n_differ, the scans whose TP, FP or FN are not the
    same on both.
    """
    counts = ["tp", "fp", "fn"]
    both = standard.merge(native, on=["uid", "model"], suffixes=("", "_native"))
    if not len(both) == len(standard) == len(native):
        raise ValueError(
            f"native: expected the {len(standard)} scans and models of standard, found "
            f"{len(native)} rows, {len(both)} of them the same"
        )
    other = both[counts].to_numpy() != both[[f"{name}_native" for name in counts]].to_numpy()
    differ = both.assign(n_differ=other.any(axis=1)).groupby(KEYS)["n_differ"].sum().reset_index()
    grids = {"standard": standard, "native": native}
    table = pd.concat(
        summary_by(in_order(scans, **BY_KEYS), KEYS, params).assign(grid=name)
        for name, scans in grids.items()
    )
    table = in_order(table, **BY_KEYS, grid=tuple(grids))
    shown = [
        DATASET,
        MODEL,
        Column("grid", "Grid"),
        *COUNTS,
        *POOLED_RATES,
        Column("pooled_dice_tp", "globDSC_TP", 2, "max"),
        Column("n_differ", "Scans that differ"),
    ]
    note = f"{POOLED}."
    return result_table(table.merge(differ, on=KEYS), shown, within=("dataset", "model"), note=note)


def table_s33(points: pd.DataFrame, chosen: Inference, best: int = 10) -> pd.DataFrame:
    """The ``best`` pairs of threshold and smallest size by F1, and the study's own.

    Parameters
    ----------
    points : DataFrame
        threshold, minimum_voxels, tp, fp, fn, precision, recall, f1.
    chosen : Inference
        The study's own pair is marked in the column ``chosen``.
    """
    pair = chosen.threshold, chosen.minimum_voxels
    own = (points[["threshold", "minimum_voxels"]] == pair).all(axis=1)
    table = points.assign(chosen=own).sort_values("f1", ascending=False, kind="stable")
    table = table.assign(place=range(1, len(table) + 1))
    table = table[(table["place"] <= best) | table["chosen"]]
    in_full = {value: f"{value:g}" for value in set(points["threshold"])}
    columns = [
        Column("place", "Place by F1"),
        Column("threshold", "Threshold", names=in_full),
        Column("minimum_voxels", "Smallest size (voxels)"),
        *COUNTS,
        *RATES,
        Column("chosen", "This study's", names={True: "yes", False: ""}),
    ]
    note = "" if len(points) else "No validation scans in this run, on which to choose."
    return laid_out(table.reset_index(drop=True), columns, note=note)


def table_s34(steps: pd.DataFrame) -> pd.DataFrame:
    """Detection as each step of post-processing is added.

    ``steps``: step, value (of the step's parameter; NaN if none), tp, fp, fn, precision,
    recall, f1.
    """
    sayings = {
        "components": "components of the threshold",
        "brain_tissue": "without those outside brain tissue (6.6)",
        "minimum_voxels": "at least {}",
    }
    smallest = steps["value"].fillna(0).astype(int).map(lambda number: counted(number, "voxel"))
    names = {
        step: sayings[step].format(words)
        for step, words in zip(steps["step"], smallest, strict=True)
    }
    return laid_out(steps, [Column("step", "Step", names=names), *COUNTS, *RATES])


def table_s40() -> pd.DataFrame:
    """How often 95 % intervals hold the truth on simulated cohorts (`evaluation.coverage`).

    One row per kind of cohort and number of patients, for rates, means and their differences, and
    for curves (figures of merit, sensitivities): of, cohorts, patients, cases (of a metric and a
    detector); the least and the most over them of coverage (where half of the cohorts or more have
    an interval) and bootstrap, the most of too_few and bootstrap_zero_width (%).
    """
    table = coverage()
    curves = table["metric"].isin(MERIT) | table["metric"].str.startswith("froc_")
    table["of"] = np.where(curves, "curves", "rates")
    table["coverage"] = table["coverage"].where(table["too_few"] <= 50)
    cases = table.groupby(["of", "cohorts", "patients"])
    both = cases[["coverage", "bootstrap"]]
    ends = both.min().add_suffix("_low").join(both.max().add_suffix("_high"))
    most = cases[["too_few", "bootstrap_zero_width"]].max()
    table = ends.join(most).join(cases.size().rename("cases")).reset_index()
    table = in_order(table, of=("rates", "curves"), cohorts=tuple(COHORTS))
    names = {"rates": "rates, means, differences", "curves": "figures of merit of curves, FROC"}
    columns = [
        Column("of", "Intervals of", names=names),
        Column("cohorts", "Simulated patients", names=COHORTS),
        *heads("patients", cases="Metrics x detectors"),
        Column("coverage", "Coverage (%)", 1, shows="range"),
        Column("too_few", "Without an interval, at most (%)", 1),
        Column("bootstrap", "Percentile bootstrap: coverage (%)", 1, shows="range"),
        Column("bootstrap_zero_width", "Bootstrap of zero width, at most (%)", 1),
    ]
    note = (
        "2,000 cohorts each of three simulated detectors, so that 95 % is shown as 94 to 96; "
        "coverage of cases in which half of the cohorts have an interval (all: "
        "benchmarks/interval_coverage.md); bootstrap: of 39 cases. The expected design effects "
        "were set on the usual patients. Where one patient of seven has 40 CMBs, a quarter of the "
        "cohorts of 8 has none of these and cannot tell of them. "
        "Not simulated: jackknife intervals (calibration error, agreement on counts, Table 8.3b). "
        "Methods: " + "; ".join(f"{name}: {how}" for name, how in METHODS.items()) + "."
    )
    return laid_out(table, columns, note=note)


def table_s41(
    calls: pd.DataFrame, scans: pd.DataFrame, params: Evaluation, *, seed: int
) -> pd.DataFrame:
    """Figures of merit of the curves over the score, by dataset and model.

    ``calls``: dataset, model, uid, match, score, adds (`study.results.curve_calls`); ``scans``:
    scan rows of the same models: dataset, model, uid, patient, n_gt. ``seed``: of the bootstrap.

    Columns: dataset, model, n_scans, figure, value and bootstrap with their parts. No rows of
    groups without a CMB.
    """
    rows = [pd.DataFrame(columns=["dataset", "model", "n_scans", "figure", "value", "bootstrap"])]
    for (dataset, model), group in in_order(scans, **BY_KEYS).groupby(KEYS, sort=False):
        own = calls[(calls["dataset"] == dataset) & (calls["model"] == model)]
        if group["n_gt"].sum():
            found = figures_of_merit(own, group, samples=params.bootstrap_samples, seed=seed)
            about = {"dataset": dataset, "model": model, "n_scans": len(group)}
            rows.append(found.reset_index().assign(**about))
    ends = {end: f"value_{end}" for end in ("low", "high", "interval")}
    columns = [
        DATASET,
        MODEL,
        Column("n_scans", "Scans"),
        Column("figure", "Figure of merit", names=MERIT),
        Column("value", "Value", 3),
        Column("bootstrap", "Bootstrap"),
    ]
    note = (
        f"Matched anew at every threshold {INTERVAL}; AFROC and wAFROC: as many patients count as "
        "the smaller group has, with or without CMBs. Bootstrap: percentiles, which hold the truth "
        "too rarely with so few patients (Table S40)."
    )
    table = pd.concat(rows[1:] or rows, ignore_index=True).rename(columns=ends)
    return laid_out(table, columns, note=note if rows[1:] else "No microbleeds in these scans.")


def table_s45(scans: pd.DataFrame, params: Evaluation, *, seed: int) -> pd.DataFrame:
    """The second network against the first on the same scans of each dataset.

    ``scans``: scan rows of the trained networks (as for `table_7_2`). ``seed``: of permutations.

    Returns
    -------
    DataFrame
        dataset, metric and the columns of `hypotheses.compare_models`, ``difference`` (second less
        first) with its parts; p_holm is over all rows. Empty with one network.
    """
    names, rows = list(dict.fromkeys(in_order(scans, **BY_KEYS)["model"])), []
    for dataset, group in in_order(scans, **BY_KEYS).groupby("dataset", sort=False):
        sides = [group[group["model"] == name] for name in names[1::-1]]
        if len(sides) == 2:
            how = {"seed": seed, "nan_rule": params.nan_rule}
            found = compare_models(*sides, metrics=tuple(SAID), **how)
            rows.append(found.rename_axis("metric").reset_index().assign(dataset=dataset))
    if not rows:
        note = "One network in this run: nothing to compare."
        return laid_out(pd.DataFrame(columns=["dataset", "metric"]), [DATASET], note=note)
    table = pd.concat(rows, ignore_index=True)
    ends = {end: f"difference_{end}" for end in ("low", "high", "interval")}
    table = table.assign(p_holm=holm(table["p_value"])).rename(columns=ends)
    shown = [MODEL_NAMES.get(name, name) for name in names[1::-1]]
    columns = [
        DATASET,
        Column("metric", "Metric", names=SAID),
        *(Column("first", shown[0], 3), Column("second", shown[1], 3)),
        Column("difference", "Difference", 3),
        Column("n_patients", "Patients"),
        *(Column("p_value", "p", 4, shows="p"), Column("p_holm", "p (Holm)", 4, shows="p")),
        Column("p_least", "p, least", 4, shows="p"),
    ]
    tested, least = int(table["p_value"].notna().sum()), table["p_least"].min()
    note = (
        f"Difference: {shown[0]} - {shown[1]} {INTERVAL}. p: paired permutation test, the two "
        "networks' results of a patient are exchanged; corrected after Holm for all "
        f"{tested} tests of this table. Least: the smallest p that the patients who differ allow; "
        f"after Holm no p of this table can be below {min(1, least * tested):.2g}."
    )
    return laid_out(table, columns, note=note)


def table_s9(scans: pd.DataFrame, params: Evaluation) -> pd.DataFrame:
    """Every model and the untrained baseline, from summed counts (parameters as in `table_7_2`)."""
    table = summary_by(in_order(scans, **BY_KEYS), KEYS, params).drop(
        columns=["fp_scan_sd", "fp_scan_n"]
    )
    shown = [
        *COUNTS,
        Column("pooled_precision", "Precision", 3),
        Column("pooled_recall", "Recall", 3),
        Column("pooled_f1", "F1", 3),
        Column("fp_scan", "FPscan", 3),
    ]
    point = params.dark_blobs
    chosen = f"threshold {point.threshold:g}, at least {counted(point.minimum_voxels, 'voxel')}"
    note = f"{POOLED}; dark blobs: {chosen}."
    return result_table(table, [DATASET, MODEL, *shown], note=note)


def table_s10(rows: pd.DataFrame) -> pd.DataFrame:
    """Candidates on the real scan, as it stands and with implanted CMBs.

    ``rows``: model, variant ("asis", "implanted"), n_pred, n_gt, tp, fn, fp.
    """
    variants = {"asis": "as it stands", "implanted": "with implanted CMBs"}
    counts = heads(n_pred="Candidates", n_gt="Implanted", tp="Found", fn="Missed")
    columns = [MODEL, Column("variant", "Scan", names=variants), *counts]
    return laid_out(rows, [*columns, Column("fp", "Unmatched candidates")])
