"""How a result table is laid out: own value, its interval, and the thesis's value beside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cmbkit.plotting.style import MODEL_NAMES
from cmbkit.published.numbers import thesis_numbers

DATASET_ORDER = ("CRB", "DOU", "Valid")
MODEL_ORDER = ("scratch", "tl")


@dataclass(frozen=True)
class Measure:
    """One measure of a table.

    Attributes
    ----------
    key : str
        Its numeric columns: key, key_sd, key_low, key_high, key_thesis, key_thesis_sd.
    title : str
        Its display column; the thesis's value stands in "<title> (thesis)".
    printed : str or None
        Column of `published.thesis_numbers`; None where the thesis has none.
    best : {"max", "min", None}
        Which value is printed bold.
    decimals : int
    """

    key: str
    title: str
    printed: str | None = None
    best: str | None = None
    decimals: int = 3


def ordered(values, first: tuple) -> list:
    """Distinct values: those of ``first`` in its order, then the others as they come."""
    present = list(dict.fromkeys(values))
    return [v for v in first if v in present] + [v for v in present if v not in first]


def number_text(value, decimals: int) -> str:
    """A number, or a dash for NaN; whole counts without decimals."""
    if value is None or pd.isna(value):
        return "–"
    if isinstance(value, (int, np.integer)):
        return str(value)
    return f"{value:.{decimals}f}"


def cell(value, sd=np.nan, low=np.nan, high=np.nan, decimals: int = 3) -> str:
    """Text such as "0.91 ± 0.19 [0.82, 0.98]"; parts that are NaN are left out."""
    text = number_text(value, decimals)
    if pd.notna(value) and pd.notna(sd):
        text += f" ± {sd:.{decimals}f}"
    if pd.notna(value) and pd.notna(low) and pd.notna(high):
        text += f" [{low:.2f}, {high:.2f}]"
    return text


def printed_values(number: str, keys: dict, measures: list[Measure]) -> dict:
    """Return the thesis's values of one row as key_thesis and key_thesis_sd, NaN if none.

    ``keys`` maps columns of the thesis's table to the row's values.
    """
    table = thesis_numbers(number)
    for column, value in keys.items():
        table = table[table[column] == value]
    found = {}
    for measure in measures:
        for ending in ("", "_sd"):
            column = f"{measure.printed}{ending}"
            known = len(table) == 1 and measure.printed is not None and column in table
            found[f"{measure.key}_thesis{ending}"] = table[column].iloc[0] if known else np.nan
    return found


def lay_out(
    rows: list[dict],
    keys: dict[str, str],
    measures: list[Measure],
    *,
    numeric: bool,
    within: list[str] | None = None,
    note: str = "",
) -> pd.DataFrame:
    """Make the table from its rows.

    Parameters
    ----------
    rows : list of dict
        Key columns and, for every measure, the numeric columns that `Measure` names.
    keys : dict of column to title
        Columns that identify a row.
    measures : list of Measure
    numeric : bool
        True: one column per number. False: text, one column per measure and one for the
        thesis's value; ``attrs`` carries best, within and note for rendering.
    within : list of str, optional
        Titles of the key columns within which values compete.
    note : str
    """
    table = pd.DataFrame(rows)
    if numeric:
        endings = ("", "_sd", "_low", "_high", "_thesis", "_thesis_sd")
        columns = [f"{m.key}{e}" for m in measures for e in endings if f"{m.key}{e}" in table]
        known = [c for c in columns if not c.endswith("_thesis_sd") or table[c].notna().any()]
        return table.reindex(columns=[*keys, *known])
    shown = {title: table[name] for name, title in keys.items()} if len(table) else {}
    if "model" in keys and len(table):
        shown[keys["model"]] = table["model"].map(lambda name: MODEL_NAMES.get(name, name))
    best = {}
    for measure in measures if len(table) else []:
        own = _texts(table, measure, ("", "_sd", "_low", "_high"), cell)
        theirs = _texts(table, measure, ("_thesis", "_thesis_sd"), cell)
        shown[measure.title] = own
        names = [measure.title]
        if measure.printed:
            shown[f"{measure.title} (thesis)"] = theirs
            names.append(f"{measure.title} (thesis)")
        if measure.best:
            best |= dict.fromkeys(names, measure.best)
    result = pd.DataFrame(shown)
    result.attrs.update(best=best, within=within, note=note)
    return result


def _texts(table: pd.DataFrame, measure: Measure, endings, form: Callable) -> list[str]:
    missing = [np.nan] * len(table)
    columns = [table.get(f"{measure.key}{e}", missing) for e in endings]
    return [form(*values, decimals=measure.decimals) for values in zip(*columns, strict=True)]
