"""What decides whether a microbleed is found, all at once (Table S49)."""

import numpy as np
import pandas as pd

from cmbkit.chapters.sentences import listed
from cmbkit.chapters.subgroup_analysis.tables import about
from cmbkit.evaluation.odds import Variable, odds_table
from cmbkit.reporting.layout import Column, heads, laid_out

WIDE = 10.0
"""Ratio of the ends of an interval from which on a sentence calls it wide."""


def table_s49(
    matches: pd.DataFrame, features: pd.DataFrame, scans: pd.DataFrame, *, model: str
) -> pd.DataFrame:
    """Odds ratios of being found, of all variables in one model and of each alone.

    Parameters
    ----------
    matches : DataFrame
        The table of matches (`match_table.COLUMNS`).
    features : DataFrame
        Annotated CMBs: uid, id, type "GT", contrast.
    scans : DataFrame
        uid, field_strength.

    Returns
    -------
    DataFrame
        That of `odds.odds_table`.
    """
    own = matches[(matches["model"] == model) & (matches["match"] != "FP")]
    told = features.loc[features["type"] == "GT", ["uid", "id", "contrast"]]
    told = told.rename(columns={"id": "gt_id"}).astype({"gt_id": float})
    rows = own.merge(told, on=["uid", "gt_id"], how="left", validate="one_to_one")
    rows = rows.merge(scans[["uid", "field_strength"]], on="uid", validate="many_to_one")
    patients = rows["source"] + " " + rows["patient"].astype(str)
    table, fitted = odds_table(rows["match"] == "TP", variables(rows), patients)
    columns = [
        *heads("variable", scale="Odds ratio", n="CMBs", n_found="Found", n_patients="Patients"),
        *(Column("odds", "All variables", 2), Column("alone", "Alone", 2)),
        *(Column("inflation", "Inflation", 1), Column("remark", "Remark")),
    ]
    nothing = "No variable differs between microbleeds of these scans, or there are none."
    note = f"{about(model)} {_note(table, fitted)}"
    return laid_out(table, columns, note=note, otherwise=nothing)


def variables(rows: pd.DataFrame) -> list[Variable]:
    """Variables of the model; the size is what can be seen, where that is known of all CMBs."""
    seen = rows["gt_radius_visible_mm"].notna().all()
    name, size = ("Visible radius", "gt_radius_visible_mm") if seen else ("Radius", "gt_radius_mm")
    field = rows["field_strength"].fillna("unknown").map("{} T".format)
    return [
        Variable(name, rows[size], "per 0.5 mm", 0.5),
        Variable("Contrast", rows["contrast"], "per 0.5 SD of the brain", 0.5),
        Variable("Slice thickness", rows["slice_thickness_mm"], "per mm"),
        Variable("Field", field),
        Variable("Region", rows["gt_location"].astype(object)),
        Variable("CMBs in the scan", np.log2(rows["n_gt"]), "per doubling"),
    ]


def _note(table: pd.DataFrame, fitted) -> str:
    if fitted is None:
        return "No model of all variables could be fitted; see Remark."
    return (
        "Mixed logistic regression, each patient with an intercept of its own (standard deviation "
        f"{fitted.spread:.2f} of the log-odds, {fitted.n_patients} patients); Wald's 95 % "
        "intervals with Student's t. All variables: each adjusted for all others. Inflation: by "
        "how much the others widen a variance; from about 5 on two cannot be told apart. Intervals "
        "are not corrected for their number. An association, not a cause."
    )


def odds_in_words(table: pd.DataFrame) -> str:
    """Which variables go with being found when all others are the same, from `table_s49`."""
    known = table.dropna(subset="odds_low")
    if known.empty:
        return "No model of all variables at once can be fitted to so few found CMBs."
    clear = known[(known["odds_low"] > 1) | (known["odds_high"] < 1)]
    told = [
        f"{row.variable.lower()} ({row.scale}) {row.odds:.2f} "
        f"[{row.odds_low:.2f}, {row.odds_high:.2f}]"
        for row in clear.itertuples()
    ]
    start = "With all other variables the same, "
    if told:
        start += (
            f"the odds of being found differ with {listed(told)} (odds ratio; intervals without 1: "
            f"{len(told)} of {len(known)}, not corrected for their number)"
        )
    else:
        start += "no variable is shown to change the odds of being found"
    wide = known[known["odds_high"] > WIDE * known["odds_low"]]
    limits = f"; {len(wide)} of {len(known)} intervals span more than a factor of {WIDE:g}"
    return f"{start}{limits if len(wide) else ''} (Table S49)."
