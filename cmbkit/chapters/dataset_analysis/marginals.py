"""Table S14: how far the cohort of this run is from the thesis's, quantity by quantity."""

import numpy as np
import pandas as pd

from cmbkit.chapters.beside import pooled
from cmbkit.evaluation.subgroups import POOLED_REGIONS
from cmbkit.published.numbers import thesis_numbers
from cmbkit.reporting.layout import Column, laid_out

QUANTITIES = {
    "cmb_per_scan": "CMBs per scan with CMBs (Table 7.1)",
    "radius_mm": "Radius, mm (Table 7.1)",
    "inv_elongation": "Inverse elongation (Table 8.3)",
    "Cortical": "Cortical, % (Table 8.2)",
    "Subcortical": "Subcortical, % (Table 8.2)",
    "Deep": "Deep, % (Table 8.2)",
    "low_resolution": "Scans of low resolution, % (Table 7.1)",
}
OFF_SD, OFF_PERCENT = 0.5, 15.0
"""A mean is off by more than so many of the thesis's standard deviations, a share by points."""


def table_s14(table: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Marginals of this cohort beside the thesis's.

    Parameters
    ----------
    table : DataFrame
        One row per scan: uid, dataset, split, n_cmb, resolution_level.
    features : DataFrame
        One row per annotated CMB: uid, dataset, radius_mm, inv_elongation, region.

    Returns
    -------
    DataFrame
        dataset (or "Valid": all validation scans), quantity (of `QUANTITIES`), value and value_sd,
        both also as the thesis has them, and off: whether the mean is more than `OFF_SD` of the
        thesis's standard deviations away, or the share more than `OFF_PERCENT` points.
    """
    printed = _printed()
    own = pd.DataFrame(_own(table, features), columns=["dataset", "quantity", "value", "value_sd"])
    both = own.merge(printed, on=["dataset", "quantity"])
    both = both[both["value_thesis"].notna()]
    share = both["value_thesis_sd"].isna()
    limit = np.where(share, OFF_PERCENT, OFF_SD * both["value_thesis_sd"])
    both["off"] = (both["value"] - both["value_thesis"]).abs() > limit
    order = both["quantity"].map(list(QUANTITIES).index)
    both = both.iloc[np.lexsort([both["dataset"], order])].reset_index(drop=True)
    columns = [
        Column("quantity", "Quantity", names=QUANTITIES),
        Column("dataset", "Dataset"),
        Column("value", "Value", 2),
        Column("off", "Off", names={True: "off", False: ""}),
    ]
    note = (
        f"Mean ± standard deviation; off: by more than {OFF_SD:g} of the thesis's standard "
        f"deviations, or {OFF_PERCENT:g} percentage points."
    )
    nothing = "The thesis prints nothing of the datasets of this run."
    return laid_out(both, columns, note=note, otherwise=nothing)


def _own(table: pd.DataFrame, features: pd.DataFrame):
    """Rows (dataset, quantity, mean or percent, sd) by dataset, and of the validation scans."""
    parts = [*table.groupby("dataset")]
    valid = table[table["split"] == "valid"]
    parts += [("Valid", valid)] if len(valid) else []
    for name, scans in parts:
        found = features[features["uid"].isin(scans["uid"])]
        counts = scans.loc[scans["n_cmb"] > 0, "n_cmb"]
        for quantity, values in (
            ("cmb_per_scan", counts),
            ("radius_mm", found["radius_mm"]),
            ("inv_elongation", found["inv_elongation"]),
        ):
            yield name, quantity, values.mean(), values.std()
        places = found["region"].map(POOLED_REGIONS).dropna()
        for place in ("Cortical", "Subcortical", "Deep"):
            yield name, place, 100 * (places == place).mean(), np.nan
        yield name, "low_resolution", 100 * (scans["resolution_level"] == "low").mean(), np.nan


def _printed() -> pd.DataFrame:
    """The same of the thesis: dataset, quantity, value_thesis, value_thesis_sd."""
    rows = []
    for row in thesis_numbers("7.1").to_dict("records"):
        rows += [
            (row["dataset"], "cmb_per_scan", row["cmb_per_scan"], row["cmb_per_scan_sd"]),
            (row["dataset"], "radius_mm", row["cmb_radius_mm"], row["cmb_radius_mm_sd"]),
            (row["dataset"], "low_resolution", row["res_level_low_pct"], np.nan),
        ]
    places = thesis_numbers("8.2").assign(n=lambda t: t["tp"] + t["fn"])
    for dataset, part in places.groupby("dataset"):
        total = part["n"].sum()
        rows += [(dataset, r.location, 100 * r.n / total, np.nan) for r in part.itertuples()]
    shapes = thesis_numbers("8.3")
    for dataset, part in shapes[shapes["type"] == "GT"].groupby("dataset"):
        mean, sd = pooled(part["n"], part["inv_elongation"], part["inv_elongation_sd"])
        rows.append((dataset, "inv_elongation", mean, sd))
    return pd.DataFrame(rows, columns=["dataset", "quantity", "value_thesis", "value_thesis_sd"])
