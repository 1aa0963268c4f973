"""The page's sections on subgroups of scans and of microbleeds (see `report`)."""

from __future__ import annotations

import pandas as pd

from cmbkit.evaluation import subgroups
from cmbkit.evaluation.hypotheses import compare_groups, holm
from cmbkit.reporting.one_page import OnePage
from cmbkit.reporting.table_layout import cell, number_text
from cmbkit.scoring import page_tables as report_tables
from cmbkit.scoring.run import EvaluateOptions, Result

SHAPE_COLUMNS = {
    "volume_mm3": "Volume (mm³)",
    "max_diameter_mm": "Max diameter (mm)",
    "sphericity": "Sphericity",
    "inv_flatness": "InvFlatness",
    "inv_elongation": "InvElongation",
}


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


def add_subgroups(page: OnePage, result: Result, settings: EvaluateOptions) -> None:
    """Add detection by subgroup of scans, with tests corrected for their number."""
    from cmbkit.plotting import evaluation as figures_evaluation

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
        known = values.notna().to_numpy() & (scans["n_gt"] > 0).to_numpy()
        for split in _splits(values[known]):
            found = compare_groups(
                scans[known], split, seed=settings.seed, nan_rule=params.nan_rule
            )
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
            "Permutation of patients, scans with annotated CMBs; of more than two subgroups, each "
            "against all others; corrected for the number of tests after Holm.",
        )  # fmt: skip
    drawn = table.rename(columns={f"pooled_f1{e}": f"f1{e}" for e in ("", "_low", "_high")})
    drawn = drawn.assign(n=drawn["tp"] + drawn["fn"], dataset="All")
    drawn = drawn[drawn["n"] > 0]
    page.figure(
        "subgroups_forest", figures_evaluation.subgroup_forest(drawn),
        "globF1 by subgroup of scans with 95 % intervals",
        drawn[["factor", "subgroup", "n", "f1", "f1_low", "f1_high"]],
    )  # fmt: skip


def _splits(values: pd.Series):
    """Two groups against each other; of more than two, each against all others."""
    names = sorted(set(values), key=str)
    if len(names) == 2:
        yield values.astype("str")
    elif len(names) > 2:
        for name in names:
            yield values.astype("str").where(values == name, f"not {name}")


def add_places_and_shapes(page: OnePage, result: Result, settings: EvaluateOptions) -> None:
    """Add detection by location and shape by match; nothing where both sides are points."""
    features = result.features
    if features.empty or "type" not in features:
        return
    page.section("Microbleeds by place and shape")
    if "region" in features and set(features["type"]) == {"GT", "Pred"}:
        located = subgroups.with_locations(result.matches, features)
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
    rows = []
    for match, kind in (("TP", "GT"), ("TP", "Pred"), ("FN", "GT"), ("FP", "Pred")):
        group = _with_shape(result.matches, features, match, kind)
        if kind not in set(features["type"]):
            continue
        side = "annotated" if kind == "GT" else "predicted"
        row = {"Match": match, "Outline": side, "n": str(len(group))}
        for key, title in SHAPE_COLUMNS.items():
            row[title] = cell(group[key].mean(), group[key].std(), decimals=2)
        rows.append(row)
    page.table("shapes", pd.DataFrame(rows), "Shape of what was found, missed and invented",
               "Mean ± SD over microbleeds.")  # fmt: skip


def _with_shape(matches, features, match: str, kind: str) -> pd.DataFrame:
    """Features of the annotated or the predicted microbleeds of one kind of match."""
    column = "gt_id" if kind == "GT" else "pred_id"
    chosen = matches.loc[matches["match"] == match, ["uid", column]].rename(columns={column: "id"})
    side = features[features["type"] == kind].astype({"id": float})
    return chosen.merge(side, on=["uid", "id"], how="inner", validate="one_to_one")
