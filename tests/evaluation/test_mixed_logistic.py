"""The mixed logistic model against published fits, simulated truth and cases without an answer."""

import numpy as np
import pytest
from scipy.special import comb, expit

from cmbkit.evaluation.mixed_logistic import NotFitted, fit, minus_log_likelihood, separating

HERDS = """2/14 3/12 4/9 0/5; 3/22 1/18 1/21; 8/22 2/16 0/16 2/20; 2/10 0/10 2/9 0/6;
5/18 0/25 0/24 1/4; 3/17 0/17 0/18 1/20; 8/16 1/10 3/9 0/5; 12/34; 2/9 0/6 0/8 0/6;
1/22 1/22 0/18 2/22; 0/25 5/27 3/22 1/22; 2/10 1/8 0/6 0/5; 1/21 2/24 0/19 0/23;
11/19 0/2 0/3 0/2; 1/19 1/15 1/15 0/15"""
"""New cases of herd size, in up to four periods of 15 herds (Lesnoff et al. 2004; lme4's cbpp)."""
LME4 = [-1.39834286, -0.99192498, -1.12821622, -1.57974541, 0.64206993]
LME4_DEVIANCE = 184.05313278
"""Of `glmer(cbind(incidence, size - incidence) ~ period + (1 | herd))`, Laplace's approximation."""


def of_herds():
    found, design, herd, ways = [], [], [], 1.0
    for number, cells in enumerate(HERDS.split(";")):
        for period, cell in enumerate(cells.split()):
            cases, size = map(int, cell.split("/"))
            found += [1] * cases + [0] * (size - cases)
            design += [[1.0, *(float(period == p) for p in (1, 2, 3))]] * size
            herd += [number] * size
            ways *= comb(size, cases)
    return np.array(found, float), np.array(design), np.array(herd), ways


def test_it_is_lme4_s_on_lme4_s_data():
    found, design, herd, ways = of_herds()
    at_theirs = minus_log_likelihood(np.array(LME4), found, design, herd, 1)
    assert 2 * (at_theirs - np.log(ways)) == pytest.approx(LME4_DEVIANCE, abs=1e-3)
    ours = fit(found, design, herd, nodes=1)
    assert -ours.log_likelihood <= at_theirs + 1e-9  # lme4 stops a little before the best
    np.testing.assert_allclose([*ours.log_odds, ours.spread], LME4, atol=1e-3)
    exact = fit(found, design, herd)
    assert exact.spread == pytest.approx(ours.spread, abs=0.01)
    assert exact.n_patients == 15 and (exact.odds_ratios[2][1:] < 1).all()


def test_simulated_coefficients_lie_in_their_intervals():
    rng = np.random.default_rng(3)
    patient = np.repeat(np.arange(150), 8)
    design = np.column_stack([np.ones(1200), rng.normal(size=1200), rng.normal(size=150)[patient]])
    truth, spread = np.array([-0.5, 0.8, -0.6]), 1.0
    log_odds = design @ truth + spread * rng.normal(size=150)[patient]
    model = fit(rng.random(1200) < expit(log_odds), design, patient)
    _, low, high = model.odds_ratios
    assert ((low < np.exp(truth)) & (np.exp(truth) < high)).all() and (high / low < 2).all()
    assert model.spread == pytest.approx(spread, abs=0.25)


def test_without_differences_between_patients_it_is_plain_logistic_regression():
    """Of 2 x 2 counts: odds 30 / 20 of those not exposed, odds ratio 12 x 20 / (38 x 30)."""
    cells = {(0, 1): 30, (0, 0): 20, (1, 1): 12, (1, 0): 38}
    exposed, found = np.array([key for key, n in cells.items() for _ in range(n)]).T
    design = np.column_stack([np.ones(100), exposed])
    at = np.array([np.log(30 / 20), np.log(12 * 20 / (38 * 30)), 0.0])
    loss, slope = minus_log_likelihood(at, found, design, np.arange(100) % 7, 15)
    assert loss == pytest.approx(-sum(n * np.log(n / 50) for n in cells.values()))
    np.testing.assert_allclose(slope, 0, atol=1e-9)


def test_what_has_no_finite_estimate_is_refused():
    found = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    level = np.array([1.0, 1, 0, 0, 0, 0, 0, 0])  # both missed: quasi-separated
    design = np.column_stack([np.ones(8), level])
    assert separating(found, design)[1]
    with pytest.raises(NotFitted, match="separates"):
        fit(found, design, np.arange(8))
    with pytest.raises(NotFitted, match="independent"):
        fit(found, np.column_stack([design, level]), np.arange(8))


def mixed_patients(n: int = 60):
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(n), rng.normal(size=n)])
    return rng.random(n) < 0.5, design, np.repeat(np.arange(n // 6), 6)


def test_patients_may_have_any_names():
    """Numbers with gaps, or words: as many patients as there are, and the same fit."""
    found, design, patients = mixed_patients()
    plain = fit(found, design, patients)
    for names in (patients * 3 - 1, np.array([f"p{i}" for i in patients], object)):
        model = fit(found, design, names)
        assert model.n_patients == plain.n_patients == 10
        np.testing.assert_array_equal(model.log_odds, plain.log_odds)


def test_what_cannot_be_told_is_said():
    found, design, patients = mixed_patients()
    hole = design.copy()
    hole[3, 1] = np.nan
    cases = {
        "patients: expected found and missed .* in each": (patients % 2 == 1, design, patients),
        "patients: expected two or more, found one": (found, design, 0 * patients),
        "patients: expected two microbleeds in some": (found, design, np.arange(60)),
        "design: expected finite numbers .* in 1 of 60": (found, hole, patients),
        "found: expected 0 or 1 .* in 60 of 60": (found + 2, design, patients),
        "found: expected 0 or 1 in every row, found none": (found[:0], design[:0], patients[:0]),
    }
    unnamed = patients.astype(float)
    unnamed[:2] = np.nan
    cases["patients: expected a patient .* in 2 of 60"] = (found, design, unnamed)
    for message, values in cases.items():
        with pytest.raises(NotFitted, match=message):
            fit(*values)
    with pytest.raises(ValueError, match="found 60, 60 and 59"):
        fit(found, design, patients[1:])


def test_a_spread_without_end_is_refused():
    """One patient of 30 with 29 found of 30, the others all or none: no finite spread is likely.

    Of the others' share of the likelihood nothing is lost as the spread grows, each is found
    or missed as a whole; 30 for and against.
    """
    patients = np.repeat(np.arange(30), 30)
    found = patients % 2 == 0
    found[0] = False
    with pytest.raises(NotFitted, match="at most 5 log-odds"):
        fit(found, np.ones((900, 1)), patients)


def test_a_clear_spread_of_mixed_patients_is_fitted():
    """Half the patients at 9 of 10, half at 1 of 10: intercepts +-log 9 = 2.2, about the spread."""
    found = np.concatenate([[1] * 9 + [0], [0] * 9 + [1]] * 10)
    model = fit(found, np.ones((200, 1)), np.repeat(np.arange(20), 10))
    assert model.log_odds[0] == pytest.approx(0, abs=1e-4)
    assert model.spread == pytest.approx(np.log(9), abs=0.35)
