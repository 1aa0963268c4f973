"""Odds ratios of variables together and alone."""

import numpy as np
import pandas as pd
from scipy.special import expit

from cmbkit.evaluation.odds import Variable, odds_table


def made(n: int = 400):
    rng = np.random.default_rng(5)
    size = pd.Series(rng.normal(2.0, 0.5, n))
    thick = pd.Series(5 - 1.5 * size + rng.normal(0, 0.5, n))  # goes with size, does nothing
    place = pd.Series(rng.choice(["Deep", "Lobar"], n, p=[0.4, 0.6]))
    place[:6] = "Elsewhere"
    patient = pd.Series(np.arange(n) // 8)
    odds = 1.6 * (size - 2) + 0.8 * rng.normal(size=n // 8)[patient]
    found = pd.Series(rng.random(n) < expit(odds))
    found[:6] = False
    variables = [
        *(Variable("Size", size, "per 0.5 mm", 0.5), Variable("Thickness", thick, "per mm")),
        *(Variable("Place", place), Variable("Field", pd.Series(["3 T"] * n))),
    ]
    return found, variables, patient


def test_adjusting_takes_away_what_another_variable_explains():
    found, variables, patient = made()
    table, model = odds_table(found, variables, patient)
    rows = table.set_index("variable")
    size, thick = rows.loc["Size"], rows.loc["Thickness"]
    assert size["odds_low"] < np.exp(0.8) < size["odds_high"]  # 1.6 per mm
    assert thick["alone_high"] < 1 and thick["odds_low"] < 1 < thick["odds_high"]
    assert thick["inflation"] > 2 > rows.loc["Place", "inflation"].max()
    assert (size["n"], size["n_patients"]) == (400, 50) and 0.3 < model.spread < 1.3
    assert "Field" not in rows.index  # one value only


def test_a_level_that_was_never_found_has_a_remark_instead_of_an_odds_ratio():
    found, variables, patient = made()
    table, _ = odds_table(found, variables, patient)
    row = table[table["scale"].str.startswith("Elsewhere")].iloc[0]
    assert np.isnan(row["odds"]) and np.isnan(row["alone"]) and row["n_found"] == 0
    assert row["remark"] == "none of 6 found: no finite odds ratio"
    assert table["odds"].notna().sum() == len(table) - 1


def test_a_level_of_few_patients_has_no_interval():
    """The odds of 16 CMBs of two patients say little of other patients, however sure they look."""
    found, variables, patient = made()
    field = pd.Series(np.where(patient.isin([10, 11]), "7 T", "3 T"))
    table, _ = odds_table(found, [variables[0], Variable("Field", field)], patient)
    row = table.set_index("variable").loc["Field"]
    assert np.isfinite(row["odds"]) and row[["odds_low", "alone_high"]].isna().all()
    assert row["remark"] == "2 patients on one side: too few for an interval"
    assert table["odds_low"].notna().tolist() == [True, False]


def test_few_microbleeds_give_no_model():
    found, variables, patient = (part for part in made())
    few = pd.Series(False, found.index)
    few[[20, 30, 40]] = True
    table, model = odds_table(few, variables, patient)
    assert model is None and table["odds"].isna().all()
    assert table["remark"].str.contains("too few: 3 of the rarer outcome").any()


def test_why_there_is_no_model_stands_in_the_table():
    """All found or none in each patient; and a patient without a name is left out."""
    found, variables, patient = made()
    table, model = odds_table(patient % 2 == 0, variables[:1], patient)
    assert model is None and table["odds"].isna().all()
    assert table["remark"].str.contains("found all or none in each").all()
    nameless = patient.astype(float).where(patient > 0)
    table, model = odds_table(found, variables[:1], nameless)
    assert (table["n"][0], table["n_patients"][0], model.n_patients) == (392, 49, 49)


def test_a_variable_that_fits_only_together_with_others_says_why():
    """199 of 200 found at 3 T, 1 of 200 at 7 T: without the field patients are +-log 199 = 5.3."""
    patient = pd.Series(np.repeat(np.arange(20), 200))
    strong = patient % 2 == 0
    found = strong.where(patient.index % 200 > 0, ~strong)
    size = pd.Series(np.random.default_rng(1).normal(size=4000))
    field = Variable("Field", strong.map({True: "3 T", False: "7 T"}))
    table, model = odds_table(found, [Variable("Size", size), field], patient)
    row = table.set_index("variable").loc["Size"]
    assert model.spread < 1 and np.isfinite(row["odds"]) and np.isnan(row["alone"])
    assert row["remark"].startswith("alone: patients: expected a spread of at most 5")
