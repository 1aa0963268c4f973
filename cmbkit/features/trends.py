"""How features go together, and how they change with the acquisition."""

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.95
CORRELATED = (
    *("n_voxels", "radius_mm", "max_diameter_mm", "sphericity"),
    *("inv_flatness", "inv_elongation", "contrast", "edge_mm"),
)


def correlations(features: pd.DataFrame, names=CORRELATED) -> pd.DataFrame:
    """Spearman rank correlation of every pair of features.

    Parameters
    ----------
    features : DataFrame
        One row per CMB.
    names : sequence of str
        Columns; pairs with a NaN are left out pair by pair.

    Returns
    -------
    DataFrame
        first, second, rho, n. rho is NaN where one of the two does not vary or n < 3.
    """
    rows = []
    for first in names:
        for second in names:
            pair = features[[first]].assign(other=features[second]).dropna().to_numpy(float)
            varied = len(pair) > 2 and np.ptp(pair, axis=0).min() > 0
            rho = float(stats.spearmanr(*pair.T).statistic) if varied else float("nan")
            rows.append({"first": first, "second": second, "rho": rho, "n": len(pair)})
    return pd.DataFrame(rows)


def linear_trend(x, y, groups, at, *, draws: int = 1000, seed: int) -> pd.DataFrame:
    """Least-squares line with a band that respects groups.

    Parameters
    ----------
    x, y : array-like, shape (n,)
    groups : array-like, shape (n,)
        Scan or patient of each value: whole groups are drawn again (bootstrap), because CMBs
        of one scan share its acquisition.
    at : array-like, shape (m,)
        Where the line is wanted.

    Returns
    -------
    DataFrame
        x, fit, low, high (pointwise band of 95 %); ``attrs`` holds slope, slope_low,
        slope_high, n and groups.

    Raises
    ------
    ValueError
        If x has fewer than two different values: there is no slope.
    """
    x, y, at = (np.asarray(v, float) for v in (x, y, at))
    groups = np.asarray(groups)
    keep = np.isfinite(x) & np.isfinite(y)
    x, y, groups = x[keep], y[keep], groups[keep]
    if len(np.unique(x)) < 2:
        raise ValueError(f"trend: expected at least two values of x, found {len(np.unique(x))}")
    names, member = np.unique(groups, return_inverse=True)
    slope, offset = _line(x, y, np.ones(len(x)))
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(draws):
        times = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        weights = times[member].astype(float)
        if np.ptp(x[weights > 0]) > 0:
            lines.append(_line(x, y, weights))
    slopes, offsets = np.array(lines).T
    ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    low, high = np.quantile(offsets[:, None] + slopes[:, None] * at, ends, axis=0)
    table = pd.DataFrame({"x": at, "fit": offset + slope * at, "low": low, "high": high})
    slope_low, slope_high = np.quantile(slopes, ends)
    table.attrs.update(
        slope=slope, slope_low=slope_low, slope_high=slope_high, n=len(x), groups=len(names)
    )
    return table


def _line(x, y, weights) -> tuple[float, float]:
    total = weights.sum()
    mean_x, mean_y = (weights @ x) / total, (weights @ y) / total
    slope = (weights * (x - mean_x)) @ (y - mean_y) / ((weights * (x - mean_x)) @ (x - mean_x))
    return float(slope), float(mean_y - slope * mean_x)
