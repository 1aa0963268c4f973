"""Figures beyond the thesis: correlation of features, slice thickness, and the grid's floor."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from cmbkit.plotting.canvas import datasets_in, new_figure
from cmbkit.plotting.cohort import ORDER
from cmbkit.plotting.style import DATASET_COLOURS, OKABE_ITO

NAMES = {
    "n_voxels": "Voxels",
    "radius_mm": "Radius",
    "max_diameter_mm": "Max. diameter",
    "sphericity": "Sphericity",
    "inv_flatness": "Inv. flatness",
    "inv_elongation": "Inv. elongation",
    "contrast": "Contrast",
    "edge_mm": "Depth in brain",
}
RATIOS = {"inv_elongation": "Inverse elongation", "inv_flatness": "Inverse flatness"}
FLOOR = {"sphericity": "Sphericity", "inv_flatness": "Inverse flatness"}


def correlation_matrix(table, synthetic: bool = False):
    """Rank correlations as a coloured lower triangle with the numbers in it.

    Parameters
    ----------
    table : DataFrame
        first, second, rho, n (`cmbkit.features.trends.correlations`).
    """
    names = list(dict.fromkeys(table["first"]))
    values = table.pivot_table("rho", "first", "second", dropna=False)
    values = values.reindex(index=names, columns=names).to_numpy(float)
    shown = np.where(np.tri(len(names), k=-1, dtype=bool), values, np.nan)[1:, :-1]
    figure = new_figure(7, 5.6, synthetic=synthetic)
    axes = figure.subplots()
    picture = axes.imshow(shown, cmap="PuOr", vmin=-1, vmax=1)
    for (row, column), rho in np.ndenumerate(shown):
        if column <= row:
            text = "n/a" if np.isnan(rho) else f"{rho:.2f}".replace("-", "−")
            white = np.isfinite(rho) and abs(rho) > 0.6
            axes.text(
                column, row, text, ha="center", va="center", color="white" if white else "black"
            )
    labels = [NAMES.get(name, name) for name in names]
    axes.set_xticks(range(len(names) - 1), labels[:-1], rotation=35, ha="right")
    axes.set_yticks(range(len(names) - 1), labels[1:])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    low, high = int(table["n"].min()), int(table["n"].max())
    n = f"{high}" if low == high else f"{low} to {high}"
    axes.set_title(f"Spearman rank correlation (n = {n} CMBs)")
    figure.colorbar(picture, ax=axes, label="Rank correlation (−1 to 1)", shrink=0.8)
    return figure


def thickness_effect(points, trends, synthetic: bool = False):
    """Elongation and flatness against slice thickness, a line with its 95 % band in each.

    Parameters
    ----------
    points : DataFrame
        One row per CMB: dataset, slice_thickness_mm, inv_elongation, inv_flatness.
    trends : dict of str to DataFrame
        x, fit, low, high for each of the two (`cmbkit.features.trends.linear_trend`); without
        one the title says that there is none.
    """
    names = datasets_in(points["dataset"], ORDER)
    figure = new_figure(9, 4.2, synthetic=synthetic)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (feature, label) in zip(panels, RATIOS.items(), strict=True):
        for number, name in enumerate(names):
            part = points[points["dataset"] == name]
            shift = 0.05 * (number - (len(names) - 1) / 2)
            _dots(axes, part["slice_thickness_mm"] + shift, part[feature], name)
        axes.set_title(f"{label}\none slice thickness only: no trend")
        if feature in trends:
            axes.set_title(f"{label}: {_draw_trend(axes, trends[feature])}")
        axes.set_xlabel("Slice thickness (mm)")
        axes.set_ylim(-0.04, 1.04)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
    panels[0].set_ylabel("Ratio of principal axes (0 to 1)")
    _legend(figure, names, points["dataset"])
    return figure


def discretisation_floor(features, floor, synthetic: bool = False):
    """Sphericity and flatness against the number of voxels, with what a perfect ball gets.

    Parameters
    ----------
    features : DataFrame
        One row per CMB: dataset, n_voxels, sphericity, inv_flatness.
    floor : DataFrame
        One row per digitised ball: n_voxels and the same features
        (`cmbkit.features.analytic.ball_floor`).

    Notes
    -----
    A CMB inside the band cannot be told from a ball on this grid; below it, it is less round
    than the grid explains.
    """
    names = datasets_in(features["dataset"], ORDER)
    bands = floor_bands(floor)
    figure = new_figure(9, 4.2, synthetic=synthetic)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, (feature, label) in zip(panels, FLOOR.items(), strict=True):
        part = bands[bands["feature"] == feature]
        axes.fill_between(
            part["n_voxels"], part["low"], part["high"], color=OKABE_ITO["grey"], alpha=0.35, lw=0,
            label="perfect balls, 5 to 95 %",
        )  # fmt: skip
        axes.plot(part["n_voxels"], part["median"], color="black", label="their median")
        for name in names:
            chosen = features[features["dataset"] == name]
            _dots(axes, chosen["n_voxels"], chosen[feature], name)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel("Voxels of the CMB")
        axes.set_title(label)
        axes.set_ylim(-0.04, 1.04)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
    panels[0].set_ylabel("Value (0 to 1)")
    panels[1].legend(loc="lower right")
    _legend(figure, names, features["dataset"])
    return figure


def floor_bands(floor) -> pd.DataFrame:
    """Median, 5 and 95 % of digitised balls, in bins from one power of 2 to the next.

    Returns
    -------
    DataFrame
        feature, n_voxels (geometric mean of a bin), median, low, high, balls.
    """
    binned = floor.assign(step=np.round(np.log2(floor["n_voxels"].astype(float))))
    rows = []
    for feature in FLOOR:
        for _, part in binned.dropna(subset=[feature]).groupby("step"):
            low, median, high = np.quantile(part[feature], [0.05, 0.5, 0.95])
            middle = float(np.exp(np.log(part["n_voxels"]).mean()))
            rows.append((feature, middle, median, low, high, len(part)))
    return pd.DataFrame(rows, columns=["feature", "n_voxels", "median", "low", "high", "balls"])


def _draw_trend(axes, line) -> str:
    axes.fill_between(line["x"], line["low"], line["high"], color="black", alpha=0.18, lw=0)
    axes.plot(line["x"], line["fit"], color="black")
    a = line.attrs
    slope = f"{a['slope']:+.3f} [{a['slope_low']:+.3f}, {a['slope_high']:+.3f}] per mm"
    return f"{slope}\nn = {a['n']} CMBs in {a['groups']} scans".replace("-", "−")


def _dots(axes, x, y, dataset):
    axes.scatter(
        x, y, s=14, color=DATASET_COLOURS.get(dataset, OKABE_ITO["grey"]), edgecolor="black",
        linewidth=0.3, alpha=0.75, zorder=3,
    )  # fmt: skip


def _legend(figure, names, values):
    from matplotlib.lines import Line2D

    sizes = values.value_counts()
    handles = [
        Line2D(
            [], [], ls="", marker="o", mec="black", mew=0.3, ms=5,
            color=DATASET_COLOURS.get(name, OKABE_ITO["grey"]),
            label=f"{name} (n = {sizes[name]})",
        )
        for name in names
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=len(names))
