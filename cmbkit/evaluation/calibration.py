"""From scores of candidates to probabilities, and from these to how many microbleeds there are.

Logistic calibration (Platt 1999): two numbers, which some dozens of candidates can carry, where an
isotonic curve would follow each of them. Its targets are drawn in by one candidate of each kind,
so that it stays finite where scores tell all apart.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, nbdtrik  # scipy.stats and scipy.signal take long to import

from cmbkit.evaluation.intervals import wilson
from cmbkit.evaluation.metrics import divide

BINS = 10
FEWEST = 10
"""Candidates, real ones and others among them, that a calibration needs."""
LEFT_OUT = 1e-9
"""Chance of numbers of microbleeds that are not looked at, together."""
LEVEL = 0.9
"""Of an interval of the number of microbleeds."""


@dataclass(frozen=True)
class Calibration:
    """What scores of one detector mean on the scans it was fitted on.

    Attributes
    ----------
    slope, intercept : float
        A candidate of score s is real with probability 1 / (1 + exp(-(slope s + intercept))).
    recall : float
        Share of the microbleeds that have a candidate, at the lowest threshold.
    n, real : int
        Candidates, and how many of them were real.
    """

    slope: float
    intercept: float
    recall: float
    n: int
    real: int

    def probability(self, score) -> np.ndarray:
        """Share of candidates of such scores that are real; NaN where a score is NaN."""
        return expit(self.slope * np.asarray(score, float) + self.intercept)


def candidates_of(calls: pd.DataFrame) -> pd.DataFrame:
    """Candidates of a table of calls (match, score, adds), with ``real``: adds a TP."""
    called = calls[calls["match"] != "FN"]
    return called.assign(real=(called["adds"] == "TP").astype(float))


def fit(calls: pd.DataFrame) -> Calibration | None:
    """Calibration on the calls of some scans, down to a low threshold.

    ``calls``: match, score and adds (`matching.match_instances`). None with fewer than `FEWEST`
    candidates, or where all are real or none is.
    """
    called = candidates_of(calls)
    real, n = int(called["real"].sum()), len(called)
    if n < FEWEST or real in (0, n):
        return None
    slope, intercept = fit_logistic(called["score"], called["real"])
    n_gt = int((calls["match"] != "FP").sum())
    return Calibration(slope, intercept, (real + 1) / (n_gt + 2), n, real)


def fit_logistic(score, real) -> tuple[float, float]:
    """Slope and intercept of Platt's logistic curve through scores that are real (1) or not (0)."""
    from scipy.optimize import minimize

    x, y = np.asarray(score, float), np.asarray(real, float)
    centre, scale = x.mean(), x.std() or 1.0
    z = (x - centre) / scale
    target = np.where(y > 0, (y.sum() + 1) / (y.sum() + 2), 1 / (len(y) - y.sum() + 2))

    def loss(b):
        line = b[0] * z + b[1]
        gap = expit(line) - target
        return np.sum(np.logaddexp(0, line) - target * line), np.array([gap @ z, gap.sum()])

    slope, intercept = minimize(loss, [0.0, 0.0], jac=True, method="BFGS", tol=1e-8).x
    return float(slope / scale), float(intercept - slope * centre / scale)


def bins_of(probability) -> np.ndarray:
    """Bin of each candidate, 0 to `BINS` - 1: as many in each, by rising probability."""
    order = np.argsort(np.argsort(probability, kind="stable"), kind="stable")
    return order * BINS // max(len(order), 1)


def calibration_error(probability, real, weights=None) -> np.ndarray:
    """Expected calibration error: mean over `BINS` bins of |probability - share that is real|.

    ``weights``, shape (samples, candidates): how often each counts; bins stay those of all.

    Returns
    -------
    ndarray, shape (samples,)
        NaN where nothing counts. Chance alone makes it greater than 0 (Naeini et al. 2015).
    """
    p, y = np.asarray(probability, float), np.asarray(real, float)
    weights = np.ones((1, len(p))) if weights is None else np.asarray(weights, float)
    inside = np.eye(BINS)[bins_of(p)]
    return divide(np.abs((weights * (p - y)) @ inside).sum(axis=1), weights.sum(axis=1))


def reliability(probability, real) -> pd.DataFrame:
    """One row per bin that holds any: n, probability (its mean), share, share_low, share_high.

    The interval is Wilson's, as if candidates were independent: too narrow where few patients hold
    many of a bin's.
    """
    table = pd.DataFrame({"probability": probability, "real": real})
    groups = table.groupby(bins_of(table["probability"]))
    found = groups.agg(n=("real", "size"), probability=("probability", "mean"), k=("real", "sum"))
    low, high = wilson(found["k"], found["n"])
    return found.assign(share=found["k"] / found["n"], share_low=low, share_high=high)


def number_of_microbleeds(probabilities, recall: float) -> np.ndarray:
    """Distribution of the number of microbleeds in a scan; element n is its probability.

    The candidates that are real, F, follow a Poisson-binomial distribution. The microbleeds without
    a candidate follow, given F, a negative binomial one (F + 1 successes of chance ``recall``):
    that is what a flat prior of the number of all gives where each is found with that chance. The
    sum of P(F) z^F G^(F+1) over F, G = recall / (1 - (1 - recall) z), is taken by Horner's rule.
    Numbers of `LEFT_OUT` are left out.
    """
    real = np.ones(1)
    for p in np.asarray(probabilities, float):
        real = np.convolve(real, [1 - p, p])
    real = real[: len(real) - np.searchsorted(np.cumsum(real[::-1]), LEFT_OUT / 2)]
    reach = len(real) + int(np.ceil(nbdtrik(1 - LEFT_OUT / 2, len(real), recall)))
    series, found = recall * (1 - recall) ** np.arange(reach + 1), np.zeros(reach + 1)
    series = series[series > np.finfo(float).eps]
    for share in real[::-1]:
        found = np.convolve(np.append(share, found[:-1]), series)[: reach + 1]
    return found


def number_interval(distribution) -> tuple[int, int]:
    """Least and most of the number that leave out at most (1 - `LEVEL`) / 2 on either side."""
    tail = (1 - LEVEL) / 2
    low, high = np.searchsorted(np.cumsum(distribution), [tail, 1 - tail])
    return int(low), int(high)
