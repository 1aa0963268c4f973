"""From two folders of masks or points to one page with every table and figure."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cmbkit.evaluation.hypotheses import compare_models
from cmbkit.evaluation.metrics import froc
from cmbkit.evaluation.statistics import froc_intervals
from cmbkit.published.literature_rows import literature_table, rule_text
from cmbkit.reporting.one_page import OnePage
from cmbkit.reporting.table_layout import cell
from cmbkit.scoring import page_tables as report_tables
from cmbkit.scoring.page_subgroups import add_places_and_shapes, add_subgroups
from cmbkit.scoring.run import EvaluateOptions, Result


def build_page(
    result: Result, settings: EvaluateOptions, alone: list[str], other: Result | None = None
) -> OnePage:
    """Make the page of one detector; ``other`` is a second one on the same scans."""
    page = OnePage(f"Detection of cerebral microbleeds: {settings.name}")
    _what_was_done(page, result, settings, alone)
    _detection(page, result, settings)
    _counts(page, result, settings)
    _froc(page, result, settings)
    add_subgroups(page, result, settings)
    add_places_and_shapes(page, result, settings)
    if other is not None:
        _comparison(page, result, other, settings)
    _literature(page, result, settings)
    page.section("Every match and every scan")
    page.file("matches", result.matches)
    page.file("scans", result.scans)
    if len(result.features):
        page.file("features", result.features)
    return page


def _what_was_done(
    page: OnePage, result: Result, settings: EvaluateOptions, alone: list[str]
) -> None:
    scans, params = result.scans, settings.params
    patients = scans.groupby(["dataset", "patient"]).ngroups
    page.section("What was evaluated")
    components = "one label, one CMB" if settings.labelled else f"{settings.connectivity}-connected"
    f1_rule = {"text": "F1 = 0 where precision and recall are 0", "code": "F1 left out there"}
    rows = {
        "Scans": len(scans),
        "Patients": patients,
        "Annotated CMBs": int(scans["n_gt"].sum()),
        "Predicted CMBs": int(scans["n_pred"].sum()),
        "Scans without annotated CMBs": int((scans["n_gt"] == 0).sum()),
        "Matching": rule_text(params),
        "Microbleeds in a mask": components,
        "NaN rule": f"undefined rates of a scan are left out; {f1_rule[params.nan_rule]}",
        "Intervals": f"95 %; {params.bootstrap_samples} bootstrap samples of patients, seed "
        f"{settings.seed}; Wilson where named",
    }
    table = pd.DataFrame({"": list(rows), "Value": [str(value) for value in rows.values()]})
    page.table("settings", table, "Data and settings")
    if alone:
        page.warning(f"{len(alone)} files have no partner and were left out:", alone)


def _detection(page: OnePage, result: Result, settings: EvaluateOptions) -> None:
    from cmbkit.plotting.agreement import scan_scores

    rows = report_tables.summaries(result.scans, settings.params, settings.seed)
    tables = report_tables.detection_tables(rows)
    page.section("Detection")
    page.table(
        "detection_glob", tables["glob"], "All microbleeds together (summed counts)",
        "Brackets: 95 % interval, patients resampled; Wilson takes microbleeds as independent.",
    )  # fmt: skip
    page.table(
        "detection_scan", tables["scan"], "Averaged over scans",
        "Mean ± SD over scans [95 % interval]; F1* is the harmonic mean of the two means.",
    )  # fmt: skip
    if "dice" in tables:
        page.table("dice", tables["dice"], "Overlap of outlines", "Mean ± SD [95 % interval].")
    columns = ["uid", "dataset", "precision", "recall", "f1", "dice_tp"]
    page.figure("scan_scores", scan_scores(result.scans), "Scores of the scans; n: scans with a "
                "score", result.scans[columns])  # fmt: skip


def _counts(page: OnePage, result: Result, settings: EvaluateOptions) -> None:
    from cmbkit.evaluation.agreement import bland_altman
    from cmbkit.plotting.agreement import counts_against_counts

    scans = result.scans
    page.section("Counting")
    page.table(
        "scan_classification", report_tables.classification_table(scans, settings.params),
        "Scans sorted by their number of microbleeds",
        "Each block names its positive group: recall of one is specificity of the other. "
        "Intervals: Wilson, 95 %.",
    )  # fmt: skip
    agreement = report_tables.agreement_table(scans, settings.params, settings.seed)
    page.table("count_agreement", agreement, "Agreement on the number of microbleeds")
    limits = {k: float(v[0]) for k, v in bland_altman(scans["n_gt"], scans["n_pred"]).items()}
    page.figure(
        "counts", counts_against_counts(scans, limits),
        "Predicted and annotated microbleeds of each scan; dashed: 95 % limits of agreement",
        scans[["uid", "dataset", "n_gt", "n_pred"]],
    )  # fmt: skip


def _froc(page: OnePage, result: Result, settings: EvaluateOptions) -> None:
    from cmbkit.plotting import evaluation as figures_evaluation

    page.section("FROC")
    matches = result.matches
    candidates = matches[matches["match"] != "FN"]
    if candidates.empty or candidates["score"].isna().any():
        page.warning(
            "No curve: it needs a score of every predicted microbleed (a column score in lists of "
            "points, or --probabilities).", [],
        )  # fmt: skip
        return
    curves, rows = {}, []
    for name, group in report_tables.groups_of(result.scans):
        own = matches[matches["uid"].isin(group["uid"])]
        if group["n_gt"].sum() == 0:
            continue
        curves[name] = froc(own, len(group))
        table = froc_intervals(
            own, group, samples=settings.params.bootstrap_samples, seed=settings.seed
        )
        texts = [cell(r.sensitivity, np.nan, r.low, r.high) for r in table.itertuples()]
        rows.append({"Data": name, **dict(zip(map(_level, table.index), texts, strict=True))})
    page.table(
        "froc_sensitivity", pd.DataFrame(rows), "Sensitivity at false positives per scan",
        "At no more than so many; thresholds that exist, no interpolation [95 % interval, "
        "patients resampled].",
    )  # fmt: skip
    data = pd.concat([curve.assign(dataset=name) for name, curve in curves.items()])
    page.figure("froc", figures_evaluation.froc(curves), "Free-response curve", data)


def _level(value: float) -> str:
    return f"1/{round(1 / value)}" if value < 1 else f"{value:g}"


def _comparison(page: OnePage, result: Result, other: Result, settings: EvaluateOptions) -> None:
    from cmbkit.plotting.evaluation import half_violins

    page.section(f"{settings.name} against {settings.other}")
    found = compare_models(
        result.scans, other.scans, seed=settings.seed, nan_rule=settings.params.nan_rule
    )
    patients = int(found["n_patients"].iloc[0])
    exchanged = "all" if found["exact"].iloc[0] else "10,000"
    page.table(
        "comparison", report_tables.comparison_table(found, (settings.name, settings.other)),
        "Two detectors on the same scans",
        f"Difference: first - second [95 % interval, patients resampled]. p: paired permutation "
        f"over {patients} patients ({exchanged} exchanges), corrected after Holm. Effect: -1 to 1, "
        "from the patients' own differences.",
    )  # fmt: skip
    both = pd.concat(
        [result.scans.assign(model=settings.name), other.scans.assign(model=settings.other)],
        ignore_index=True,
    )
    page.figure(
        "comparison_scores", half_violins(both, (settings.name, settings.other)),
        "Scores of the scans of both detectors",
        both[["model", "uid", "dataset", "precision", "recall", "f1"]],
    )  # fmt: skip


def _literature(page: OnePage, result: Result, settings: EvaluateOptions) -> None:
    page.section("Beside the literature")
    own = [(settings.name, name, group) for name, group in report_tables.groups_of(result.scans)]
    table = literature_table(own, settings.params, seed=settings.seed)
    page.table("literature", table, "Published results and this one")
