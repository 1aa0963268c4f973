"""Figures of the cohorts: raw slices, mimics, annotation, size, count, shape and place."""

from __future__ import annotations

import pandas as pd

from cmbkit.plotting.canvas import datasets_in, new_figure
from cmbkit.plotting.slices import annotation_overlay, contact_sheet, mimic_panels
from cmbkit.plotting.style import DATASET_COLOURS, OKABE_ITO
from cmbkit.plotting.violins import draw_violin, within_fences

BOMBS_REGIONS = (
    "Cortex / Grey-White Junction",
    "Subcortical White Matter",
    "Basal Ganglia Grey Matter",
    "Internal and External Capsule",
    "Thalamus",
    "Brainstem",
    "Cerebellum",
)
TABLE_4_2 = tuple(name for name in BOMBS_REGIONS if "Capsule" not in name)
"""Regions that the parcellation can tell (Table 4.2)."""
ORDER = ("CRB", "DOU", "MOMENI", "RODEJA", "VALDO", "sMOMENI")
SHAPE_FEATURES = {
    "sphericity": "Sphericity (0 to 1)",
    "max_diameter_mm": "Maximum 3D diameter (mm)",
    "inv_flatness": "Inverse flatness (0 to 1)",
    "inv_elongation": "Inverse elongation (0 to 1)",
}


def radius_and_counts(features, scans, synthetic: bool = False):
    """Figure 4.2: radius and count per scan by dataset; boxes above, violins below.

    Parameters
    ----------
    features : DataFrame
        One row per CMB, columns dataset, radius_mm and (optional) type: only "GT" counts.
    scans : DataFrame
        One row per scan, columns dataset, n_cmb; scans without CMB are left out.

    Notes
    -----
    The violins leave out values beyond 1.5 interquartile ranges (thesis, section 4.9.1).
    """
    truth = _truth(features)
    affected = scans[scans["n_cmb"] > 0]
    figure = new_figure(9, 7, synthetic=synthetic)
    grid = figure.subplots(2, 2)
    columns = (
        (truth, "radius_mm", "Radius (mm)", "CMBs"),
        (affected, "n_cmb", "CMBs per scan", "scans"),
    )
    for column, (table, name, label, unit) in enumerate(columns):
        names = datasets_in(table["dataset"], ORDER)
        samples = [table.loc[table["dataset"] == n, name].dropna().to_numpy(float) for n in names]
        kept = [within_fences(sample) for sample in samples]
        if names:
            _boxes(grid[0, column], names, samples)
        for position, (dataset, sample) in enumerate(zip(names, kept, strict=True), start=1):
            draw_violin(grid[1, column], sample, position, _colour(dataset))
        for row, shown in ((0, samples), (1, kept)):
            axes = grid[row, column]
            axes.set_ylabel(label)
            axes.set_xlim(0.4, len(names) + 0.6)
            _name_groups(axes, names, [len(sample) for sample in shown])
            axes.grid(axis="y")
            axes.set_axisbelow(True)
        grid[0, column].set_title(f"All {unit}")
        grid[1, column].set_title(f"{unit[0].upper()}{unit[1:]} within 1.5 IQR")
        grid[0, column].set_yscale("log")
        _plain_log(grid[0, column])
    grid[1, 1].yaxis.get_major_locator().set_params(integer=True)
    return figure


def radius_and_counts_data(features, scans) -> pd.DataFrame:
    """The values behind Figure 4.2.

    Returns
    -------
    DataFrame
        quantity ("radius_mm" or "n_cmb"), dataset, uid, value, outlier (beyond 1.5
        interquartile ranges of its dataset, so not in the violin).
    """
    parts = []
    for table, name in ((_truth(features), "radius_mm"), (scans[scans["n_cmb"] > 0], "n_cmb")):
        part = table[["dataset", "uid", name]].rename(columns={name: "value"}).dropna()
        inside = part.groupby("dataset")["value"].transform(
            lambda values: values.isin(within_fences(values))
        )
        parts.append(part.assign(quantity=name, outlier=~inside.astype(bool)))
    return pd.concat(parts, ignore_index=True)[["quantity", "dataset", "uid", "value", "outlier"]]


def shape_violins(features, synthetic: bool = False):
    """Figure 4.3: sphericity, maximum diameter, inverse flatness and elongation by dataset.

    Parameters
    ----------
    features : DataFrame
        Columns dataset, sphericity, max_diameter_mm, inv_flatness, inv_elongation, and
        (optional) type: only "GT" counts.
    """
    truth = _truth(features)
    names = datasets_in(truth["dataset"], ORDER)
    figure = new_figure(9, 6.6, synthetic=synthetic)
    for axes, (feature, label) in zip(
        figure.subplots(2, 2).ravel(), SHAPE_FEATURES.items(), strict=True
    ):
        sizes = []
        for position, dataset in enumerate(names, start=1):
            sample = truth.loc[truth["dataset"] == dataset, feature].dropna()
            sizes.append(len(sample))
            draw_violin(axes, sample, position, _colour(dataset))
        axes.set_ylabel(label)
        if feature != "max_diameter_mm":
            axes.set_ylim(-0.02, 1.05)
        else:
            axes.set_ylim(bottom=0)
        axes.set_xlim(0.4, len(names) + 0.6)
        _name_groups(axes, names, sizes)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
    return figure


def location_counts(features, regions=BOMBS_REGIONS) -> pd.DataFrame:
    """Count CMBs by region and dataset.

    Returns
    -------
    DataFrame
        Columns dataset ("All" last), region, n, percent (of the dataset).
    """
    truth = _truth(features)
    known = {name.casefold(): name for name in regions}
    named = truth["region"].dropna().map(lambda r: known.get(str(r).casefold(), str(r)))
    truth = truth.loc[named.index].assign(region=named)
    seen = set(named)
    places = [r for r in regions if r in seen or r in TABLE_4_2] + sorted(seen - set(regions))
    rows = []
    for dataset in [*datasets_in(truth["dataset"], ORDER), "All"]:
        part = truth if dataset == "All" else truth[truth["dataset"] == dataset]
        counts = part["region"].value_counts()
        total = int(counts.sum())
        for region in places:
            n = int(counts.get(region, 0))
            rows.append((dataset, region, n, 100 * n / total if total else 0.0))
    return pd.DataFrame(rows, columns=["dataset", "region", "n", "percent"])


def location_bars(features, synthetic: bool = False, regions=BOMBS_REGIONS):
    """Figure 4.4: CMBs by BOMBS region, counts on the left axis, percent on the right.

    Parameters
    ----------
    features : DataFrame
        Columns dataset, region and (optional) type: only "GT" counts.
    regions : sequence of str
        In the order of the BOMBS form; regions that occur but are not named follow.
    """
    counts = location_counts(features, regions)
    names = list(dict.fromkeys(counts["dataset"]))
    columns = 4 if len(names) > 3 else len(names)
    rows = -(-len(names) // columns)
    figure = new_figure(10, 0.3 + 2.9 * rows, synthetic=synthetic)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for index, (axes, dataset) in enumerate(zip(grid, names, strict=False)):
        part = counts[counts["dataset"] == dataset]
        total = int(part["n"].sum())
        bars = axes.bar(
            range(len(part)), part["n"], color=_colour(dataset), edgecolor="black", lw=0.5
        )
        axes.bar_label(bars, fontsize=8, padding=1)
        top = max(1.0, 1.2 * part["n"].max())
        axes.set_ylim(0, top)
        percent = axes.twinx()
        percent.set_ylim(0, 100 * top / max(total, 1))
        percent.spines["right"].set_visible(True)
        percent.tick_params(labelsize=8)
        axes.set_title(f"{dataset} (n = {total})")
        axes.yaxis.get_major_locator().set_params(integer=True)
        labels = [_short(region) for region in part["region"]]
        axes.set_xticks(range(len(part)), labels, rotation=90)
        if index % columns == 0:
            axes.set_ylabel("CMBs")
        if index % columns == columns - 1 or index == len(names) - 1:
            percent.set_ylabel("% of CMBs")
    for axes in grid[len(names) :]:
        axes.set_axis_off()
    return figure


def _truth(features):
    return features[features["type"] == "GT"] if "type" in features.columns else features


def _colour(dataset):
    return DATASET_COLOURS.get(dataset, OKABE_ITO["grey"])


def _boxes(axes, names, samples):
    drawn = axes.boxplot(
        samples,
        positions=range(1, len(names) + 1),
        widths=0.6,
        patch_artist=True,
        medianprops={"color": "black", "lw": 1.6},
        flierprops={"marker": "o", "ms": 3, "mfc": "none", "mec": "#555555", "mew": 0.7},
    )
    for box, dataset in zip(drawn["boxes"], names, strict=True):
        box.set(facecolor=_colour(dataset), alpha=0.65)


def _name_groups(axes, names, sizes):
    labels = [f"{name}\nn = {size}" for name, size in zip(names, sizes, strict=True)]
    axes.set_xticks(range(1, len(names) + 1), labels)


def _plain_log(axes):
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _short(region: str) -> str:
    shorter = {
        "cortex / grey-white junction": "Cortex / GWJ",
        "subcortical white matter": "Subcort. WM",
        "basal ganglia grey matter": "Basal ganglia",
        "internal and external capsule": "Capsules",
    }
    return shorter.get(str(region).lower(), str(region))


__all__ = [
    "annotation_overlay",
    "contact_sheet",
    "location_bars",
    "location_counts",
    "mimic_panels",
    "radius_and_counts",
    "radius_and_counts_data",
    "shape_violins",
]
