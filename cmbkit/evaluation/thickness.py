"""Recall and false positives against slice thickness, from the controlled experiment.

The same microbleeds of the same brains are scanned with slices of several thicknesses, so two
thicknesses are compared microbleed by microbleed.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import stats

from cmbkit.evaluation.metrics import divide
from cmbkit.evaluation.statistics import wilson

CONDITION = ["factor", "level", "thickness_mm"]
SERIES = CONDITION[:2]


def poisson_interval(count, exposure, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Exact (Garwood's) interval of a rate.

    Parameters
    ----------
    count : array-like of int
        Events.
    exposure : array-like of float, of the same shape
        What they are counted over, for instance scans.
    confidence : float

    Returns
    -------
    low, high : ndarray
        Events per unit of exposure.
    """
    count, tail = np.asarray(count, float), (1 - confidence) / 2
    low = np.where(count > 0, stats.chi2.ppf(tail, 2 * np.maximum(count, 0.5)) / 2, 0.0)
    high = stats.chi2.ppf(1 - tail, 2 * (count + 1)) / 2
    return divide(low, exposure), divide(high, exposure)


def curves(calls: pd.DataFrame, scans: pd.DataFrame) -> pd.DataFrame:
    """Recall and false positives per scan of every condition, with 95 % intervals.

    Parameters
    ----------
    calls : DataFrame
        factor, level, thickness_mm, call.
    scans : DataFrame
        factor, level, thickness_mm, one row per scan, those without calls too.

    Returns
    -------
    DataFrame
        factor, level, thickness_mm, scans, tp, fp, fn, recall, recall_low, recall_high
        (Wilson), fp_scan, fp_scan_low, fp_scan_high (Poisson), in the order of ``scans``.
    """
    table = scans.groupby(CONDITION, sort=False).size().rename("scans").reset_index()
    for name in ("tp", "fp", "fn"):
        found = calls[calls["call"] == name.upper()].groupby(CONDITION).size().rename(name)
        table = table.merge(found, on=CONDITION, how="left")
        table[name] = table[name].fillna(0).astype(int)
    cmbs = table["tp"] + table["fn"]
    low, high = wilson(table["tp"], cmbs)
    fewest, most = poisson_interval(table["fp"], table["scans"])
    return table.assign(
        recall=divide(table["tp"], cmbs), recall_low=low, recall_high=high,
        fp_scan=divide(table["fp"], table["scans"]), fp_scan_low=fewest, fp_scan_high=most,
    )  # fmt: skip


def changes(calls: pd.DataFrame) -> pd.DataFrame:
    """What becomes of the very same microbleeds when slices get thicker.

    Parameters
    ----------
    calls : DataFrame
        factor, level, thickness_mm, brain, call, gt_id: the same (brain, gt_id) at every
        thickness.

    Returns
    -------
    DataFrame
        For each factor and level one row per step to the next thickness, and one from the
        thinnest to the thickest: factor, level, thinner_mm, thicker_mm, n (microbleeds),
        recall_thinner, recall_thicker, lost (found in the thinner slices alone), gained (in
        the thicker alone), p_value (exact McNemar test, two-sided; NaN where nothing changed).
    """
    annotated = calls[calls["gt_id"].notna()]
    rows = []
    for (factor, level), part in annotated.groupby(SERIES, sort=False):
        found = part.assign(found=(part["call"] == "TP").astype(int)).pivot_table(
            index=["brain", "gt_id"], columns="thickness_mm", values="found", aggfunc="max"
        )
        steps = list(pairwise(found.columns))
        if len(steps) > 1:
            steps.append((found.columns[0], found.columns[-1]))
        for thin, thick in steps:
            before, after = found[thin].astype(bool), found[thick].astype(bool)
            lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
            changed = lost + gained
            p_value = stats.binomtest(lost, changed).pvalue if changed else np.nan
            rows.append(
                {
                    "factor": factor,
                    "level": level,
                    "thinner_mm": thin,
                    "thicker_mm": thick,
                    "n": len(found),
                    "recall_thinner": before.mean(),
                    "recall_thicker": after.mean(),
                    "lost": lost,
                    "gained": gained,
                    "p_value": p_value,
                }
            )
    return pd.DataFrame(rows)
