"""Published results with rows of one's own below them (Table 8.4)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from cmbkit.evaluation.statistics import summary
from cmbkit.params import Evaluation
from cmbkit.published.literature import literature_with_intervals
from cmbkit.reporting.table_layout import Measure, lay_out

KEYS = {
    "method": "Method",
    "data": "Data",
    "n_scans": "Scans",
    "rule": "Matching",
    "averaging": "Averaging",
    "fp_denominator": "FP over",
    "counts": "Counts",
}
MEASURES = [
    Measure("precision", "Precision"),
    Measure("recall", "Recall"),
    Measure("f1", "F1"),
    Measure("fp_scan", "FP per scan"),
    Measure("fp_cmb", "FP per CMB"),
]
NOTE = (
    "Rows with other data, matching or averaging are not comparable. Intervals (95 %) of "
    "published rates come from the counts that print as published: Wilson for precision and "
    "recall, through TP / (TP + FP + FN) for F1, Poisson for false positives; their FP per CMB "
    "come from the counts; own rows: patients resampled."
)


def rule_text(params: Evaluation) -> str:
    """Matching rule in words."""
    rule = "overlap of 1 voxel"
    if params.matching == "distance":
        rule = f"centre distance < {params.max_distance_mm:g} mm"
    return f"{rule}, {params.assignment}, one to one"


def literature_table(
    own: Iterable[tuple[str, str, pd.DataFrame]],
    params: Evaluation,
    *,
    seed: int = 0,
    numeric: bool = False,
) -> pd.DataFrame:
    """Published results and own ones, each with data, matching, denominator and interval.

    Parameters
    ----------
    own : iterable of (method, data, scan rows)
    params : Evaluation
    seed : int
        Of the bootstrap.
    numeric : bool
        Numbers instead of text.
    """
    rows = literature_with_intervals().to_dict("records")
    for row in rows:
        row["rule"] = row.pop("matching")
        row["note"] = "; ".join(filter(None, (row["note"], row.pop("why"))))
    for method, data, group in own:
        found = summary(group, params, seed)
        rates = {name.removeprefix("pooled_"): value for name, value in found.items()}
        said = {
            "method": method,
            "data": data,
            "n_scans": len(group),
            "rule": rule_text(params),
            "averaging": "glob",
            "fp_denominator": "scans",
            "counts": "TP {tp}, FP {fp}, FN {fn}".format(**found),
            "fp_scan_sd": np.nan,
            "note": "",
        }
        rows.append(rates | said)
    for row in rows:
        row["n_scans"] = "–" if pd.isna(row["n_scans"]) else str(int(row["n_scans"]))
    table = lay_out(rows, KEYS, MEASURES, numeric=numeric, note=NOTE)
    table["note" if numeric else "Note"] = [row["note"] for row in rows]
    return table.rename(columns={"rule": "matching"})
