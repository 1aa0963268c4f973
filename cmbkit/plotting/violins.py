"""Violins from a Gaussian kernel density estimate, whole or half, that survive small samples."""

from __future__ import annotations

import numpy as np


def density(values, cut: float = 0.0, points: int = 100, limits=None):
    """Gaussian kernel density estimate of a sample, bandwidth by Scott's rule.

    Parameters
    ----------
    values : array-like, shape (n,)
    cut : float
        How many bandwidths the curve runs beyond the smallest and largest value.
    points : int
    limits : (float, float), optional
        The curve ends there, e.g. at the ends of a rate's range; its height within is as without.

    Returns
    -------
    grid, height : ndarray, shape (points,)
        ``height`` has its maximum at 1. None, None where all values are equal or n < 2: there
        is no density to estimate.
    """
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if values.size < 2 or np.ptp(values) <= 1e-9 * max(1.0, np.abs(values).max()):
        return None, None
    bandwidth = values.std(ddof=1) * values.size ** (-1 / 5)
    reach = cut * bandwidth
    ends = np.array([values.min() - reach, values.max() + reach])
    grid = np.linspace(*(ends if limits is None else np.clip(ends, *limits)), points)
    height = np.zeros(points)
    for part in np.array_split(values, -(-values.size // 2000)):
        height += np.exp(-0.5 * ((grid[:, None] - part) / bandwidth) ** 2).sum(axis=1)
    return grid, height / height.max()


def draw_violin(
    axes, values, position, colour, *, side="both", width=0.8, cut=0.0, points=False, limits=None
):
    """Draw one violin with median and quartiles at ``position`` of the x axis.

    Parameters
    ----------
    side : {"both", "left", "right"}
        Which half is drawn.
    points : bool
        Whether the values themselves are drawn as dots (in a fixed spread, no randomness).
    cut, limits
        See `density`.
    """
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return
    low, high = {"both": (-0.5, 0.5), "left": (-0.5, 0.0), "right": (0.0, 0.5)}[side]
    grid, height = density(values, cut, limits=limits)
    if grid is not None:
        axes.fill_betweenx(
            grid,
            position + low * width * height,
            position + high * width * height,
            facecolor=colour,
            edgecolor="black",
            linewidth=0.6,
            alpha=0.65,
        )
    for share, style, thickness in ((0.25, ":", 1.0), (0.5, "--", 1.8), (0.75, ":", 1.0)):
        at = float(np.quantile(values, share))
        reach = width * (np.interp(at, grid, height) if grid is not None else 0.5)
        axes.plot(
            [position + low * reach, position + high * reach],
            [at, at],
            color="black",
            ls=style,
            lw=thickness,
            zorder=4,
        )
    if points:
        axes.scatter(
            position + _spread(values, low, high) * width,
            values,
            s=9,
            color=colour,
            edgecolor="black",
            linewidth=0.4,
            zorder=5,
        )


def within_fences(values) -> np.ndarray:
    """Values within 1.5 interquartile ranges of the quartiles."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return values
    first, third = np.quantile(values, [0.25, 0.75])
    reach = 1.5 * (third - first)
    return values[(values >= first - reach) & (values <= third + reach)]


def _spread(values, low, high):
    """Offsets that keep dots apart: order of value modulo 5, within the half."""
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    steps = (rank % 5 + 1) / 6
    return low * 0.45 + (high - low) * 0.45 * steps
