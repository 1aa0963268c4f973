"""Certain against uncertain CMBs and false positives against mimics, counted by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from cmbkit.chapters import subgroup_analysis
from cmbkit.reporting.tables import shown


def test_certain_and_uncertain_microbleeds():
    """Scan a: CMBs 1 and 2 certain, 3 uncertain, 4 not rated; scan b, of DOU, rates nothing."""
    rows = [
        *(("a", "scratch", 1, "TP"), ("a", "scratch", 2, "FN"), ("a", "scratch", 3, "FN")),
        *(("a", "scratch", 4, "TP"), ("a", "scratch", np.nan, "FP"), ("b", "scratch", 1, "TP")),
        *(("a", "tl", 1, "TP"), ("a", "tl", 2, "TP"), ("a", "tl", 3, "TP"), ("a", "tl", 4, "FN")),
    ]
    matches = pd.DataFrame(rows, columns=["uid", "model", "gt_id", "match"])
    matches["dataset"] = matches["uid"].map({"a": "CRB", "b": "DOU"})
    matches = matches.assign(patient=matches["uid"])
    certainty = ["uncertain", "certain", "certain", None, None]
    said = {"uid": list("aaaab"), "id": [3, 2, 1, 4, 1], "certainty": certainty}
    table = subgroup_analysis.table_s36(matches, pd.DataFrame(said))
    assert table[["dataset", "model", "certainty", "n", "found"]].to_numpy().tolist() == [
        ["CRB", "scratch", "certain", 2, 1], ["CRB", "scratch", "uncertain", 1, 0],
        ["CRB", "tl", "certain", 2, 2], ["CRB", "tl", "uncertain", 1, 1],
    ]  # fmt: skip
    assert table["recall"].tolist() == [0.5, 0, 1, 1]
    assert set(table["recall_interval"]) == {"too few"}  # one patient, however many CMBs
    assert shown(table)[0]["Model"].tolist() == ["Scratch"] * 2 + ["TL"] * 2


@pytest.fixture
def marked():
    """Mimics of CRB scans a (at x = 0, 6 and 100 mm) and c (never predicted on, no matches)."""
    rows = [("a", "Cavernomas", 0), ("a", "Other: vessel", 6), ("a", "Cavernomas", 100)]
    mimics = pd.DataFrame([*rows, ("c", "Cavernomas", 0)], columns=["uid", "kind", "x_mm"])
    return mimics.assign(dataset="CRB", y_mm=0.0, z_mm=0.0)


def false_positives_on_mimics(marked, places, max_distance_mm=5.0):
    """Scans a, b and c of CRB and d of DOU; matches (uid, match, x in mm) of one model."""
    scans = pd.DataFrame({"uid": list("abcd"), "dataset": ["CRB", "CRB", "CRB", "DOU"]})
    scans = scans.assign(source=scans["dataset"], patient=scans["uid"], model="scratch")
    matches = pd.DataFrame(places, columns=["uid", "match", "pred_x_mm"])
    matches = matches.assign(model="scratch", pred_id=range(len(matches)))
    matches = matches.assign(pred_y_mm=0.0, pred_z_mm=0.0)
    return subgroup_analysis.table_s37(scans, matches, marked, max_distance_mm).set_index("kind")


def test_false_positives_on_marked_mimics(marked):
    """FP at 4 mm lies on both first mimics, the vessel nearer; at 1 mm on the cavernoma alone
    (the vessel is exactly 5 mm away, which is too far); 40 mm on none; a TP and DOU do not count.
    """
    places = [("a", "FP", 4), ("a", "FP", 1), ("a", "FP", 40), ("a", "TP", 100), ("b", "FP", 0)]
    table = false_positives_on_mimics(marked, [*places, ("d", "FP", 0)])
    assert list(table.index) == ["Cavernomas", "Other: vessel", "All"]
    names = ["n_mimics", "n_hit", "n_fp", "n_fp_near"]
    assert table[names].to_numpy().tolist() == [[3, 1, 4, 1], [1, 1, 4, 1], [4, 2, 4, 2]]
    assert table["hit_share"].tolist() == pytest.approx([1 / 3, 1, 1 / 2])
    assert table["near_share"].tolist() == [0.25, 0.25, 0.5]
    assert set(table["near_share_interval"]) | set(table["hit_share_interval"]) == {"too few"}


def test_shares_take_patients_as_units():
    """Eight patients with two mimics each, all of four patients hit: wider than Wilson's of 16."""
    names = list("abcdefgh")
    mimics = pd.DataFrame({"uid": np.repeat(names, 2), "dataset": "CRB", "kind": "Cavernomas"})
    mimics = mimics.assign(x_mm=[0.0, 9.0] * 8, y_mm=0.0, z_mm=0.0)
    scans = pd.DataFrame({"uid": names, "patient": names, "dataset": "CRB", "source": "CRB"})
    places = [(uid, "FP", x) for uid in names[:4] for x in (0.0, 9.0)]
    matches = pd.DataFrame(places, columns=["uid", "match", "pred_x_mm"])
    matches = matches.assign(model="scratch", pred_id=range(8), pred_y_mm=0.0, pred_z_mm=0.0)
    table = subgroup_analysis.table_s37(scans.assign(model="scratch"), matches, mimics, 5.0)
    row = table.set_index("kind").loc["All"]
    assert (row["hit_share"], row["hit_share_interval"]) == (0.5, "Wilson, clustered")
    alone = binomtest(8, 16).proportion_ci(method="wilson")
    assert row["hit_share_low"] < alone.low and row["hit_share_high"] > alone.high
    assert row["near_share_interval"] == "too few"  # four patients have a false positive


def test_the_matching_distance_decides(marked):
    places = [("a", "FP", 2)]
    assert false_positives_on_mimics(marked, places, 2.0).loc["All", "n_hit"] == 0
    assert false_positives_on_mimics(marked, places, 2.1).loc["All", "n_hit"] == 1
    far = false_positives_on_mimics(marked, places, 50.0)
    assert far.loc["All", ["n_hit", "n_fp_near"]].tolist() == [2, 1]


def test_without_false_positives_or_mimics(marked):
    table = false_positives_on_mimics(marked, [("a", "TP", 0.0)])
    assert table.loc["All", ["n_mimics", "n_hit", "n_fp"]].tolist() == [4, 0, 0]
    assert np.isnan(table.loc["All", "near_share"]) and table.loc["All", "hit_share"] == 0
    assert len(false_positives_on_mimics(marked.iloc[:0], [("a", "FP", 0.0)])) == 0
