"""Tables 2.1, 4.1, 7.1 and B.1, and the numbers of Figure A.8."""

from collections.abc import Iterable
from dataclasses import asdict

import pandas as pd

from cmbkit.chapters.beside import beside
from cmbkit.datasets.splits import STRATA, stratification_log
from cmbkit.features.columns import n_leaked
from cmbkit.published.numbers import thesis_numbers, thesis_table
from cmbkit.records import Scan
from cmbkit.reporting.layout import Column, heads, laid_out

SITES = {"U.S.A": "United States", "UK": "UK or Spain", "Spain": "UK or Spain"}
"""Printed sites to the names that the readers give; VALDO's files do not tell two apart."""
RANGES = ("tr_ms", "te_ms", "flip_deg", "slice_thickness_mm")
PRINTED_4_1 = {
    "location": "site",
    "field_T": "field_strength",
    "TR_ms": "tr_ms",
    "TE_ms": "te_ms",
}
PAIRS_7_1 = {
    "scans_with_cmb_and_below_3": ("n_scans_with_cmb", "n_scans_below_3"),
    "patients_total_and_with_cmb": ("n_patients", "n_patients_with_cmb"),
    "res_level_low_high_pct": ("resolution_low_pct", "resolution_high_pct"),
}
"""Printed columns of Table 7.1 that hold two numbers, separated by a comma."""
PRINTED_7_1 = {"scans_total": "n_scans", "total_cmb": "n_cmb", "cmb_radius_mm": "radius_mm"}
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

    Columns: dataset, site, sequence, field_strength (tesla as text, "1.5/3" where both occur);
    median of tr_ms, te_ms, flip_deg (degrees) and slice_thickness_mm over the scans that give them,
    with the smallest and largest (``_low``, ``_high``); n_scans; the thesis's columns.
    """
    told = [{"dataset": s.dataset, "sequence": s.sequence, **asdict(s.acquisition)} for s in scans]
    keys = ["dataset", "site", "sequence"]
    groups = pd.DataFrame(told).astype(dict.fromkeys(RANGES, float)).groupby(keys, dropna=False)
    ends = {"": "median", "_low": "min", "_high": "max"}
    own = groups.agg(
        field_strength=("field_strength", _fields),
        n_scans=("dataset", "size"),
        **{f"{name}{end}": (name, how) for name in RANGES for end, how in ends.items()},
    ).reset_index()
    own = own.astype({"site": object})  # text to be joined on, also where no site is known
    printed = thesis_table("4.1").rename(columns=PRINTED_4_1)
    printed["site"] = printed["site"].replace(SITES)
    printed = printed.groupby(["dataset", "site"], sort=False).agg(_each).reset_index()
    columns = [
        *heads("dataset", "site", demographics_thesis="Subjects (thesis)"),
        *heads(scanner_model_thesis="Scanner (thesis)", sequence="Sequence"),
        Column("field_strength", "Field (T)"),
        Column("tr_ms", "TR (ms)", 1, shows="range"),
        Column("te_ms", "TE (ms)", 1, shows="range"),
        Column("flip_deg", "Flip angle (°)", 0, shows="range"),
        Column("slice_thickness_mm", "Slices (mm)", 2, shows="range"),
        *heads(rating_scale_thesis="Rating scale (thesis)", n_scans="Scans"),
    ]
    note = "[83]: the Rotterdam Scan Study (Vernooij et al. 2008), cited by the thesis."
    return laid_out(beside(own, printed, ["dataset", "site"], rows="both"), columns, note=note)


def _fields(values: pd.Series) -> str | None:
    """Field strengths in tesla as text, ``"1.5/3"``; None if none is known."""
    known = {part for value in values.dropna() for part in value.split("/")}
    return "/".join(sorted(known, key=float)) or None


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
    printed = _printed_7_1()
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


def _printed_7_1() -> pd.DataFrame:
    """Table 7.1 of the thesis, one number per column, named as `table_7_1`'s."""
    printed = thesis_numbers("7.1").rename(columns=PRINTED_7_1)
    for pair, names in PAIRS_7_1.items():
        printed[list(names)] = printed.pop(pair).str.split(", ", expand=True).astype(int)
    return printed.rename(columns={"cmb_radius_mm_sd": "radius_mm_sd"})


def _split_name(splits: pd.Series) -> str | None:
    named = [name.capitalize() for name in ("train", "valid", "test") if (splits == name).any()]
    return "-".join(named) or None


def table_b_1(table: pd.DataFrame) -> pd.DataFrame:
    """Scans in every combination of the groups used for stratification (Table B.1).

    Columns: dataset, sequence, resolution_level, healthy (no CMB in the scan), healthy_all (in no
    scan of the patient), field_strength (tesla as text), cmb_level, n_scans; combinations without a
    scan are left out.
    """
    most = table.groupby(["dataset", "patient"])["n_cmb"].transform("max")
    groups = table.assign(healthy=table["n_cmb"] == 0, healthy_all=most == 0)
    counts = groups.groupby(list(GROUPS_B_1), dropna=False, observed=True).size()
    return laid_out(counts.reset_index(name="n_scans"), heads(**GROUPS_B_1, n_scans="Scans"))


def table_a_8(table: pd.DataFrame) -> pd.DataFrame:
    """Strata of training and validation: n_scans and percent of the split (Figure A.8).

    Columns are split, column (a name of `STRATA` or "stratify_label"), value, n_scans and
    proportion_pct, the last two beside the thesis's. Of each stratum the rows of this run come
    first, the biggest first, then those that only the thesis has.
    """
    own = stratification_log(table)
    if own.empty:
        return own
    parts = [thesis_table(f"A.8 {name}").assign(split=name) for name in ("train", "valid")]
    printed = pd.concat(parts, ignore_index=True).rename(columns={"count": "n_scans"})
    printed["proportion_pct"] = printed["proportion_pct"].str.rstrip("%").astype(float)
    printed = printed.astype({"n_scans": int})
    both = beside(own, printed, ["split", "column", "value"], rows="both")
    sizes = ["n_scans", "n_scans_thesis"]
    both = both.assign(order=both["column"].map([*STRATA, "stratify_label"].index)).sort_values(
        ["split", "order", *sizes], ascending=[True, True, False, False], kind="stable"
    )
    return both.drop(columns="order").reset_index(drop=True)
