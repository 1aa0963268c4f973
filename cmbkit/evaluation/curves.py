"""Curves over the score of candidates: FROC, precision and recall, AFROC (`adds` in `matching`).

A candidate adds a TP or an FP when the threshold falls to its score and everything is matched
anew, so running sums over falling scores are the counts at every threshold. Scans without
microbleeds count in false positives per scan and give no sensitivity.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from cmbkit.evaluation.intervals import TOO_FEW, interval
from cmbkit.evaluation.metrics import divide
from cmbkit.evaluation.statistics import (
    bootstrap_weights,
    left_out,
    patient_codes,
    percentile_interval,
)

FROC_LEVELS = (0.125, 0.25, 0.5, 1, 2, 4, 8)
"""False positives per scan whose sensitivities the CAD score averages (Niemeijer 2011)."""
MERIT = {
    "wafroc": "wAFROC: scans with CMBs weigh the same",
    "afroc": "AFROC: CMBs weigh the same",
    "wafroc1": "wAFROC1: false positives of all scans, as none is without CMBs",
    "afroc1": "AFROC1: false positives of all scans, as none is without CMBs",
    "cad_score": "CAD score: mean sensitivity at 1/8 to 8 false positives per scan",
    "average_precision": "Average precision",
}


def froc(matches: pd.DataFrame, n_scans: int) -> pd.DataFrame:
    """Free-response curve: what is found, and at how many false positives, per score threshold.

    Parameters
    ----------
    matches : DataFrame
        match, score (of the predicted CMB; needed for TP and FP rows) and adds, what it adds when
        the threshold falls to its score (`matching.match_instances`).
    n_scans : int
        Evaluated scans, those without any match included.

    Returns
    -------
    DataFrame
        threshold (descending, first row infinity: nothing is called), sensitivity,
        fp_per_scan, precision; one row per distinct score.

    Examples
    --------
    Two scans, three annotated microbleeds:

    >>> matches = pd.DataFrame(
    ...     {"match": ["TP", "TP", "FN", "FP"], "score": [0.9, 0.6, None, 0.7]}
    ... )
    >>> froc(matches.assign(adds=["TP", "TP", None, "FP"]), n_scans=2).round(2)
       threshold  sensitivity  fp_per_scan  precision
    0        inf         0.00          0.0        NaN
    1        0.9         0.33          0.0       1.00
    2        0.7         0.33          0.5       0.50
    3        0.6         0.67          0.5       0.67
    """
    candidates = _scored(matches)
    n_gt = int((matches["match"] != "FP").sum())
    counts = (
        candidates.assign(tp=candidates["adds"] == "TP", fp=candidates["adds"] == "FP")
        .groupby("score")[["tp", "fp"]]
        .sum()
        .sort_index(ascending=False)
        .cumsum()
    )
    tp = np.concatenate([[0], counts["tp"]])
    fp = np.concatenate([[0], counts["fp"]])
    return pd.DataFrame(
        {
            "threshold": np.concatenate([[np.inf], counts.index]),
            "sensitivity": divide(tp, n_gt),
            "fp_per_scan": divide(fp, n_scans),
            "precision": divide(tp, tp + fp),
        }
    )


def _scored(matches: pd.DataFrame) -> pd.DataFrame:
    candidates = matches[matches["match"] != "FN"]
    if candidates["score"].isna().any():
        raise ValueError(
            "score: expected a score for every predicted CMB, "
            f"found none for {int(candidates['score'].isna().sum())} of {len(candidates)}"
        )
    return candidates


def sensitivity_at(curve: pd.DataFrame, levels=FROC_LEVELS) -> pd.Series:
    """Highest sensitivity of a FROC curve at no more than so many false positives per scan.

    No interpolation: only thresholds that exist count. Levels beyond the curve's end repeat
    its last value.
    """
    values = [curve.loc[curve["fp_per_scan"] <= level, "sensitivity"].max() for level in levels]
    return pd.Series(values, index=pd.Index(levels, name="fp_per_scan"), name="sensitivity")


def called_at(matches, scans, weights) -> tuple[np.ndarray, np.ndarray]:
    """`counted` of a table of matches (uid, match, score, adds), under weightings of the scans."""
    called = _scored(matches)
    place = pd.Series(range(len(scans)), index=scans["uid"])
    each = weights[:, called["uid"].map(place).to_numpy(int)]
    return counted(called["score"].to_numpy(float), (called["adds"] == "TP").to_numpy(), each)


def counted(scores, true, weights) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives at every threshold, highest first; equal scores are one step.

    Parameters
    ----------
    scores, true : ndarray, shape (candidates,)
    weights : ndarray, shape (samples, candidates)

    Returns
    -------
    ndarray, ndarray
        Shape (samples, thresholds).
    """
    order = np.argsort(-scores, kind="stable")
    scores, true, weights = scores[order], true[order], weights[:, order]
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: scores.size])
    hits, extra = (_running(weights[:, kind], np.cumsum(kind)[last]) for kind in (true, ~true))
    return hits, extra


def _running(weights, upto) -> np.ndarray:
    """Sum of each row's first ``upto`` weights, for every number in ``upto``."""
    sums = np.zeros((len(weights), weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return np.take(sums, upto, axis=1)


def reached(hits, extra, n_gt, n_scans, levels=FROC_LEVELS) -> np.ndarray:
    """Highest sensitivity at no more than each of ``levels`` FP per scan, (levels, samples).

    ``hits`` and ``extra`` rise from threshold to threshold, as those of `counted` do.
    """
    rate, each = divide(extra, n_scans[:, None]), np.arange(len(hits))
    most = np.pad(hits, ((0, 0), (1, 0)))
    best = [most[each, (rate <= at).sum(axis=1)] for at in levels]
    return np.where(n_gt > 0, divide(np.stack(best), n_gt), np.nan)


def average_precision(matches, scans, weights=None) -> np.ndarray:
    """Area under precision against recall: sum of precision x step in recall, (samples,).

    Missed microbleeds count in recall. Equal scores are one step. ``weights`` of the scans as in
    `metrics.aggregate`.
    """
    weights = np.ones((1, len(scans))) if weights is None else weights
    return precision_area(*called_at(matches, scans, weights), weights @ scans["n_gt"].to_numpy())


def precision_area(hits, extra, n_gt) -> np.ndarray:
    """`average_precision` of the counts at every threshold (`counted`), (samples,)."""
    called = hits + extra
    precision = np.divide(hits, called, out=np.zeros_like(called), where=called > 0)
    return divide((np.diff(hits, axis=1, prepend=0) * precision).sum(axis=1), n_gt)


def afroc(matches, scans, weights=None, *, weighted: bool = True, all_scans: bool = False):
    """Area under the alternative free-response curve (Chakraborty and Zhai 2016), (samples,).

    The chance that a microbleed's score exceeds the highest false positive's of a scan; equal
    scores count one half, what is not called scores minus infinity.

    Parameters
    ----------
    weights : ndarray, shape (samples, scans), optional
    weighted : bool
        wAFROC: every scan with microbleeds weighs the same; else every microbleed (AFROC).
    all_scans : bool
        False positives of all scans ((w)AFROC1), not of those without microbleeds alone.
    """
    weights = np.ones((1, len(scans))) if weights is None else np.asarray(weights, float)
    called, n_gt = _scored(matches), scans["n_gt"].to_numpy(int)
    highest = called[called["adds"] == "FP"].groupby("uid")["score"].max()
    noise = scans["uid"].map(highest).fillna(-np.inf).to_numpy(float)
    found = called[called["adds"] == "TP"]
    place = pd.Series(range(len(scans)), index=scans["uid"])
    owner = found["uid"].map(place).to_numpy(int)
    missed = np.repeat(np.arange(len(scans)), n_gt - np.bincount(owner, minlength=len(scans)))
    score = np.append(found["score"].to_numpy(float), np.full(missed.size, -np.inf))
    owner = np.append(owner, missed)
    return afroc_area(noise, owner, score, weights, weighted=weighted, all_scans=all_scans)


def afroc_area(noise, owner, score, weights, *, weighted: bool, all_scans: bool) -> np.ndarray:
    """`afroc` of numbers.

    Parameters
    ----------
    noise : ndarray, shape (scans,)
        Score of the highest false positive, minus infinity without any.
    owner, score : ndarray, shape (microbleeds,)
        Its scan's place and its score, minus infinity where it is missed.
    weights : ndarray, shape (samples, scans)
    """
    n_gt = np.bincount(owner, minlength=len(noise))
    above = (score > noise[:, None]) + 0.5 * (score == noise[:, None])
    share = 1 / n_gt[owner] if weighted else np.ones(len(owner))
    normal = np.ones(len(noise)) if all_scans else (n_gt == 0).astype(float)
    lesions = np.minimum(n_gt, 1) if weighted else n_gt
    top = (((weights * normal) @ above) * weights[:, owner] * share).sum(axis=1)
    return divide(top, (weights @ normal) * (weights @ lesions))


def figures_of_merit(matches, scans, *, samples: int = 1000, seed: int) -> pd.DataFrame:
    """One number for a curve, each with jackknife and bootstrap intervals over patients.

    Returns
    -------
    DataFrame
        Index: figure ("wafroc", "afroc", or "wafroc1", "afroc1" where every scan has microbleeds;
        "cad_score"; "average_precision"). value, low, high and interval (`intervals.interval` with
        the jackknife's variance; of AFROC as many patients count as there are in the smaller
        group, with or without microbleeds),
        bootstrap_low, bootstrap_high (percentiles; NaN with too few patients or where all samples
        agree).
    """
    all_scans = bool((scans["n_gt"] > 0).all())
    end = "1" if all_scans else ""
    both, n_gt = (matches, scans), scans["n_gt"].to_numpy(float)
    rules: dict[str, Callable] = {
        f"wafroc{end}": lambda w, _: afroc(*both, w, weighted=True, all_scans=all_scans),
        f"afroc{end}": lambda w, _: afroc(*both, w, weighted=False, all_scans=all_scans),
        "cad_score": lambda w, of: reached(of[0], of[1], w @ n_gt, w.sum(axis=1)).mean(axis=0),
        "average_precision": lambda w, of: precision_area(of[0], of[1], w @ n_gt),
    }
    patients, has = patient_codes(scans), n_gt > 0
    n, smaller = len(set(patients)), min(len(set(patients[has])), len(set(patients[~has])))
    each = np.ones((1, len(scans))), left_out(scans), bootstrap_weights(patients, samples, seed)
    weighted = [(weights, called_at(*both, weights)) for weights in each]
    rows: dict[str, dict] = {}
    for name, rule in rules.items():
        (value,), without, drawn = (rule(weights, called) for weights, called in weighted)
        value, of = float(value), smaller if name in ("wafroc", "afroc") else n
        units = np.full(n, of / n)
        low, high, method = interval("merit", value, without, units)
        ends = percentile_interval(drawn) if method != TOO_FEW else (np.nan, np.nan)
        ends = ends if ends[0] < ends[1] else (np.nan, np.nan)
        rows[name] = {"value": value, "low": float(low), "high": float(high)}
        rows[name] |= {"interval": str(method)}
        rows[name] |= dict(zip(("bootstrap_low", "bootstrap_high"), ends, strict=True))
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("figure")
