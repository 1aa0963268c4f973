"""Recall and false positives against slice thickness, by hand."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from cmbkit.evaluation import slice_experiment

KEYS = ["factor", "level", "thickness_mm", "brain"]


def matches_of(found, extra=()):
    """CMB numbers found of 8 at 1, 3 and 6 mm, and thicknesses of false positives."""
    rows = [
        ("radius", 2.0, mm, 0, "TP" if number in seen else "FN", number)
        for mm, seen in found.items()
        for number in range(1, 9)
    ]
    rows += [("radius", 2.0, mm, 0, "FP", np.nan) for mm in extra]
    return pd.DataFrame(rows, columns=[*KEYS, "match", "gt_id"])


FOUND = {1.0: {1, 2, 3, 4, 5, 6, 7}, 3.0: {1, 2, 3, 8}, 6.0: set()}


def test_curves_count_every_condition_and_scans_without_calls():
    scans = pd.DataFrame([("radius", 2.0, mm, b) for mm in FOUND for b in (0, 1)], columns=KEYS)
    table = slice_experiment.curves(matches_of(FOUND, [3.0]), scans).set_index("thickness_mm")
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


# CMBs found and false positives in five brains of 4 CMBs each
FIVE = [(4, 0), (4, 1), (3, 0), (1, 2), (0, 5)]


def five_brains(mm=1.0, found=FIVE):
    rows = [
        ("radius", 2.0, mm, brain, match, number)
        for brain, (tp, fp) in enumerate(found)
        for match, number in [("TP", n) for n in range(tp)]
        + [("FN", n) for n in range(tp, 4)]
        + [("FP", np.nan)] * fp
    ]
    scans = pd.DataFrame([("radius", 2.0, mm, b) for b in range(len(found))], columns=KEYS)
    return pd.DataFrame(rows, columns=[*KEYS, "match", "gt_id"]), scans


def test_intervals_over_brains_are_the_percentiles_of_all_5_to_the_5_samples():
    """Every ordered sample of five brains of five, 3,125, enumerated."""
    table = slice_experiment.curves(*five_brains(), samples=20000, seed=1).iloc[0]
    tp, fp = np.array(FIVE).T
    every = np.array(list(product(range(5), repeat=5)))
    for name, each in (("recall", tp[every].sum(1) / 20), ("fp_scan", fp[every].sum(1) / 5)):
        expected = np.quantile(each, [0.025, 0.975])
        step = 1 / 20 if name == "recall" else 1 / 5  # between neighbouring values
        found = table[[f"{name}_low", f"{name}_high"]].to_numpy(float)
        np.testing.assert_allclose(found, expected, atol=1.01 * step)
    assert (table["recall"], table["fp_scan"]) == (12 / 20, 8 / 5)
    assert (table["brains"], table["interval"]) == (5, "brains")
    # Wilson for 12 of 20: (0.6 + 0.09604 -+ 1.96 sqrt(0.24 / 20 + 0.0024008)) / 1.19207
    cmbs = table[["recall_cmbs_low", "recall_cmbs_high"]].tolist()
    assert cmbs == pytest.approx([0.3866, 0.7812], abs=1e-3)
    assert table["recall_low"] < 0.3 and table["recall_high"] > 0.9  # brains differ: wider


def test_brains_that_agree_have_no_interval_and_four_are_not_resampled():
    same = slice_experiment.curves(*five_brains(found=[(3, 1)] * 5)).iloc[0]
    assert same[["recall_low", "recall_high", "fp_scan_low", "fp_scan_high"]].tolist() == [
        0.75, 0.75, 1, 1,
    ]  # fmt: skip
    four = slice_experiment.curves(*five_brains(found=FIVE[:4])).iloc[0]
    assert four["interval"] == "CMBs" and four["recall_low"] == four["recall_cmbs_low"]


def test_change_of_recall_over_brains():
    """From thin to thick each brain loses 1 CMB of 4: -0.25 in every sample."""
    thick = [(tp - 1, 0) for tp, _ in FIVE[:3]]
    matches = [five_brains(mm, part)[0] for mm, part in ((1.0, FIVE[:3]), (6.0, thick))]
    table = slice_experiment.changes(pd.concat(matches)).iloc[0]
    assert (table["brains"], table["lost"], table["change"]) == (3, 3, -0.25)
    assert np.isnan(table["change_low"])
    found = [(4, 0)] * 5, [(3, 0)] * 5
    matches = [five_brains(mm, part)[0] for mm, part in zip((1.0, 6.0), found, strict=True)]
    table = slice_experiment.changes(pd.concat(matches)).iloc[0]
    assert table[["change", "change_low", "change_high"]].tolist() == [-0.25] * 3


def test_the_same_microbleeds_are_compared_step_by_step_and_end_to_end():
    """1 to 3 mm: 4 to 7 lost, 8 gained; 3 to 6: four lost; 1 to 6: seven lost."""
    table = slice_experiment.changes(matches_of(FOUND, [3.0]))
    assert table[["thinner_mm", "thicker_mm", "lost", "gained"]].to_numpy().tolist() == [
        [1, 3, 4, 1], [3, 6, 4, 0], [1, 6, 7, 0],
    ]  # fmt: skip
    # two-sided sign test: 2 (C(5,0) + C(5,1)) / 2^5, 2 / 2^4, 2 / 2^7
    assert table["p_value"].tolist() == pytest.approx([12 / 32, 2 / 16, 2 / 128])
    assert table["recall_thinner"].tolist() == [7 / 8, 0.5, 7 / 8] and (table["n"] == 8).all()


def test_nothing_lost_or_gained_has_no_p_value():
    table = slice_experiment.changes(matches_of({1.0: {1}, 5.0: {1}}))
    assert len(table) == 1 and np.isnan(table["p_value"].iloc[0])
