"""Intervals of sensitivities of a FROC curve (see `curves`)."""

import numpy as np
import pandas as pd

from cmbkit.evaluation.curves import FROC_LEVELS, called_at, froc, sensitivity_at
from cmbkit.evaluation.intervals import FEW_FP, TOO_FEW, interval
from cmbkit.evaluation.metrics import divide
from cmbkit.evaluation.statistics import left_out

FEWEST_FP = 2
"""False positives that a level allows in all scans; with fewer its sensitivity has no interval."""


def froc_intervals(matches: pd.DataFrame, scans: pd.DataFrame, *, levels=FROC_LEVELS):
    """Sensitivity at some false positives per scan, with its interval, patients as units.

    Parameters
    ----------
    matches : DataFrame
        uid, match, score, adds of one model.
    scans : DataFrame
        uid, dataset, patient, n_gt of all its scans, those without matches too.
    levels : sequence of float
        False positives per scan.

    Returns
    -------
    DataFrame
        Index: fp_per_scan; columns sensitivity, low, high, interval (see `sensitivity_interval`).
    """
    alone, n_gt = left_out(scans), scans["n_gt"].to_numpy(float)
    weights = np.vstack([np.ones(len(scans)), alone])
    value = sensitivity_at(froc(matches, len(scans)), levels)
    counts = called_at(matches, scans, weights)
    without = reached_without(*counts, weights @ n_gt, weights.sum(axis=1), levels)
    ends = [
        sensitivity_interval(of_all, each, (1 - alone) @ n_gt, level * len(scans))
        for of_all, each, level in zip(value, without, levels, strict=True)
    ]
    table = pd.DataFrame(ends, columns=["low", "high", "interval"], index=value.index)
    return table.astype({"low": float, "high": float, "interval": str}).assign(sensitivity=value)


def sensitivity_interval(value, without, n_gt, allowed: float) -> tuple:
    """95 % interval of a sensitivity at some FP per scan, low, high and method.

    As of recall (`intervals.interval`), with `reached_without` and every patient's microbleeds;
    ``allowed``: false positives in all scans; none with fewer than `FEWEST_FP`.
    """
    low, high, method = interval("pooled_recall", value, without, n_gt)
    few = (allowed < FEWEST_FP) & (method != "") & (method != TOO_FEW)
    low, high = (np.where(few, np.nan, end) for end in (low, high))
    return low, high, np.where(few, FEW_FP, method)


def reached_without(hits, extra, n_gt, n_scans, levels=FROC_LEVELS) -> np.ndarray:
    """Sensitivity without each patient at every level, (levels, patients).

    The threshold stays that of all patients, and the false positives per scan that a patient's
    absence saves are bought back at the slope of the curve, taken over their standard error to
    both sides. (Thresholds sought anew leap, and the variance of a quantile's jackknife with them:
    it held the truth in 87 to 92 %.)

    Parameters
    ----------
    hits, extra : ndarray, shape (1 + patients, thresholds)
        Of all patients, then without each (`counted`).
    n_gt, n_scans : ndarray, shape (1 + patients,)
    """
    start = ((0, 0), (1, 0))  # nothing is called
    sensitivity = divide(np.pad(hits, start), n_gt[:, None])
    rate = divide(np.pad(extra, start), n_scans[:, None])

    def place(level: float) -> int:
        return int((rate[0] <= level).sum()) - 1

    found, n = [], len(rate) - 1
    for level in levels:
        each = rate[1:, place(level)]
        error = np.sqrt((n - 1) / n * ((each - each.mean()) ** 2).sum())
        error = max(error, np.sqrt(level / n_scans[0]), 1 / n_scans[0])
        low, high = max(level - error, 0), level + error
        slope = (sensitivity[0, place(high)] - sensitivity[0, place(low)]) / (high - low)
        saved = rate[0, place(level)] - each
        found.append(sensitivity[1:, place(level)] + slope * saved)
    return np.array(found)
