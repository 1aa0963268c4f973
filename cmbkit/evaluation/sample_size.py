"""How many patients a study needs: simulated from the calls of a pilot, patients drawn again.

A study of n patients draws n of the pilot's, each with all its microbleeds and false positives. The
intervals are those of `intervals`. Where a detector is planned to be better or worse than the
pilot's, misses become hits and false positives go, or hits become misses, each with the same
chance.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from cmbkit.evaluation.intervals import ALIKE, FEWEST_PATIENTS, difference_interval, interval
from cmbkit.evaluation.metrics import divide
from cmbkit.evaluation.statistics import patient_codes

METRICS = ("f1", "recall", "precision")
LARGEST = 2000
"""Patients up to which is searched."""
PAIRS = {
    "same": "the better one finds all that the other finds",
    "apart": "the two are independent within a patient",
    "given": "as the two tables",
}
"""How two detectors go together; "same" needs the fewest patients, "apart" about the most."""


class SampleSizeError(ValueError):
    """A plan that no number of patients fulfils, or a pilot that tells too little."""


def counts_of(scans: pd.DataFrame) -> np.ndarray:
    """Summed tp, fp and fn of each patient, shape (patients, 3).

    ``scans``: dataset, patient, tp, fp, fn, one row per scan.
    """
    counts = scans[["tp", "fp", "fn"]].groupby(patient_codes(scans)).sum().to_numpy(float)
    if len(counts) < FEWEST_PATIENTS or not counts[:, [0, 2]].sum():
        raise SampleSizeError(
            f"pilot: expected microbleeds and at least {FEWEST_PATIENTS} patients, found "
            f"{counts[:, [0, 2]].sum():.0f} and {len(counts)}"
        )
    return counts


def rate(counts, metric: str) -> np.ndarray:
    """F1, recall or precision of counts, shape (..., 3)."""
    tp, fp, fn = np.moveaxis(np.asarray(counts, float), -1, 0)
    missed = {"f1": (fp + fn) / 2, "recall": fn, "precision": fp}[metric]
    return divide(tp, tp + missed)


def shift_to(counts, metric: str, value: float) -> float:
    """The chance with which calls change, below 0 for the worse, so that a rate becomes ``value``.

    Raises
    ------
    SampleSizeError
        If ``value`` is not between 0 and 1, or cannot be reached.
    """
    total = np.asarray(counts, float).sum(axis=0)
    if not 0 < value < 1:
        raise SampleSizeError(f"{metric}: expected a value between 0 and 1, found {value:g}")

    def off(q):
        return float(rate(_expected(total, q), metric)) - value

    if off(-1 + 1e-9) * off(1) > 0:
        ends = [off(q) + value for q in (-1 + 1e-9, 1)]
        raise SampleSizeError(
            f"{metric}: expected a value that hits and errors like the pilot's can give "
            f"({ends[0]:.3g} to {ends[1]:.3g}), found {value:g}"
        )
    return float(brentq(off, -1 + 1e-9, 1))


def _expected(counts, q: float) -> np.ndarray:
    tp, fp, fn = np.moveaxis(np.asarray(counts, float), -1, 0)
    gained = q * fn if q > 0 else q * tp
    return np.stack([tp + gained, fp - max(q, 0) * fp, fn - gained], axis=-1)


def _drawn(counts, q: float, rng) -> np.ndarray:
    tp, fp, fn = np.moveaxis(np.asarray(counts, int), -1, 0)
    gained = rng.binomial(fn, q) if q > 0 else -rng.binomial(tp, -q)
    gone = rng.binomial(fp, max(q, 0))
    return np.stack([tp + gained, fp - gone, fn - gained], axis=-1)


def _apart(counts, q: float, rng, chosen) -> np.ndarray:
    """Calls of ``chosen`` patients drawn anew from their rates, drawn towards those of all."""
    tp, fp, fn = np.moveaxis(_expected(counts, q), -1, 0)
    n, prior = (tp + fn).round().astype(int), 1 / ALIKE - 1
    chance = (tp + prior * tp.sum() / max(n.sum(), 1)) / (n + prior)
    found = rng.binomial(n[chosen], chance[chosen])
    return np.stack([found, rng.poisson(fp[chosen]), n[chosen] - found], axis=-1)


def _of_patients(counts, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value, values without each patient and units, of studies of shape (studies, patients, 3)."""
    total = counts.sum(axis=1, keepdims=True)
    tp, fp, fn = np.moveaxis(counts.astype(float), -1, 0)
    units = {"f1": tp + fp + fn, "recall": tp + fn, "precision": tp + fp}[metric]
    return rate(total[:, 0], metric), rate(total - counts, metric), units


def patients_for_width(
    counts, metric: str, value: float, width: float, *, share: float, samples: int, seed: int
) -> int:
    """Patients with whom ``share`` of studies have an interval no wider than ``width``.

    ``counts``: of the pilot's patients (`counts_of`); ``value``: what the rate is planned to be.
    Raises `SampleSizeError` if more than `LARGEST` are needed.
    """
    q = shift_to(counts, metric, value)

    def reached(n: int) -> bool:
        rng = np.random.default_rng([seed, n])
        studies = _drawn(counts[rng.integers(0, len(counts), (samples, n))], q, rng)
        low, high, _ = interval(f"pooled_{metric}", *_of_patients(studies, metric))
        return bool(np.mean(high - low <= width) >= share)

    return _fewest(reached)


def patients_for_difference(
    pairs: Callable, metric: str, *, power: float, samples: int, seed: int
) -> int:
    """Patients with whom the interval of a paired difference leaves out 0 in ``power`` of studies.

    ``pairs`` (n, rng, samples): counts of both detectors in simulated studies, each of shape
    (samples, n, 3). Raises `SampleSizeError` if more than `LARGEST` are needed.
    """

    def reached(n: int) -> bool:
        rng = np.random.default_rng([seed, n])
        first, second = (_of_patients(each, metric) for each in pairs(n, rng, samples))
        low, high, _ = difference_interval(f"pooled_{metric}", second, first)
        return bool(np.mean((low > 0) | (high < 0)) >= power)

    return _fewest(reached)


def planned_pairs(counts, metric: str, value: float, difference: float, how: str) -> Callable:
    """Studies of a detector and of one that is better by ``difference``; ``how``: of `PAIRS`."""
    q, better = shift_to(counts, metric, value), shift_to(counts, metric, value + difference)
    step = shift_to(_expected(counts, q), metric, value + difference)

    def pairs(n: int, rng, samples: int):
        chosen = rng.integers(0, len(counts), (samples, n))
        if how == "apart":
            return _apart(counts, q, rng, chosen), _apart(counts, better, rng, chosen)
        first = _drawn(counts[chosen], q, rng)
        return first, _drawn(first, step, rng)

    return pairs


def given_pairs(first, second) -> Callable:
    """Studies of two detectors whose calls on the same patients are known, in the same order."""

    def pairs(n: int, rng, samples: int):
        who = rng.integers(0, len(first), (samples, n))
        return first[who], second[who]

    return pairs


def _fewest(reached: Callable[[int], bool]) -> int:
    """The smallest number of patients that will do, to about 2 %."""
    low, high = FEWEST_PATIENTS - 1, FEWEST_PATIENTS
    while not reached(high):
        low, high = high, min(high * 2, LARGEST)
        if low >= LARGEST:
            raise SampleSizeError(
                f"patients: expected up to {LARGEST} to do, found that more are needed"
            )
    while high - low > max(1, 0.02 * low):
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
