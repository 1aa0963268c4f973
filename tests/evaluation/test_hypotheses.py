from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, permutation_test, wilcoxon

from cmbkit.evaluation import hypotheses


def scans(tp, fp, fn, patients=None):
    n = len(tp)
    return pd.DataFrame(
        {
            "uid": [f"s{i}" for i in range(n)],
            "dataset": "DOU",
            "patient": patients or [f"p{i}" for i in range(n)],
            "tp": tp,
            "fp": fp,
            "fn": fn,
        }
    )


def test_holm_by_hand():
    """0.01 x 4, 0.02 x 3, 0.03 x 2 = 0.06, 0.5 x 1; NaN is no test."""
    found = hypotheses.holm([0.03, 0.01, np.nan, 0.5, 0.02])
    np.testing.assert_allclose(found, [0.06, 0.04, np.nan, 0.5, 0.06])
    assert hypotheses.holm([0.4, 0.9]).tolist() == [0.8, 0.9]
    # never smaller than the correction of the false discovery rate
    p = [0.001, 0.01, 0.02, 0.3]
    assert (hypotheses.holm(p) >= false_discovery_control(p) - 1e-12).all()


def test_rank_biserial_from_wilcoxons_rank_sum():
    """r = 1 - 2 W / total, W the smaller sum of ranks."""
    differences = np.array([3.0, -1.0, 2.0, 4.0, -0.5, 5.0])
    total = 6 * 7 / 2
    expected = 1 - 2 * wilcoxon(differences).statistic / total
    assert hypotheses.rank_biserial(differences) == pytest.approx(expected)
    assert hypotheses.rank_biserial([0, 0]) == 0
    assert hypotheses.rank_biserial([3]) == 1 and hypotheses.rank_biserial([0, -3]) == -1
    assert hypotheses.rank_biserial([1, np.nan, 2]) == 1
    assert np.isnan(hypotheses.rank_biserial([np.nan]))


def test_a_model_that_is_better_in_every_patient():
    """8 patients, one more CMB found in each: recall 1 against 0.5; exact p = 2 / 2^8."""
    better, worse = scans([2] * 8, [0] * 8, [0] * 8), scans([1] * 8, [0] * 8, [1] * 8)
    found = hypotheses.compare_models(better, worse.iloc[::-1], samples=1000, seed=1)
    row = found.loc["pooled_recall"]
    assert row["low"] < row["difference"] == 0.5 < row["high"]  # eight alike leave doubt
    assert (row["effect"], row["n_effect"], row["n_patients"]) == (1, 8, 8)
    assert row["p_value"] == 2 / 256
    # six metrics, two of which (precision and false positives) do not differ at all
    assert row["p_holm"] == pytest.approx(6 * 2 / 256)
    assert found.loc["fp_scan", ["difference", "effect", "p_value"]].tolist() == [0, 0, 1]


def test_the_observed_arrangement_is_one_of_those_drawn_at_random():
    """10 patients, always one FP more: 2^10 exchanges, of which 300 are drawn."""
    one, other = scans([1] * 10, [1] * 10, [0] * 10), scans([1] * 10, [0] * 10, [0] * 10)
    found = hypotheses.compare_models(one, other, metrics=("fp_scan",), samples=300, seed=4)
    row = found.loc["fp_scan"]
    assert not row["exact"]
    assert (row["first"], row["second"], row["difference"]) == (1, 0, 1)
    assert row["p_least"] == 1 / 300 <= row["p_value"] <= 4 / 300


def test_the_second_model_is_put_in_the_order_of_the_first():
    """By hand: the first model has 2, 0, 1, 4, 1, 0, 3 FP more; one patient twice as many scans."""
    fp, more = np.array([0, 3, 1, 5, 0, 2, 9]), np.array([2, 0, 1, 4, 1, 0, 3])
    patients = list("aabcdef")
    one = scans([2, 1, 0, 3, 1, 2, 4], fp + more, [0] * 7, patients)
    other = scans([2, 1, 0, 3, 1, 2, 4], fp, [0] * 7, patients)
    found = hypotheses.compare_models(one, other, seed=1)
    assert found.loc["fp_scan", "difference"] == pytest.approx(11 / 7)
    assert found.loc["fp_scan", "p_value"] == 2 / 2**5  # of 2^6, patient e either way
    mixed = hypotheses.compare_models(one, other.sample(frac=1, random_state=3), seed=1)
    pd.testing.assert_frame_equal(mixed, found)


def test_effect_leaves_out_patients_without_a_value():
    """Precision needs predictions in both: only the first patient has them."""
    one, other = scans([1, 0], [0, 0], [0, 1]), scans([1, 1], [1, 0], [0, 0])
    found = hypotheses.compare_models(
        one, other, metrics=("pooled_precision",), samples=100, seed=1
    )
    assert found.loc["pooled_precision", ["effect", "n_effect"]].tolist() == [1, 1]


def test_no_p_is_smaller_than_the_patients_who_differ_allow():
    """20 patients, of whom 3 have a FP more: 2 of 2^3 exchanges, however many are drawn."""
    one = scans([1] * 20, [1] * 3 + [0] * 17, [0] * 20)
    other = scans([1] * 20, [0] * 20, [0] * 20)
    for seed in range(5):
        found = hypotheses.compare_models(one, other, samples=1000, seed=seed)
        assert found.loc["fp_scan", ["p_value", "p_least", "exact"]].tolist() == [0.25, 0.25, True]
        assert found.loc["pooled_recall", "p_value"] == 1  # none differs
    # 2 of 2^4 are 0.125; three draws that are as extreme only where nothing is exchanged: 1 / 3
    many = hypotheses.compare_models(one, other.assign(fp=[0] * 3 + [1] + [0] * 16), samples=10,
                                     metrics=("fp_scan",), seed=1).loc["fp_scan"]  # fmt: skip
    assert not many["exact"] and many["p_value"] >= many["p_least"] == 2 / 2**4


def exact_p(one, other):
    """Scipy's p of the absolute difference of means, over all ways to choose the first group."""
    found = permutation_test(
        (one, other),
        lambda a, b, axis: np.abs(a.mean(axis=axis) - b.mean(axis=axis)),
        vectorized=True, n_resamples=np.inf, alternative="greater",
    )  # fmt: skip
    return found.pvalue


@pytest.mark.parametrize(
    ("thick", "thin"),
    [([2, 2, 2], [0, 0, 0]), ([5, 1, 0, 2], [0, 3, 0, 0, 1]), ([4, 1], [0, 1, 2])],
)
def test_two_groups_of_patients_are_scipys_exact_test(thick, thin):
    """Of the first, by hand: 3 patients at 2 FP, 3 at 0, 2 of 20 ways to choose 3 as extreme."""
    n = len(thick) + len(thin)
    table = scans([1] * n, thick + thin, [0] * n)
    group = pd.Series(["thick"] * len(thick) + ["thin"] * len(thin))
    found = hypotheses.compare_groups(table, group, metric="fp_scan", samples=200, seed=1)
    assert found["exact"] and found["p_value"] == pytest.approx(exact_p(thick, thin))
    assert found["value_first"] == np.mean(thick) and found["value_second"] == np.mean(thin)
    assert (found["first"], found["difference"]) == ("thick", np.mean(thick) - np.mean(thin))
    if n == 6:
        assert found["p_value"] == found["p_least"] == 2 / 20


def test_of_more_arrangements_than_samples_some_are_drawn():
    """12 over 6 are 924 ways, of which 100 are drawn; no p is below 2 / 924 or 1 / 100."""
    fp = [3, 1, 2, 4, 0, 2, 1, 0, 2, 0, 1, 1]
    table, group = scans([1] * 12, fp, [0] * 12), pd.Series(["a"] * 6 + ["b"] * 6)
    how = {"metric": "fp_scan", "seed": 1}
    found = hypotheses.compare_groups(table, group, samples=100, **how)
    assert not found["exact"] and found["p_least"] == 1 / 100
    assert found["p_value"] == pytest.approx(exact_p(fp[:6], fp[6:]), abs=0.15)
    apart = scans([1] * 12, [9] * 6 + [0] * 6, [0] * 12)
    least = [
        hypotheses.compare_groups(apart, group, metric="fp_scan", samples=700, seed=seed)
        for seed in range(20)
    ]
    assert {each["p_least"] for each in least} == {2 / 924} and not least[0]["exact"]
    assert min(each["p_value"] for each in least) >= 2 / 924  # 1 / 700 is less


def test_both_groups_in_each_patient_are_exchanged_within():
    """5 patients, each with a thick scan of 1 FP and a thin one of 0: p = 2 / 2^5."""
    table = scans([1] * 10, [1, 0] * 5, [0] * 10, [f"p{i // 2}" for i in range(10)])
    group = pd.Series(["thick", "thin"] * 5)
    found = hypotheses.compare_groups(table, group, metric="fp_scan", samples=20, seed=1)
    assert (found["difference"], found["exact"], found["p_least"]) == (1, False, 2 / 32)
    found = hypotheses.compare_groups(table, group, metric="fp_scan", samples=32, seed=1)
    assert found["exact"] and found["p_value"] == 2 / 32


def test_patients_of_one_group_and_of_both():
    """Two with scans in both groups, two in each alone: 2^2 exchanges within, 4 over 2 between."""
    fp, group = np.array([4, 1, 3, 3, 5, 2, 0, 1]), np.array([1, 0, 1, 0, 1, 1, 0, 0])
    table = scans([1] * 8, fp, [0] * 8, list("aabbcdef"))
    gaps = []
    for chosen, one, two in product(combinations(range(4, 8), 2), (0, 1), (0, 1)):
        first = np.array([one, 1 - one, two, 1 - two, *(i in chosen for i in range(4, 8))], bool)
        gaps.append(fp[first].mean() - fp[~first].mean())
    names = pd.Series(np.where(group == 1, "A", "B"))
    observed = fp[group == 1].mean() - fp[group == 0].mean()
    found = hypotheses.compare_groups(table, names, metric="fp_scan", samples=24, seed=1)
    assert found["difference"] == pytest.approx(observed)
    assert found["p_value"] == pytest.approx((np.abs(gaps) >= abs(observed) - 1e-9).mean())
    assert found["exact"] and found["p_least"] == 2 / 24  # all exchanged is as extreme
    few = hypotheses.compare_groups(table, names, metric="fp_scan", samples=10, seed=1)
    assert (few["exact"], few["p_least"]) == (False, 1 / 10)


def test_three_groups_are_refused():
    with pytest.raises(ValueError, match="expected two values"):
        hypotheses.compare_groups(scans([1], [0], [0]), pd.Series(["a"]), seed=1)
