"""Methods read by several readers: does one do better (Obuchowski and Rockette 1995).

With Hillis's degrees of freedom (2007). On normalised pseudovalues, the analysis of variance of
Dorfman, Berbaum and Metz (1992) gives the same F, degrees of freedom and p as this one with
covariances by the jackknife (Hillis et al. 2005).
"""

import numpy as np
import pandas as pd
from scipy.stats import chi2, f, norm, t

ANALYSES = {
    "random readers, random patients": "speaks of other readers and other patients",
    "fixed readers, random patients": "speaks of other patients with these readers",
    "random readers, fixed patients": "speaks of other readers with these patients",
}


def jackknife_covariance(without) -> np.ndarray:
    """Covariances of figures of merit of the same patients.

    Parameters
    ----------
    without : ndarray, shape (methods, readers, patients)
        Each figure with one patient left out.

    Returns
    -------
    ndarray, shape (methods, readers, methods, readers)
    """
    without = np.asarray(without, float)
    n = without.shape[-1]
    gaps = without - without.mean(axis=-1, keepdims=True)
    return (n - 1) / n * np.einsum("ijc,klc->ijkl", gaps, gaps)


def obuchowski_rockette(figures, covariance) -> pd.DataFrame:
    """Test whether methods have the same figure of merit, averaged over readers.

    Parameters
    ----------
    figures : array-like, shape (methods, readers)
        At least two methods and two readers, each with all patients.
    covariance : ndarray, shape (methods, readers, methods, readers)
        Of these figures over patients, as from `jackknife_covariance`.

    Returns
    -------
    DataFrame
        Index: keys of `ANALYSES`. f, df_1, df_2 (infinite where it is a chi-squared over its
        degrees of freedom), p_value, error (standard error of the difference of two methods)
        and half (of the width of its 95 % interval). NaN where nothing varies; remark says why.

    Raises
    ------
    ValueError
        If there are fewer methods or readers, or a figure is missing.

    Examples
    --------
    Two methods, three readers who all see the second one better, the same covariances:

    >>> figures = [[0.6, 0.7, 0.65], [0.7, 0.78, 0.77]]
    >>> same = np.full((2, 3, 2, 3), 0.001) + 0.001 * np.eye(6).reshape(2, 3, 2, 3)
    >>> found = obuchowski_rockette(figures, same)
    >>> found.loc["random readers, fixed patients", ["f", "df_2", "p_value"]].round(3).tolist()
    [75.0, 2.0, 0.013]
    """
    figures, covariance = np.asarray(figures, float), np.asarray(covariance, float)
    if figures.ndim != 2 or min(figures.shape) < 2 or not np.isfinite(figures).all():
        raise ValueError(
            "figures: expected numbers of two methods or more by two readers or more, found "
            f"{figures.tolist()}"
        )
    n, r = figures.shape
    means, readers = figures.mean(axis=1), figures.mean(axis=0)
    rest = figures - means[:, None] - readers + figures.mean()
    methods_ms = r * means.var(ddof=1)
    rest[np.abs(rest) < 1e-12] = 0  # rounding
    both_ms = (rest**2).sum() / ((n - 1) * (r - 1))
    terms = average_covariances(covariance)
    apart = max(terms["cov_2"] - terms["cov_3"], 0)
    fixed = terms["variance"] - terms["cov_1"] + (r - 1) * apart
    free = (n - 1) * (r - 1)
    bottom = both_ms + r * apart
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = [
            (bottom, free * np.square(bottom / both_ms)),
            (fixed, np.inf),
            (both_ms, float(free)),
        ]
        found = [_tested(methods_ms, below, r, n - 1, df) for below, df in rows]
    columns = ["f", "df_1", "df_2", "p_value", "error", "half"]
    index = pd.Index(list(ANALYSES), name="analysis")
    why = [
        "" if below > 0 else f"no F: the estimated variance is not above 0 ({below:.2g})"
        for below, _ in rows
    ]
    return pd.DataFrame(found, index=index, columns=columns).assign(remark=why)


def average_covariances(covariance) -> dict[str, float]:
    """Variance of a figure, and covariances of those that share reader, method or neither.

    Returns
    -------
    dict
        variance, cov_1 (same reader), cov_2 (same method), cov_3 (both differ).
    """
    n, r = covariance.shape[:2]
    method = np.eye(n, dtype=bool)[:, None, :, None]
    reader = np.eye(r, dtype=bool)[None, :, None, :]
    which = {
        "variance": method & reader,
        "cov_1": ~method & reader,
        "cov_2": method & ~reader,
        "cov_3": ~method & ~reader,
    }
    return {name: float(covariance[chosen].mean()) for name, chosen in which.items()}


def _tested(mean_square, below, readers, df_1, df_2) -> tuple:
    """F with its degrees of freedom and p; error and half width of the difference."""
    ratio = mean_square / below if below > 0 else np.nan
    error = np.sqrt(2 / readers * below) or np.nan
    if np.isinf(df_2):
        p, quantile = chi2.sf(ratio * df_1, df_1), norm.ppf(0.975)
    else:
        p, quantile = f.sf(ratio, df_1, df_2), t.ppf(0.975, df_2)
    return ratio, df_1, df_2, p, error, quantile * error
