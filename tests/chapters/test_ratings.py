"""Certain against uncertain CMBs and false positives against mimics, counted by hand."""

import numpy as np
import pandas as pd
import pytest

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
    certainty = ["uncertain", "certain", "certain", None, None]
    said = {"uid": list("aaaab"), "id": [3, 2, 1, 4, 1], "certainty": certainty}
    table = subgroup_analysis.table_s36(matches, pd.DataFrame(said))
    assert table[["dataset", "model", "certainty", "n", "found"]].to_numpy().tolist() == [
        ["CRB", "scratch", "certain", 2, 1], ["CRB", "scratch", "uncertain", 1, 0],
        ["CRB", "tl", "certain", 2, 2], ["CRB", "tl", "uncertain", 1, 1],
    ]  # fmt: skip
    assert table["recall"].tolist() == [0.5, 0, 1, 1]
    z2 = 1.959964**2  # Wilson's ends for k = 0 are 0 and z^2 / (n + z^2), for k = n mirrored
    assert table["recall_high"][1] == pytest.approx(z2 / (1 + z2))
    assert table["recall_low"][2] == pytest.approx(2 / (2 + z2))
    assert table["recall_low"][0] == pytest.approx(1 - table["recall_high"][0])
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
    scans = scans.assign(source=scans["dataset"], model="scratch")
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
    assert (table["near_share_low"] < table["near_share"]).all()
    assert table.loc["All", "hit_share_low"] == pytest.approx(
        1 - table.loc["All", "hit_share_high"]
    )


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
