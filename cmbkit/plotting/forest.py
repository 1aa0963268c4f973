"""Forests: one line per subgroup or variable with its value and its interval."""

from itertools import cycle

from matplotlib.ticker import LogLocator, NullLocator

from cmbkit.plotting.canvas import datasets_in, new_figure, of_microbleeds
from cmbkit.plotting.curves import MARKS
from cmbkit.plotting.style import DATASET_COLOURS, SERIES, THESIS_COLOUR

ORDER = ("CRB", "DOU", "Valid")


@of_microbleeds
def subgroup_forest(table):
    """F1 of each subgroup with its 95 % interval (Figure S57).

    ``table`` (DataFrame): columns factor (e.g. "Sequence"), subgroup (e.g. "SWI"), n (CMBs),
    f1, f1_low, f1_high, and dataset: one colour and one dot per value. Optional f1_thesis: a
    hollow mark.
    """
    import seaborn.objects as so

    values = datasets_in(table["dataset"], ORDER)
    places, heads = _places(table)
    step = 0.6 / len(values)
    shift = {value: step * (i - (len(values) - 1) / 2) for i, value in enumerate(values)}
    keys = zip(table["factor"], table["subgroup"], strict=True)
    rows = table.assign(at=[places[key] for key in keys] + table["dataset"].map(shift))
    height = 1.2 + 0.2 * len(places) * max(len(values), 2) + 0.3 * len(heads)
    figure = new_figure(9, height)
    axes = figure.subplots()
    colours = {v: DATASET_COLOURS.get(v, c) for v, c in zip(values, cycle(SERIES), strict=False)}
    marks = dict(zip(values, cycle(MARKS), strict=False))
    plot = so.Plot(rows, x="f1", y="at", color="dataset", marker="dataset").add(
        so.Range(linewidth=1.6), orient="y", xmin="f1_low", xmax="f1_high", legend=False
    )
    plot = plot.add(so.Dot(pointsize=6, edgecolor="black"), legend=False)
    shows_thesis = "f1_thesis" in rows and rows["f1_thesis"].notna().any()
    if shows_thesis:
        plot = plot.add(
            so.Dot(pointsize=8, fill=False, edgewidth=1.3, edgecolor=THESIS_COLOUR),
            x="f1_thesis",
            legend=False,
        )
    plot.scale(color=so.Nominal(colours), marker=so.Nominal(marks)).on(axes).plot()
    for head, at in heads.items():
        axes.text(0.005, at, head, transform=axes.get_yaxis_transform(), weight="bold",
                  va="center", fontsize=9)  # fmt: skip
    axes.set_yticks(list(places.values()), [str(subgroup) for _, subgroup in places])
    axes.set_ylim(max(places.values()) + 0.7, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("F1 with 95 % interval")
    axes.set_ylabel("")
    axes.grid(axis="x")
    _sizes(axes, table, values, places)
    _legend(figure, colours, marks, shows_thesis)
    return figure


def _places(table) -> tuple[dict, dict]:
    """Height of each (factor, subgroup), and of each factor's name above its subgroups."""
    places, heads, top = {}, {}, 0.0
    for key in dict.fromkeys(zip(table["factor"], table["subgroup"], strict=True)):
        if key[0] not in heads:
            heads[key[0]] = top
            top += 0.9
        places[key] = top
        top += 1
    return places, heads


def _sizes(axes, table, values, places) -> None:
    """Number of CMBs of each line, at the right."""
    counts = table.pivot_table("n", ["factor", "subgroup"], "dataset").reindex(columns=values)
    said = [", ".join("-" if n != n else f"{n:g}" for n in counts.loc[key]) for key in places]
    _at_right(axes, list(places.values()), said, "n CMBs: " + ", ".join(values))


def _at_right(axes, places, texts: list[str], label: str) -> None:
    right = axes.secondary_yaxis("right")
    right.set_yticks(places, texts)
    right.set_ylabel(label)
    right.spines["right"].set_visible(False)
    right.tick_params(length=0)


def _legend(figure, colours, marks, shows_thesis: bool) -> None:
    from matplotlib.lines import Line2D

    keys = [
        Line2D([], [], color=colour, marker=marks[value], mec="black", mew=0.5, ms=6,
               label=value)
        for value, colour in colours.items()
    ]  # fmt: skip
    if shows_thesis:
        keys.append(Line2D([], [], ls="", marker="o", mfc="none", mec=THESIS_COLOUR, mew=1.3, ms=7,
                           label="thesis (hollow)"))  # fmt: skip
    figure.legend(handles=keys, loc="outside upper center", ncols=len(keys))


@of_microbleeds
def odds_forest(table):
    """Odds ratios with 95 % intervals on a logarithmic axis: adjusted (filled), alone (hollow).

    ``table`` (DataFrame): of `cmbkit.evaluation.odds.odds_table`. A row without odds ratio says
    so.
    """
    figure = new_figure(8, 1.2 + 0.42 * len(table))
    axes = figure.subplots()
    heights = range(len(table))
    for name, shift, fill in (("odds", -0.14, SERIES[0]), ("alone", 0.14, "white")):
        value, low, high = (table[f"{name}{end}"] for end in ("", "_low", "_high"))
        axes.errorbar(value, [h + shift for h in heights], xerr=[value - low, high - value],
                      fmt="o", ms=5, color=SERIES[0], mfc=fill, lw=1.4,
                      label={"odds": "all variables", "alone": "alone"}[name])  # fmt: skip
    axes.axvline(1, color="black", lw=0.8)
    for height, row in zip(heights, table.itertuples(), strict=True):
        if row.odds != row.odds:
            axes.text(0.01, height, row.remark, transform=axes.get_yaxis_transform(), va="center",
                      fontsize=8, style="italic")  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks(heights, table["variable"] + ", " + table["scale"])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlabel("Odds ratio of being found with 95 % interval")
    axes.grid(axis="x")
    found = [f"{row.n_found} of {row.n}" for row in table.itertuples()]
    _at_right(axes, heights, found, "CMBs found")
    figure.legend(loc="outside upper center", ncols=2)
    return figure
