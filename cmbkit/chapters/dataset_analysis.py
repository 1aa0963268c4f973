"""Tables of chapters 4, 5, 7.1 and Figure A.8, the thesis's values beside the run's own."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from cmbkit.anatomy import rating_scales
from cmbkit.datasets import overview
from cmbkit.datasets.splits import STRATA, stratification_log
from cmbkit.plotting.config_panels import data_configuration
from cmbkit.published.numbers import thesis_table
from cmbkit.study.pictures import nothing_to_show

SITES = {"U.S.A": "United States", "UK": "UK or Spain", "Spain": "UK or Spain"}
"""Printed sites to the names that the readers give; VALDO's files do not tell two apart."""

PRINTED_7_1 = {
    "scans_total": "scans",
    "scans_with_cmb_and_below_3": "scans with CMB, below 3",
    "patients_total_and_with_cmb": "patients, with CMB",
    "res_level_low_high_pct": "resolution low, high pct",
    "total_cmb": "CMBs",
    "cmb_per_scan": "CMBs per scan",
    "cmb_radius_mm": "radius mm",
}

COUNTS = ["count", "count (thesis)"]


def beside(own: pd.DataFrame, printed: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Own columns, then the printed ones with "(thesis)" in their names; rows of both sides."""
    printed = printed.rename(columns={c: f"{c} (thesis)" for c in printed if c not in keys})
    return own.merge(printed, on=keys, how="outer", sort=False)


def table_4_1(study) -> pd.DataFrame:
    """Acquisition by dataset, site and sequence; the thesis's values by dataset and site."""
    own = overview.table_4_1(study.cohort.scans)
    printed = thesis_table("4.1").rename(columns={"location": "site"})
    printed["site"] = printed["site"].replace(SITES)
    grouped = printed.groupby(["dataset", "site"], sort=False)
    return beside(own, grouped.agg(_each).reset_index(), ["dataset", "site"])


def _each(values: pd.Series) -> str:
    """The values of several printed rows in their order; one if all are the same."""
    return " / ".join(values.dropna().unique()) or overview.NOTHING


def table_5_1(study) -> pd.DataFrame:
    """Processing steps by dataset, as run, and as printed where that differs."""
    own = overview.table_5_1(study.cohort.scans)
    printed = thesis_table("5.1").fillna("n/a")
    rows = set(printed.itertuples(index=False, name=None))
    by_name = {row[0]: " ".join(row[1:]) for row in rows}
    told = [
        "yes" if row in rows else f"no: {by_name.get(row[0], 'not in the thesis')}"
        for row in own[printed.columns].itertuples(index=False, name=None)
    ]
    return own.assign(**{"as printed (thesis)": told})


def table_7_1(study) -> pd.DataFrame:
    """Scans, patients and CMBs by dataset, beside the thesis's."""
    own = overview.table_7_1(study.cohort.table, study.cohort.microbleeds)
    printed = thesis_table("7.1").rename(columns=PRINTED_7_1)
    public = dict(zip(printed["dataset"], printed["source"], strict=True))
    made = {scan.dataset for scan in study.cohort.scans if scan.synthetic}
    source = ["Synthetic" if d in made else public.get(d, "Own") for d in own["dataset"]]
    own.insert(own.columns.get_loc("split"), "source", source)
    return beside(own, printed, ["dataset"])


def table_4_2() -> pd.DataFrame:
    """Mapping of parcellation labels, and whether the thesis prints the same."""
    own, printed = rating_scales.table_4_2(), thesis_table("4.2")
    same = own["structures"].to_numpy() == printed["synthseg_labels"].to_numpy()
    return own.assign(**{"as printed (thesis)": ["yes" if s else "no" for s in same]})


def table_a_8(study) -> pd.DataFrame:
    """Strata in train and valid with their scans and percent of the split (Figure A.8).

    Of each stratum the rows of this run come first, the biggest first, then those that only the
    thesis has.
    """
    own = stratification_log(study.cohort.table)
    if own.empty:
        return own
    parts = [thesis_table(f"A.8 {name}").assign(split=name) for name in ("train", "valid")]
    printed = pd.concat(parts, ignore_index=True)
    printed["proportion_pct"] = printed["proportion_pct"].str.rstrip("%").astype(float)
    printed["count"] = printed["count"].astype(int)
    keys = ["split", "column", "value"]
    table = own.merge(printed, "outer", keys, sort=False, suffixes=("", " (thesis)"))
    table[COUNTS] = table[COUNTS].astype("Int64")
    columns = [*STRATA, "stratify_label"]
    order = table["column"].map(columns.index)
    table = table.assign(order=order).sort_values(
        ["split", "order", *COUNTS], ascending=[True, True, False, False], kind="stable"
    )
    return table.drop(columns="order").reset_index(drop=True)


def split_figure(table: pd.DataFrame) -> Figure:
    """`table_a_8` as a picture (Figure A.8)."""
    if table.empty:
        return nothing_to_show("No dataset of this run is split into training and validation.")
    sums = table[table["column"] == "Dataset"].groupby("split")[COUNTS].sum()
    parts = [f"{name} {row.iloc[0]} ({row.iloc[1]})" for name, row in sums.iterrows()]
    title = f"Strata of the training and validation split; scans (thesis): {', '.join(parts)}"
    shown = table.astype(object).where(table.notna(), overview.NOTHING)
    return data_configuration(shown, title)
