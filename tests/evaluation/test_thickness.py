"""Recall and false positives against slice thickness, by hand."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.evaluation import thickness

KEYS = ["factor", "level", "thickness_mm", "brain"]


def calls_of(found, extra=()):
    """CMB numbers found of 8 at 1, 3 and 6 mm, and thicknesses of false positives."""
    rows = [
        ("radius", 2.0, mm, 0, "TP" if number in seen else "FN", number)
        for mm, seen in found.items()
        for number in range(1, 9)
    ]
    rows += [("radius", 2.0, mm, 0, "FP", np.nan) for mm in extra]
    return pd.DataFrame(rows, columns=[*KEYS, "call", "gt_id"])


FOUND = {1.0: {1, 2, 3, 4, 5, 6, 7}, 3.0: {1, 2, 3, 8}, 6.0: set()}


def test_poisson_interval_agrees_with_garwoods_table():
    low, high = thickness.poisson_interval([0, 1, 10], [1, 1, 2])
    assert low == pytest.approx([0, 0.0253, 4.795 / 2], abs=1e-3)
    assert high == pytest.approx([3.689, 5.572, 18.390 / 2], abs=1e-3)


def test_curves_count_every_condition_and_scans_without_calls():
    scans = pd.DataFrame([("radius", 2.0, mm, b) for mm in FOUND for b in (0, 1)], columns=KEYS)
    table = thickness.curves(calls_of(FOUND, [3.0]), scans).set_index("thickness_mm")
    assert table[["scans", "tp", "fp", "fn"]].to_numpy().tolist() == [
        [2, 7, 0, 1], [2, 4, 1, 4], [2, 0, 0, 8],
    ]  # fmt: skip
    assert table["recall"].tolist() == [7 / 8, 0.5, 0]
    assert table["fp_scan"].tolist() == [0, 0.5, 0]
    # Wilson for 4 of 8: 0.5 -+ 1.96 sqrt(0.25 / 8 + 1.96^2 / 256) / (1 + 1.96^2 / 8)
    assert table.loc[3.0, ["recall_low", "recall_high"]].tolist() == pytest.approx(
        [0.2152, 0.7848], abs=1e-4
    )
    assert table.loc[6.0, "fp_scan_high"] == pytest.approx(3.689 / 2, abs=1e-3)


def test_the_same_microbleeds_are_compared_step_by_step_and_end_to_end():
    """1 to 3 mm: 4 to 7 lost, 8 gained; 3 to 6: four lost; 1 to 6: seven lost."""
    table = thickness.changes(calls_of(FOUND, [3.0]))
    assert table[["thinner_mm", "thicker_mm", "lost", "gained"]].to_numpy().tolist() == [
        [1, 3, 4, 1], [3, 6, 4, 0], [1, 6, 7, 0],
    ]  # fmt: skip
    # two-sided sign test: 2 (C(5,0) + C(5,1)) / 2^5, 2 / 2^4, 2 / 2^7
    assert table["p_value"].tolist() == pytest.approx([12 / 32, 2 / 16, 2 / 128])
    assert table["recall_thinner"].tolist() == [7 / 8, 0.5, 7 / 8] and (table["n"] == 8).all()


def test_nothing_lost_or_gained_has_no_p_value():
    table = thickness.changes(calls_of({1.0: {1}, 5.0: {1}}))
    assert len(table) == 1 and np.isnan(table["p_value"].iloc[0])
