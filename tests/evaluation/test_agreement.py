import numpy as np
import pandas as pd
import pytest
from scipy.stats import f
from sklearn.metrics import cohen_kappa_score

from cmbkit.evaluation import agreement
from cmbkit.evaluation.statistics import summary
from cmbkit.params import Evaluation


def test_bands_are_named_by_their_counts():
    assert agreement.band_names((1, 3, 5, 11)) == ["0", "1-2", "3-4", "5-10", ">=11"]


@pytest.mark.parametrize(("ours", "theirs"), [("none", None), ("linear",) * 2, ("quadratic",) * 2])
def test_kappa_agrees_with_scikit_learn(ours, theirs):
    rng = np.random.default_rng(8)
    first = rng.integers(0, 4, 70)
    second = np.where(rng.random(70) < 0.6, first, rng.integers(0, 4, 70))
    expected = cohen_kappa_score(first, second, weights=theirs, labels=range(4))
    assert agreement.kappa(first, second, 4, ours)[0] == pytest.approx(expected)


def test_kappa_by_hand():
    """20 scans: 8 + 6 agree, 6 do not; chance 0.5: (0.7 - 0.5) / 0.5 = 0.4."""
    first = [0] * 8 + [0] * 2 + [1] * 4 + [1] * 6
    second = [0] * 8 + [1] * 2 + [0] * 4 + [1] * 6
    assert agreement.kappa(first, second, 2)[0] == pytest.approx(0.4)


def test_kappa_is_undefined_when_all_scans_are_alike():
    assert np.isnan(agreement.kappa([1, 1], [1, 1], 3)[0])


def test_intraclass_correlation_from_an_analysis_of_variance():
    """Two raters, five scans; mean squares worked out from their definition."""
    ratings = np.array([[9, 2], [6, 1], [8, 4], [7, 1], [10, 5]], float)
    n, k = ratings.shape
    grand = ratings.mean()
    between = k * ((ratings.mean(axis=1) - grand) ** 2).sum() / (n - 1)
    raters = n * ((ratings.mean(axis=0) - grand) ** 2).sum() / (k - 1)
    rest = ratings - ratings.mean(axis=1, keepdims=True) - ratings.mean(axis=0) + grand
    error = (rest**2).sum() / ((n - 1) * (k - 1))
    found = agreement.intraclass(ratings)
    absolute = (between - error) / (between + (k - 1) * error + k * (raters - error) / n)
    assert found["icc_2_1"][0] == pytest.approx(absolute)
    assert found["icc_3_1"][0] == pytest.approx((between - error) / (between + error))


def test_a_constant_offset_is_consistent_but_no_agreement():
    counts = np.array([0, 2, 5, 9])
    found = agreement.intraclass(np.stack([counts, counts + 3], axis=1))
    assert found["icc_3_1"][0] == pytest.approx(1)
    assert found["icc_2_1"][0] < 0.8
    limits = agreement.bland_altman(counts, counts + 3)
    assert (limits["bias"][0], limits["lower"][0], limits["upper"][0]) == (3, 3, 3)


def test_bland_altman_by_hand():
    """Differences 1, -1, 2, 2: mean 1, sample SD sqrt(2)."""
    limits = agreement.bland_altman([1, 2, 3, 4], [2, 1, 5, 6])
    assert limits["bias"][0] == 1
    assert limits["upper"][0] == pytest.approx(1 + 1.96 * np.sqrt(2))


def test_weights_are_repetitions():
    rng = np.random.default_rng(0)
    truth, said = rng.integers(0, 9, 12), rng.integers(0, 9, 12)
    weights = rng.integers(0, 4, (1, 12)).astype(float)
    again = np.repeat(np.arange(12), weights[0].astype(int))
    both = np.stack([truth, said], axis=1)
    found = agreement.intraclass(both, weights) | agreement.bland_altman(truth, said, weights)
    plain = agreement.intraclass(both[again])
    plain |= agreement.bland_altman(truth[again], said[again])
    for name, value in found.items():
        assert value[0] == pytest.approx(plain[name][0])


def test_intervals_by_the_f_distribution():
    """Shrout and Fleiss's six by four judges, sums of squares by hand: 56.208, 97.458, 15.292.

    Consistency (McGraw and Wong 1996): F = 11.027, over and times its quantiles, becomes
    (F - 1) / (F + k - 1). Agreement: at the limits MSR / (a MSC + b MSE) is a quantile of F, with
    a and b of that correlation and Satterthwaite's degrees of freedom at the estimate.
    Bland and Altman's limits: differences 1, -1, 2, 2, s = sqrt(2), t(.975; 3) = 3.18245.
    """
    judges = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    n, k, rows, columns, rest = 6, 4, 56.2083 / 5, 97.4583 / 3, 15.2917 / 15
    found = agreement.intraclass_interval(judges)
    ends = (rows / rest / f.ppf(0.975, 5, 15), rows / rest * f.ppf(0.975, 15, 5))
    assert found["icc_3_1"] == pytest.approx([(x - 1) / (x + k - 1) for x in ends], abs=1e-4)
    r = (rows - rest) / (rows + 3 * rest + 4 * (columns - rest) / 6)
    assert r == pytest.approx(0.29, abs=5e-3)  # as they print it
    c = k * columns * r / (n * (1 - r)), rest * (1 + k * r * (n - 1) / (n * (1 - r)))
    df = sum(c) ** 2 / (c[0] ** 2 / 3 + c[1] ** 2 / 15)

    def mean_square_over_its_expectation(rho):
        return rows / (k * rho * columns / (n * (1 - rho)) + rest * (
            1 + k * rho * (n - 1) / (n * (1 - rho))))  # fmt: skip

    low, high = found["icc_2_1"]
    assert mean_square_over_its_expectation(low) == pytest.approx(f.ppf(0.975, 5, df), rel=1e-4)
    assert mean_square_over_its_expectation(high) == pytest.approx(f.ppf(0.025, 5, df), rel=1e-4)
    assert np.isnan(agreement.intraclass_interval([[1, 1], [2, 2]])["icc_3_1"]).all()
    limits = agreement.limits_interval([1, 2, 3, 4], [2, 1, 5, 6])
    half = 3.18245 * np.sqrt(2)
    assert limits["bias"] == pytest.approx((1 - half / 2, 1 + half / 2), abs=1e-4)
    far = half * np.sqrt(1 / 4 + 1.96**2 / 6)
    assert limits["upper"][1] == pytest.approx(1 + 1.96 * np.sqrt(2) + far, abs=1e-4)


def test_dice_over_microbleeds_needs_the_same_ones():
    """Equal counts everywhere but nothing in common: counts agree, Dice over CMBs is 0."""
    scans = pd.DataFrame(
        {
            "dataset": "x",
            "patient": list("abcd"),
            "n_gt": [0, 1, 3, 12],
            "n_pred": [0, 1, 3, 12],
            "tp": 0,
            "fp": [0, 1, 3, 12],
            "fn": [0, 1, 3, 12],
        }
    )
    found = agreement.count_agreement(scans)
    assert found.loc[["kappa_any", "kappa_bands", "icc_2_1"], "value"].tolist() == [1, 1, 1]
    assert found.loc["lesion_dice", "value"] == 0
    assert found.loc["bias", "value"] == 0 and found.loc["bias", "interval"] == "too few"


def test_intervals_end_where_the_measure_does():
    """One of 6 disagrees: kappa 8/14; without each 0, 1 and four times 6/11: 0.571 -+ 1.664.

    Dice over the same: 2 x 1 / (2 x 1 + 2 + 2) = 1/3, with five patients who have a microbleed
    or a call, one less than an interval needs.
    """
    scans = pd.DataFrame({"dataset": "x", "patient": list("abcdef"), "n_gt": [0, 1, 1, 1, 0, 1]})
    counts = {"tp": [0, 1, 0, 0, 0, 0], "fp": [0, 0, 1, 1, 0, 0], "fn": [0, 0, 1, 1, 0, 0]}
    found = agreement.count_agreement(scans.assign(n_pred=[0, 1, 1, 1, 1, 1], **counts))
    assert found.loc["kappa_any", "value"] == pytest.approx(8 / 14)
    assert found.loc["kappa_any", ["low", "high"]].tolist() == [-1, 1]
    assert found.loc["icc_2_1", "high"] == found.loc["icc_3_1", "high"] == 1
    assert found.loc["lesion_dice", "value"] == pytest.approx(1 / 3)
    assert found.loc["lesion_dice", "interval"] == "too few"
    assert found.loc["bias", "low"] < 0 < found.loc["bias", "high"]


def test_dice_of_microbleeds_has_the_interval_of_f1():
    one = {"dataset": "x", "patient": list("abcdefgh"), "tp": 2, "fp": [1] * 4 + [0] * 4, "fn": 1}
    scans = pd.DataFrame(one).assign(n_gt=3, n_pred=lambda table: 2 + table["fp"])
    dice = agreement.count_agreement(scans).loc["lesion_dice"]
    f1 = summary(scans, Evaluation())
    assert [dice["value"], dice["low"], dice["high"]] == [
        f1[f"pooled_f1{end}"] for end in ("", "_low", "_high")
    ]


def test_confusion_counts_pairs_and_refuses_other_words():
    """Rows a, b, c; columns b, a: a-a twice, a-b once, c-b once; b is never said by the first."""
    first, second = pd.Series(list("aaac")), pd.Series(list("aabb"))
    table = agreement.confusion(first, second, ["a", "b", "c"], ["b", "a"])
    assert table.loc["a"].to_dict() == {"b": 1, "a": 2, "n": 3, "n_same": 2}
    assert table.loc["b"].tolist() == [0, 0, 0, 0] and table.loc["c"].tolist() == [1, 0, 1, 0]
    assert table.loc["All"].to_dict() == {"b": 2, "a": 2, "n": 4, "n_same": 2}
    with pytest.raises(ValueError, match=r"ratings: expected one of \['a'\], found 'c'"):
        agreement.confusion(first, second, ["a"], ["a", "b"])


@pytest.mark.parametrize("offset", [1, 2, 3, 7])
def test_raters_a_constant_apart_have_no_interval_of_consistency(offset):
    counts = np.array([1, 2, 5, 9, 4, 0, 3])
    ends = agreement.intraclass_interval(np.stack([counts, counts + offset], axis=1))
    assert np.isnan(ends["icc_3_1"]).all()


def test_missing_ratings_are_refused_and_none_have_no_interval():
    for levels in ([0, -1], [0, 2], [0, np.nan]):
        with pytest.raises(ValueError, match="kappa: expected levels 0 to 1, found"):
            agreement.kappa(levels, [0, 1], 2)
    scans = pd.DataFrame({"dataset": "d", "patient": ["a", "b"], "n_gt": [1, -1], "n_pred": 1})
    with pytest.raises(ValueError, match="n_gt: expected counts of 0 or more in every scan"):
        agreement.count_agreement(scans.assign(tp=1, fp=0, fn=0))
    ends = agreement.limits_interval([], [])
    assert list(ends) == ["bias", "lower", "upper"] and np.isnan(list(ends.values())).all()
