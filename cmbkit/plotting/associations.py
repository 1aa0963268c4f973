"""One quantity against another: correlations, slice thickness, the grid's floor, counts."""

import numpy as np
import pandas as pd

from cmbkit.features.columns import TITLES
from cmbkit.plotting.canvas import (
    datasets_in,
    lettered,
    new_figure,
    nothing_to_show,
    of_microbleeds,
)
from cmbkit.plotting.style import SERIES, THESIS_COLOUR, dataset_palette

RATIOS = ("inv_elongation", "inv_flatness")
FLOOR = ("sphericity", "inv_flatness")


def correlation_matrix(table):
    """Rank correlations as a coloured lower triangle with the numbers in it (Figure S58).

    ``table`` (DataFrame): first, second, rho, n (`cmbkit.features.trends.correlations`).
    """
    import seaborn as sns

    if not table["n"].any():
        return nothing_to_show("No microbleed in the scans of this run.")
    names = list(dict.fromkeys(table["first"]))
    values = table.pivot_table("rho", "first", "second", dropna=False)
    values = values.reindex(index=names, columns=names).iloc[1:, :-1].round(2) + 0.0  # no -0.00
    below = np.tri(len(values), dtype=bool)
    figure = new_figure(7.5, 5.6)
    axes = figure.subplots()
    sns.heatmap(
        values.rename(index=TITLES, columns=TITLES), mask=~below, annot=True, fmt=".2f",
        cmap="PuOr", vmin=-1, vmax=1, linewidths=0.5, ax=axes,
        cbar_kws={"label": "Rank correlation (-1 to 1)", "shrink": 0.8},
    )  # fmt: skip
    for row, column in np.argwhere(below & values.isna().to_numpy()):
        axes.text(column + 0.5, row + 0.5, "n/a", ha="center", va="center")
    axes.set_xticklabels(axes.get_xticklabels(), rotation=35, ha="right")
    axes.set_yticklabels(axes.get_yticklabels(), rotation=0)
    axes.tick_params(length=0)
    axes.set(xlabel="", ylabel="")
    low, high = int(table["n"].min()), int(table["n"].max())
    n = f"{high}" if low == high else f"{low} to {high}"
    axes.set_title(f"Spearman rank correlation (n = {n} CMBs)")
    return figure


@of_microbleeds
def thickness_effect(points, trends):
    """Elongation and flatness against slice thickness, a line with its band (Figure S59).

    Parameters
    ----------
    points : DataFrame
        One row per CMB: dataset, slice_thickness_mm, inv_elongation, inv_flatness.
    trends : dict of str to DataFrame
        x, fit, low, high for each of the two (`cmbkit.features.trends.linear_trend`); without
        one the title says that there is none.

    Notes
    -----
    The band is not `seaborn.regplot`'s: with ``units`` that draws CMBs anew within each drawn
    scan, which widens it by 7 to 16 % here, and it tells no slope.
    """
    names = datasets_in(points["dataset"])
    shift = {name: 0.05 * (i - (len(names) - 1) / 2) for i, name in enumerate(names)}
    shown = points.assign(at=points["slice_thickness_mm"] + points["dataset"].map(shift))
    figure = new_figure(9, 4.2)
    panels = lettered(figure.subplots(1, 2, sharey=True))
    for axes, feature in zip(panels, RATIOS, strict=True):
        _dots(axes, shown, "at", feature, names)
        axes.set_title(f"{TITLES[feature]}\none slice thickness only: no trend")
        if feature in trends:
            axes.set_title(f"{TITLES[feature]}: {_draw_trend(axes, trends[feature])}")
        axes.set_xlabel("Slice thickness (mm)")
    panels[0].set_ylabel("Ratio of principal axes (0 to 1)")
    _legend(figure, names, points.dropna(subset=list(RATIOS))["dataset"])
    return figure


@of_microbleeds
def discretisation_floor(features, floor):
    """Shape against the number of voxels, with what a perfect ball gets (Figure S60).

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
    names = datasets_in(features["dataset"])
    bands = floor_bands(floor)
    figure = new_figure(9, 4.2)
    panels = lettered(figure.subplots(1, 2, sharex=True, sharey=True))
    for axes, feature in zip(panels, FLOOR, strict=True):
        part = bands[bands["feature"] == feature]
        axes.fill_between(part["n_voxels"], part["low"], part["high"], color="0.8", lw=0,
                          label="perfect balls, 5 to 95 %")  # fmt: skip
        axes.plot(part["n_voxels"], part["median"], color="black", label="their median")
        _dots(axes, features, "n_voxels", feature, names)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        axes.set_xlabel("Voxels of the CMB")
        axes.set_title(TITLES[feature])
    panels[0].set_ylabel("Value (0 to 1)")
    panels[1].legend(loc="lower right")
    _legend(figure, names, features["dataset"])
    return figure


def floor_bands(floor) -> pd.DataFrame:
    """Median, 5 and 95 % of digitised balls, in bins from one power of 2 to the next.

    Columns: feature, n_voxels (geometric mean of a bin), median, low, high, balls.
    """
    binned = floor.assign(step=np.round(np.log2(floor["n_voxels"].astype(float))))
    rows = []
    for feature in FLOOR:
        for _, part in binned.dropna(subset=[feature]).groupby("step"):
            low, median, high = np.quantile(part[feature], [0.05, 0.5, 0.95])
            middle = float(np.exp(np.log(part["n_voxels"]).mean()))
            rows.append((feature, middle, median, low, high, len(part)))
    return pd.DataFrame(rows, columns=["feature", "n_voxels", "median", "low", "high", "balls"])


def counts_against_counts(scans, limits):
    """Predicted against annotated CMBs, and their difference against their mean.

    Parameters
    ----------
    scans : DataFrame
        n_gt, n_pred.
    limits : dict
        bias, lower, upper (CMBs per scan), see `cmbkit.evaluation.agreement.bland_altman`.

    Notes
    -----
    Scans with the same counts share a dot; its area grows with their number.
    """
    figure = new_figure(10, 4.2)
    left, right = lettered(figure.subplots(1, 2))
    truth, predicted = scans["n_gt"].to_numpy(float), scans["n_pred"].to_numpy(float)
    top = max(truth.max(initial=1), predicted.max(initial=1)) * 1.06 + 0.5
    left.plot([0, top], [0, top], color="0.47", lw=1)
    _counted(left, truth, predicted)
    left.set(xlim=(-0.5, top), ylim=(-0.5, top), aspect="equal")
    left.set_xlabel("Annotated CMBs in a scan")
    left.set_ylabel("Predicted CMBs in a scan")
    for axis in (left.xaxis, left.yaxis):
        axis.get_major_locator().set_params(integer=True)
    _counted(right, (truth + predicted) / 2, predicted - truth)
    words = {"upper": "upper limit", "bias": "bias", "lower": "lower limit"}
    for key, text in words.items():
        if np.isfinite(limits[key]):
            style = "-" if key == "bias" else "--"
            right.axhline(limits[key], ls=style, color="0.47", lw=1.2)
            right.annotate(
                f"{text} {limits[key]:+.2f}", (1, limits[key]), xycoords=("axes fraction", "data"),
                xytext=(-2, 3), textcoords="offset points", ha="right", fontsize=8,
            )  # fmt: skip
    right.set_xlabel("Mean of annotated and predicted CMBs")
    right.set_ylabel("Predicted - annotated CMBs")
    return figure


def _counted(axes, x, y) -> None:
    places, counts = np.unique(np.stack([x, y], axis=1), axis=0, return_counts=True)
    axes.scatter(*places.T, s=22 * counts, color=SERIES[0], alpha=0.7, edgecolor="black", lw=0.5)


def _draw_trend(axes, line) -> str:
    axes.fill_between(line["x"], line["low"], line["high"], color="black", alpha=0.18, lw=0)
    axes.plot(line["x"], line["fit"], color="black")
    a = line.attrs
    slope = f"{a['slope']:+.3f} [{a['slope_low']:+.3f}, {a['slope_high']:+.3f}] per mm"
    return f"{slope}\nn = {a['n']} CMBs in {a['groups']} scans".replace("-", "−")


def _dots(axes, table, x: str, y: str, names) -> None:
    """A dot per CMB in its dataset's colour; the value runs from 0 to 1."""
    import seaborn as sns

    sns.scatterplot(table, x=x, y=y, hue="dataset", hue_order=names, palette=dataset_palette(names),
                    s=16, alpha=0.75, edgecolor="black", linewidth=0.3, legend=False, ax=axes,
                    zorder=3)  # fmt: skip
    axes.set_ylim(-0.04, 1.04)
    axes.set_ylabel("")
    axes.grid(axis="y")


def _legend(figure, names, values) -> None:
    from matplotlib.lines import Line2D

    sizes = values.value_counts()
    handles = [
        Line2D([], [], ls="", marker="o", mec="black", mew=0.3, ms=5, color=colour,
               label=f"{name} (n = {sizes[name]})")
        for name, colour in dataset_palette(names).items()
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=len(names))


def size_against_truth(rows, too_large: float):
    """Refined radius against visible and true radius, one column per dataset.

    ``rows``: dataset, guard, radius_mm, radius_visible_mm, radius_true_mm. Below the solid line a
    region is too small; above the dashed one it is over ``too_large`` times too large, a cross.
    """
    names = {"radius_visible_mm": "Visible radius (mm)", "radius_true_mm": "True radius (mm)"}
    datasets = sorted(set(rows["dataset"]))
    figure = new_figure(2.6 * max(len(datasets), 2) + 1, 5.2)
    grid = lettered(figure.subplots(2, len(datasets), squeeze=False, sharex=True, sharey=True))
    top = 1.05 * rows[["radius_mm", *names]].to_numpy(float).max()
    rules = {False: ("as published", THESIS_COLOUR), True: ("with the guard", SERIES[0])}
    for panels, (column, title) in zip(grid, names.items(), strict=True):
        for axes, dataset in zip(panels, datasets, strict=True):
            own = rows[rows["dataset"] == dataset]
            for guard, (label, colour) in rules.items():
                part = own[own["guard"] == guard]
                wide = (part["radius_mm"] > too_large * part[column]).to_numpy(bool)
                for mark, shown in (("o", part[~wide]), ("x", part[wide])):
                    size = 16 if mark == "o" else 26
                    axes.scatter(shown[column], shown["radius_mm"], s=size, marker=mark, lw=1.1,
                                 color=colour, alpha=0.75,
                                 label=label if mark == "o" else None)  # fmt: skip
            axes.plot([0, top], [0, top], color="black", lw=1)
            axes.plot([0, top / too_large], [0, top], "--", color="black", lw=1)
            axes.set(xlabel=title, xlim=(0, top), ylim=(0, top))
            n = own["guard"].astype(bool).sum()
            axes.set_title(f"{dataset} (n = {n} CMBs)")
    for panels in grid:
        panels[0].set_ylabel("Refined radius (mm)")
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
