"""Tables of notebook 03: features of annotated CMBs beside the thesis's values."""

import re

import pandas as pd

from cmbkit.anatomy import rating_scales
from cmbkit.anatomy.atlas import SYNTHSEG_LABELS
from cmbkit.anatomy.rating_scales import BOMBS_LINES, OUTSIDE, REGIONS, group_of, structure_of
from cmbkit.chapters.beside import beside, pooled
from cmbkit.chapters.detection import share_of
from cmbkit.evaluation.agreement import confusion, kappa
from cmbkit.evaluation.subgroups import pooled_location
from cmbkit.features import analytic
from cmbkit.features.columns import SHAPES, TITLES, mean_sd, n_leaked
from cmbkit.published.numbers import thesis_numbers, thesis_table
from cmbkit.reporting.layout import Column, heads, laid_out

PLACES = ("Cortical", "Subcortical", "Deep")
"""Rows of Table 8.2 (`cmbkit.evaluation.subgroups.POOLED_REGIONS`)."""
LEAKED = Column("n_leaked", "Leaked regions")
MEAN_SD = "Mean ± SD over CMBs."
NO_CMB = "No microbleeds in this run."


def table_s6(features: pd.DataFrame, scans: pd.DataFrame) -> pd.DataFrame:
    """Radius, and CMBs per scan that has any, beside Table 7.1's (to Figure 4.2).

    Parameters
    ----------
    features : DataFrame
        One row per CMB: dataset, radius_mm.
    scans : DataFrame
        One row per scan: dataset, n_cmb.
    """
    affected = scans[scans["n_cmb"] > 0].rename(columns={"n_cmb": "cmb_per_scan"})
    radius = features.groupby("dataset")["radius_mm"]
    own = mean_sd(features, "dataset", ["radius_mm"]).drop(columns="radius_mm_n")
    own = own.assign(n_cmb=radius.size(), radius_mm_median=radius.median())
    own = own.join(n_leaked(features, "dataset"))
    own = own.join(mean_sd(affected, "dataset", ["cmb_per_scan"]))
    own = own.rename(columns={"cmb_per_scan_n": "n_scans"}).reset_index()
    printed = thesis_numbers("7.1").astype({"total_cmb": "Int64"})
    names = {"n_cmb": "total_cmb", "radius_mm": "cmb_radius_mm", "cmb_per_scan": "cmb_per_scan"}
    columns = [
        *heads("dataset", n_cmb="CMBs"),
        Column("radius_mm", TITLES["radius_mm"], 2),
        Column("radius_mm_median", "Median radius (mm)", 2),
        LEAKED,
        Column("n_scans", "Scans with CMBs"),
        Column("cmb_per_scan", "CMBs per scan", 2),
    ]
    note = "Mean ± SD over CMBs; CMBs per scan over scans that have any."
    table = beside(own, printed, ["dataset"], names)
    return laid_out(table, columns, note=note, otherwise=NO_CMB)


def table_s20(features: pd.DataFrame) -> pd.DataFrame:
    """Shape beside the thesis's, where it prints numbers (to Figure 4.3).

    The thesis prints shapes of annotated CMBs only in Table 8.3, found and missed ones apart;
    they are put together here for its two test sets, CRB and DOU.
    """
    own = mean_sd(features, "dataset", SHAPES)
    own.insert(0, "n_cmb", features.groupby("dataset").size())
    own = own.join(n_leaked(features, "dataset"))
    printed = thesis_numbers("8.3")
    printed = printed[(printed["type"] == "GT") & printed["dataset"].isin(["CRB", "DOU"])]
    rows = []
    for dataset, part in printed.groupby("dataset"):
        row = {"dataset": dataset, "n_cmb": part["n"].sum()}
        for name in SHAPES:
            mean, sd = pooled(part["n"], part[name], part[f"{name}_sd"])
            row |= {name: mean, f"{name}_sd": sd}
        rows.append(row)
    columns = heads("dataset", n_cmb="CMBs")
    columns += [*(Column(name, title, 2) for name, title in SHAPES.items()), LEAKED]
    printed = pd.DataFrame(rows).astype({"n_cmb": "Int64"})
    table = beside(own.reset_index(), printed, ["dataset"])
    return laid_out(table, columns, note=MEAN_SD, otherwise=NO_CMB)


def table_s26(standard: pd.DataFrame, native: pd.DataFrame) -> pd.DataFrame:
    """How many CMBs lack a value on either grid, by the reason given.

    ``standard``, ``native``: features of the same CMBs on the two grids.
    """
    grids = {"n_standard": standard, "n_native": native}
    counts = {name: table["reason"].value_counts() for name, table in grids.items()}
    table = pd.DataFrame(counts).fillna(0).astype(int).rename_axis("reason")
    table = table.sort_values(list(counts), ascending=False, kind="stable").reset_index()
    columns = [
        Column("reason", "Reason", names={"": "all values are there"}),
        *heads(n_standard="CMBs, standard grid", n_native="CMBs, native grid"),
    ]
    return laid_out(table, columns, otherwise=NO_CMB)


def table_s22(standard: pd.DataFrame, native: pd.DataFrame) -> pd.DataFrame:
    """The same CMBs on the standard and on their native grid, a row for each."""
    table = pd.concat([standard.assign(grid="standard"), native.assign(grid="native")])
    groups = table.groupby(["dataset", "grid"])
    own = mean_sd(table, ["dataset", "grid"], ["radius_mm", "inv_elongation"])
    own.insert(0, "n_voxels_median", groups["n_voxels"].median())
    own.insert(0, "n_cmb", groups.size())
    own = own.join(n_leaked(table, ["dataset", "grid"]))
    own = own.sort_index(level=["dataset", "grid"], ascending=[True, False]).reset_index()
    columns = [
        *heads("dataset", "grid", n_cmb="CMBs"),
        Column("n_voxels_median", "Median voxels", shows="setting"),
        Column("radius_mm", TITLES["radius_mm"], 2),
        Column("inv_elongation", TITLES["inv_elongation"], 2),
        LEAKED,
    ]
    return laid_out(own, columns, note=MEAN_SD, otherwise=NO_CMB)


def table_s23() -> pd.DataFrame:
    """Shapes digitised at 0.5 mm against their closed form."""
    table = analytic.analytic_table(spacings=((0.5, 0.5, 0.5),))
    table = table[table["feature"].isin(SHAPES)].drop(columns="voxel_mm").reset_index(drop=True)
    numbers = ["closed_form", "computed", "difference", "allowed"]
    table[numbers] = table[numbers].round(6) + 0.0  # no rounding errors, no -0
    columns = [Column("shape", "Shape"), Column("feature", "Feature", names=TITLES)]
    columns += [Column(name, name.replace("_", " ").capitalize(), 3) for name in numbers]
    return laid_out(table, columns)


def table_4_2() -> pd.DataFrame:
    """SynthSeg structures of each BOMBS region, with BOMBS's and the thesis's groups.

    ``as_printed``: whether the thesis prints the same structures.
    """
    printed = thesis_table("4.2").set_index("bombs_region")["synthseg_labels"]
    rows = []
    for region, structures in REGIONS.items():
        labels = [n for n in SYNTHSEG_LABELS if structure_of(n) in structures]
        rows.append(
            {
                "region": region,
                "group": group_of(region, "bombs"),
                "group_thesis": group_of(region, "thesis"),
                "structures": ", ".join(structures),
                "labels": ", ".join(map(str, labels)),
                "as_printed": printed[region] == ", ".join(structures),
            }
        )
    columns = heads(region="BOMBS region", group="Group", structures="Structures")
    columns += heads(labels="SynthSeg labels", as_printed="As printed")
    return laid_out(pd.DataFrame(rows), columns)


def table_s21(features: pd.DataFrame) -> pd.DataFrame:
    """CMBs by place and dataset, beside the thesis's (to Figure 4.4).

    The thesis's counts are those of Table 8.2, true positives and false negatives together,
    so for its two test sets. Places outside brain tissue count in the percentages alone.
    """
    printed = thesis_numbers("8.2").set_index(["dataset", "location"])
    printed = (printed["tp"] + printed["fn"]).rename("n_cmb_thesis").astype("Int64")
    all_cmbs = features["dataset"].value_counts()
    every = pd.MultiIndex.from_product([sorted(all_cmbs.index), PLACES], names=["dataset", "place"])
    counts = features.assign(place=pooled_location(features)).groupby(["dataset", "place"]).size()
    table = counts.reindex(every, fill_value=0).rename("n_cmb").reset_index()
    table["percent"] = 100 * table["n_cmb"] / table["dataset"].map(all_cmbs)
    table = table.join(printed, on=["dataset", "place"])
    total = table.groupby("dataset")["n_cmb_thesis"].transform("sum")
    table["percent_thesis"] = (100 * table["n_cmb_thesis"] / total).astype(float)
    columns = [*heads("dataset", "place", n_cmb="CMBs"), Column("percent", "% of CMBs", 1)]
    note = (
        "Percentages: of all CMBs of a dataset; the thesis's: of those in one of the three places."
    )
    return laid_out(table, columns, note=note, otherwise=NO_CMB)


def table_s27(features: pd.DataFrame, microbleeds: pd.DataFrame) -> pd.DataFrame:
    """Where the rater and where the parcellation puts the same CMBs.

    ``features``, ``microbleeds``: one row per annotated CMB: uid, id; region (the
    parcellation's) in features, rater_location (missing where nobody rated it) in microbleeds.

    Returns
    -------
    DataFrame
        One row per line of the BOMBS form, as the rater chose it, and one for all: the number
        of CMBs in each region of the parcellation, n, n_same, agreement (share of n) with
        its parts, scans as the units, and Cohen's kappa (all only).
    """
    rated = microbleeds.dropna(subset="rater_location")[["uid", "id", "rater_location"]]
    both = features.merge(rated, on=["uid", "id"], validate="one_to_one")
    said, regions = both["rater_location"].map(rating_scales.bombs_line), [*REGIONS, OUTSIDE]
    lines = list(dict.fromkeys([*BOMBS_LINES, *said]))
    table = confusion(said, both["region"], lines, regions)
    codes = {name: code for code, name in enumerate(dict.fromkeys([*lines, *regions]))}
    ratings = said.map(codes), both["region"].map(codes)
    table.loc["All", "kappa"] = kappa(*ratings, len(codes)).item()
    titles = {"n_" + re.sub(r"\W+", "_", region.lower()): region for region in regions}
    table = table.set_axis([*titles, "n", "n_same", "kappa"], axis=1)
    table = table.rename_axis("rater_location").reset_index()
    columns = heads(rater_location="Rater", **titles, n="CMBs", n_same="Same")
    columns += [Column("agreement", "Agreement", 3), Column("kappa", "Kappa", 3)]
    same = said == both["region"]
    parts = [
        share_of("agreement", both["uid"][chosen], same[chosen])
        for chosen in ((said == line) | (line == "All") for line in table["rater_location"])
    ]
    note = (
        "[95 % interval, scans as units; method in the CSV]; kappa without weights. The "
        "parcellation has no capsules."
    )
    return laid_out(table.join(pd.DataFrame(parts)), columns, note=note)


def busiest_scan(features: pd.DataFrame) -> str:
    """The scan with most CMBs, the first of equals; "without microbleeds" if none has any.

    sMOMENI's scans, made with about ten CMBs each, count only when there are no others.
    """
    if features.empty:
        return "without microbleeds"
    rated = features[features["dataset"] != "sMOMENI"]
    counts = (rated if len(rated) else features)["uid"].value_counts(sort=False)
    return str(counts.idxmax())
