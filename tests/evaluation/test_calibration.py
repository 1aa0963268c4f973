from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cmbkit.evaluation.calibration import (
    Calibration,
    calibration_error,
    fit,
    fit_logistic,
    number_interval,
    number_of_microbleeds,
    reliability,
)


def test_a_curve_through_two_scores_meets_their_smoothed_shares():
    """At 0, 10 of 40 real, at 2, 30 of 40: two points, so the curve goes through both.

    Targets are 41/42 for the 40 real and 1/42 for the 40 others: at 0 the mean target is
    (10 x 41/42 + 30 x 1/42) / 40 = 440/1680 = 0.2619, at 2 (30 x 41 + 10) / 1680 = 0.7381, whose
    logits are -+1.0361: slope 1.0361, intercept -1.0361.
    """
    score = np.repeat([0, 0, 2, 2], [10, 30, 30, 10])
    real = np.repeat([1, 0, 1, 0], [10, 30, 30, 10])
    slope, intercept = fit_logistic(score, real)
    assert (slope, intercept) == pytest.approx((1.0361, -1.0361), abs=1e-3)
    p = Calibration(slope, intercept, 0.5, 80, 40).probability([0, 2, np.nan])
    assert p[:2] == pytest.approx([0.2619, 0.7381], abs=1e-3) and np.isnan(p[2])


@pytest.mark.parametrize("seed", range(5))
def test_the_curve_is_that_of_newtons_method(seed):
    """The same least loss, found by another method in double precision."""
    rng = np.random.default_rng(seed)
    x = rng.normal(seed - 2, 0.5 + seed, 40)
    real = rng.random(40) < 1 / (1 + np.exp(1 - x))
    target = np.where(real, (real.sum() + 1) / (real.sum() + 2), 1 / ((~real).sum() + 2))
    columns, found = np.column_stack([x, np.ones(40)]), np.zeros(2)
    for _ in range(200):
        p = 1 / (1 + np.exp(-columns @ found))
        curvature = (columns * (p * (1 - p))[:, None]).T @ columns
        found -= np.clip(np.linalg.solve(curvature, columns.T @ (p - target)), -1, 1)
    assert fit_logistic(x, real) == pytest.approx(tuple(found), abs=1e-5)


def test_scores_that_tell_all_apart_have_a_finite_slope():
    slope, intercept = fit_logistic([0.0] * 8 + [1.0] * 8, [0] * 8 + [1] * 8)
    assert slope == pytest.approx(2 * np.log(9), rel=1e-3)  # targets 1/10 and 9/10
    assert intercept == pytest.approx(-np.log(9), rel=1e-3)


def test_calls_give_the_recall_and_too_few_give_none():
    """12 candidates of 8 real, 4 CMBs missed: (8 + 1) / (12 + 2)."""
    rows = [("TP", "TP", 5.0)] * 8 + [("FP", "FP", 1.0)] * 4 + [("FN", None, np.nan)] * 4
    calls = pd.DataFrame(rows, columns=["match", "adds", "score"])
    found = fit(calls)
    assert (found.n, found.real, found.recall) == (12, 8, pytest.approx(9 / 14))
    assert fit(calls[calls["adds"] != "FP"]) is None and fit(calls[:9]) is None


def test_error_of_twenty_candidates_in_ten_pairs():
    """Nine pairs of 0.5 with one real: no gap; one pair of 0.9 without any: 0.9 x 2 / 20."""
    p, real = np.repeat([0.5, 0.9], [18, 2]), np.array([0, 1] * 9 + [0, 0])
    assert calibration_error(p, real)[0] == pytest.approx(0.09)
    weights = np.ones((2, 20))
    weights[1, 18:] = 0
    assert calibration_error(p, real, weights) == pytest.approx([0.09, 0.0])
    with np.errstate(all="raise"):
        found = calibration_error([0.9], [0], [[1], [0]])
    assert found[0] == pytest.approx(0.9) and np.isnan(found[1])
    table = reliability(p, real)
    assert table["n"].tolist() == [2] * 10 and table["share"].tolist() == [0.5] * 9 + [0]


def test_the_number_of_microbleeds_by_enumeration():
    """All ways in which three candidates are real or not, each with the missed that belong to it.

    Of one candidate of 1/2 at recall 1/2: P(0) = 1/2 x 1/2; P(1) = 1/2 x 1/4 + 1/2 x 1/4.
    """
    half = number_of_microbleeds([0.5], 0.5)
    assert half[:3] == pytest.approx([0.25, 0.25, 0.1875]) and half.sum() == pytest.approx(1)
    p, expected = [0.9, 0.3, 0.2], np.zeros(4)
    for real in product([0, 1], repeat=3):
        expected[sum(real)] += np.prod([q if r else 1 - q for q, r in zip(p, real, strict=True)])
    assert number_of_microbleeds(p, 1.0)[:4] == pytest.approx(expected)
    assert number_interval([0.04, 0.02, 0.8, 0.1, 0.04]) == (1, 3)


@pytest.mark.parametrize("recall", [0.05, 0.4, 0.95])
def test_the_number_of_microbleeds_by_its_two_distributions(recall):
    """30 candidates of .3: a binomial number of real ones, each with its negative binomial rest."""
    found = number_of_microbleeds([0.3] * 30, recall)
    numbers, real = np.arange(len(found))[:, None], np.arange(31)
    both = stats.binom.pmf(real, 30, 0.3) * stats.nbinom.pmf(numbers - real, real + 1, recall)
    np.testing.assert_allclose(found, both.sum(axis=1), atol=1e-9)
    assert found.sum() == pytest.approx(1, abs=1e-9)
