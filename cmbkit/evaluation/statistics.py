"""Uncertainty: exact and resampled intervals."""

from statistics import NormalDist

import numpy as np
import pandas as pd
from scipy.stats import chi2

from cmbkit.evaluation.metrics import (
    FROC_LEVELS,
    aggregate,
    divide,
    froc,
    per_scan,
    scan_classification,
    sensitivity_at,
)
from cmbkit.params import Evaluation

MEANS = {name: f"scan_{name}" for name in ("precision", "recall", "f1", "fp_cmb")}
MEANS |= {"fp_scan": "fp_scan", "dice_tp": "scan_dice_tp", "dice_scan": "scan_dice"}
"""Columns of single scans, and the names of their means in `metrics.aggregate`."""


def wilson(successes, trials) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score interval of a proportion, 95 %.

    ``successes``, ``trials`` (array-like of int, of the same shape).

    Returns
    -------
    low, high : ndarray
        NaN where there are no trials. Exactly 0 where nothing succeeded, 1 where all did.
    """
    k, n = np.broadcast_arrays(np.asarray(successes, float), np.asarray(trials, float))
    z = NormalDist().inv_cdf(0.975)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = k / n
        centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)
    return np.where((k == 0) & (n > 0), 0.0, low), np.where((k == n) & (n > 0), 1.0, high)


def poisson_interval(count, exposure=1.0) -> tuple[np.ndarray, np.ndarray]:
    """Exact 95 % interval of a rate: ``count`` events over an exposure, e.g. scans (Garwood 1936).

    Returns
    -------
    low, high : ndarray
        Events per unit of exposure; NaN where that is 0.
    """
    count = np.asarray(count, float)
    low = np.where(count > 0, chi2.ppf(0.025, 2 * np.maximum(count, 0.5)) / 2, 0.0)
    high = chi2.ppf(0.975, 2 * (count + 1)) / 2
    return divide(low, exposure), divide(high, exposure)


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


def classification_summary(
    scans: pd.DataFrame, threshold: int, positive: str, params: Evaluation, seed: int
) -> dict:
    """Scans sorted by their number of CMBs, with intervals.

    ``scans``: one group of scans of one model: dataset, patient, n_gt, n_pred.

    Returns
    -------
    dict
        That of `metrics.scan_classification`; n_positive; precision, recall and specificity
        with Wilson's ``_low`` and ``_high``, f1 with those over patients.
    """
    found = scan_classification(scans["n_gt"], scans["n_pred"], threshold, positive)
    tp, fp, tn, fn = (found[name] for name in ("tp", "fp", "tn", "fn"))
    ends: dict[str, tuple] = {
        "precision": wilson(tp, tp + fp),
        "recall": wilson(tp, tp + fn),
        "specificity": wilson(tn, tn + fp),
        "f1": _f1_interval(scans, threshold, positive, params.bootstrap_samples, seed),
    }
    for name, (low, high) in ends.items():
        found |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return found | {"n_positive": tp + fn}


def _f1_interval(scans, threshold, positive, samples, seed) -> tuple[float, float]:
    truth, said = scans["n_gt"].to_numpy() >= threshold, scans["n_pred"].to_numpy() >= threshold
    if positive == "fewer_than":
        truth, said = ~truth, ~said
    weights = bootstrap_weights(patient_codes(scans), samples, seed)
    hits, wrong = weights @ (truth & said), weights @ (truth != said)
    return percentile_interval(divide(2 * hits, 2 * hits + wrong))


def summary(scans: pd.DataFrame, params: Evaluation, seed: int) -> dict:
    """All numbers of one group of scans: counts, averages, standard deviations, intervals.

    ``scans``: scans of one model: dataset, patient, tp, fp, fn (and dice_tp, dice_scan).

    Returns
    -------
    dict
        n_scans, tp, fp, fn; every name of `metrics.aggregate`, with _low and _high (95 % of the
        samples of patients in which it is defined), and, for means over scans, _sd.
    """
    found: dict[str, float] = {"n_scans": len(scans)}
    found |= {c: int(scans[c].sum()) for c in ("tp", "fp", "fn")}
    weights = bootstrap_weights(patient_codes(scans), params.bootstrap_samples, seed)
    resampled = aggregate(scans, weights, params.nan_rule)
    for name, value in aggregate(scans, None, params.nan_rule).items():
        low, high = percentile_interval(resampled[name])
        found |= {name: float(value[0]), f"{name}_low": low, f"{name}_high": high}
    scored = per_scan(scans, params.nan_rule).assign(fp_scan=scans["fp"])
    for name, mean in MEANS.items():
        if name in scored:
            found[f"{mean}_sd"] = scored[name].astype(float).std()
    return found


def summary_by(scans: pd.DataFrame, keys: list[str], params: Evaluation, seed: int) -> pd.DataFrame:
    """`summary` of every group of scans: one row each, in the order in which groups come.

    ``scans``: also the columns ``keys``, which tell the groups apart and come first in the
    result.
    """
    rows = []
    for values, group in scans.groupby(keys, sort=False):
        rows.append(dict(zip(keys, values, strict=True)) | summary(group, params, seed))
    return pd.DataFrame(rows)


def froc_intervals(
    matches: pd.DataFrame,
    scans: pd.DataFrame,
    *,
    levels=FROC_LEVELS,
    samples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Sensitivity at some false positives per scan, with its interval over patients.

    Parameters
    ----------
    matches : DataFrame
        uid, match, score of one model; every predicted CMB has a score.
    scans : DataFrame
        uid, dataset, patient, n_gt of all its scans, those without matches too.
    levels : sequence of float
        False positives per scan.

    Returns
    -------
    DataFrame
        Index: fp_per_scan; columns sensitivity, low, high (see `metrics.sensitivity_at`).
    """
    value = sensitivity_at(froc(matches, len(scans)), levels)
    weights = bootstrap_weights(patient_codes(scans), samples, seed)
    candidates = matches[matches["match"] != "FN"].sort_values(
        "score", ascending=False, kind="stable"
    )
    place = pd.Series(range(len(scans)), index=scans["uid"])
    each = weights[:, candidates["uid"].map(place).to_numpy(int)]
    hits = np.cumsum(each * (candidates["match"] == "TP").to_numpy(), axis=1)
    extra = np.cumsum(each * (candidates["match"] == "FP").to_numpy(), axis=1)
    scores = candidates["score"].to_numpy(float)
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: scores.size])
    sensitivity = divide(hits[:, last], (weights @ scans["n_gt"].to_numpy(float))[:, None])
    rate = divide(extra[:, last], weights.sum(axis=1)[:, None])
    rows = []
    for level in levels:
        reached = np.where(rate <= level, sensitivity, 0.0).max(axis=1, initial=0.0)
        known = reached[weights @ scans["n_gt"].to_numpy(float) > 0]
        rows.append(percentile_interval(known))
    return pd.DataFrame({"sensitivity": value}).assign(
        low=[low for low, _ in rows], high=[high for _, high in rows]
    )
