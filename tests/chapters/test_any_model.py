"""Tables of one model, whatever it is called, are its rows of the tables of several."""

import inspect

import numpy as np
import pandas as pd
import pytest

from cmbkit.chapters import evaluation, literature_comparison, subgroup_analysis
from cmbkit.evaluation.calibration import Calibration
from cmbkit.params import Evaluation
from cmbkit.plotting.style import MODEL_NAMES
from cmbkit.reporting.layout import layout_of
from cmbkit.reporting.tables import columns_of
from cmbkit.study.slice_experiment import SliceExperimentStage

RULES = {"params": Evaluation(bootstrap_samples=20)}


@pytest.fixture(scope="module")
def scans(scan_rows):
    counts = [("DOU", "scratch", 51, 10, 23), ("DOU", "tl", 52, 23, 22),
              ("CRB", "scratch", 38, 16, 89), ("CRB", "tl", 30, 16, 97)]  # fmt: skip
    table = pd.concat([scan_rows(*each, 10) for each in counts], ignore_index=True)
    return table.assign(resolution_level="high", source=table["dataset"])


def calls(scans):
    """Of every scan its TP at score 9 and its FP at 1."""
    rows = [
        (r.dataset, r.model, r.uid, kind, kind if score else None, score or np.nan)
        for r in scans.itertuples()
        for kind, n, score in (("TP", r.tp, 9.0), ("FP", r.fp, 1.0), ("FN", r.fn, None))
        for _ in range(n)
    ]
    return pd.DataFrame(rows, columns=["dataset", "model", "uid", "match", "adds", "score"])


def calibrations(scans):
    return {model: Calibration(0.5, -2.0, 0.4, 80, 40) for model in scans["model"].unique()}


TABLES = {
    "7.2": lambda scans: evaluation.table_7_2(scans, **RULES),
    "7.3": lambda scans: evaluation.table_7_3(scans, **RULES),
    "7.4": lambda scans: evaluation.table_7_4(scans, **RULES),
    "7.5": lambda scans: evaluation.table_7_5(scans, **RULES),
    "S9": lambda scans: evaluation.table_s9(scans, **RULES),
    "S30": lambda scans: evaluation.table_s30(scans, scans, **RULES),
    "S41": lambda scans: evaluation.table_s41(calls(scans), scans, **RULES, seed=1),
    "S43": lambda scans: evaluation.table_s43(calls(scans), scans, calibrations(scans)),
    "S44": lambda scans: evaluation.table_s44(calls(scans), scans, calibrations(scans)),
}


def alone(scans, name):
    return scans[scans["model"] == "scratch"].assign(model=name)


@pytest.mark.parametrize("number", TABLES)
def test_one_model_has_the_rows_that_it_has_beside_another(scans, number):
    both, own = TABLES[number](scans), TABLES[number](alone(scans, "mine"))
    values = [c for c in own if "_thesis" not in c and c != "model"]
    expected = both.loc[both["model"] == "scratch", values].reset_index(drop=True)
    pd.testing.assert_frame_equal(own[values], expected)
    assert set(own["model"]) == {"mine"} and len(own) == len(both) / 2
    assert all(column.printed is None for column in columns_of(own)), "the thesis has no such model"


def test_published_results_stand_beside_one_model(scans):
    table = literature_comparison.table_8_4(alone(scans, "mine"), **RULES, synthetic=False)
    assert table.loc[table["own"], "method"].tolist() == ["this run, mine"] * 2


def test_one_model_is_drawn_with_whole_violins_and_one_curve(scans):
    own = alone(scans, "mine").assign(precision=0.5, recall=0.5, f1=0.5)
    keys = [text.get_text() for text in evaluation.figure_7_4(own).legends[0].get_texts()]
    assert keys == ["mine"]
    figures = (
        evaluation.figure_s64(calls(own), own),
        evaluation.figure_s65(calls(own), calibrations(own)),
    )
    assert all(len(figure.axes) == 1 for figure in figures)


def test_what_cannot_be_said_without_microbleeds_is_told_in_a_line(scans):
    none = alone(scans, "mine").assign(tp=0, fn=0, n_gt=0)
    found = calls(none), none
    tables = [
        evaluation.table_s41(*found, **RULES, seed=1),
        evaluation.table_s43(*found, {}),
        evaluation.table_s44(*found, {}),
    ]
    for table, told in zip(tables, ("No microbleeds", "Too few", "Too few"), strict=True):
        assert table.empty and layout_of(table).note.startswith(told)
    figures = evaluation.figure_s64(*found), evaluation.figure_s65(found[0], {})
    assert all(len(figure.texts) == 1 for figure in figures)


def test_no_function_takes_a_model_that_it_was_not_given():
    rooms = (evaluation, literature_comparison, subgroup_analysis, SliceExperimentStage)
    functions = [f for room in rooms for _, f in inspect.getmembers(room, inspect.isfunction)]
    defaults = [p.default for f in functions for p in inspect.signature(f).parameters.values()]
    assert len(functions) > 40 and not [d for d in defaults if d in list(MODEL_NAMES)]
