"""From two folders of masks or points to one page with every table and figure."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cmbkit.evaluation import report_tables, subgroups
from cmbkit.evaluation.folders import evaluate_pairs
from cmbkit.evaluation.hypotheses import compare_groups, compare_models, holm
from cmbkit.evaluation.literature_rows import literature_table, rule_text
from cmbkit.evaluation.metrics import froc
from cmbkit.evaluation.pairing import Pairs
from cmbkit.evaluation.statistics import froc_intervals
from cmbkit.evaluation.table_layout import cell, number_text
from cmbkit.params import Evaluation
from cmbkit.reporting.one_page import OnePage

SHAPE_COLUMNS = {
    "volume_mm3": "Volume (mm³)",
    "max_diameter_mm": "Max diameter (mm)",
    "sphericity": "Sphericity",
    "inv_flatness": "InvFlatness",
    "inv_elongation": "InvElongation",
}


@dataclass(frozen=True)
class Settings:
    """How a result is computed and named.

    Attributes
    ----------
    params : Evaluation
    labelled, connectivity
        See `marks.read_mask`.
    by : tuple of str
        Columns of the scan table that make further subgroups.
    name, other : str
        Of the detector and of the one it is compared with.
    seed, workers : int
    """

    params: Evaluation = field(default_factory=Evaluation)
    labelled: bool = False
    connectivity: int = 6
    by: tuple[str, ...] = ()
    name: str = "this detector"
    other: str = "the other"
    seed: int = 2024
    workers: int = 1


@dataclass(frozen=True)
class Result:
    """Calls, scan rows and features of one detector."""

    calls: pd.DataFrame
    scans: pd.DataFrame
    features: pd.DataFrame


def compute(pairs: Pairs, settings: Settings) -> Result:
    """Evaluate all pairs (see `folders.evaluate_pairs`)."""
    return Result(
        *evaluate_pairs(
            pairs.listing,
            params=settings.params,
            labelled=settings.labelled,
            connectivity=settings.connectivity,
            workers=settings.workers,
        )
    )


def build_page(
    result: Result, settings: Settings, alone: list[str], other: Result | None = None
) -> OnePage:
    """Make the page of one detector; ``other`` is a second one on the same scans."""
    page = OnePage(f"Detection of cerebral microbleeds: {settings.name}")
    _what_was_done(page, result, settings, alone)
    _detection(page, result, settings)
    _counts(page, result, settings)
    _froc(page, result, settings)
    _subgroups(page, result, settings)
    _locations_and_shapes(page, result, settings)
    if other is not None:
        _comparison(page, result, other, settings)
    _literature(page, result, settings)
    page.section("Every call and every scan")
    page.file("calls", result.calls)
    page.file("scans", result.scans)
    if len(result.features):
        page.file("features", result.features)
    return page


def _what_was_done(page: OnePage, result: Result, settings: Settings, alone: list[str]) -> None:
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


def _detection(page: OnePage, result: Result, settings: Settings) -> None:
    from cmbkit.reporting.figures_agreement import scan_scores

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


def _counts(page: OnePage, result: Result, settings: Settings) -> None:
    from cmbkit.evaluation.agreement import bland_altman
    from cmbkit.reporting.figures_agreement import counts_against_counts

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


def _froc(page: OnePage, result: Result, settings: Settings) -> None:
    from cmbkit.reporting import figures_evaluation

    page.section("FROC")
    calls = result.calls
    candidates = calls[calls["call"] != "FN"]
    if candidates.empty or candidates["score"].isna().any():
        page.warning(
            "No curve: it needs a score of every predicted microbleed (a column score in lists of "
            "points, or --probabilities).", [],
        )  # fmt: skip
        return
    curves, rows = {}, []
    for name, group in report_tables.groups_of(result.scans):
        own = calls[calls["uid"].isin(group["uid"])]
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


def _factors(scans: pd.DataFrame, by: tuple[str, ...]) -> dict[str, pd.Series]:
    found = {}
    needs = {"sequence": "sequence", "slice thickness": "slice_thickness_mm",
             "in-plane resolution": "in_plane_mm"}  # fmt: skip
    for name, function in subgroups.SCAN_SUBGROUPS.items():
        column = needs.get(name)
        if column is None or (column in scans and scans[column].notna().all()):
            found[name] = function(scans)
    for name in by:
        if name not in scans:
            raise ValueError(f"by: expected a column of the scan table, found {name!r}")
        found[name] = scans[name].astype("str")
    return {name: values for name, values in found.items() if len(set(values.dropna())) > 1}


def _subgroups(page: OnePage, result: Result, settings: Settings) -> None:
    from cmbkit.reporting import figures_evaluation

    scans, params = result.scans, settings.params
    factors = _factors(scans, settings.by)
    if not factors:
        return
    page.section("Subgroups of scans")
    table = report_tables.subgroup_table(scans, factors, params, settings.seed)
    page.table(
        "subgroups", report_tables.shown_subgroups(table), "Detection by subgroup of scans",
        "From summed counts. Slice thickness and resolution come from the scan table, or else "
        "from the grid of the mask.",
    )  # fmt: skip
    rows = []
    for name, values in factors.items():
        scored = scans[values.notna().to_numpy() & (scans["n_gt"] > 0).to_numpy()]
        if values[scored.index].nunique() == 2:
            found = compare_groups(scored, values[scored.index], seed=settings.seed,
                                   nan_rule=params.nan_rule)  # fmt: skip
            rows.append({"Scans by": name, **found})
    if rows:
        corrected = holm([row["p_value"] for row in rows])
        shown = pd.DataFrame(
            {
                "Scans by": row["Scans by"],
                "Compared": f"{row['first']} against {row['second']}",
                "globF1": f"{number_text(row['value_first'], 3)} against "
                f"{number_text(row['value_second'], 3)}",
                "Difference": number_text(row["difference"], 3),
                "p": number_text(row["p_value"], 4),
                "p (Holm)": number_text(p, 4),
            }
            for row, p in zip(rows, corrected, strict=True)
        )
        page.table(
            "subgroup_tests", shown, "Does globF1 differ between two subgroups?",
            "Permutation of patients, scans with annotated CMBs; corrected for the number of "
            "tests after Holm.",
        )  # fmt: skip
    drawn = table.rename(columns={f"glob_f1{e}": f"f1{e}" for e in ("", "_low", "_high")})
    drawn = drawn.assign(n=drawn["tp"] + drawn["fn"], dataset="All")
    drawn = drawn[drawn["n"] > 0]
    page.figure(
        "subgroups_forest", figures_evaluation.subgroup_forest(drawn),
        "globF1 by subgroup of scans with 95 % intervals",
        drawn[["factor", "subgroup", "n", "f1", "f1_low", "f1_high"]],
    )  # fmt: skip


def _locations_and_shapes(page: OnePage, result: Result, settings: Settings) -> None:
    features = result.features
    if features.empty or "type" not in features:
        return
    page.section("Microbleeds by place and shape")
    if "region" in features and set(features["type"]) == {"GT", "Pred"}:
        located = subgroups.with_locations(result.calls, features)
        rows = []
        for name in subgroups.LOCATIONS:
            part = subgroups.at_location(located, name)
            counted = subgroups.recount(result.scans, part)
            rows.append(report_tables.subgroup_table(
                counted, {"location": pd.Series(name, index=counted.index)}, settings.params,
                settings.seed,
            ))  # fmt: skip
        page.table(
            "locations", report_tables.shown_subgroups(pd.concat(rows)), "Detection by location",
            "Where the annotated CMB lies; FP: where the predicted one lies.",
        )  # fmt: skip
    shapes = subgroups.shapes_by_call(_outlined(result.calls, features), features)
    rows = []
    for call, kind in (("TP", "GT"), ("TP", "Pred"), ("FN", "GT"), ("FP", "Pred")):
        group = shapes[(shapes["call"] == call) & (shapes["type"] == kind)]
        side = "annotated" if kind == "GT" else "predicted"
        row = {"Call": call, "Outline": side, "n": str(len(group))}
        for key, title in SHAPE_COLUMNS.items():
            row[title] = cell(group[key].mean(), group[key].std(), decimals=2)
        rows.append(row)
    page.table("shapes", pd.DataFrame(rows), "Shape of what was found, missed and invented",
               "Mean ± SD over microbleeds.")  # fmt: skip


def _outlined(calls: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Calls whose microbleeds have outlines: a side given as points is taken out."""
    kinds = set(features["type"])
    kept = calls.copy()
    if "GT" not in kinds:
        kept = kept[kept["call"] != "FN"].assign(gt_id=np.nan)
    if "Pred" not in kinds:
        kept = kept[kept["call"] != "FP"].assign(pred_id=np.nan)
    return kept


def _comparison(page: OnePage, result: Result, other: Result, settings: Settings) -> None:
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


def _literature(page: OnePage, result: Result, settings: Settings) -> None:
    page.section("Beside the literature")
    own = [(settings.name, name, group) for name, group in report_tables.groups_of(result.scans)]
    table = literature_table(own, settings.params, seed=settings.seed)
    page.table("literature", table, "Published results and this one")
