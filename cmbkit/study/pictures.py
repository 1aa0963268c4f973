"""What figures of the literature take."""

from __future__ import annotations

import pandas as pd

from cmbkit.plotting.canvas import nothing_to_show

__all__ = ["comparison_rows", "nothing_to_show"]


def comparison_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Table 8.4 as `comparison_bars` takes it: numbers without their intervals."""
    names = {"Precision": "precision", "Recall": "recall", "F1": "f1", "FP per scan": "fp_per_scan"}
    rows = table.rename(columns={**names, "Method": "method", "Data": "data"})
    for name in names.values():
        text = rows[name].astype(str).str.extract(r"^([0-9.]+)")[0]
        rows[name] = pd.to_numeric(text)
    own = rows["method"].str.startswith("this run")
    return rows.assign(own=own)[["method", "data", *names.values(), "own"]]
