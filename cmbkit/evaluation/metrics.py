"""Detection, segmentation and scan-classification metrics, averaged two ways (section 6.7).

A scan table has one row per scan with tp, fp and fn (and dice_tp where masks were compared).
``scan_`` metrics are means over scans that skip NaN; ``pooled_`` metrics come from summed counts.
"""

import numpy as np
import pandas as pd

POSITIVE = ("at_least", "fewer_than")


def divide(numerator, denominator) -> np.ndarray:
    """Quotient, NaN where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(
        np.asarray(numerator, float), np.asarray(denominator, float)
    )
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def harmonic_mean(precision, recall, nan_rule: str = "text") -> np.ndarray:
    """F1 of precision and recall; NaN when either is NaN.

    Parameters
    ----------
    precision, recall : array-like of the same shape
    nan_rule : {"text", "code"}
        When both are 0: ``text`` (thesis, section 6.7.4) gives 0; ``code`` (the thesis's
        released code) gives NaN, so that such scans leave the mean.
    """
    if nan_rule not in ("text", "code"):
        raise ValueError(f"nan_rule: expected 'text' or 'code', found {nan_rule!r}")
    precision, recall = np.asarray(precision, float), np.asarray(recall, float)
    f1 = divide(2 * precision * recall, precision + recall)
    if nan_rule == "text":
        f1 = np.where((precision == 0) & (recall == 0), 0.0, f1)
    return f1


def per_scan(scans: pd.DataFrame, nan_rule: str = "text") -> pd.DataFrame:
    """Return the scan table with precision, recall, f1 and fp_cmb computed from its counts.

    Precision is NaN without predictions; recall and fp_cmb are NaN without annotated CMBs.
    ``scans``: counts 0 or more in every row, or a ValueError.
    """
    tp, fp, fn = (_counts(scans, name) for name in ("tp", "fp", "fn"))
    precision, recall = divide(tp, tp + fp), divide(tp, tp + fn)
    return scans.assign(
        precision=precision,
        recall=recall,
        f1=harmonic_mean(precision, recall, nan_rule),
        fp_cmb=divide(fp, tp + fn),
    )


def _counts(scans: pd.DataFrame, name: str) -> np.ndarray:
    counts = scans[name].to_numpy(float)
    odd = np.flatnonzero(~((counts >= 0) & np.isfinite(counts)))
    if odd.size:
        at = odd[0]
        where = f"scan {scans['uid'].iloc[at]}" if "uid" in scans else f"row {at + 1}"
        raise ValueError(f"{name} of {where}: expected a number of 0 or more, found {counts[at]}")
    return counts


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    return divide(weights @ np.where(known, values, 0.0), weights @ known.astype(float))


def aggregate(
    scans: pd.DataFrame, weights: np.ndarray | None = None, nan_rule: str = "text"
) -> dict[str, np.ndarray]:
    """All averaged metrics of a scan table, for one or many weightings of its scans.

    Parameters
    ----------
    scans : DataFrame
        Columns tp, fp, fn and, for Dice, dice_tp (mean over the scan's TPs) and dice_scan (all
        voxels of the scan).
    weights : ndarray, shape (samples, scans), optional
        How often each scan counts, e.g. in bootstrap samples; once each by default.
    nan_rule : {"text", "code"}
        See `harmonic_mean`.

    Returns
    -------
    dict of name to ndarray, shape (samples,)
        scan_precision, scan_recall, scan_f1, scan_f1_star (harmonic mean of the two scan
        averages), scan_fp_cmb, fp_scan, pooled_precision, pooled_recall, pooled_f1, pooled_fp_cmb,
        and scan_dice_tp, pooled_dice_tp (mean over all TPs) where the table has dice_tp, and
        scan_dice (mean of dice_scan) where it has that.
    """
    scans = per_scan(scans, nan_rule)
    weights = np.ones((1, len(scans))) if weights is None else np.asarray(weights, float)
    tp, fp, fn = (weights @ scans[name].to_numpy(float) for name in ("tp", "fp", "fn"))
    found = {
        f"scan_{name}": _weighted_mean(scans[name].to_numpy(float), weights)
        for name in ("precision", "recall", "f1", "fp_cmb")
    }
    found["scan_f1_star"] = harmonic_mean(found["scan_precision"], found["scan_recall"])
    found["fp_scan"] = divide(fp, weights.sum(axis=1))
    found["pooled_precision"], found["pooled_recall"] = divide(tp, tp + fp), divide(tp, tp + fn)
    found["pooled_f1"] = divide(2 * tp, 2 * tp + fp + fn)
    found["pooled_fp_cmb"] = divide(fp, tp + fn)
    if "dice_scan" in scans:
        found["scan_dice"] = _weighted_mean(scans["dice_scan"].to_numpy(float), weights)
    if "dice_tp" in scans:
        dice = scans["dice_tp"].to_numpy(float)
        total = weights @ np.where(np.isfinite(dice), dice * scans["tp"].to_numpy(float), 0.0)
        found["scan_dice_tp"] = _weighted_mean(dice, weights)
        outlined = np.where(np.isfinite(dice), scans["tp"].to_numpy(float), 0.0)
        found["pooled_dice_tp"] = divide(total, weights @ outlined)
    return found


def denominators(scans: pd.DataFrame, nan_rule: str = "text") -> dict[str, np.ndarray]:
    """What every scan contributes to the denominators of `aggregate`'s metrics.

    Returns
    -------
    dict of name to ndarray of float, shape (scans,)
        Of means over scans 1 where the scan has a value, else 0; of pooled shares how many CMBs
        and calls (of F1: TP + FP + FN, see `intervals.interval`).
    """
    scored = per_scan(scans, nan_rule)
    tp, fp, fn = (scored[name].to_numpy(float) for name in ("tp", "fp", "fn"))
    found = {
        f"scan_{name}": scored[name].notna().to_numpy(float)
        for name in ("precision", "recall", "f1", "fp_cmb")
    }
    both = found["scan_precision"], found["scan_recall"]
    either = np.maximum(*both)
    # No more scans than the mean of fewer of them has.
    found["scan_f1_star"] = either * min(both[0].sum(), both[1].sum()) / max(either.sum(), 1)
    found |= {"fp_scan": np.ones(len(scans)), "pooled_precision": tp + fp}
    found |= {"pooled_recall": tp + fn, "pooled_f1": tp + fp + fn, "pooled_fp_cmb": tp + fn}
    if "dice_scan" in scans:
        found["scan_dice"] = scans["dice_scan"].notna().to_numpy(float)
    if "dice_tp" in scans:
        found["scan_dice_tp"] = scans["dice_tp"].notna().to_numpy(float)
        found["pooled_dice_tp"] = tp * found["scan_dice_tp"]
    return found


def scan_classification(n_gt, n_pred, threshold: int, positive: str = "at_least") -> dict:
    """Sort scans by their number of CMBs (section 6.7.3, Table 7.5).

    Parameters
    ----------
    n_gt, n_pred : array-like of int, shape (scans,)
        Annotated and predicted CMBs of each scan.
    threshold : int
        3, 5 and 11 in the thesis; 1 separates scans with and without CMBs.
    positive : {"at_least", "fewer_than"}
        The positive group: scans with ``threshold`` or more CMBs (the thesis's text), or
        scans with fewer (what the numbers printed in Table 7.5 are).

    Returns
    -------
    dict
        threshold, positive, tp, fp, tn, fn, precision, recall, f1, specificity (NaN where a
        group is empty).
    """
    if positive not in POSITIVE:
        raise ValueError(f"positive: expected one of {POSITIVE}, found {positive!r}")
    truth = np.asarray(n_gt) >= threshold
    said = np.asarray(n_pred) >= threshold
    if positive == "fewer_than":
        truth, said = ~truth, ~said
    tp, fp = int((truth & said).sum()), int((~truth & said).sum())
    fn, tn = int((truth & ~said).sum()), int((~truth & ~said).sum())
    return {
        "threshold": threshold,
        "positive": positive,
        "tp": tp,
        "fp": fp,
        "tn": tn,
        "fn": fn,
        "precision": float(divide(tp, tp + fp)),
        "recall": float(divide(tp, tp + fn)),
        "f1": float(divide(2 * tp, 2 * tp + fp + fn)),
        "specificity": float(divide(tn, tn + fp)),
    }
