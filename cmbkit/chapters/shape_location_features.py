"""Tables and figures of notebook 03: features of annotated CMBs beside the thesis's values."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cmbkit.anatomy import rating_scales
from cmbkit.chapters.beside import beside
from cmbkit.features import analytic, trends
from cmbkit.plotting import features as figures_features
from cmbkit.published.numbers import thesis_numbers, thesis_table
from cmbkit.reporting.rating_form import RatingForm, rating_form

SHAPES = {
    "inv_elongation": "inverse elongation",
    "inv_flatness": "inverse flatness",
    "max_diameter_mm": "max. diameter mm",
    "volume_mm3": "volume mm³",
    "sphericity": "sphericity",
}
FLOOR_SIZES = tuple(float(size) for size in np.geomspace(1, 1500, 40))
PLACES = {
    "Cortical": ("Cortex / Grey-White Junction",),
    "Subcortical": ("Subcortical White Matter",),
    "Deep": ("Basal Ganglia Grey Matter", "Thalamus", "Brainstem", "Cerebellum"),
}
"""Rows of Table 8.2; its "deep" holds brainstem and cerebellum."""


def table_4_2() -> pd.DataFrame:
    """Mapping of parcellation labels, and whether the thesis prints the same."""
    own, printed = rating_scales.table_4_2(), thesis_table("4.2")
    same = own["structures"].to_numpy() == printed["synthseg_labels"].to_numpy()
    return own.assign(as_printed=same)


def mean_sd(values) -> str:
    """Mean ± standard deviation with two decimals; "-" without values."""
    values = pd.Series(values).dropna()
    if not len(values):
        return "-"
    return f"{values.mean():.2f} ± {values.std(ddof=1) if len(values) > 1 else 0:.2f}"


def pooled(parts: list[tuple[int, float, float]]) -> tuple[int, float, float]:
    """n, mean and standard deviation of groups put together, from those of each group."""
    n = sum(size for size, _, _ in parts)
    mean = sum(size * m for size, m, _ in parts) / n
    squares = sum((size - 1) * sd**2 + size * (m - mean) ** 2 for size, m, sd in parts)
    return n, mean, float(np.sqrt(squares / (n - 1)))


def size_summary(study) -> pd.DataFrame:
    """Radius and CMBs per affected scan by dataset, beside Table 7.1's columns (Figure 4.2)."""
    rows = []
    scans = study.cohort.table[study.cohort.table["n_cmb"] > 0]
    for dataset, part in study.cohort.features.groupby("dataset"):
        rows.append(
            {
                "dataset": dataset,
                "CMBs": len(part),
                "radius mm": mean_sd(part["radius_mm"]),
                "median radius mm": round(float(part["radius_mm"].median()), 2),
                "CMBs per scan": mean_sd(scans.loc[scans["dataset"] == dataset, "n_cmb"]),
            }
        )
    printed = thesis_table("7.1")[["dataset", "total_cmb", "cmb_radius_mm", "cmb_per_scan"]]
    names = {"total_cmb": "CMBs", "cmb_radius_mm": "radius mm", "cmb_per_scan": "CMBs per scan"}
    table = beside(pd.DataFrame(rows), printed.rename(columns=names), ["dataset"])
    return table.dropna(subset=["CMBs"]).astype({"CMBs": int})


def shape_summary(study) -> pd.DataFrame:
    """Shape by dataset, beside the thesis's where it prints numbers (Figure 4.3).

    The thesis prints shapes of annotated CMBs only in Table 8.3, found and missed ones apart;
    they are put together here for its two test sets, CRB and DOU.
    """
    own = [
        {"dataset": name, "n": len(part), **{SHAPES[f]: mean_sd(part[f]) for f in SHAPES}}
        for name, part in study.cohort.features.groupby("dataset")
    ]
    printed = thesis_numbers("8.3")
    printed = printed[(printed["type"] == "GT") & printed["dataset"].isin(["CRB", "DOU"])]
    rows = []
    for name, part in printed.groupby("dataset"):
        row = {"dataset": name}
        for feature, label in SHAPES.items():
            sizes = part["n"].astype(int)
            groups = list(zip(sizes, part[feature], part[f"{feature}_sd"], strict=True))
            n, mean, sd = pooled(groups)
            row |= {"n": n, label: f"{mean:.2f} ± {sd:.2f}"}
        rows.append(row)
    return beside(pd.DataFrame(own), pd.DataFrame(rows), ["dataset"])


def place_summary(study) -> pd.DataFrame:
    """Share of CMBs by place and dataset, beside the thesis's (Figure 4.4).

    The thesis's counts are those of Table 8.2, true positives and false negatives together,
    so for its two test sets.
    """
    features = study.cohort.features
    printed = thesis_numbers("8.2")
    rows = []
    for name, part in features.groupby("dataset"):
        theirs = printed[printed["dataset"] == name]
        total = int((theirs["tp"] + theirs["fn"]).sum()) if len(theirs) else 0
        for place, regions in PLACES.items():
            n = int(part["region"].isin(regions).sum())
            row = {"dataset": name, "place": place, "CMBs": n}
            row["%"] = round(100 * n / len(part), 1)
            if total:
                line = theirs[theirs["location"] == place].iloc[0]
                count = int(line["tp"] + line["fn"])
                row |= {"CMBs (thesis)": str(count), "% (thesis)": round(100 * count / total, 1)}
            rows.append(row)
    return pd.DataFrame(rows)


def grid_summary(study) -> pd.DataFrame:
    """The same CMBs on the standard and on their native grid: voxels, radius and elongation."""
    rows = []
    tables = {"standard": study.cohort.features, "native": study.cohort.native_features}
    for name in sorted(set(study.cohort.features["dataset"])):
        row = {"dataset": name}
        for grid, table in tables.items():
            part = table[table["dataset"] == name]
            row |= {
                f"median voxels, {grid}": float(part["n_voxels"].median()),
                f"radius mm, {grid}": mean_sd(part["radius_mm"]),
                f"inverse elongation, {grid}": mean_sd(part["inv_elongation"]),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def reason_summary(study) -> pd.DataFrame:
    """How many CMBs lack a value, on either grid, by the reason given."""
    tables = {"standard": study.cohort.features, "native": study.cohort.native_features}
    counts = {f"CMBs, {grid} grid": t["reason"].value_counts() for grid, t in tables.items()}
    table = pd.DataFrame(counts).fillna(0).astype(int).rename(index={"": "all values are there"})
    return table.rename_axis("reason").sort_values(list(table), ascending=False)


def analytic_summary() -> pd.DataFrame:
    """Digitised shapes at 0.5 mm against their closed form (`cmbkit.features.analytic`)."""
    table = analytic.analytic_table(spacings=((0.5, 0.5, 0.5),))
    wanted = ("volume_mm3", "max_diameter_mm", "sphericity", "inv_elongation", "inv_flatness")
    table = table[table["feature"].isin(wanted)].round(3)
    return table.drop(columns="voxel_mm").replace(-0.0, 0.0)


def correlation_figure(study):
    """Rank correlation of features, and the numbers behind it."""
    table = trends.correlations(study.cohort.features)
    return figures_features.correlation_matrix(table), table


def thickness_figure(study):
    """Elongation and flatness against slice thickness, and the values and lines behind them.

    sMOMENI is left out: its CMBs are copies of few models in MOMENI's scans.
    """
    scans = study.cohort.table[["uid", "slice_thickness_mm"]]
    points = study.cohort.features.merge(scans, on="uid", validate="many_to_one")
    points = points[points["dataset"] != "sMOMENI"]
    x = points["slice_thickness_mm"]
    at = np.linspace(x.min(), x.max(), 41)
    lines = {
        feature: trends.linear_trend(x, points[feature], points["uid"], at, seed=study.params.seed)
        for feature in figures_features.RATIOS
        if x.max() > x.min()
    }
    data = [points[["uid", "dataset", "id", "slice_thickness_mm", *figures_features.RATIOS]]]
    data += [line.assign(line=feature) for feature, line in lines.items()]
    return figures_features.thickness_effect(points, lines), pd.concat(data, ignore_index=True)


def floor_figure(study):
    """Sphericity and flatness against the number of voxels, and the values behind them."""
    features = study.cohort.features
    floor = analytic.ball_floor(FLOOR_SIZES, draws=25, seed=study.params.seed)
    columns = ["uid", "dataset", "id", "n_voxels", *figures_features.FLOOR]
    bands = figures_features.floor_bands(floor).assign(dataset="perfect balls")
    data = pd.concat([features[columns], bands], ignore_index=True)
    return figures_features.discretisation_floor(features, floor), data


def busiest_form(study, scale: str = "bombs", **options) -> RatingForm:
    """The form of the scan with most CMBs (the first of equals).

    sMOMENI's scans, made with about ten CMBs each, count only when there are no others.
    """
    features = study.cohort.features
    rated = features[features["dataset"] != "sMOMENI"]
    counts = (rated if len(rated) else features)["uid"].value_counts(sort=False)
    return rating_form(features, counts.idxmax(), scale, **options)
