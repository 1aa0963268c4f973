"""Agreement of detector and annotation on the number of microbleeds of a scan.

Two raters, or a rater and a detector: kappa on bands of counts, intraclass correlation and
Bland-Altman's limits on the counts, and Dice's index over microbleeds instead of voxels
(Kuijf et al. 2012), which looks at which microbleeds are meant and not only at how many.
"""

from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import f, t

from cmbkit.evaluation.intervals import interval, jackknife_t
from cmbkit.evaluation.metrics import divide
from cmbkit.evaluation.statistics import estimates, left_out

BANDS = (1, 3, 5, 11)
WEIGHTINGS = ("none", "linear", "quadratic")


def band_names(thresholds=BANDS) -> list[str]:
    """Names of the bands of counts that thresholds make: "0", "1-2", "3-4", "5-10", ">=11"."""
    edges = [0, *thresholds]
    names = [str(low) if high == low + 1 else f"{low}-{high - 1}" for low, high in pairwise(edges)]
    return [*names, f">={edges[-1]}"]


def kappa(first, second, n_levels: int, weighting: str = "none", weights=None) -> np.ndarray:
    """Cohen's kappa of two ratings of the same scans.

    Parameters
    ----------
    first, second : array-like of int, shape (scans,)
        Levels 0 to ``n_levels`` - 1.
    weighting : {"none", "linear", "quadratic"}
        How a disagreement grows with the distance of the two levels; "none" counts all alike.
    weights : ndarray, shape (samples, scans), optional
        How often each scan counts; once by default.

    Returns
    -------
    ndarray, shape (samples,)
        1 is perfect, 0 is chance; NaN where chance alone would agree always.

    Raises
    ------
    ValueError
        If a level is none of these, as -1 or NaN for a missing one.
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(f"weighting: expected one of {WEIGHTINGS}, found {weighting!r}")
    for levels in (first, second):
        odd = np.setdiff1d(np.asarray(levels, float), np.arange(n_levels))
        if odd.size:
            raise ValueError(f"kappa: expected levels 0 to {n_levels - 1}, found {odd[0]:g}")
    first, second = np.asarray(first, int), np.asarray(second, int)
    weights = np.ones((1, first.size)) if weights is None else np.asarray(weights, float)
    one, other = np.eye(n_levels)[first], np.eye(n_levels)[second]
    observed = np.einsum("bs,si,sj->bij", weights, one, other, optimize=True)
    expected = observed.sum(axis=2)[:, :, None] * observed.sum(axis=1)[:, None, :]
    total = weights.sum(axis=1)
    gap = np.abs(np.subtract.outer(np.arange(n_levels), np.arange(n_levels))).astype(float)
    cost = {"none": gap > 0, "linear": gap, "quadratic": gap**2}[weighting].astype(float)
    paid = divide((observed * cost).sum(axis=(1, 2)), total)
    by_chance = divide((expected * cost).sum(axis=(1, 2)), total**2)
    return 1 - divide(paid, by_chance)


def confusion(first: pd.Series, second: pd.Series, rows, columns) -> pd.DataFrame:
    """How often two raters said what of the same cases.

    Parameters
    ----------
    first, second : Series of str, shape (cases,)
        Of the same index.
    rows, columns : sequence of str
        What ``first`` and what ``second`` can say, in order.

    Returns
    -------
    DataFrame
        A row for each of ``rows`` and one called "All"; a column of counts for each of
        ``columns``, then n (cases) and n_same (cases in which both said the same).

    Raises
    ------
    ValueError
        If a rater says something else.
    """
    for said, known in ((first, rows), (second, columns)):
        other = sorted(set(said) - set(known))
        if other:
            raise ValueError(f"ratings: expected one of {list(known)}, found {other[0]!r}")
    counts = pd.crosstab(first, second).reindex(index=rows, columns=columns, fill_value=0)
    same = first[first == second].value_counts().reindex(rows, fill_value=0)
    table = counts.assign(n=counts.sum(axis=1), n_same=same)
    table.loc["All"] = table.sum()
    return table.rename_axis(columns=None)


def _mean_squares(ratings, weights=None) -> tuple[np.ndarray, ...]:
    """Of scans, raters and the rest, in the two-way analysis of variance; number of scans."""
    ratings = np.asarray(ratings, float)
    weights = np.ones((1, len(ratings))) if weights is None else np.asarray(weights, float)
    k, n = ratings.shape[1], weights.sum(axis=1)
    middle = ratings.mean(axis=1)
    raters = divide(weights @ ratings, n[:, None])
    grand = raters.mean(axis=1)
    between = k * (weights * (middle - grand[:, None]) ** 2).sum(axis=1)
    rest = ratings - middle[:, None] - raters[:, None, :] + grand[:, None, None]
    rest = (weights[:, :, None] * rest**2).sum(axis=(1, 2))
    columns = n * raters.var(axis=1, ddof=1)
    return divide(between, n - 1), columns, divide(rest, (n - 1) * (k - 1)), n


def intraclass(ratings, weights=None) -> dict[str, np.ndarray]:
    """Intraclass correlation of counts, single measures (Shrout and Fleiss 1979).

    Parameters
    ----------
    ratings : array-like, shape (scans, raters)
        By two raters or more.
    weights : ndarray, shape (samples, scans), optional
        How often each scan counts.

    Returns
    -------
    dict of ndarray, shape (samples,)
        ``icc_2_1`` (absolute agreement: a constant offset counts against it) and ``icc_3_1``
        (consistency: it does not). NaN for fewer than two scans or without any spread.

    Examples
    --------
    Four judges of six, Table 2 of Shrout and Fleiss:

    >>> judges = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6]]
    >>> judges += [[10, 5, 6, 9], [6, 2, 4, 7]]
    >>> {name: float(value[0].round(2)) for name, value in intraclass(judges).items()}
    {'icc_2_1': 0.29, 'icc_3_1': 0.71}
    """
    k = np.shape(ratings)[1]
    scans, raters, rest, n = _mean_squares(ratings, weights)
    below = scans + (k - 1) * rest
    return {
        "icc_2_1": divide(scans - rest, below + k * divide(raters - rest, n)),
        "icc_3_1": divide(scans - rest, below),
    }


def intraclass_interval(ratings) -> dict[str, tuple[float, float]]:
    """95 % intervals of `intraclass` by the F distribution, scans as independent units.

    Shrout and Fleiss (1979), McGraw and Wong (1996). NaN where scans, or raters, do not differ.
    """
    n, k = np.shape(ratings)
    scans, raters, rest, _ = (float(value[0]) for value in _mean_squares(ratings))
    if not (scans > 0 and rest > 1e-12 * scans):
        return dict.fromkeys(("icc_2_1", "icc_3_1"), (np.nan, np.nan))
    free = (n - 1) * (k - 1)
    low = scans / rest / f.ppf(0.975, n - 1, free)
    high = scans / rest * f.ppf(0.975, free, n - 1)
    r = float(intraclass(ratings)["icc_2_1"][0])
    a, b = k * r / (n * (1 - r)), 1 + k * r * (n - 1) / (n * (1 - r))
    df = (a * raters + b * rest) ** 2 / ((a * raters) ** 2 / (k - 1) + (b * rest) ** 2 / free)
    below = k * raters + (k * n - k - n) * rest
    lower, upper = f.ppf(0.975, n - 1, df), f.ppf(0.975, df, n - 1)
    return {
        "icc_2_1": (
            n * (scans - lower * rest) / (lower * below + n * scans),
            n * (upper * scans - rest) / (below + n * upper * scans),
        ),
        "icc_3_1": tuple((x - 1) / (x + k - 1) for x in (low, high)),
    }


def limits_interval(first, second) -> dict[str, tuple[float, float]]:
    """95 % intervals of `bland_altman` by Student's t, scans as independent units.

    The variance of a limit is s^2 (1 / n + 1.96^2 / (2 (n - 1))) (Bland and Altman 1999). NaN
    where the differences do not differ, or there are none.
    """
    gap = np.asarray(second, float) - np.asarray(first, float)
    if gap.size == 0:
        return dict.fromkeys(("bias", "lower", "upper"), (np.nan, np.nan))
    n, found = gap.size, {}
    spread = gap.std(ddof=1) if n > 1 and np.ptp(gap) > 0 else np.nan
    for name, value in bland_altman(first, second).items():
        extra = 0 if name == "bias" else 1.96**2 / (2 * max(n - 1, 1))
        half = t.ppf(0.975, n - 1) * spread * np.sqrt(1 / n + extra)
        found[name] = (float(value[0] - half), float(value[0] + half))
    return found


def bland_altman(first, second, weights=None) -> dict[str, np.ndarray]:
    """Mean difference second - first and the limits that hold 95 % of the differences.

    Returns
    -------
    dict of ndarray, shape (samples,)
        bias, lower and upper (bias -+ 1.96 sample standard deviations).
    """
    gap = np.asarray(second, float) - np.asarray(first, float)
    weights = np.ones((1, gap.size)) if weights is None else np.asarray(weights, float)
    n = weights.sum(axis=1)
    bias = divide(weights @ gap, n)
    spread = np.sqrt(divide((weights * (gap - bias[:, None]) ** 2).sum(axis=1), n - 1))
    return {"bias": bias, "lower": bias - 1.96 * spread, "upper": bias + 1.96 * spread}


_CAN_BE = {
    **dict.fromkeys(("bias", "lower", "upper"), (-np.inf, np.inf)),
    "icc_2_1": (-np.inf, 1),
}
"""Limits of a measure other than -1 and 1, those of kappa and ICC(3,1)."""


def _measures(scans: pd.DataFrame, thresholds, weights) -> dict[str, np.ndarray]:
    truth, said = scans["n_gt"].to_numpy(), scans["n_pred"].to_numpy()
    for name, counts in (("n_gt", truth), ("n_pred", said)):
        if not (counts >= 0).all():
            odd = counts[~(counts >= 0)][0]
            raise ValueError(f"{name}: expected counts of 0 or more in every scan, found {odd:g}")
    bands = np.digitize(truth, thresholds), np.digitize(said, thresholds)
    n_bands = len(thresholds) + 1
    tp, fp, fn = (weights @ scans[name].to_numpy(float) for name in ("tp", "fp", "fn"))
    return {
        "kappa_any": kappa(truth > 0, said > 0, 2, "none", weights),
        "kappa_bands": kappa(*bands, n_bands, "none", weights),
        "kappa_bands_linear": kappa(*bands, n_bands, "linear", weights),
        "kappa_bands_quadratic": kappa(*bands, n_bands, "quadratic", weights),
        **intraclass(np.stack([truth, said], axis=1), weights),
        **bland_altman(truth, said, weights),
        "lesion_dice": divide(2 * tp, 2 * tp + fp + fn),
    }


def count_agreement(scans: pd.DataFrame, *, thresholds=BANDS) -> pd.DataFrame:
    """Agreement on the number of microbleeds, with intervals over patients.

    Parameters
    ----------
    scans : DataFrame
        Scan rows of one model: dataset, patient, n_gt, n_pred, tp, fp, fn.
    thresholds : sequence of int
        Lower ends of the bands of counts; the first band is below the first.

    Returns
    -------
    DataFrame
        Index: kappa_any (none or some), kappa_bands and its linear and quadratic weighting,
        icc_2_1, icc_3_1, bias, lower, upper (CMBs per scan), lesion_dice; columns value, low,
        high and interval (its method, see `intervals.jackknife_t`).

    Notes
    -----
    Dice's index over microbleeds is the pooled F1 of the matching, and has its interval.
    """
    without = _measures(scans, thresholds, left_out(scans))
    rows = {}
    for name, value in _measures(scans, thresholds, np.ones((1, len(scans)))).items():
        low, high, method = (
            interval("pooled_f1", *estimates(scans)["pooled_f1"])
            if name == "lesion_dice"
            else jackknife_t(value[0], without[name], _CAN_BE.get(name, (-1, 1)))
        )
        ends = {"low": float(low), "high": float(high), "interval": str(method)}
        rows[name] = {"value": float(value[0]), **ends}
    return pd.DataFrame.from_dict(rows, orient="index")
