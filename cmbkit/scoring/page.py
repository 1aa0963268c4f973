"""From two folders of masks or points to one page with every table and figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cmbkit.evaluation import subgroups
from cmbkit.evaluation.curves import froc
from cmbkit.evaluation.hypotheses import compare_models
from cmbkit.evaluation.statistics import summary
from cmbkit.params import Evaluation
from cmbkit.published.literature import beside_own
from cmbkit.reporting.layout import Column, laid_out
from cmbkit.reporting.made_with import rule_text
from cmbkit.reporting.one_page import OnePage
from cmbkit.reporting.rules import changed_table, rules_table
from cmbkit.running.report import shortened
from cmbkit.running.steps import counted
from cmbkit.scoring import page_subgroups
from cmbkit.scoring import page_tables as tables
from cmbkit.scoring.run import EvaluateOptions, Result

F1_RULES = {"text": "F1 = 0 where precision and recall are 0", "code": "F1 left out there"}


def build_page(
    result: Result,
    options: EvaluateOptions,
    alone: list[str],
    other: Result | None = None,
    unused: Sequence[Path] = (),
) -> OnePage:
    """Make the page of one detector; ``other`` is a second one on the same scans.

    ``alone`` are lines about files without a partner, ``unused`` files that were not looked at.
    """
    page = OnePage(f"Detection of cerebral microbleeds: {options.name}")
    _what_was_done(page, result.scans, options, alone)
    if unused:
        page.warning(f"Not used: {shortened([path.name for path in unused])}.", [])
    said = remark_lines(result.scans) + (remark_lines(other.scans) if other else [])
    if said:
        page.warning("Look at these files before you believe the numbers:", said)
    _detection(page, result.scans, options)
    _counts(page, result.scans, options)
    _froc(page, result, options)
    _subgroups(page, result.scans, options)
    _places_and_shapes(page, result, options)
    if other is not None:
        _comparison(page, result.scans, other.scans, options)
    page.section("Beside the literature")
    own = [(options.name, name, group) for name, group in tables.groups_of(result.scans)]
    literature = beside_own(own, options.params)
    page.table("literature", literature, "Published results and this one")
    page.section("Every match and every scan")
    page.file("matches", result.matches)
    page.file("scans", result.scans)
    if len(result.features):
        page.file("features", result.features)
    return page


def add_rules(page: OnePage, calls: Sequence[tuple], params: Evaluation) -> None:
    """Add every matching rule; ``calls``: `scoring.rules.calls_of_files` of each detector."""
    counts, found = (pd.concat(tables, ignore_index=True) for tables in zip(*calls, strict=True))
    page.section("Every matching rule")
    page.table("rules", rules_table(counts, found, params, {}), "Detection by every matching rule")
    changed = changed_table(found, {})
    page.table("rules_changed", changed, "Microbleeds whose call depends on the rule")


def add_uncertain(page: OnePage, counted: Result, ignored: Result, params: Evaluation) -> None:
    """Add the detection with uncertain microbleeds counted beside that with them ignored."""
    both = {"counted": counted.scans, "ignored": ignored.scans}
    rows = pd.DataFrame([{"word": word, **summary(one, params)} for word, one in both.items()])
    columns = [Column("word", "Uncertain microbleeds"), *tables.POOLED]
    shown = [column for column in columns if not column.key.endswith("_wilson")]
    note = f"Ignored: neither found nor missed. Brackets: {tables.UNITS}."
    page.section("Microbleeds of which the rater was not certain")
    page.table("uncertain", laid_out(rows, shown, note=note), "Counted and ignored")


def remark_lines(scans: pd.DataFrame) -> list[str]:
    """What there is to say of scans (their column remarks); the same of several in one line.

    It is the same where only the scan's name differs, for which an asterisk stands then.
    """
    told: dict[str, dict[str, str]] = {}
    for row in scans[scans["remarks"] != ""].itertuples():
        uid = str(row.uid)
        told.setdefault(row.remarks.replace(uid, "*"), {})[uid] = row.remarks
    return [
        f"{len(own)} scans ({shortened(list(own))}): {same}"
        if len(own) > 1
        else "".join(f"{uid}: {remark}" for uid, remark in own.items())
        for same, own in told.items()
    ]


def _what_was_done(page: OnePage, scans, options: EvaluateOptions, alone: list[str]) -> None:
    params = options.params
    page.section("What was evaluated")
    components = f"{options.connectivity}-connected"
    if options.labelled != "none":
        of = {"by name": "files named desc-cmb_dseg", "both": "both sides"}
        components += f"; one label, one CMB in {of.get(options.labelled, options.labelled)}"
    rows = {
        "Scans": len(scans),
        "Patients": scans.groupby(["dataset", "patient"]).ngroups,
        "Annotated CMBs": int(scans["n_gt"].sum()),
        "Predicted CMBs": int(scans["n_pred"].sum()),
        "Scans without annotated CMBs": int((scans["n_gt"] == 0).sum()),
        "Matching": rule_text(params),
        "Microbleeds in a mask": components,
        "Annotated CMBs called uncertain": options.uncertain,
        "NaN rule": f"undefined rates of a scan are left out; {F1_RULES[params.nan_rule]}",
        "Intervals": "95 %; patients as units; the method of each in the CSV files",
        "Bootstrap samples of patients": params.bootstrap_samples,
        "Seed": options.seed,
    }
    table = pd.DataFrame({"setting": list(rows), "value": pd.Series(rows.values(), dtype=object)})
    columns = [Column("setting", "Setting"), Column("value", "Value")]
    page.table("settings", laid_out(table, columns), "Data and settings")
    if alone:
        page.warning(f"{counted(len(alone), 'file')} without a partner, left out:", alone)


def _detection(page: OnePage, scans: pd.DataFrame, options: EvaluateOptions) -> None:
    from cmbkit.plotting.distributions import scan_scores

    found = tables.detection(scans, options.params)
    page.section("Detection")
    page.table("detection_glob", found["pooled"], "All microbleeds together (summed counts)")
    page.table("detection_scan", found["scan"], "Averaged over scans")
    if "dice" in found:
        page.table("dice", found["dice"], "Overlap of outlines")
    columns = ["uid", "dataset", "precision", "recall", "f1", "dice_tp"]
    caption = "Scores of the scans; n: scans with a score"
    page.figure("scan_scores", scan_scores(scans), caption, scans[columns])


def _counts(page: OnePage, scans: pd.DataFrame, options: EvaluateOptions) -> None:
    from cmbkit.evaluation.agreement import bland_altman
    from cmbkit.plotting.associations import counts_against_counts

    page.section("Counting")
    page.table(
        "scan_classification",
        tables.classification(scans, options.params),
        "Scans sorted by their number of microbleeds",
    )
    agreement = tables.agreement(scans, options.params)
    page.table("count_agreement", agreement, "Agreement on the number of microbleeds")
    limits = {k: float(v[0]) for k, v in bland_altman(scans["n_gt"], scans["n_pred"]).items()}
    page.figure(
        "counts",
        counts_against_counts(scans, limits),
        "Predicted and annotated microbleeds of each scan; dashed: 95 % limits of agreement",
        scans[["uid", "dataset", "n_gt", "n_pred"]],
    )


def _froc(page: OnePage, result: Result, options: EvaluateOptions) -> None:
    from cmbkit.plotting.curves import froc_curves, precision_recall_curves

    page.section("FROC")
    matches, scans = result.matches, result.scans
    candidates = matches[matches["match"] != "FN"]
    if candidates.empty or candidates["score"].isna().any():
        page.warning(
            "No curve: it needs a score of every predicted microbleed (a column score in lists "
            "of points, or --probabilities).",
            [],
        )
        return
    curves = {
        name: froc(own, len(group)) for name, own, group in tables.with_microbleeds(matches, scans)
    }
    if not curves:
        page.warning("No curve: no scan has an annotated microbleed.", [])
        return
    page.table(
        "froc_sensitivity",
        tables.froc_sensitivity(matches, scans),
        "Sensitivity at false positives per scan",
    )
    data = pd.concat([curve.assign(dataset=name) for name, curve in curves.items()])
    page.figure("froc", froc_curves(curves), "Free-response curve", data)
    page.figure("precision_recall", precision_recall_curves(curves), "Precision and recall", data)
    merit = tables.merit(matches, scans, options.params, options.seed)
    page.table("figures_of_merit", merit, "The curves in one number")


def _factors(scans: pd.DataFrame, by: tuple[str, ...]) -> dict[str, pd.Series]:
    """Subgroup of every scan, by name; those for which the scans lack a column are left out."""
    needs = {
        "sequence": "sequence",
        "slice thickness": "slice_thickness_mm",
        "in-plane resolution": "in_plane_mm",
    }
    found = {}
    for name, function in subgroups.SCAN_SUBGROUPS.items():
        column = needs.get(name)
        if column is None or (column in scans and scans[column].notna().all()):
            found[name] = function(scans)
    for name in by:
        if name not in scans:
            raise ValueError(f"by: expected a value of {name} for some scan, found none")
        found[name] = scans[name].astype("str")
    return {name: values for name, values in found.items() if len(set(values.dropna())) > 1}


def _of_no_group(scans: pd.DataFrame, by: tuple[str, ...]) -> list[str]:
    """What is not compared of the columns that were asked for."""
    said = []
    for name in by:
        values = sorted(set(scans[name].dropna().astype(str)))
        if len(values) == 1:
            said.append(f"No subgroups by {name}: it has one value, {values[0]}.")
        elif scans[name].isna().any():
            said.append(f"{counted(int(scans[name].isna().sum()), 'scan')} without {name}.")
    return said


def _subgroups(page: OnePage, scans: pd.DataFrame, options: EvaluateOptions) -> None:
    from cmbkit.plotting.forest import subgroup_forest

    factors = _factors(scans, options.by)
    said = _of_no_group(scans, options.by)
    if not factors and not said:
        return
    page.section("Subgroups of scans")
    for line in said:
        page.warning(line, [])
    if not factors:
        return
    table = page_subgroups.by_subgroup(scans, factors, options.params)
    page.table("subgroups", table, "Detection by subgroup of scans")
    tests = page_subgroups.subgroup_tests(scans, factors, options.params, options.seed)
    if len(tests):
        page.table("subgroup_tests", tests, "Does globF1 differ between two subgroups?")
    drawn = table.rename(columns={f"pooled_f1{end}": f"f1{end}" for end in ("", "_low", "_high")})
    drawn = drawn.assign(n=drawn["tp"] + drawn["fn"], dataset="All")
    drawn = drawn[drawn["n"] > 0]
    page.figure(
        "subgroups_forest",
        subgroup_forest(drawn),
        "globF1 by subgroup of scans with 95 % intervals",
        drawn[["factor", "subgroup", "n", "f1", "f1_low", "f1_high"]],
    )


def _places_and_shapes(page: OnePage, result: Result, options: EvaluateOptions) -> None:
    """Detection by location and shape by match; nothing where both sides are points."""
    features = result.features
    if features.empty or "type" not in features:
        return
    page.section("Microbleeds by place and shape")
    if "region" in features and set(features["type"]) == {"GT", "Pred"}:
        table = page_subgroups.by_location(result.scans, result.matches, features, options.params)
        page.table("locations", table, "Detection by location")
    shapes = page_subgroups.shapes(result.matches, features)
    page.table("shapes", shapes, "Shape of what was found, missed and invented")


def _comparison(page: OnePage, first, second, options: EvaluateOptions) -> None:
    from cmbkit.plotting.distributions import half_violins

    names = (options.name, options.other)
    page.section(f"{names[0]} against {names[1]}")
    found = compare_models(first, second, seed=options.seed, nan_rule=options.params.nan_rule)
    page.table("comparison", tables.comparison(found, names), "Two detectors on the same scans")
    both = pd.concat(
        [scans.assign(model=name) for scans, name in zip((first, second), names, strict=True)],
        ignore_index=True,
    )
    page.figure(
        "comparison_scores",
        half_violins(both, names),
        "Scores of the scans of both detectors",
        both[["model", "uid", "dataset", "precision", "recall", "f1"]],
    )
