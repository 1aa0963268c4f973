import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, t

from cmbkit.evaluation import intervals
from cmbkit.evaluation.coverage import coverage


@pytest.mark.parametrize(("k", "n"), [(51, 74), (0, 12), (7, 7)])
def test_wilson_agrees_with_scipy(k, n):
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert intervals.wilson(k, n) == pytest.approx((expected.low, expected.high))
    assert all(np.isnan(intervals.wilson(0, 0)))


def test_wilson_begins_at_0_and_ends_at_1_without_rounding():
    """By its formula the interval of 0 of n begins at 0 and that of n of n ends at 1."""
    n = np.arange(1, 200)
    assert (intervals.wilson(0 * n, n)[0] == 0).all()
    assert (intervals.wilson(n, n)[1] == 1).all()


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0, 3.689), (1, 0.0253, 5.572)])
def test_poisson_interval_agrees_with_garwoods_table(count, low, high):
    assert intervals.poisson_interval(count) == pytest.approx((low, high), abs=1e-3)


def test_poisson_interval_of_a_rate_is_that_of_its_count_over_the_exposure():
    low, high = intervals.poisson_interval([10, 10], [2, 0])
    assert (low[0], high[0]) == pytest.approx((4.795 / 2, 18.390 / 2), abs=1e-3)
    assert np.isnan(low[1]) and np.isnan(high[1])


def parts(top, bottom):
    a, b = np.asarray(top, float), np.asarray(bottom, float)
    return a.sum() / b.sum(), (a.sum() - a) / (b.sum() - b), b


def test_one_count_per_patient_is_wilsons():
    low, high, method = intervals.interval("pooled_recall", *parts([1] * 7 + [0], [1] * 8))
    expected = binomtest(7, 8).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high)) and method == "Wilson"


def test_design_effect_by_hand():
    """All of 8 x 4 found: no spread is seen, so a clustered one comes from the expected effect.

    Kish: 1 + (4 - 1) 0.12 = 1.36, so 32 / 1.36 units and 3 + 7 degrees of freedom; where all
    succeed the score interval begins at 1 / (1 + z^2 / n).
    """
    low, high, method = intervals.interval("pooled_recall", *parts([4] * 8, [4] * 8))
    assert method == "Wilson, clustered" and high == 1
    assert low == pytest.approx(1 / (1 + t.ppf(0.975, 10) ** 2 * 1.36 / 32))


@pytest.mark.parametrize("name", [*intervals.EXPECTED, "pooled_recall", "pooled_f1"])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_no_interval_has_zero_width(name, share):
    """All patients alike: whatever the metric, 6 patients leave doubt and 5 are too few."""
    low, high, method = intervals.interval(name, share, np.full(6, share), np.full(6, 2.0))
    assert low < high and low <= share <= high and str(method) in intervals.METHODS
    few = intervals.interval(name, share, np.full(5, share), np.full(5, 2.0))
    assert np.isnan(few[0]) and np.isnan(few[1]) and few[2] == "too few"


def test_two_equal_detectors_differ_by_0_give_or_take():
    one = parts([3, 0, 2, 1, 4, 2], [4, 1, 3, 2, 4, 4])
    low, high, method = intervals.difference_interval("pooled_recall", one, one)
    assert low == pytest.approx(-high) and 0 < high < 0.5 and method == "t, drawn"


def test_differences_of_shares_end_at_1_and_of_rates_do_not():
    """One patient of six has 100 of 105 CMBs, all found; the other detector finds none.

    Recall 0.95, without that patient 0, without another 100 / 104: jackknife variance 0.64, and at
    least 5/8 of it, so that t (8 degrees of freedom) x its root is 1.4 or more.
    """
    cmbs = np.array([100, 1, 1, 1, 1, 1])
    sides = parts([100, 0, 0, 0, 0, 0], cmbs), parts(np.zeros(6), cmbs)
    low, high, _ = intervals.difference_interval("pooled_recall", *sides)
    assert low < 0 and high == 1
    assert intervals.difference_interval("pooled_recall", *sides[::-1])[0] == -1
    sides = parts([20, *[0] * 9], np.ones(10)), parts(np.zeros(10), np.ones(10))
    low, high, _ = intervals.difference_interval("fp_scan", *sides)
    assert low < -1 and high > 1


def test_jackknife_by_hand():
    """The mean of 1 to 6: its jackknife error is sd / sqrt(6), without a spread there is none."""
    values = np.arange(1.0, 7)
    low, high, _ = intervals.jackknife_t(values.mean(), (values.sum() - values) / 5)
    half = t.ppf(0.975, 5) * values.std(ddof=1) / np.sqrt(6)
    assert (low, high) == pytest.approx((3.5 - half, 3.5 + half))
    assert intervals.jackknife_t(1.0, np.ones(6))[2] == "no spread"
    assert intervals.jackknife_t(1.0, np.arange(5))[2] == "too few"


def test_intervals_of_usual_patients_hold_the_truth_93_to_98_times_of_100():
    table = coverage()
    assert (table["zero_width"] == 0).all()
    assert pd.isna(table.loc[table["patients"] < 6, "coverage"]).all()
    usual = table[table["cohorts"] == "usual"].dropna(subset="coverage")
    assert set(usual["patients"]) == {6, 8, 20, 50}
    n = 2000 * (1 - usual["too_few"] / 100)
    chance = 200 * np.sqrt(0.95 * 0.05 / n)  # two standard errors of the simulation
    off = usual[(usual["coverage"] < 93 - chance) | (usual["coverage"] > 98 + chance)]
    # One of 20 lies that far off by chance.
    assert len(off) < 0.05 * len(usual), off
    alike = table[table["cohorts"] == "alike"].dropna(subset="coverage")
    assert alike["coverage"].between(92, 99).all()


def test_effective_patients_of_a_share_are_few_where_one_decides():
    """Ten with ten microbleeds each; in one all are missed, in the others all found."""
    tp, units = np.array([0.0] + [10] * 9), np.full(10, 10.0)
    without = (tp.sum() - tp) / (units.sum() - units)
    low, high, method = intervals.interval("pooled_recall", 0.9, without, units)
    # Departures from their mean go as 9 to -1: kurtosis sum(d^2)^2 / sum(d^4) = 90^2 / 6570.
    freedom = min(9, 3 * 90**2 / 6570 - 1)
    expected = 1 + 0.12 * 9
    variance = 9 / 10 * ((without - without.mean()) ** 2).sum()
    found = variance / (0.9 * 0.1 / 100)
    effect = (3 * expected + freedom * found) / (3 + freedom)
    ends = intervals.wilson(90 / effect, 100 / effect, t.ppf(0.975, 3 + freedom))
    assert method == "Wilson, clustered"
    assert [low, high] == pytest.approx(np.array(ends))
