"""Curves with matching made anew at every threshold, by hand and by brute force."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from cmbkit.evaluation import curves
from cmbkit.evaluation.instances import from_points
from cmbkit.evaluation.intervals import interval
from cmbkit.evaluation.matching import match_instances
from cmbkit.evaluation.sensitivity import froc_intervals


def calls(*rows):
    """One row per (uid, match, score, adds)."""
    return pd.DataFrame(rows, columns=["uid", "match", "score", "adds"])


def scans(*n_gt):
    names = [f"s{i}" for i in range(len(n_gt))]
    return pd.DataFrame({"uid": names, "patient": names, "dataset": "DOU", "n_gt": n_gt})


def test_a_doubtful_candidate_takes_nothing_from_a_sure_one():
    """The sure one lies 2 mm off, the doubtful one 0.5 mm: alone, the sure one is right."""
    truth, said = from_points([[0, 0, 0]]), from_points([[2, 0, 0], [0.5, 0, 0]])
    found = match_instances(truth, said, scores=[0.9, 0.3]).set_index("pred_id")
    assert found.loc[1, ["match", "adds"]].tolist() == ["FP", "TP"]
    assert found.loc[2, ["match", "adds"]].tolist() == ["TP", "FP"]
    curve = curves.froc(found.reset_index(), 1)
    assert curve["sensitivity"].tolist() == [0, 1, 1]
    assert curve["fp_per_scan"].tolist() == [0, 0, 1]


@pytest.mark.parametrize("assignment", ["greedy", "optimal"])
def test_running_sums_are_the_counts_of_matching_anew(assignment):
    rng = np.random.default_rng(4)
    for _ in range(40):
        truth = from_points(rng.uniform(0, 12, (5, 3)))
        points, scores = rng.uniform(0, 12, (9, 3)), rng.choice([0.2, 0.4, 0.6, 0.8], 9)
        found = match_instances(truth, from_points(points), assignment=assignment, scores=scores)
        curve = curves.froc(found, 1).set_index("threshold")
        for threshold in set(scores):
            kept = from_points(points[scores >= threshold])
            alone = match_instances(truth, kept, assignment=assignment)["match"]
            got = curve.loc[threshold, ["sensitivity", "fp_per_scan"]].tolist()
            assert got == [(alone == "TP").sum() / 5, (alone == "FP").sum()]


def test_froc_by_hand():
    """3 lesions, 2 scans. Scores: TP .9, FP .8, TP .8, FP .3; one lesion missed."""
    kinds = ["TP", "FP", "TP", "FP"]
    rows = zip(kinds, [0.9, 0.8, 0.8, 0.3], kinds, strict=True)
    matches = calls(*(("s0", *row) for row in rows), ("s1", "FN", np.nan, None))
    curve = curves.froc(matches, n_scans=2)
    assert curve["threshold"].tolist() == [np.inf, 0.9, 0.8, 0.3]
    assert curve["sensitivity"].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3])
    assert curve["fp_per_scan"].tolist() == [0, 0, 0.5, 1]
    levels = curves.sensitivity_at(curve, (0.25, 0.5, 4))
    assert levels.tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    found = froc_intervals(matches, scans(2, 1), levels=(0.25, 0.5, 4))
    assert found["sensitivity"].tolist() == levels.tolist()
    assert set(found["interval"]) == {"too few"}


def test_froc_needs_scores():
    with pytest.raises(ValueError, match="found none for 1 of 2"):
        curves.froc(calls(("a", "TP", 0.9, "TP"), ("a", "FP", np.nan, "FP")), 1)


def test_scans_without_microbleeds_count_in_false_positives_alone():
    matches = calls(("s0", "TP", 0.9, "TP"), ("s1", "FP", 0.5, "FP"))
    curve = curves.froc(matches, n_scans=2)
    assert curve["sensitivity"].tolist() == [0, 1, 1]
    assert curve["fp_per_scan"].tolist() == [0, 0, 0.5]


HAND = calls(
    ("s0", "FP", 0.6, "FP"), ("s0", "FP", 0.2, "FP"),
    ("s2", "TP", 0.7, "TP"), ("s2", "TP", 0.6, "TP"), ("s2", "FN", np.nan, None),
    ("s3", "FN", np.nan, None), ("s3", "FP", 0.9, "FP"),
)  # fmt: skip
FOUR = scans(0, 0, 3, 1)


def test_afroc_by_hand():
    """Two scans without CMBs, highest FP .6 and none; CMBs .7, .6 and missed, and one missed.

    Against .6: 1, 1/2, 0 and 0; against none: 1, 1, 1/2 and 1/2. AFROC: 4.5 of 8; wAFROC: the scan
    of three (1.5 + 2.5) / 3, that of one 0 + 1/2, of 2 x 2.
    """
    assert curves.afroc(HAND, FOUR, weighted=False) == pytest.approx(4.5 / 8)
    assert curves.afroc(HAND, FOUR) == pytest.approx((4 / 3 + 0.5) / 4)
    # All scans: against the .9 of the fourth none wins, against none of the third as above.
    ones = curves.afroc(HAND, FOUR, weighted=False, all_scans=True)
    assert ones == pytest.approx((4.5 + 3 + 0) / 16)


def test_afroc_as_printed_by_chakraborty():
    """RJafrocFrocBook, chapter Empirical plots from FROC data, section AFROC vs. wAFROC.

    Four scans without lesions, highest marks none, .5, .7 and -.3; five with 1, 1, 2, 2 and 3.
    Printed: points (0, .7777778), (.5, .7777778), (.5, .8888889), (.75, .8888889), (1, 1) and the
    area .5 x .7777778 + .5 x .8888889 + (1 - .8888889) x .25 / 2. Its weights of lesions differ
    (wAFROC 0.7425), ours are equal: the same five scans give .62 and .82 as (1 + .5 + 1 + 1) / 5
    = .7 and (1 + 1 + .5 + 1 + 1) / 5 = .9.
    """
    marks = {"s1": [0.5], "s2": [0.7, 0.6], "s3": [-0.3], "s4": [1.5]}
    lesions = {"s4": [0.9], "s5": [-0.2], "s6": [1.6], "s7": [3, 2], "s8": [1, 2.5, 1]}
    rows = [(uid, "FP", z, "FP") for uid, each in marks.items() for z in each]
    rows += [(uid, "TP", z, "TP") for uid, each in lesions.items() for z in each]
    table = scans(0, 0, 0, 0, 1, 1, 2, 2, 3)
    found = curves.afroc(calls(*rows), table, weighted=False)
    assert found == pytest.approx(0.5 * 0.7777778 + 0.5 * 0.8888889 + (1 - 0.8888889) * 0.25 / 2)
    assert curves.afroc(calls(*rows), table) == pytest.approx(0.5 * 0.7 + 0.5 * 0.9 + 0.1 * 0.125)


def test_afroc_of_resampled_scans_is_that_of_the_scans_written_out():
    """A scan drawn twice is two scans."""
    weights = np.array([2.0, 1, 1, 3])
    repeats = np.repeat(np.arange(4), weights.astype(int))
    copies = pd.concat(
        HAND[HAND["uid"] == f"s{i}"].assign(uid=f"c{n}") for n, i in enumerate(repeats)
    )
    table = FOUR.iloc[repeats].assign(uid=[f"c{n}" for n in range(len(repeats))])
    for weighted in (True, False):
        expected = curves.afroc(copies, table, weighted=weighted)
        assert curves.afroc(HAND, FOUR, weights[None], weighted=weighted) == pytest.approx(expected)
    drawn = curves.average_precision(HAND, FOUR, weights[None])
    assert drawn == pytest.approx(curves.average_precision(copies, table))


def test_average_precision_agrees_with_scikit_learn():
    """Its recall is of the found alone: times found / annotated."""
    rng = np.random.default_rng(1)
    kinds, scores = rng.choice(["TP", "FP"], 30), rng.choice(np.linspace(0, 1, 12), 30)
    found = (kinds == "TP").sum()
    matches = calls(*(("s0", k, s, k) for k, s in zip(kinds, scores, strict=True)))
    expected = average_precision_score(kinds == "TP", scores) * found / (found + 5)
    assert curves.average_precision(matches, scans(found + 5)) == pytest.approx(expected)


def test_figures_of_merit_say_what_they_are():
    found = curves.figures_of_merit(HAND, FOUR, samples=50, seed=1)
    assert found.index.tolist() == ["wafroc", "afroc", "cad_score", "average_precision"]
    assert found["interval"].tolist() == ["too few"] * 4 and found["low"].isna().all()
    curve = curves.sensitivity_at(curves.froc(HAND, 4))
    assert found.loc["cad_score", "value"] == pytest.approx(curve.mean())
    many = pd.concat([HAND.assign(uid=HAND["uid"] + x) for x in "abcd"])
    table = pd.concat(
        [FOUR.assign(uid=FOUR["uid"] + x, patient=FOUR["patient"] + x) for x in "abcd"],
        ignore_index=True,
    )
    found = curves.figures_of_merit(many, table, samples=300, seed=1)
    row = found.loc["wafroc"]
    assert row["low"] < row["bootstrap_low"] + 0.1 < row["value"] < row["bootstrap_high"]
    assert row["high"] - row["low"] == pytest.approx(
        row["bootstrap_high"] - row["bootstrap_low"], rel=0.3
    )


def test_intervals_of_sensitivities_by_hand():
    """Six scans of two lesions; scores: 9 a TP in each, 8 FP in s0, s1, 7 TP in s0 to s2, 6 FP.

    At most 0.5 FP per scan are reached at score 7, 9 of 12 found with 2 FP. sqrt(0.5 / 6) = 0.2887
    to both sides of 0.5 the sensitivity grows from 6/12 to 9/12, at a slope of 0.25 / 0.5774.
    Without s0 or s1: 7 of 10 at 1 FP in 5 scans; of s2: 7 of 10 at 2; of another: 8 of 10 at 2.
    """
    kinds = [("TP", 9, range(6)), ("FP", 8, (0, 1)), ("TP", 7, range(3)), ("FP", 6, range(4))]
    rows = [(f"s{i}", kind, float(score), kind) for kind, score, who in kinds for i in who]
    missed = [(f"s{i}", "FN", np.nan, None) for i in (3, 4, 5)]
    found = froc_intervals(calls(*rows, *missed), scans(*[2] * 6), levels=(0.25, 0.5))
    slope = 0.25 / (2 * np.sqrt(0.5 / 6))
    one, other = 0.7 + slope * (2 / 6 - 1 / 5), slope * (2 / 6 - 2 / 5)
    without = [one, one, 0.7 + other, *[0.8 + other] * 3]
    low, high, method = interval("pooled_recall", 0.75, without, np.full(6, 2.0))
    assert found["sensitivity"].tolist() == [0.5, 0.75]
    assert found.loc[0.5, ["low", "high"]].tolist() == pytest.approx([float(low), float(high)])
    assert found["interval"].tolist() == ["too few FP", str(method)]
    assert found.loc[0.25, ["low", "high"]].isna().all()  # 1.5 FP in all scans
