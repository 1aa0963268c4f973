"""Tables of chapters 4, 5 and 7.1 with the thesis's printed values beside the run's own."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from cmbkit.anatomy import rating_scales
from cmbkit.datasets import overview
from cmbkit.evaluation.published import thesis_table
from cmbkit.reporting.config_panels import data_configuration
from cmbkit.study.pictures import nothing_to_show


def beside(own: pd.DataFrame, printed: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Own columns, then the printed ones with "(thesis)" in their names; rows of both sides."""
    printed = printed.rename(columns={c: f"{c} (thesis)" for c in printed if c not in keys})
    return own.merge(printed, on=keys, how="outer", sort=False)


def table_4_1(study) -> pd.DataFrame:
    """Acquisition by dataset, site and sequence; the thesis's values by dataset and site."""
    own = overview.table_4_1(study.cohort.scans)
    printed = thesis_table("4.1").rename(columns={"location": "site"})
    columns = ["dataset", "site", "field_T", "TR_ms", "TE_ms", "flip_deg", "slice_thickness_mm"]
    return beside(own, printed[columns], ["dataset", "site"])


def table_5_1(study) -> pd.DataFrame:
    """Processing steps by dataset, as run and as printed."""
    own = overview.table_5_1(study.cohort.scans)
    printed = thesis_table("5.1").fillna("n/a")
    rows = set(printed.itertuples(index=False, name=None))
    same = [row in rows for row in own[printed.columns].itertuples(index=False, name=None)]
    return own.assign(**{"as printed (thesis)": ["yes" if s else "no" for s in same]})


def table_7_1(study) -> pd.DataFrame:
    """Scans, patients and CMBs by dataset, beside the thesis's."""
    own = overview.table_7_1(study.cohort.table, study.cohort.microbleeds)
    columns = ["dataset", "scans_total", "patients_total_and_with_cmb", "total_cmb"]
    printed = thesis_table("7.1")[[*columns, "cmb_per_scan", "cmb_radius_mm"]]
    names = {
        "scans_total": "scans",
        "patients_total_and_with_cmb": "patients, with CMB",
        "total_cmb": "CMBs",
        "cmb_per_scan": "CMBs per scan",
        "cmb_radius_mm": "radius mm",
    }
    return beside(own, printed.rename(columns=names), ["dataset"])


def table_4_2() -> pd.DataFrame:
    """Mapping of parcellation labels, and whether the thesis prints the same."""
    own, printed = rating_scales.table_4_2(), thesis_table("4.2")
    same = own["structures"].to_numpy() == printed["synthseg_labels"].to_numpy()
    return own.assign(**{"as printed (thesis)": ["yes" if s else "no" for s in same]})


def split_figure(log: pd.DataFrame) -> Figure:
    """The log of the stratified split as a picture (Figure A.8)."""
    if log.empty:
        return nothing_to_show("No dataset of this run is split into training and validation.")
    return data_configuration(log, "Strata of the training and validation split")
