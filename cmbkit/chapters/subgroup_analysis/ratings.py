"""What CRB's rater noted beside the CMBs: certainty (S36) and mimics (S37); section 7.1.2.2."""

import numpy as np
import pandas as pd

from cmbkit.chapters.detection import (
    BY_KEYS,
    DATASET,
    INTERVAL,
    KEYS,
    MODEL,
    in_order,
    share_of,
)
from cmbkit.chapters.raw_slices import PLACE
from cmbkit.evaluation.statistics import patient_codes
from cmbkit.reporting.layout import Column, heads, laid_out

CERTAINTIES = ("certain", "uncertain")
ALL_KINDS = "All"


def table_s36(matches: pd.DataFrame, microbleeds: pd.DataFrame) -> pd.DataFrame:
    """Detection of CMBs that the rater was certain of and of uncertain ones, per model.

    ``matches``: dataset, source, patient, uid, model, gt_id, match. ``microbleeds``: one row per
    annotated CMB: uid, id, certainty (missing where it was not rated; such CMBs are left out).

    Columns: dataset, model, certainty, n (annotated CMBs), found (of these, TP), recall with its
    parts.
    """
    rated = microbleeds.dropna(subset="certainty")[["uid", "id", "certainty"]]
    rated = rated.rename(columns={"id": "gt_id"}).astype({"gt_id": float})
    rows = matches.merge(rated, on=["uid", "gt_id"], validate="many_to_one")
    counted = []
    for values, group in rows.groupby([*KEYS, "certainty"]):
        found = (group["match"] == "TP").to_numpy()
        row = dict(zip([*KEYS, "certainty"], values, strict=True))
        row |= {"n": len(group), "found": int(found.sum())}
        counted.append(row | share_of("recall", patient_codes(group), found))
    names = [*KEYS, "certainty", "n", "found", "recall"]
    table = pd.DataFrame(counted, columns=None if counted else names)
    table = in_order(table, **BY_KEYS, certainty=CERTAINTIES)
    columns = [
        DATASET,
        MODEL,
        *heads(certainty="Rater", n="CMBs", found="Found"),
        Column("recall", "Recall", 3),
    ]
    note = INTERVAL if len(table) else "No rater of this run noted a certainty."
    return laid_out(table, columns, note=note)


def table_s37(
    scans: pd.DataFrame, matches: pd.DataFrame, mimics: pd.DataFrame, max_distance_mm: float
) -> pd.DataFrame:
    """False positives against the mimics that the rater marked, per model and kind of mimic.

    Parameters
    ----------
    scans : DataFrame
        Scan rows of all models: uid, dataset, source, patient, model; those of datasets in which
        nobody marked mimics are left out.
    mimics : DataFrame
        One row per marked mimic: uid, dataset, kind, x_mm, y_mm, z_mm.
    max_distance_mm : float
        A false positive whose centre is closer to a mimic's landmark lies on it; that of the
        matching with annotated CMBs.

    Returns
    -------
    DataFrame
        dataset, model, kind ("All": of any kind), n_mimics (marked), n_hit (of these, with a
        false positive on them), hit_share, n_fp (all false positives of these scans),
        n_fp_near (of these, on a mimic; the nearest one tells the kind), near_share; shares with
        their parts.
    """
    scans = scans[scans["source"].isin(mimics["dataset"])]
    rows = []
    for (dataset, model), group in scans.groupby(KEYS):
        marked = mimics[mimics["uid"].isin(group["uid"])].reset_index(names="mimic")
        false = matches[(matches["model"] == model) & (matches["match"] == "FP")]
        false = false[false["uid"].isin(group["uid"])].reset_index(names="candidate")
        near = _near(false, marked, max_distance_mm)
        nearest = near.sort_values("gap_mm", kind="stable").drop_duplicates("candidate")
        who = pd.Series(patient_codes(group), index=group["uid"])
        for kind in (*sorted(marked["kind"].unique()), ALL_KINDS):
            own = marked[_of_kind(marked, kind)]
            hit = own["mimic"].isin(near["mimic"])
            on = false["candidate"].isin(nearest.loc[_of_kind(nearest, kind), "candidate"])
            row = {"dataset": dataset, "model": model, "kind": kind}
            row |= {"n_mimics": len(own), "n_hit": int(hit.sum())}
            row |= {"n_fp": len(false), "n_fp_near": int(on.sum())}
            row |= share_of("hit_share", own["uid"].map(who), hit)
            rows.append(row | share_of("near_share", false["uid"].map(who), on))
    names = [*KEYS, "kind", "n_mimics", "n_hit", "n_fp", "n_fp_near"]
    table = in_order(pd.DataFrame(rows, columns=None if rows else names), **BY_KEYS)
    columns = [
        DATASET,
        MODEL,
        *heads(kind="Mimic", n_mimics="Marked", n_hit="With an FP on it"),
        Column("hit_share", "Share of mimics", 3),
        *heads(n_fp="FP", n_fp_near="FP on such a mimic"),
        Column("near_share", "Share of FP", 3),
    ]
    note = f"On a mimic: closer than {max_distance_mm:g} mm to its landmark {INTERVAL}."
    note = note if rows else "No rater of this run marked mimics."
    return laid_out(table, columns, note=note)


def _near(false: pd.DataFrame, marked: pd.DataFrame, max_distance_mm: float) -> pd.DataFrame:
    """Pairs of a false positive and a mimic of its scan that are close, with gap_mm."""
    centres = [f"pred_{axis}" for axis in PLACE]
    pairs = false[["uid", "candidate", *centres]].merge(marked, on="uid")
    gaps = pairs[centres].to_numpy(float) - pairs[PLACE].to_numpy(float)
    pairs["gap_mm"] = np.round(np.linalg.norm(gaps, axis=1), 6)  # as in `matching.match`
    return pairs[pairs["gap_mm"] < max_distance_mm]


def _of_kind(table: pd.DataFrame, kind: str) -> pd.Series:
    return (table["kind"] == kind) | (kind == ALL_KINDS)
