"""Recall and false positives against slice thickness, by hand."""

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


# CMBs found and false positives in six brains of 4 CMBs each
SIX = [(4, 0), (4, 1), (3, 0), (1, 2), (0, 5), (0, 1)]


def brains(mm=1.0, found=SIX):
    rows = [
        ("radius", 2.0, mm, brain, match, number)
        for brain, (tp, fp) in enumerate(found)
        for match, number in [("TP", n) for n in range(tp)]
        + [("FN", n) for n in range(tp, 4)]
        + [("FP", np.nan)] * fp
    ]
    scans = pd.DataFrame([("radius", 2.0, mm, b) for b in range(len(found))], columns=KEYS)
    return pd.DataFrame(rows, columns=[*KEYS, "match", "gt_id"]), scans


def test_six_brains_are_the_units_and_five_are_too_few():
    table = slice_experiment.curves(*brains()).iloc[0]
    assert (table["recall"], table["fp_scan"]) == (12 / 24, 9 / 6)
    assert (table["brains"], table["interval"]) == (6, "brains")
    # Wilson for 12 of 24: 0.5 -+ 1.96 sqrt(0.25 / 24 + 1.96^2 / 48^2) / (1 + 1.96^2 / 24)
    cmbs = table[["recall_cmbs_low", "recall_cmbs_high"]].tolist()
    assert cmbs == pytest.approx([0.3143, 0.6857], abs=1e-4)
    assert table["recall_low"] < 0.3 and table["recall_high"] > 0.7  # brains differ: wider
    five = slice_experiment.curves(*brains(found=SIX[:5])).iloc[0]
    assert five["interval"] == "CMBs" and five["recall_low"] == five["recall_cmbs_low"]


def test_brains_that_agree_leave_doubt():
    same = slice_experiment.curves(*brains(found=[(3, 1)] * 6)).iloc[0]
    assert same["recall_low"] < 0.75 < same["recall_high"] and same["fp_scan_high"] > 1


def test_change_of_recall_over_brains():
    """From thin to thick each brain loses 1 CMB of 4."""
    thick = [(tp - 1, 0) for tp, _ in SIX[:3]]
    matches = [brains(mm, part)[0] for mm, part in ((1.0, SIX[:3]), (6.0, thick))]
    table = slice_experiment.changes(pd.concat(matches), seed=1).iloc[0]
    assert (table["brains"], table["lost"], table["change"]) == (3, 3, -0.25)
    assert np.isnan(table["change_low"])
    found = [(4, 0)] * 6, [(3, 0)] * 6
    matches = [brains(mm, part)[0] for mm, part in zip((1.0, 6.0), found, strict=True)]
    table = slice_experiment.changes(pd.concat(matches), seed=1).iloc[0]
    assert table["change"] == -0.25 and table["change_low"] < -0.25 < table["change_high"]


def test_the_same_microbleeds_are_compared_step_by_step_and_end_to_end():
    """1 to 3 mm: 4 to 7 lost, 8 gained; 3 to 6: four lost; 1 to 6: seven lost."""
    table = slice_experiment.changes(matches_of(FOUND, [3.0]), seed=1)
    assert table[["thinner_mm", "thicker_mm", "lost", "gained"]].to_numpy().tolist() == [
        [1, 3, 4, 1], [3, 6, 4, 0], [1, 6, 7, 0],
    ]  # fmt: skip
    assert table[["p_value", "p_least"]].to_numpy().tolist() == [[1, 1]] * 3  # one brain
    assert table["recall_thinner"].tolist() == [7 / 8, 0.5, 7 / 8] and (table["n"] == 8).all()


def test_nothing_lost_or_gained_has_no_p_value():
    table = slice_experiment.changes(matches_of({1.0: {1}, 5.0: {1}}), seed=1)
    assert len(table) == 1 and np.isnan(table["p_value"].iloc[0])


@pytest.mark.parametrize(("before", "after", "p", "least"), [
    # Losses 1, 1, 2: of 8 exchanges the two of one sign are as extreme.
    ([4, 4, 4], [3, 3, 2], 2 / 8, 2 / 8),
    # Losses 1, 1, 1 and a gain of 1: |sum| 2 or more in all but the 6 of 16 that cancel.
    ([4, 4, 4, 2], [3, 3, 3, 3], 10 / 16, 2 / 16),
    # A brain without a change adds nothing to what p can be.
    ([4, 4, 4, 4], [3, 3, 2, 4], 2 / 8, 2 / 8),
    # Sixteen losses of 1: of 10,000 random exchanges only the observed one counts for sure.
    ([4] * 16, [3] * 16, 1e-4, 1e-4),
    # Of 14 losses two of 2^14 = 16,384 exchanges are as extreme, more than one of 10,000.
    ([4] * 14, [3] * 14, 2 / 16384, 2 / 16384),
])  # fmt: skip
def test_brains_are_exchanged_not_microbleeds(before, after, p, least):
    """24 lost of 24 in three brains show no more than three brains can."""
    sides = [
        brains(mm, [(tp, 0) for tp in found])[0] for mm, found in ((1.0, before), (3.0, after))
    ]
    row = slice_experiment.changes(pd.concat(sides), seed=1).iloc[0]
    assert row["p_least"] == least and row["p_value"] == pytest.approx(p, abs=5e-4)


def test_two_ways_of_thick_slices_are_compared_on_the_same_microbleeds():
    """Six brains of 4 CMBs: one way loses 1 in each, the other 1, 2, 2, 2, 2, 3: 1 / 4 more."""
    thin = brains(1.0, [(4, 0)] * 6)[0]
    ways = [
        pd.concat([thin, brains(6.0, [(4 - n, 0) for n in lost])[0]]).assign(level=level)
        for level, lost in (("complex", [1] * 6), ("magnitude", [1, 2, 2, 2, 2, 3]))
    ]
    first, other = slice_experiment.changes(pd.concat(ways), seed=1).to_dict("records")
    assert np.isnan([first["apart"], first["apart_low"], first["apart_p"]]).all()
    # Mean of six means with its standard error, and Student's t of 5 degrees of freedom.
    gaps = -np.array([0, 1, 1, 1, 1, 2]) / 4
    half = 2.5706 * gaps.std(ddof=1) / np.sqrt(6)
    ends = [other[name] for name in ("apart", "apart_low", "apart_high")]
    np.testing.assert_allclose(ends, [-0.25, -0.25 - half, -0.25 + half], rtol=1e-4)
    assert other["apart_p"] == 2 / 2**5  # of five brains with a difference, all of one sign
