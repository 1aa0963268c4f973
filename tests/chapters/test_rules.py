"""Tables of all matching rules."""

import numpy as np
import pandas as pd

from cmbkit.chapters.evaluation import table_s42, table_s42b
from cmbkit.evaluation.instances import from_labels
from cmbkit.evaluation.rules import calls_by_rule
from cmbkit.params import Evaluation
from cmbkit.reporting.tables import shown


def made():
    """Six patients with one scan each: the network is 4 mm off, the baseline says nothing."""
    sides = [np.zeros((30, 9, 9), np.int32) for _ in range(3)]
    sides[0][10, 4, 4] = sides[1][14, 4, 4] = 1
    truth, *said = (from_labels(side, 1.0) for side in sides)
    tables = [[], []]
    for patient in map(str, range(6)):
        for model, predicted in zip(("dark blobs", "scratch"), reversed(said), strict=True):
            who = {"model": model, "uid": patient, "dataset": "DOU", "patient": patient}
            for kept, table in zip(tables, calls_by_rule(truth, predicted, np.eye(4)), strict=True):
                kept.append(table.assign(**who))
    return [pd.concat(kept) for kept in tables]


def test_networks_come_first_and_rules_are_told_in_words():
    counts, found = made()
    table = table_s42(counts, found, Evaluation())
    assert table["model"].iloc[:2].tolist() == ["scratch", "dark blobs"]
    assert table["pooled_f1"].iloc[:2].tolist() == [1, 0] and table["n_scans"].unique() == [6]
    cells, _ = shown(table)
    assert cells["Rule"].iloc[0] == "centres closer than 5 mm (the thesis)"
    assert {"Kendall's tau", "More found", "Median F1", "Count difference"} < set(cells)


def test_calls_that_depend_on_the_rule():
    table = table_s42b(made()[1], "scratch")
    assert len(table) == 6 and set(table["n_rules"]) == {5}
    assert all(name.isidentifier() for name in table)
    assert table.loc[0, ["found_5_mm", "found_overlap"]].tolist() == [True, False]
    assert {"found_iou_0_1", "found_many_to_one_26"} <= set(table)
    assert shown(table)[0].iloc[0][["5 mm", "overlap"]].tolist() == ["found", "-"]
