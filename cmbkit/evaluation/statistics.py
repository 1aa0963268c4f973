"""Numbers of a group of scans, each with its interval; patients as the units."""

import numpy as np
import pandas as pd

from cmbkit.evaluation.intervals import interval
from cmbkit.evaluation.metrics import (
    aggregate,
    denominators,
    divide,
    per_scan,
    scan_classification,
)
from cmbkit.params import Evaluation

MEANS = {name: f"scan_{name}" for name in ("precision", "recall", "f1", "fp_cmb")}
MEANS |= {"fp_scan": "fp_scan", "dice_tp": "scan_dice_tp", "dice_scan": "scan_dice"}
"""Columns of single scans, and the names of their means in `metrics.aggregate`."""


def percentile_interval(resampled: np.ndarray) -> tuple[float, float]:
    """Ends of the middle 95 % of resampled values; NaN if none is finite, others are left out."""
    known = resampled[np.isfinite(resampled)]
    tail = (1 - 0.95) / 2
    low, high = np.quantile(known, [tail, 1 - tail]) if known.size else (np.nan, np.nan)
    return float(low), float(high)


def patient_codes(scans: pd.DataFrame) -> np.ndarray:
    """One integer per scan, the same for scans of the same patient.

    Patients are told apart by ``patient`` and by ``source`` (the dataset a scan comes from
    when ``dataset`` names a group such as "Valid"), or else ``dataset``.
    """
    names = [name for name in ("source", "dataset") if name in scans][:1]
    return scans.groupby([*names, "patient"], sort=False).ngroup().to_numpy()


def bootstrap_weights(patients, samples: int, seed: int) -> np.ndarray:
    """How often each scan is in each bootstrap sample of patients.

    ``patients``, array-like of int, shape (scans,): 0 to number of patients - 1; all scans of a
    drawn patient are in.

    Returns
    -------
    ndarray, shape (samples, scans)
    """
    patients = np.asarray(patients, int)
    if patients.size == 0:
        return np.zeros((samples, 0))
    n = int(patients.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=samples)
    return drawn[:, patients].astype(float)


def left_out(scans: pd.DataFrame) -> np.ndarray:
    """Weights of the scans with one patient left out at a time, shape (patients, scans)."""
    patients = patient_codes(scans)
    return (patients[None, :] != np.arange(patients.max(initial=-1) + 1)[:, None]).astype(float)


def ratio(who, top, bottom) -> tuple[float, np.ndarray, np.ndarray]:
    """sum(top) / sum(bottom) over rows; ``who``: whose each row is, the units.

    Returns
    -------
    float, ndarray, ndarray
        The ratio, that without each unit, and what each adds to ``bottom``, as
        `intervals.interval` wants them.
    """
    codes = pd.factorize(np.asarray(who))[0]
    a, b = (np.bincount(codes, np.broadcast_to(x, len(codes)).astype(float)) for x in (top, bottom))
    return float(divide(a.sum(), b.sum())), divide(a.sum() - a, b.sum() - b), b


def estimates(scans: pd.DataFrame, nan_rule: str = "text") -> dict[str, tuple]:
    """Every metric: its value, those without each patient, and what each patient contributes.

    Returns
    -------
    dict of name to (float, ndarray, ndarray)
        As `intervals.interval` wants them, arrays of shape (patients,).
    """
    whole, weights = aggregate(scans, None, nan_rule), left_out(scans)
    without, parts = aggregate(scans, weights, nan_rule), denominators(scans, nan_rule)
    return {
        name: (float(value[0]), without[name], (1 - weights) @ parts[name])
        for name, value in whole.items()
    }


def classification_summary(scans: pd.DataFrame, threshold: int, positive: str) -> dict:
    """Scans sorted by their number of CMBs, with intervals.

    ``scans``: one group of scans of one model: dataset, patient, n_gt, n_pred.

    Returns
    -------
    dict
        That of `metrics.scan_classification`; n_positive; precision, recall, specificity and f1
        with ``_low``, ``_high`` and ``_interval`` (see `summary`), scans as the units.
    """
    found = scan_classification(scans["n_gt"], scans["n_pred"], threshold, positive)
    truth, said = scans["n_gt"].to_numpy() >= threshold, scans["n_pred"].to_numpy() >= threshold
    if positive == "fewer_than":
        truth, said = ~truth, ~said
    calls = scans.drop(columns=["dice_tp", "dice_scan"], errors="ignore")
    of = estimates(calls.assign(tp=truth & said, fp=~truth & said, fn=truth & ~said))
    turned = estimates(calls.assign(tp=~truth & ~said, fp=truth & ~said, fn=~truth & said))
    kept = {name: of[f"pooled_{name}"] for name in ("precision", "recall", "f1")}
    kept["specificity"] = turned["pooled_recall"]
    for name, (value, *rest) in kept.items():
        metric = "pooled_f1" if name == "f1" else "pooled_recall"
        found |= _parts(name, *interval(metric, value, *rest))
    return found | {"n_positive": found["tp"] + found["fn"]}


def _parts(name: str, low, high, method) -> dict:
    return {f"{name}_low": float(low), f"{name}_high": float(high), f"{name}_interval": str(method)}


def summary(scans: pd.DataFrame, params: Evaluation) -> dict:
    """All numbers of one group of scans: counts, averages, standard deviations, intervals.

    ``scans``: scans of one model: dataset, patient, tp, fp, fn (and dice_tp, dice_scan).

    Returns
    -------
    dict
        n_scans, tp, fp, fn; every name of `metrics.aggregate`, with _low, _high and _interval
        (the method, a key of `intervals.METHODS`), and, for means over scans, _sd and _n (scans
        that have a value; of F1*, of two means, the fewer).
    """
    of = estimates(scans, params.nan_rule)
    found: dict[str, float | str] = {"n_scans": len(scans)}
    found |= {c: int(scans[c].sum()) for c in ("tp", "fp", "fn")}
    for name, (value, without, units) in of.items():
        found |= {name: value} | _parts(name, *interval(name, value, without, units))
    scored = per_scan(scans, params.nan_rule).assign(fp_scan=scans["fp"])
    for name, mean in MEANS.items():
        if name in scored:
            values = scored[name].astype(float)
            found |= {f"{mean}_sd": values.std(), f"{mean}_n": int(values.count())}
    found["scan_f1_star_n"] = min(found["scan_precision_n"], found["scan_recall_n"])
    return found


def summary_by(scans: pd.DataFrame, keys: list[str], params: Evaluation) -> pd.DataFrame:
    """`summary` of every group of scans: one row each, in the order in which groups come.

    ``scans``: also the columns ``keys``, which tell the groups apart and come first in the
    result.
    """
    rows = []
    for values, group in scans.groupby(keys, sort=False):
        rows.append(dict(zip(keys, values, strict=True)) | summary(group, params))
    return pd.DataFrame(rows)
