"""Tables 2.1, 4.1, 7.1 and B.1, and the numbers of Figure A.8."""

from collections.abc import Iterable
from dataclasses import asdict

import numpy as np
import pandas as pd

from cmbkit.chapters.beside import beside
from cmbkit.datasets.splits import STRATA, strata, stratification_log
from cmbkit.features.columns import n_leaked
from cmbkit.published.numbers import thesis_numbers
from cmbkit.records import Scan
from cmbkit.reporting.layout import Column, heads, laid_out

SITES = {"U.S.A": "United States", "UK": "UK or Spain", "Spain": "UK or Spain"}
"""Printed sites to the names that the readers give; VALDO's files do not tell two apart."""
RANGES = ("tr_ms", "te_ms", "flip_deg", "slice_thickness_mm")
PRINTED_4_1 = {"location": "site"} | {
    f"{theirs}{end}": f"{ours}{end}"
    for ours, theirs in {"field_strength": "field_T", "tr_ms": "TR_ms", "te_ms": "TE_ms"}.items()
    for end in ("_low", "_high")
}
PRINTED_7_1 = {
    "scans_total": "n_scans",
    "scans_with_cmb": "n_scans_with_cmb",
    "scans_below_3": "n_scans_below_3",
    "patients_total": "n_patients",
    "patients_with_cmb": "n_patients_with_cmb",
    "res_level_low_pct": "resolution_low_pct",
    "res_level_high_pct": "resolution_high_pct",
    "total_cmb": "n_cmb",
    "cmb_radius_mm": "radius_mm",
    "cmb_radius_mm_sd": "radius_mm_sd",
}
"""Columns of Table 7.1 to the names that `table_7_1` gives them."""
GROUPS_B_1 = {
    "dataset": "Dataset",
    "sequence": "Sequence",
    "resolution_level": "Resolution",
    "healthy": "Healthy scan",
    "healthy_all": "Healthy patient",
    "field_strength": "Field (T)",
    "cmb_level": "CMB level",
}


def table_2_1() -> pd.DataFrame:
    """What BOMBS and MARS ask a rater to note (Table 2.1).

    Sources: Cordonnier et al. 2009 (BOMBS), Gregoire et al. 2009 (MARS).
    """
    rows = [
        ("Certainty", "certain; uncertain", "definite; possible"),
        ("Size", "under 5 mm; 5 to 10 mm", "not asked"),
        ("Side", "left; right", "left; right"),
        (
            "Location: lobar",
            "cortex or grey-white junction; subcortical white matter",
            "frontal; parietal; temporal; occipital; insula",
        ),
        (
            "Location: deep",
            "basal ganglia; internal and external capsule; thalamus",
            "basal ganglia; internal capsule; external capsule; thalamus; corpus callosum; "
            "deep and periventricular white matter",
        ),
        (
            "Location: below the tentorium",
            "posterior fossa: brainstem; cerebellum",
            "infratentorial: brainstem; cerebellum",
        ),
    ]
    table = pd.DataFrame(rows, columns=["category", "bombs", "mars"])
    return laid_out(table, heads("category", bombs="BOMBS", mars="MARS"))


def table_4_1(scans: Iterable[Scan]) -> pd.DataFrame:
    """Acquisition by dataset, site and sequence; the thesis's values by dataset and site (4.1).

    Values come from headers, sidecars and what a dataset's publication states.

    Columns: dataset, site, sequence; field_strength_low and _high (tesla); median of tr_ms, te_ms,
    flip_deg (degrees) and slice_thickness_mm over the scans that give them, with the smallest and
    largest (``_low``, ``_high``); n_scans; the thesis's columns, where a site stands for two
    printed ones the least and the most of both.
    """
    told = [
        {"dataset": s.dataset, "sequence": s.sequence, **asdict(s.acquisition)}
        | _tesla(s.acquisition.field_strength)
        for s in scans
    ]
    keys = ["dataset", "site", "sequence"]
    groups = pd.DataFrame(told).astype(dict.fromkeys(RANGES, float)).groupby(keys, dropna=False)
    ends = {"": "median", "_low": "min", "_high": "max"}
    own = groups.agg(
        field_strength_low=("field_strength_low", "min"),
        field_strength_high=("field_strength_high", "max"),
        n_scans=("dataset", "size"),
        **{f"{name}{end}": (name, how) for name in RANGES for end, how in ends.items()},
    ).reset_index()
    own = own.astype({"site": object})  # text to be joined on, also where no site is known
    printed = thesis_numbers("4.1").rename(columns=PRINTED_4_1)
    printed["site"] = printed["site"].replace(SITES)
    ends = {"low": "min", "high": "max"}
    hows = {name: ends.get(name.rpartition("_")[2], _each) for name in printed.columns[2:]}
    printed = printed.groupby(["dataset", "site"], sort=False).agg(hows).reset_index()
    columns = [
        *heads("dataset", "site", demographics_thesis="Subjects (thesis)"),
        *heads(scanner_model_thesis="Scanner (thesis)", sequence="Sequence"),
        Column("field_strength", "Field (T)", shows="both"),
        Column("tr_ms", "TR (ms)", 1, shows="range"),
        Column("te_ms", "TE (ms)", 1, shows="range"),
        Column("flip_deg", "Flip angle (°)", 0, shows="range"),
        Column("slice_thickness_mm", "Slices (mm)", 2, shows="range"),
        *heads(rating_scale_thesis="Rating scale (thesis)", n_scans="Scans"),
    ]
    note = "[83]: the Rotterdam Scan Study (Vernooij et al. 2008), cited by the thesis."
    return laid_out(beside(own, printed, ["dataset", "site"], rows="both"), columns, note=note)


def _tesla(strength: str | None) -> dict[str, float]:
    """Least and most tesla of a `cmbkit.records.Acquisition`; NaN where none is known."""
    known = [float(tesla) for tesla in strength.split("/")] if strength else [np.nan]
    return {"field_strength_low": min(known), "field_strength_high": max(known)}


def _each(values: pd.Series) -> str:
    """The values of several printed rows in their order; one if all are the same."""
    return " / ".join(values.dropna().unique())


def table_7_1(table: pd.DataFrame, microbleeds: pd.DataFrame) -> pd.DataFrame:
    """Scans, patients and CMBs by dataset, beside the thesis's (Table 7.1).

    Parameters
    ----------
    table : DataFrame
        Scan table with column split.
    microbleeds : DataFrame
        One row per annotated CMB: uid, dataset, radius_mm.

    Returns
    -------
    DataFrame
        dataset; source ("Public", "Private", "Own", "Synthetic"); n_scans, n_scans_with_cmb,
        n_scans_below_3 (of those with CMBs), n_patients, n_patients_with_cmb;
        resolution_low_pct and resolution_high_pct (percent of scans); n_cmb; mean and sample
        standard deviation of cmb_per_scan (over scans with CMBs) and radius_mm (over CMBs);
        n_leaked (of n_cmb, regions that leaked); split; all again as printed in the thesis.
    """
    printed = thesis_numbers("7.1").rename(columns=PRINTED_7_1)
    public = dict(zip(printed["dataset"], printed["source"], strict=True))
    leaks, rows = n_leaked(microbleeds, "dataset"), []
    for dataset, scans in table.groupby("dataset", sort=True):
        sick = scans[scans["n_cmb"] > 0]
        radii = microbleeds.loc[microbleeds["dataset"] == dataset, "radius_mm"].dropna()
        low = 100 * float((scans["resolution_level"] == "low").mean())
        made = scans["synthetic"].any()
        rows.append(
            {
                "dataset": dataset,
                "source": "Synthetic" if made else public.get(dataset, "Own"),
                "n_scans": len(scans),
                "n_scans_with_cmb": len(sick),
                "n_scans_below_3": int((sick["n_cmb"] < 3).sum()),
                "n_patients": scans["patient"].nunique(),
                "n_patients_with_cmb": sick["patient"].nunique(),
                "resolution_low_pct": low,
                "resolution_high_pct": 100 - low,
                "n_cmb": int(scans["n_cmb"].sum()),
                "cmb_per_scan": sick["n_cmb"].mean(),
                "cmb_per_scan_sd": sick["n_cmb"].std(),
                "radius_mm": radii.mean(),
                "radius_mm_sd": radii.std(),
                "n_leaked": leaks.get(dataset, 0),
                "split": _split_name(scans["split"]),
            }
        )
    columns = [
        *heads("dataset", "source", n_scans="Scans", n_scans_with_cmb="with CMBs"),
        *heads(n_scans_below_3="with 1 or 2", n_patients="Patients"),
        Column("n_patients_with_cmb", "Patients with CMBs"),
        Column("resolution_low_pct", "Low resolution (%)", 0),
        Column("resolution_high_pct", "High resolution (%)", 0),
        Column("n_cmb", "CMBs"),
        Column("cmb_per_scan", "CMBs per scan with CMBs", 2),
        Column("radius_mm", "Radius (mm)", 2),
        *heads(n_leaked="Leaked regions", split="Split"),
    ]
    note = "Mean ± standard deviation; radius over CMBs. Leaked: their size is not the CMB's."
    return laid_out(
        beside(pd.DataFrame(rows), printed, ["dataset"], rows="both"), columns, note=note
    )


def _split_name(splits: pd.Series) -> str | None:
    named = [name.capitalize() for name in ("train", "valid", "test") if (splits == name).any()]
    return "-".join(named) or None


def table_b_1(table: pd.DataFrame) -> pd.DataFrame:
    """Scans in every combination of the groups used for stratification (Table B.1).

    Columns: dataset, sequence, resolution_level, healthy (no CMB in the scan), healthy_all (in no
    scan of the patient), field_strength (tesla as text), cmb_level (of the scan: none, low or high;
    not CMB_level of `table_a_8`), n_scans; combinations without a scan are left out.
    """
    most = table.groupby(["dataset", "patient"])["n_cmb"].transform("max")
    groups = table.assign(healthy=table["n_cmb"] == 0, healthy_all=most == 0)
    counts = groups.groupby(list(GROUPS_B_1), dropna=False, observed=True).size()
    return laid_out(counts.reset_index(name="n_scans"), heads(**GROUPS_B_1, n_scans="Scans"))


def table_a_8(table: pd.DataFrame) -> pd.DataFrame:
    """Strata of training and validation: n_scans and percent of the split (Figure A.8).

    CMB_level goes by patients: "Unspecified" are scans of those without CMBs, and "low" are others
    with fewer than 3, also 0. That of a scan (`cmbkit.records.cmb_level`) is in `table_b_1`.

    Columns are split, column (a name of `STRATA` or "stratify_label"), value, te_ms (that of an
    echo time), n_scans and proportion_pct, the last two beside the thesis's. Of each stratum the
    rows of this run come first, the biggest first, then those that only the thesis has.
    """
    own = stratification_log(table)
    if own.empty:
        return own
    parts = [thesis_numbers(f"A.8 {name}").assign(split=name) for name in ("train", "valid")]
    printed = pd.concat(parts, ignore_index=True)
    names = {"n_scans": "count", "proportion_pct": "proportion_pct"}
    both = beside(own, printed, ["split", "column", "value"], names, rows="both")
    known = zip(strata(table)["TE"], table["te_ms"], strict=True)
    known = dict(known) | printed.dropna(subset=["te_ms"]).set_index("value")["te_ms"].to_dict()
    te_ms = both["value"].map(known).where(both["column"] == "TE").astype(float)
    both.insert(3, "te_ms", te_ms)
    sizes = ["n_scans", "n_scans_thesis"]
    both = both.assign(order=both["column"].map([*STRATA, "stratify_label"].index)).sort_values(
        ["split", "order", *sizes], ascending=[True, True, False, False], kind="stable"
    )
    return both.drop(columns="order").reset_index(drop=True)
