"""Figures of the evaluation: half violins (7.4), FROC, subgroups, published methods."""

from __future__ import annotations

import numpy as np

from cmbkit.plotting.canvas import datasets_in, new_figure
from cmbkit.plotting.style import DATASET_COLOURS, MODEL_COLOURS, MODEL_NAMES, OKABE_ITO
from cmbkit.plotting.violins import draw_violin

GROUPS = ("CRB", "DOU", "Valid")
METRIC_NAMES = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "fp_per_scan": "False positives per scan",
}
_CYCLE = [OKABE_ITO[n] for n in ("blue", "orange", "green", "vermilion", "purple", "sky", "black")]
_LINES = ("-", "--", ":", "-.")


def half_violins(scan_rows, models=("scratch", "tl"), synthetic: bool = False):
    """Precision, recall and F1 of the scans: one model left, the other right (Figure 7.4).

    Parameters
    ----------
    scan_rows : DataFrame
        One row per model and scan: dataset (group on the x axis), model, precision, recall, f1.
        NaN values are left out of a half, and its n says how many remain.
    models : (str, str)
        Left and right half.

    Notes
    -----
    As in the thesis the density runs 2 bandwidths beyond the data, but no further than 0 and 1,
    which no value can cross (the thesis draws on); dashed lines mark both. Dots are the scans.
    """
    names = datasets_in(scan_rows["dataset"], GROUPS)
    figure = new_figure(10, 4.3, synthetic=synthetic)
    panels = figure.subplots(1, 3, sharey=True)
    for axes, metric in zip(panels, ("precision", "recall", "f1"), strict=True):
        labels = []
        for position, name in enumerate(names, start=1):
            sizes = []
            for model, side in zip(models, ("left", "right"), strict=True):
                chosen = (scan_rows["dataset"] == name) & (scan_rows["model"] == model)
                sample = scan_rows.loc[chosen, metric].dropna().to_numpy(float)
                sizes.append(len(sample))
                draw_violin(
                    axes, sample, position, _model_colour(model, models),
                    side=side, width=0.85, cut=2.0, points=True, limits=(0, 1),
                )  # fmt: skip
            labels.append(f"{name}\nn = {sizes[0]} | {sizes[1]}")
        for limit in (0, 1):
            axes.axhline(limit, color=OKABE_ITO["vermilion"], ls="--", lw=1)
        axes.set_title(METRIC_NAMES[metric])
        axes.set_xticks(range(1, len(names) + 1), labels)
        axes.set_xlim(0.4, len(names) + 0.6)
    panels[0].set_ylim(-0.05, 1.05)
    panels[0].set_ylabel("Score of a scan (0 to 1)")
    from matplotlib.patches import Patch

    keys = [
        Patch(facecolor=_model_colour(m, models), edgecolor="black", alpha=0.65,
              label=f"{MODEL_NAMES.get(m, m)} ({side} half)")
        for m, side in zip(models, ("left", "right"), strict=True)
    ]  # fmt: skip
    figure.legend(handles=keys, loc="outside upper center", ncols=2)
    return figure


def froc(curves, points=None, max_fp: float = 8.0, synthetic: bool = False):
    """Sensitivity against false positives per scan.

    Parameters
    ----------
    curves : dict of DataFrame
        Label to columns fp_per_scan and sensitivity (optional sensitivity_low and
        sensitivity_high: a band).
    points : dict of (fp_per_scan, sensitivity), optional
        The working point of a label.
    max_fp : float
        Right end of the x axis at most.
    """
    figure = new_figure(7.5, 4.6, synthetic=synthetic)
    axes = figure.subplots()
    reach = max(float(curve["fp_per_scan"].max()) for curve in curves.values())
    right = min(max_fp, 1.05 * reach) if reach > 0 else max_fp
    for index, (label, curve) in enumerate(curves.items()):
        colour = MODEL_COLOURS.get(label, _CYCLE[index % len(_CYCLE)])
        curve = curve.sort_values(["fp_per_scan", "sensitivity"])
        x = np.append(curve["fp_per_scan"].to_numpy(float), max(right, reach))
        y = np.append(curve["sensitivity"], curve["sensitivity"].max())
        style = _LINES[index // len(_CYCLE) % len(_LINES)]
        axes.plot(
            x, y, style, color=colour, drawstyle="steps-post", label=MODEL_NAMES.get(label, label)
        )
        if {"sensitivity_low", "sensitivity_high"} <= set(curve.columns):
            axes.fill_between(
                curve["fp_per_scan"], curve["sensitivity_low"], curve["sensitivity_high"],
                step="post", color=colour, alpha=0.18, lw=0,
            )  # fmt: skip
        if points and label in points:
            axes.plot(*points[label], "o", color=colour, mec="black", ms=7, zorder=6)
    axes.set_xlim(0, right)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("False positives per scan")
    axes.set_ylabel("Sensitivity (share of CMBs found)")
    axes.grid(True)
    figure.legend(loc="outside right upper", title="dot: working point" if points else None)
    return figure


def subgroup_forest(table, metric: str = "f1", series: str = "dataset", synthetic: bool = False):
    """One line per subgroup: the value with its 95 % interval.

    Parameters
    ----------
    table : DataFrame
        Columns factor (e.g. "Sequence"), subgroup (e.g. "SWI"), n (CMBs), ``metric``,
        ``metric``_low, ``metric``_high, and ``series``: one colour and one dot per value.
        Optional ``metric``_thesis: a hollow mark.
    """
    values = datasets_in(table[series], GROUPS)
    lines = list(dict.fromkeys(zip(table["factor"], table["subgroup"], strict=True)))
    factors = list(dict.fromkeys(factor for factor, _ in lines))
    figure = new_figure(9, 1.2 + 0.2 * len(lines) * max(len(values), 2) + 0.3 * len(factors),
                        synthetic=synthetic)  # fmt: skip
    axes = figure.subplots()
    ticks, labels, top = [], [], 0.0
    for factor in factors:
        axes.text(0.005, top, factor, transform=axes.get_yaxis_transform(), weight="bold",
                  va="center", fontsize=9)  # fmt: skip
        top += 0.9
        for subgroup in (s for f, s in lines if f == factor):
            rows = table[(table["factor"] == factor) & (table["subgroup"] == subgroup)]
            _forest_line(axes, rows, top, metric, series, values)
            ticks.append(top)
            labels.append(str(subgroup))
            top += 1
    axes.set_yticks(ticks, labels)
    axes.set_ylim(top - 0.3, -0.6)
    axes.set_xlim(-0.02, 1.02)
    right = axes.secondary_yaxis("right")
    right.set_yticks(ticks, [_sizes(table, line, series, values) for line in lines])
    right.set_ylabel("n CMBs: " + ", ".join(values))
    right.spines["right"].set_visible(False)
    right.tick_params(length=0)
    axes.set_xlabel(f"{METRIC_NAMES.get(metric, metric)} with 95 % interval")
    axes.grid(axis="x")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=len(values))
    return figure


def comparison_bars(table, synthetic: bool = False):
    """Precision, recall, F1 and false positives per scan of several methods.

    Parameters
    ----------
    table : DataFrame
        Columns method, precision, recall, f1, fp_per_scan (NaN: not reported), and optionally
        own (bool: drawn in colour; others grey) and data (shown under the method).
    """
    table = table.reset_index(drop=True)
    own = table["own"].to_numpy(bool) if "own" in table.columns else np.zeros(len(table), bool)
    names = [
        f"{row.method} ({row.data})" if getattr(row, "data", None) else row.method
        for row in table.itertuples()
    ]
    figure = new_figure(10, 1.1 + 0.32 * len(table), synthetic=synthetic)
    panels = figure.subplots(1, 4, sharey=True)
    for axes, metric in zip(panels, METRIC_NAMES, strict=True):
        values = table[metric].to_numpy(float)
        colours = np.where(own, OKABE_ITO["blue"], "#B0B0B0")
        axes.barh(range(len(table)), np.nan_to_num(values), color=colours, height=0.7)
        top = 1.0 if metric != "fp_per_scan" else max(np.nanmax(values, initial=0.0), 1.0)
        for index, value in enumerate(values):
            said = f"{value:.2f}" if np.isfinite(value) else "not reported"
            axes.text(
                np.nan_to_num(value) + 0.02 * top, index, said, va="center", fontsize=8,
                color="black" if np.isfinite(value) else "#777777",
            )  # fmt: skip
        axes.set_xlim(0, 1.3 * top)
        if metric != "fp_per_scan":
            axes.set_xticks([0, 0.5, 1])
        axes.set_title(METRIC_NAMES[metric], fontsize=9)
        axes.set_xlabel("per scan" if metric == "fp_per_scan" else "0 to 1")
    panels[0].set_yticks(range(len(table)), names)
    panels[0].invert_yaxis()
    return figure


def _model_colour(model, models):
    fallback = dict(zip(models, (OKABE_ITO["blue"], OKABE_ITO["orange"]), strict=True))
    return MODEL_COLOURS.get(model, fallback[model])


def _forest_line(axes, rows, at, metric, series, values):
    for index, value in enumerate(values):
        row = rows[rows[series] == value]
        if row.empty or not np.isfinite(row[metric].iloc[0]):
            continue
        row = row.iloc[0]
        y = at + 0.6 * ((index + 0.5) / len(values) - 0.5)
        colour = DATASET_COLOURS.get(value, MODEL_COLOURS.get(value, _CYCLE[index % len(_CYCLE)]))
        axes.plot([row[f"{metric}_low"], row[f"{metric}_high"]], [y, y], color=colour, lw=1.6)
        seen = axes.get_legend_handles_labels()[1]
        label = MODEL_NAMES.get(value, value)
        axes.plot(row[metric], y, "os^Dv"[index % 5], color=colour, mec="black", mew=0.5, ms=6,
                  label=label if label not in seen else None)  # fmt: skip
        thesis = row.get(f"{metric}_thesis", np.nan)
        if np.isfinite(thesis):
            label = "thesis" if "thesis" not in seen else None
            axes.plot(thesis, y, "os^Dv"[index % 5], color="none", mec=colour, mew=1.3, ms=7,
                      label=label)  # fmt: skip


def _sizes(table, line, series, values):
    rows = table[(table["factor"] == line[0]) & (table["subgroup"] == line[1])]
    found = rows.set_index(series)["n"]
    return ", ".join(f"{found[v]:g}" if v in found.index else "-" for v in values)
