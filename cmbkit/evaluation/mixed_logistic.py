"""Logistic regression with a random intercept per patient, fitted by maximum likelihood.

The integral over each patient's intercept is taken by adaptive Gauss-Hermite quadrature (Pinheiro
and Bates 1995), of which Laplace's approximation is the case of one node.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.polynomial.hermite import hermgauss
from scipy.optimize import linprog, minimize
from scipy.special import expit, softmax
from scipy.stats import t

NODES = 15
NEWTON_STEPS = 50
LARGEST_SPREAD = 5.0
"""Of the patients' intercepts (log-odds): beyond, two thirds of patients have odds from below
1 / 148 to above 148, all found or all missed, and quadrature with `NODES` nodes is no longer exact
to two digits (5.08 instead of 5.02, 12.3 instead of 16.3)."""


class NotFitted(ValueError):
    """Data that no such model can be fitted to; the message says why."""


@dataclass(frozen=True)
class MixedLogistic:
    """A fitted model.

    Attributes
    ----------
    log_odds, error : ndarray, shape (columns,)
        Coefficients and their standard errors.
    spread : float
        Standard deviation of the patients' intercepts (log-odds).
    log_likelihood : float
    n_patients : int
    """

    log_odds: np.ndarray
    error: np.ndarray
    spread: float
    log_likelihood: float
    n_patients: int

    @property
    def odds_ratios(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Odds ratios, and the low and high ends of their 95 % intervals.

        Wald's, with Student's t of as many degrees of freedom as there are more patients than
        coefficients: of 31 simulated patients with 6 coefficients they held the truth in 93 to 96 %
        of 300 trials.
        """
        freedom = max(self.n_patients - len(self.log_odds), 1)
        half = t.ppf(0.975, freedom) * self.error
        low, high = np.exp(self.log_odds - half), np.exp(self.log_odds + half)
        return np.exp(self.log_odds), low, high


def fit(found, design, patients, nodes: int = NODES) -> MixedLogistic:
    """Fit log-odds(found) = design @ log_odds + intercept of the patient.

    Parameters
    ----------
    found : array-like of bool, shape (n,)
    design : array-like of float, shape (n, columns)
        With a column of ones; columns of similar scale make the fit easier.
    patients : array-like, shape (n,)
        Names or numbers, one per patient.
    nodes : int
        Of the quadrature; 1 is Laplace's approximation.

    Raises
    ------
    NotFitted
        If columns depend on each other, or the outcome can be told without error (separation):
        then there is no finite estimate. If a value is missing. If patients' differences cannot
        be told: fewer than two patients, one microbleed in each, all found or all missed in each,
        or a spread above `LARGEST_SPREAD`.
    """
    y, x = np.asarray(found, float), np.asarray(design, float)
    _check(y, x, pd.isna(np.asarray(patients)))
    who = pd.factorize(np.asarray(patients))[0]
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise NotFitted("design: expected independent columns, found some that others give")
    if separating(y, x).any():
        raise NotFitted("found: expected an overlap, found outcomes that the design separates")
    _check_patients(y, who)
    start = np.zeros(x.shape[1] + 1)
    start[-1] = 0.5
    # Of one node the gradient below is not that of the sum, so it is not given.
    best = minimize(
        minus_log_likelihood, start, (y, x, who, nodes), method="BFGS", jac=nodes > 1, tol=1e-6
    )
    if not abs(best.x[-1]) <= LARGEST_SPREAD:
        raise NotFitted(
            f"patients: expected a spread of at most {LARGEST_SPREAD:g} log-odds, found a fit "
            "beyond: nearly all found or all missed in each"
        )
    information = _hessian(best.x, (y, x, who, nodes))
    if not np.linalg.eigvalsh(information).min() > 0:
        raise NotFitted("likelihood: expected a single best fit, found none")
    error = np.sqrt(np.diag(np.linalg.inv(information)))
    return MixedLogistic(best.x[:-1], error[:-1], abs(best.x[-1]), -best.fun, who.max() + 1)


def _check(y, x, unnamed) -> None:
    if not len(y) == len(x) == len(unnamed):
        raise ValueError(
            "found, design, patients: expected as many rows, "
            f"found {len(y)}, {len(x)} and {len(unnamed)}"
        )
    for name, odd, wanted in (
        ("found", ~np.isin(y, (0, 1)), "0 or 1"),
        ("design", ~np.isfinite(x).all(axis=1), "finite numbers"),
        ("patients", unnamed, "a patient"),
    ):
        if odd.any() or not odd.size:
            seen = f"something else in {odd.sum()} of {odd.size}" if odd.size else "none"
            raise NotFitted(f"{name}: expected {wanted} in every row, found {seen}")


def _check_patients(y, who) -> None:
    """Whether patients differ and are alike in themselves so that a spread can be told."""
    n, hits = np.bincount(who), np.bincount(who, y)
    if n.size < 2:
        raise NotFitted("patients: expected two or more, found one")
    if n.max() < 2:
        raise NotFitted("patients: expected two microbleeds in some, found one in each")
    if not ((hits > 0) & (hits < n)).any():
        raise NotFitted(
            "patients: expected found and missed microbleeds in some, found all or none in each"
        )


def separating(found, design) -> np.ndarray:
    """Which columns tell found from missed without error, at least where they differ from 0.

    A linear programme looks for a direction along which the likelihood grows for ever (Konis 2007).

    Returns
    -------
    ndarray of bool, shape (columns,)
        All False: the estimate is finite.
    """
    signed = np.where(np.asarray(found, bool), 1, -1)[:, None] * np.asarray(design, float)
    ends = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1, 1))
    return (np.abs(ends.x) > 1e-6) & (-ends.fun > 1e-6)


def minus_log_likelihood(values, y, x, who, nodes: int):
    """Minus log-likelihood at ``values`` (coefficients, then spread); other parameters as of `fit`.

    With its gradient where there are several nodes.
    """
    linear, spread, n = x @ values[:-1], values[-1], who.max() + 1
    mode, width = _modes(y, linear, spread, who, n)
    z, w = hermgauss(nodes)
    at = mode[:, None] + width[:, None] * z
    eta = linear[:, None] + spread * at[who]
    joint = np.zeros((n, nodes))
    np.add.at(joint, who, y[:, None] * eta - np.logaddexp(0, eta))
    joint += np.log(w) + z**2 - at**2 / 2 + np.log(width)[:, None] - np.log(2 * np.pi) / 2
    value = -np.logaddexp.reduce(joint, axis=1).sum()
    if nodes == 1:
        return value
    gap = softmax(joint, axis=1)[who] * (y[:, None] - expit(eta))
    return value, -np.append(gap.sum(axis=1) @ x, (gap * at[who]).sum())


def _modes(y, linear, spread: float, who, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Most likely standardised intercept of each patient, and sqrt(2) its standard error."""
    mode = np.zeros(n)
    for _ in range(NEWTON_STEPS):
        p = expit(linear + spread * mode[who])
        bend = 1 + spread**2 * np.bincount(who, p * (1 - p), n)
        step = (spread * np.bincount(who, y - p, n) - mode) / bend
        mode += np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            break
    return mode, np.sqrt(2 / bend)


def _hessian(values, data, step: float = 1e-3) -> np.ndarray:
    """Second derivatives of `minus_log_likelihood`, by central differences of its gradient."""
    data = (*data[:3], max(data[3], NODES))
    slopes = [
        [minus_log_likelihood(values + move, *data)[1] for move in (ahead, -ahead)]
        for ahead in step * np.eye(len(values))
    ]
    found = np.array([after - before for after, before in slopes]) / (2 * step)
    return (found + found.T) / 2
