"""Numbers of patients against closed forms: one microbleed per patient."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from cmbkit.evaluation import sample_size
from cmbkit.evaluation.intervals import wilson
from cmbkit.evaluation.sample_size import (
    SampleSizeError,
    counts_of,
    given_pairs,
    patients_for_difference,
    patients_for_width,
    planned_pairs,
    rate,
    shift_to,
)

SAMPLES = {"samples": 400, "seed": 7}


def singles(found: int, missed: int) -> np.ndarray:
    return np.array([[1, 0, 0]] * found + [[0, 0, 1]] * missed)


def test_width_of_recall_is_that_of_a_binomial_proportion():
    n = patients_for_width(singles(30, 30), "recall", 0.5, 0.2, share=0.5, **SAMPLES)
    ends = [np.subtract(*wilson(k / 2, k)[::-1]) for k in (n * 0.93, n * 1.07)]
    assert ends[0] > 0.2 > ends[1]  # 92 patients by Wilson's interval


def mcnemar(first: float, second: float, power: float) -> float:
    """Pairs needed if the two are independent (Connor 1987)."""
    gained, lost = second * (1 - first), first * (1 - second)
    z, other, d = norm.ppf(0.975), norm.ppf(power), second - first
    apart = gained + lost
    return (z * np.sqrt(apart) + other * np.sqrt(apart - d**2)) ** 2 / d**2


def test_a_paired_difference_needs_mcnemar_s_number_of_pairs():
    pairs = planned_pairs(singles(40, 40), "recall", 0.5, 0.2, "apart")
    n = patients_for_difference(pairs, "recall", power=0.8, **SAMPLES)
    assert n == pytest.approx(mcnemar(0.5, 0.7, 0.8), rel=0.12)  # 94.6
    nested = planned_pairs(singles(40, 40), "recall", 0.5, 0.2, "same")
    assert patients_for_difference(nested, "recall", power=0.8, **SAMPLES) < 0.6 * n


def test_two_tables_are_drawn_pair_by_pair():
    """Of 100 patients 30 are gained and 10 lost: discordant .4, difference .2."""
    first = singles(50, 50)
    second = np.roll(singles(70, 30), 10, axis=0)
    gained = ((second[:, 0] == 1) & (first[:, 0] == 0)).sum()
    assert (gained, ((second[:, 0] == 0) & (first[:, 0] == 1)).sum()) == (30, 10)
    n = patients_for_difference(given_pairs(first, second), "recall", power=0.8, **SAMPLES)
    z, other = norm.ppf([0.975, 0.8])
    assert n == pytest.approx((z * 0.4**0.5 + other * 0.36**0.5) ** 2 / 0.04, rel=0.12)  # 75.9


def test_calls_change_until_the_planned_rate():
    counts = np.array([[6, 4, 2], [3, 2, 3]])
    assert rate(counts.sum(axis=0), "f1") == pytest.approx(18 / 29)
    # Half of 5 misses and half of 6 false positives: 2 x 11.5 / (2 x 11.5 + 3 + 2.5).
    assert shift_to(counts, "f1", 23 / 28.5) == pytest.approx(0.5)
    assert shift_to(counts, "recall", 4.5 / 14) == pytest.approx(-0.5)
    for value in (0.0, 1.2):
        with pytest.raises(SampleSizeError, match="between 0 and 1"):
            shift_to(counts, "f1", value)
    with pytest.raises(SampleSizeError, match=r"can give \(1 to 1\), found 0.5"):
        shift_to(singles(4, 2), "precision", 0.5)  # no false positive to change


def test_a_pilot_of_few_patients_tells_too_little():
    scans = pd.DataFrame({"patient": list("aab"), "tp": 1, "fp": 0, "fn": 0, "dataset": "x"})
    with pytest.raises(SampleSizeError, match="at least 6 patients, found 3 and 2"):
        counts_of(scans)
    with pytest.raises(SampleSizeError, match="up to 2000"):
        patients_for_width(singles(3, 3), "recall", 0.5, 0.001, share=0.5, samples=20, seed=1)


def test_no_more_patients_than_the_largest_are_asked_for():
    """1,800 will do: found to 2 %; 2,001 would: more than are searched."""
    assert 1800 <= sample_size._fewest(lambda n: n >= 1800) <= 1800 * 1.02
    with pytest.raises(SampleSizeError, match="up to 2000"):
        sample_size._fewest(lambda n: n > sample_size.LARGEST)
