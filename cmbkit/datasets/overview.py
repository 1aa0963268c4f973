"""Tables of the datasets: 4.1 (acquisition), 5.1 (steps), 7.1 (statistics), B.1 (strata)."""

from __future__ import annotations

import pandas as pd

from cmbkit.records import Acquisition, Scan

DONE, SKIPPED, NOT_APPLICABLE, NOTHING = "✓", "✗", "n/a", "-"
RAW_ANNOTATION = {
    "scribbles": ("scribble", DONE),
    "points": ("center of CMB", DONE),
    "mask": ("full 3d mask", SKIPPED),
}
"""Kind of annotation to its name in Table 5.1 and whether steps 1 and 2 are needed."""

COLUMNS_4_1 = [
    *("dataset", "site", "sequence", "field_T", "TR_ms", "TE_ms", "flip_deg"),
    *("slice_thickness_mm", "scans"),
]
COLUMNS_5_1 = ["dataset", "raw_annotation", "step_0", "step_1", "step_2", "steps_3_6"]
COLUMNS_7_1 = [
    *("dataset", "scans", "scans_with_cmb", "scans_below_3", "patients", "patients_with_cmb"),
    *("resolution_low_pct", "resolution_high_pct", "total_cmb", "cmb_per_scan"),
    *("cmb_radius_mm", "split"),
]
COLUMNS_B_1 = [
    *("dataset", "sequence", "resolution_level", "healthy", "healthy_all"),
    *("field_strength", "cmb_level", "scans"),
]


def _number(value: float) -> str:
    return f"{round(float(value), 2):.10g}"


def _range(values: list) -> str:
    """Smallest and largest of the known values as text, ``"2.5-5"``; "-" if none is known."""
    known = [value for value in values if value is not None and not pd.isna(value)]
    if not known:
        return NOTHING
    low, high = _number(min(known)), _number(max(known))
    return low if low == high else f"{low}-{high}"


def _fields(values: list) -> str:
    """Field strengths in tesla as text, ``"1.5/3"``; "-" if none is known."""
    known = {part for value in values if value for part in value.split("/")}
    return "/".join(sorted(known, key=float)) or NOTHING


def table_4_1(scans: list[Scan]) -> pd.DataFrame:
    """Acquisition of the datasets (Table 4.1), from headers, sidecars and published values.

    Returns
    -------
    DataFrame
        One row per dataset, site and sequence: field_T (tesla), TR_ms, TE_ms, flip_deg (degrees)
        and slice_thickness_mm as text, the range over the scans that give the value or "-";
        scans.
    """
    groups: dict[tuple[str, str, str], list[Acquisition]] = {}
    for scan in scans:
        key = (scan.dataset, scan.acquisition.site or NOTHING, scan.sequence)
        groups.setdefault(key, []).append(scan.acquisition)
    rows = []
    for key in sorted(groups):
        group = groups[key]
        ranges = [
            _range([getattr(acquired, name) for acquired in group])
            for name in ("tr_ms", "te_ms", "flip_deg", "slice_thickness_mm")
        ]
        rows.append([*key, _fields([a.field_strength for a in group]), *ranges, len(group)])
    return pd.DataFrame(rows, columns=COLUMNS_4_1)


def table_5_1(scans: list[Scan]) -> pd.DataFrame:
    """Processing steps that each dataset goes through (Table 5.1), from its annotations.

    Region growing (step 1) and spheres (step 2) are for centres and scribbles; masks skip them,
    and a dataset without annotations has nothing to refine.

    Returns
    -------
    DataFrame
        One row per dataset and kind of annotation: raw_annotation, step_0, step_1, step_2,
        steps_3_6; "✓" done, "✗" skipped, "n/a" not applicable.
    """
    rows = []
    for dataset in sorted({scan.dataset for scan in scans}):
        kinds = {scan.annotation.kind for scan in scans if scan.dataset == dataset}
        found = [RAW_ANNOTATION[kind] for kind in sorted(kinds & set(RAW_ANNOTATION))]
        for name, refined in found or [(NOT_APPLICABLE, NOT_APPLICABLE)]:
            rows.append([dataset, name, DONE, refined, refined, DONE])
    return pd.DataFrame(rows, columns=COLUMNS_5_1)


def _mean_sd(values: pd.Series) -> str:
    """``"3.7 ± 3.99"`` (sample standard deviation; "n/a" of a single value) or "-"."""
    if not len(values):
        return NOTHING
    sd = _number(values.std()) if len(values) > 1 else NOT_APPLICABLE
    return f"{_number(values.mean())} ± {sd}"


def _split_name(splits: pd.Series) -> str:
    named = [name for name in ("train", "valid", "test") if (splits == name).any()]
    return "-".join(name.capitalize() for name in named) or NOTHING


def table_7_1(table: pd.DataFrame, microbleeds: pd.DataFrame) -> pd.DataFrame:
    """Statistics of the datasets (Table 7.1).

    Parameters
    ----------
    table : DataFrame
        Scan table with column split.
    microbleeds : DataFrame
        One row per annotated CMB: uid, dataset, radius_mm.

    Returns
    -------
    DataFrame
        One row per dataset: scans, scans_with_cmb, scans_below_3 (of those with CMBs),
        patients, patients_with_cmb, resolution_low_pct and resolution_high_pct (percent of
        scans), total_cmb, cmb_per_scan (over scans with CMBs) and cmb_radius_mm (over CMBs) as
        text mean ± sd, split ("Train", "Train-Valid", "Test").
    """
    rows = []
    for dataset, scans in table.groupby("dataset", sort=True):
        sick = scans[scans["n_cmb"] > 0]
        low = 100 * float((scans["resolution_level"] == "low").mean())
        radii = microbleeds.loc[microbleeds["dataset"] == dataset, "radius_mm"].dropna()
        row = [dataset, len(scans), len(sick), int((sick["n_cmb"] < 3).sum())]
        row += [scans["patient"].nunique(), sick["patient"].nunique()]
        row += [round(low, 1), round(100 - low, 1), int(scans["n_cmb"].sum())]
        rows.append([*row, _mean_sd(sick["n_cmb"]), _mean_sd(radii), _split_name(scans["split"])])
    return pd.DataFrame(rows, columns=COLUMNS_7_1)


def table_b_1(table: pd.DataFrame) -> pd.DataFrame:
    """Scans in every combination of the groups used for stratification (Table B.1).

    Parameters
    ----------
    table : DataFrame
        Scan table.

    Returns
    -------
    DataFrame
        dataset, sequence, resolution_level, healthy ("yes" when the scan has no CMB),
        healthy_all ("True" when no scan of the patient has one, as in Figure A.8),
        field_strength (tesla as text, "-" if unknown), cmb_level, scans; combinations without
        a scan are left out.
    """
    field = table["field_strength"].astype(object)
    most = table.groupby(["dataset", "patient"])["n_cmb"].transform("max")
    table = table.assign(
        healthy_all=(most == 0).astype(str),
        healthy=["yes" if count == 0 else "no" for count in table["n_cmb"]],
        field_strength=field.where(field.notna(), NOTHING),
    )
    counts = table.groupby(COLUMNS_B_1[:-1], observed=True).size()
    return counts.reset_index(name="scans")
