"""How a table of numbers is shown: which columns, under which titles, with how many decimals.

A table holds one number per column. Columns that belong together share a name: ``f1`` with its
standard deviation ``f1_sd``, the ends of its 95 % interval ``f1_low`` and ``f1_high``, how that was
made ``f1_interval``, how many scans it is a mean of ``f1_n``, and what the thesis prints,
``f1_thesis`` and ``f1_thesis_sd``. Shown, they become one cell ("0.783 ± 0.155 [0.68, 0.89] (8)",
or "[too few]") and a second one for the thesis. The layout travels with the table
(``table.attrs``); `cmbkit.reporting.tables` makes text of both, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

PARTS = ("_sd", "_low", "_high", "_interval", "_n")
THESIS = "_thesis"
NOTHING = "Nothing of this kind in this run."


@dataclass(frozen=True)
class Column:
    """One shown quantity of a table.

    Attributes
    ----------
    key : str
        Its column; ``key_sd``, ``key_low``, ``key_high``, ``key_interval``, ``key_n`` and
        ``key_thesis`` (with ``key_thesis_sd``) join it where the table has them. Without ``key``
        itself the interval stands alone.
    title : str
        Head of the shown column; the key by default.
    decimals : int, optional
        By default whole numbers have none and others three.
    best : {"max", "min"}, optional
        Which value is printed bold, among the rows that agree in `Layout.within`.
    names : mapping, optional
        What stands for a value, e.g. ``{"tl": "TL"}``.
    shows : {"value", "range", "both", "p", "setting"}
        "range" shows ``key_low`` and ``key_high`` alone, as "2.5-5", for values that spread;
        "both" as "1.5/3", for values that occur; printed ones with the digits that they have;
        "p" shows what would round to zero as "<0.0001"; "setting" shows a number as it was
        chosen, 1.5 as "1.5".
    """

    key: str
    title: str = ""
    decimals: int | None = None
    best: Literal["max", "min"] | None = None
    names: Mapping = field(default_factory=dict)
    shows: Literal["value", "range", "both", "p", "setting"] = "value"

    @property
    def head(self) -> str:
        """What stands above the column."""
        return self.title or self.key

    def __post_init__(self):
        if self.best not in (None, "max", "min"):
            raise ValueError(f"{self.key}: best: expected 'max' or 'min', found {self.best!r}")


@dataclass(frozen=True)
class Layout:
    """What of a table is shown, in order.

    Attributes
    ----------
    columns : tuple of Column
        Columns of the table that are not named here stand in its CSV file alone.
    within : tuple of str
        Keys of the columns that separate the groups in which values compete for bold.
    note : str
        Stands at the table's foot.
    """

    columns: tuple[Column, ...]
    within: tuple[str, ...] = ()
    note: str = ""

    def __deepcopy__(self, memo) -> Layout:  # pandas copies it with every step of a table
        return self


def heads(*keys: str, **titles: str) -> list[Column]:
    """Columns that are shown as they are: ``keys`` under their own names, others under titles."""
    return [Column(key, titles.get(key, key.capitalize())) for key in (*keys, *titles)]


def laid_out(
    table: pd.DataFrame,
    columns: list[Column],
    *,
    within: tuple[str, ...] = (),
    note: str = "",
    otherwise: str = "",
) -> pd.DataFrame:
    """The same table with its layout attached.

    Columns of the layout that the table lacks are left out (a measure that a run does not have).
    Of a table without rows the foot says why, by ``otherwise`` or, without it, by ``note``.
    """
    if table.empty:
        note = otherwise or note or NOTHING
    kept = tuple(c for c in columns if {c.key, f"{c.key}_low"} & set(table))
    table = table.copy(deep=False)
    table.attrs["layout"] = Layout(kept, tuple(within), note)
    return table


def layout_of(table: pd.DataFrame) -> Layout:
    """The layout attached to a table, or one that shows every quantity as it is called."""
    if "layout" in table.attrs:
        return table.attrs["layout"]
    endings = (*PARTS, THESIS, *(THESIS + part for part in PARTS))
    joined = {f"{name}{ending}" for name in table for ending in endings}
    return Layout(tuple(Column(str(name)) for name in table if name not in joined))
