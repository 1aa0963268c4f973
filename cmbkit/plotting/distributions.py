"""Boxes and violins of samples: sizes and shapes of microbleeds, scores of scans (seaborn)."""

from itertools import cycle

import pandas as pd

from cmbkit.features.columns import TITLES, axis_label
from cmbkit.plotting.canvas import add_note, datasets_in, lettered, new_figure, of_microbleeds
from cmbkit.plotting.style import MODEL_COLOURS, MODEL_NAMES, SERIES, dataset_palette

SHAPE_FEATURES = ("sphericity", "max_diameter_mm", "inv_flatness", "inv_elongation")
SCORES = {"precision": "Precision", "recall": "Recall", "f1": "F1", "dice_tp": "Dice of TPs"}
BODY = {"inner": "quart", "cut": 0, "density_norm": "width", "linewidth": 0.8, "alpha": 0.65,
        "inner_kws": {"color": "black", "linewidth": 1.3}}  # fmt: skip
"""Violins end at the smallest and largest value, which a score cannot pass; quartile lines."""
MOST_POINTS = 150
"""Groups with more values are drawn without their dots, which would fill the violin."""
QUARTILES = "Violins: median dashed, quartiles dotted"


@of_microbleeds
def radius_and_counts(features, scans):
    """Figure 4.2: radius and count per scan by dataset; boxes above, violins below.

    Parameters
    ----------
    features : DataFrame
        One row per CMB: dataset, radius_mm.
    scans : DataFrame
        One row per scan: dataset, n_cmb; scans without CMB are left out.

    Notes
    -----
    The violins leave out values beyond 1.5 interquartile ranges (thesis, section 4.9.1).
    """
    figure = new_figure(9, 7)
    grid = lettered(figure.subplots(2, 2))
    columns = (
        (features, "radius_mm", TITLES["radius_mm"], "CMBs"),
        (scans[scans["n_cmb"] > 0], "n_cmb", "CMBs per scan", "scans"),
    )
    for (above, below), (table, name, label, unit) in zip(grid.T, columns, strict=True):
        table = table[["dataset", name]].dropna()
        inside = table[table.groupby("dataset")[name].transform(_is_inside).astype(bool)]
        _boxes(above, table, name)
        above.set_yscale("log")
        _plain_log(above)
        _violins(below, inside, name)
        above.set_ylabel(f"{label}, log scale")
        below.set_ylabel(label)
        above.set_title(f"All {unit}")
        below.set_title(f"{unit[0].upper()}{unit[1:]} within 1.5 IQR")
    grid[1, 1].yaxis.get_major_locator().set_params(integer=True)
    add_note(figure, f"Boxes: quartiles, whiskers up to 1.5 IQR, rings beyond. {QUARTILES}.")
    return figure


def radius_and_counts_data(features, scans) -> pd.DataFrame:
    """The values behind Figure 4.2.

    Columns: quantity ("radius_mm" or "n_cmb"), dataset, uid, value, outlier (beyond 1.5
    interquartile ranges of its dataset, so not in the violin).
    """
    parts = []
    for table, name in ((features, "radius_mm"), (scans[scans["n_cmb"] > 0], "n_cmb")):
        part = table[["dataset", "uid", name]].rename(columns={name: "value"}).dropna()
        inside = part.groupby("dataset")["value"].transform(_is_inside)
        parts.append(part.assign(quantity=name, outlier=~inside.astype(bool)))
    return pd.concat(parts, ignore_index=True)[["quantity", "dataset", "uid", "value", "outlier"]]


@of_microbleeds
def shape_violins(features):
    """Figure 4.3: sphericity, maximum diameter, inverse flatness and elongation by dataset.

    ``features`` has a row per CMB: dataset, sphericity, max_diameter_mm, inv_flatness,
    inv_elongation.
    """
    figure = new_figure(9, 6.8)
    panels = lettered(figure.subplots(2, 2)).ravel()
    for axes, feature in zip(panels, SHAPE_FEATURES, strict=True):
        _violins(axes, features, feature)
        axes.set_ylabel(axis_label(feature))
        lowest = min(0.4, features[feature].min()) if feature == "sphericity" else 0
        axes.set_ylim(lowest - 0.02, None if feature == "max_diameter_mm" else 1.03)
    add_note(figure, f"{QUARTILES}. Dots: CMBs.")
    return figure


def half_violins(scan_rows, models):
    """Precision, recall and F1 of the scans (Figure 7.4).

    The density ends at the smallest and largest score (the thesis draws on, past 0 and 1, which no
    score can cross); dashed lines mark both. Dots are the scans.

    Parameters
    ----------
    scan_rows : DataFrame
        One row per model and scan: dataset (group on the x axis), model, precision, recall, f1.
        NaN values are left out of a half, and its n says how many remain.
    models : sequence of str
        Two are the left and the right half of a violin; one or more have whole ones.
    """
    from matplotlib.patches import Patch

    rows = scan_rows[scan_rows["model"].isin(models)]
    names = datasets_in(rows["dataset"], ("CRB", "DOU", "Valid"))
    colours = [MODEL_COLOURS.get(m, SERIES[i % len(SERIES)]) for i, m in enumerate(models)]
    split = len(models) == 2
    figure = new_figure(10, 4.4)
    panels = lettered(figure.subplots(1, 3, sharey=True))
    for axes, metric in zip(panels, ("precision", "recall", "f1"), strict=True):
        shared = {
            "data": rows, "x": "dataset", "y": metric, "hue": "model", "order": names,
            "hue_order": models, "palette": dict(zip(models, colours, strict=True)),
        }  # fmt: skip
        _draw(axes, shared, split=split, gap=0.06)
        counts = rows.groupby(["dataset", "model"])[metric].count()
        sizes = [" | ".join(str(counts.get((n, m), 0)) for m in models) for n in names]
        _name_groups(axes, names, sizes)
        for limit in (0, 1):
            axes.axhline(limit, color="0.6", ls="--", lw=0.8, zorder=0)
        axes.set_title(SCORES[metric])
    panels[0].set_ylim(-0.05, 1.05)
    panels[0].set_ylabel("Score of a scan (0 to 1)")
    keys = [
        Patch(facecolor=colour, edgecolor="black", alpha=0.65,
              label=MODEL_NAMES.get(model, model) + (f" ({side} half)" if split else ""))
        for model, colour, side in zip(models, colours, cycle(("left", "right")), strict=False)
    ]  # fmt: skip
    figure.legend(handles=keys, loc="outside upper center", ncols=2)
    add_note(figure, f"{QUARTILES}. Dots: scans.")
    return figure


def scan_scores(scans):
    """Precision, recall, F1 and Dice of the scans, one violin per dataset.

    ``scans`` (DataFrame): dataset, precision, recall, f1, dice_tp; NaN values are left out, n
    says how many remain.
    """
    shown = [key for key in SCORES if key in scans and scans[key].notna().any()]
    figure = new_figure(10, 3.9)
    panels = figure.subplots(1, max(len(shown), 1), sharey=True, squeeze=False)[0]
    for axes, key in zip(panels, shown, strict=False):
        _violins(axes, scans, key, list(dict.fromkeys(scans["dataset"])))
        axes.set_title(SCORES[key])
        axes.set_ylim(-0.03, 1.03)
    panels[0].set_ylabel("Score of a scan (0 to 1)")
    return figure


def _is_inside(values: pd.Series) -> pd.Series:
    first, third = values.quantile(0.25), values.quantile(0.75)
    return values.between(first - 1.5 * (third - first), third + 1.5 * (third - first))


def _by_dataset(table, column: str, order=None) -> tuple[dict, list[str], list[int]]:
    """Keywords that seaborn's categorical plots share, names of the groups and their n."""
    names = order or datasets_in(table["dataset"])
    sizes = table.groupby("dataset")[column].count()
    shared = {
        "data": table, "x": "dataset", "y": column, "hue": "dataset", "order": names,
        "hue_order": names, "legend": False, "palette": dataset_palette(names),
    }  # fmt: skip
    return shared, names, [sizes.get(name, 0) for name in names]


def _boxes(axes, table, column: str) -> None:
    import seaborn as sns

    shared, names, sizes = _by_dataset(table, column)
    rings = {"marker": "o", "ms": 3, "mfc": "none", "mec": "0.33", "mew": 0.7}
    sns.boxplot(**shared, ax=axes, width=0.6, linewidth=0.9, flierprops=rings,
                boxprops={"alpha": 0.65})  # fmt: skip
    _name_groups(axes, names, sizes)


def _violins(axes, table, column: str, order=None) -> None:
    shared, names, sizes = _by_dataset(table, column, order)
    _draw(axes, shared)
    _name_groups(axes, names, sizes)


def _draw(axes, shared: dict, **split) -> None:
    """Violins with their quartiles, and a dot per value where these are few."""
    import seaborn as sns

    table, groups = shared["data"], list(dict.fromkeys((shared["x"], shared["hue"])))
    sizes = table.groupby(groups)[shared["y"]].transform("count")
    shared = {**shared, "legend": False}
    sns.violinplot(**shared, ax=axes, **BODY, **split)
    few = {
        **shared,
        "data": table[sizes <= MOST_POINTS],
        "palette": ["white"] * len(shared["hue_order"]),
    }
    if len(few["data"]):
        sns.swarmplot(**few, ax=axes, dodge=bool(split), size=2.8, edgecolor="black",
                      linewidth=0.6, warn_thresh=1)  # fmt: skip


def _name_groups(axes, names, sizes) -> None:
    labels = [f"{name}\nn = {size}" for name, size in zip(names, sizes, strict=True)]
    axes.set_xticks(range(len(names)), labels)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_xlabel("")
    axes.grid(axis="y")


def _plain_log(axes) -> None:
    from matplotlib.ticker import LogLocator

    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
