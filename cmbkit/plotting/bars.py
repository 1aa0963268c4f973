"""Bars: microbleeds by place, strata of a split, and methods beside each other (seaborn)."""

import numpy as np
import pandas as pd

from cmbkit.anatomy.rating_scales import BOMBS_LINES, REGIONS
from cmbkit.plotting.canvas import (
    add_note,
    datasets_in,
    lettered,
    new_figure,
    of_microbleeds,
    panels,
)
from cmbkit.plotting.style import SERIES, THESIS_COLOUR, dataset_palette

SHORT = {
    "Cortex / Grey-White Junction": "Cortex / GWJ",
    "Subcortical White Matter": "Subcortical WM",
    "Basal Ganglia Grey Matter": "Basal ganglia",
    "Internal and External Capsule": "Capsules",
}
METRIC_NAMES = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "fp_scan": "FP per scan",
}


def location_counts(features) -> pd.DataFrame:
    """Count CMBs by region and dataset.

    Columns: dataset ("All" last), region, n, percent (of the dataset).
    """
    known = {name.casefold(): name for name in BOMBS_LINES}
    named = features["region"].dropna().map(lambda r: known.get(str(r).casefold(), str(r)))
    truth = features.loc[named.index].assign(region=named)
    seen = set(named)
    places = [r for r in BOMBS_LINES if r in seen or r in REGIONS]
    places += sorted(seen - set(BOMBS_LINES))
    names = datasets_in(truth["dataset"])
    counts = pd.crosstab(truth["dataset"], truth["region"]).reindex(names, columns=places)
    counts = counts.fillna(0).astype(int)
    counts.loc["All"] = counts.sum()
    table = counts.rename_axis("dataset").reset_index()
    table = table.melt("dataset", var_name="region", value_name="n", ignore_index=False)
    table = table.sort_index(kind="stable").reset_index(drop=True)
    totals = table.groupby("dataset")["n"].transform("sum")
    return table.assign(percent=(100 * table["n"] / totals).fillna(0.0))


@of_microbleeds
def location_bars(features):
    """Figure 4.4: CMBs by BOMBS region, counts on the lower axis, percent on the upper.

    ``features`` has one row per CMB: dataset, region.
    """
    import seaborn as sns

    counts = location_counts(features)
    names = list(dict.fromkeys(counts["dataset"]))
    columns = 4 if len(names) > 3 else len(names)
    figure = new_figure(10, 0.4 + 2.6 * -(-len(names) // columns))
    grid = lettered(panels(figure, len(names), columns, sharey=True))
    palette = dataset_palette(names)
    for index, (axes, dataset) in enumerate(zip(grid, names, strict=True)):
        part = counts[counts["dataset"] == dataset].replace({"region": SHORT})
        total = int(part["n"].sum())
        sns.barplot(part, x="n", y="region", color=palette[dataset], saturation=1,
                    edgecolor="black", linewidth=0.5, ax=axes)  # fmt: skip
        axes.bar_label(axes.containers[0], fontsize=8, padding=2)
        right = max(1.0, 1.2 * part["n"].max())
        axes.set_xlim(0, right)
        axes.xaxis.get_major_locator().set_params(integer=True)
        percent = axes.twiny()
        percent.set_xlim(0, 100 * right / max(total, 1))
        percent.spines["top"].set_visible(True)
        percent.set_xlabel("% of CMBs" if index < columns else "")
        axes.set_title(f"{dataset} (n = {total})")
        axes.set_xlabel("CMBs" if index + columns >= len(names) else "")
        axes.set_ylabel("")
    return figure


def split_bars(table, titles: dict[str, str], title: str):
    """Share of scans by stratum in training and validation, ours and the thesis's (Figure A.8).

    Parameters
    ----------
    table : DataFrame
        split ("train" or "valid"), column (what the strata are of), value (the stratum),
        proportion_pct and proportion_pct_thesis (grey): percent of the split's scans, NaN for
        none. Bars of validation are hatched.
    titles : dict of str
        A panel for each of these columns, in this order, with its title.
    """
    import seaborn as sns

    sources = {"proportion_pct": "this run", "proportion_pct_thesis": "thesis"}
    long = table.melt(["split", "column", "value"], list(sources), "source", "percent")
    splits = {"train": "training", "valid": "validation"}
    long["bar"] = long["split"].replace(splits) + ", " + long["source"].replace(sources)
    order = [f"{split}, {source}" for split in splits.values() for source in sources.values()]
    palette = dict(zip(order, [SERIES[0], THESIS_COLOUR] * 2, strict=True))
    strata = [long.loc[long["column"] == name, "value"].nunique() for name in titles]
    tallest = [max(strata[i : i + 3]) for i in range(0, len(strata), 3)]
    height = 0.7 + sum(0.5 + 0.45 * n for n in tallest)
    figure = new_figure(10, height)
    grid = lettered(panels(figure, len(titles), 3, height_ratios=tallest))
    for axes, (name, words) in zip(grid, titles.items(), strict=True):
        part = long[long["column"] == name].astype({"value": str})
        sns.barplot(
            part, x="percent", y="value", hue="bar", hue_order=order, palette=palette,
            saturation=1, errorbar=None, edgecolor="black", linewidth=0.5, ax=axes,
        )  # fmt: skip
        handles, _ = axes.get_legend_handles_labels()
        for bars in (*axes.containers[2:], handles[2:]):
            for bar in bars:
                bar.set_hatch("////")
        axes.get_legend().remove()
        axes.set_xlim(0, 100)
        axes.set_title(words)
        axes.set_xlabel("% of scans")
        axes.set_ylabel("")
        axes.grid(axis="x")
    figure.suptitle(title, fontsize=10)
    figure.legend(handles, order, loc="outside lower center", ncols=4)
    return figure


def phase_bars(table, titles: dict[str, str]):
    """Counts by phase and dataset, a panel for each count, on a logarithmic axis (Figure A.6).

    Parameters
    ----------
    table : DataFrame
        phase, dataset and the counts.
    titles : dict of str
        The counts' columns, in this order, with what they count.
    """
    import seaborn as sns

    names = datasets_in(table["dataset"])
    figure = new_figure(10, 1.2 + 0.17 * len(names) * table["phase"].nunique())
    grid = lettered(figure.subplots(1, len(titles), sharey=True, squeeze=False)[0])
    for axes, (column, title) in zip(grid, titles.items(), strict=True):
        sns.barplot(
            table, x=column, y="phase", hue="dataset", hue_order=names, saturation=1,
            palette=dataset_palette(names), edgecolor="black", linewidth=0.5, ax=axes,
        )  # fmt: skip
        for bars in axes.containers:
            axes.bar_label(bars, fontsize=7, padding=2)
        handles, _ = axes.get_legend_handles_labels()
        axes.get_legend().remove()
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xlim(0, 3 * max(table[column].max(), 1))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_title(title)
        axes.set(xlabel="Number, log scale", ylabel="")
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    return figure


def comparison_bars(table):
    """Precision, recall, F1 and false positives per scan of several methods.

    ``table`` (DataFrame): method, data (shown beside it where there is any), own (bool: drawn
    in colour, below a line; others grey), precision, recall, f1, fp_scan (NaN: not reported),
    and where known the ends of their intervals, <name>_low and <name>_high: a line over the bar.
    """
    import seaborn as sns

    named = table["method"] + (" (" + table["data"].astype("string") + ")").fillna("")
    rows = table.assign(row=[f"{i}" for i in range(len(table))], own=table["own"].to_numpy(bool))
    figure = new_figure(10, 1.1 + 0.32 * len(table))
    grid = lettered(figure.subplots(1, 4, sharey=True))
    colours = {False: THESIS_COLOUR, True: SERIES[0]}
    for axes, metric in zip(grid, METRIC_NAMES, strict=True):
        sns.barplot(rows, x=metric, y="row", hue="own", palette=colours, saturation=1,
                    dodge=False, width=0.7, legend=False, ax=axes)  # fmt: skip
        values = table[metric].to_numpy(float)
        top = max(np.nanmax(values, initial=0.0), 1.0) if metric == "fp_scan" else 1.0
        low, high = (table.get(f"{metric}{end}", table[metric]) for end in ("_low", "_high"))
        axes.hlines(range(len(table)), low, high, color="black", lw=0.8)
        reach = np.fmax(values, high.to_numpy(float))
        for index, (value, end) in enumerate(zip(values, reach, strict=True)):
            known = np.isfinite(value)
            shift = 0.2 * max(end, 1) if known and metric == "fp_scan" else 0.05
            axes.text(
                (end if known else 0) + shift, index, f"{value:.2f}" if known else
                "not reported", va="center", fontsize=8, color="black" if known else "0.4",
            )  # fmt: skip
        if metric == "fp_scan":  # a few first stages have a hundred times as many
            axes.set_xscale("symlog", linthresh=1)
            axes.set_xlim(0, 25 * top)
            axes.set_xticks([0, 1, 10, 100], ["0", "1", "10", "100"])
        else:
            axes.set_xlim(0, 1.4)
            axes.set_xticks([0, 0.5, 1])
        axes.set_title(METRIC_NAMES[metric], fontsize=9)
        axes.set_xlabel("Number" if metric == "fp_scan" else "0 to 1")
        axes.set_ylabel("")
        axes.set_ylim(len(table) - 0.5, -0.5)
        published = int((~rows["own"]).sum())
        if 0 < published < len(rows):
            axes.axhline(published - 0.5, color="black", lw=0.8)
    grid[0].set_yticks(range(len(table)), named)
    if rows["own"].any():
        add_note(figure, "Colour: this run; grey: published.")
    return figure
