"""Tables of numbers as text: the only place where a number of a table becomes text.

`columns_of` makes the cells, after the table's layout (`cmbkit.reporting.layout`); the template
``table.html`` writes them as HTML, `cmbkit.reporting.latex_tables` as LaTeX.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Integral, Real

import pandas as pd

from cmbkit.reporting.layout import PARTS, THESIS, Column, layout_of
from cmbkit.reporting.pages import render

NOTHING = "–"
BETWEEN = {"range": "-", "both": "/"}
"""What stands between two ends, by `Column.shows`."""

Parts = tuple[str, str, str]
"""Text of a cell: a value, its spread ("± 0.19") and the rest ("[0.82, 0.98] (8)")."""


@dataclass(frozen=True)
class Shown:
    """One column as text; ``printed``: the thesis's values under its own, None without any.

    ``values`` are what a page sorts the rows by.
    """

    head: str
    parts: list[Parts]
    bold: list[bool]
    numeric: bool
    printed: Shown | None = None
    values: tuple = ()

    @property
    def texts(self) -> list[str]:
        """Each cell on one line."""
        return [" ".join(filter(None, parts)) for parts in self.parts]

    @property
    def pads(self) -> list[tuple[str, str]]:
        """What each value and its spread lack to end where the longest end: points align.

        Spaces of the width of what is lacking; own and printed values have the same ends.
        """
        printed = self.printed.parts if self.printed else []
        decimals, spread = 0, ""
        for value, other, _ in [*self.parts, *printed]:
            decimals, spread = max(decimals, _decimals(value) or 0), max(spread, other, key=len)
        return [
            (
                _blank(_zeros(value, decimals)),
                _blank(f" {spread}".rstrip()[len(other) + bool(other) :]),
            )
            for value, other, _ in self.parts
        ]

    def under(self) -> Shown | None:
        """The printed values, to be aligned with those above them."""
        if self.printed is None:
            return None
        return replace(self.printed, printed=replace(self, printed=None))


def render_html(table: pd.DataFrame, caption: str, note: str = "", legend: str = "") -> str:
    """Return an HTML fragment: the table with its caption and a note at its foot.

    Numbers stand right, their points below each other, words left; what the thesis prints stands
    in italics below our value.

    Parameters
    ----------
    table : DataFrame
        Numbers, with or without a layout. A named index becomes columns.
    caption, note, legend : str
        Plain text; left out where empty. The legend stands after the caption.
    """
    columns = columns_of(table)
    note = " ".join(filter(None, [note, reading_aids(table, columns)]))
    rows = range(len(columns[0].texts) if columns else 0)
    texts = {"caption": caption, "legend": legend, "note": note}
    return render("table.html", columns=columns, rows=rows, **texts) + "\n"


def reading_aids(table: pd.DataFrame, columns: list[Shown]) -> str:
    """What italics and bold mean in a table that has them."""
    aids = ["In italics: the thesis."] if any(c.printed for c in columns) else []
    parts = [part for c in columns for part in (c, c.printed) if part is not None]
    if any(any(part.bold) for part in parts):
        within = [name.replace("_", " ") for name in layout_of(table).within]
        aids.append(f"Bold: the best of each {' and '.join(within)}." if within else "Bold: best.")
    return " ".join(aids)


def shown(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cells of a table as text, and which of them are bold.

    Returns
    -------
    cells : DataFrame of str
        One column per quantity of the layout; where the table has the thesis's value, a column
        "<title> (thesis)" follows.
    bold : DataFrame of bool
        Shape and columns of ``cells``.
    """
    columns = [part for c in columns_of(table) for part in (c, c.printed) if part is not None]
    index = pd.RangeIndex(len(table))
    cells = {column.head: column.texts for column in columns}
    bold = {column.head: column.bold for column in columns}
    return pd.DataFrame(cells, index=index, dtype=object), pd.DataFrame(bold, index=index)


def columns_of(table: pd.DataFrame) -> list[Shown]:
    """The shown columns of a table, in order; where the thesis prints none of it, ours alone."""
    layout = layout_of(table)
    named = [name for name in table.index.names if name is not None]
    columns = (*map(Column, named), *layout.columns)
    table = table.reset_index(drop=not named)
    table.attrs = {}  # which pandas would copy with every column

    def of(column, key, head, printed=None):
        if key not in table and f"{key}_low" not in table:
            return printed
        numeric = key not in table or pd.api.types.is_numeric_dtype(table[key])
        bold = best_of(table, key, column.best, layout.within).tolist()
        values = tuple(table[key]) if key in table else ()
        return Shown(head, _parts(table, key, column), bold, numeric, printed, values)

    compared = table.filter(regex=f"{THESIS}($|_)").notna().any(axis=None)
    found = [of(c, c.key, c.head, of(c, *_printed(c)) if compared else None) for c in columns]
    return [column for column in found if column is not None]


def best_of(table: pd.DataFrame, key: str, best: str | None, within=()) -> pd.Series:
    """Which rows hold the best value of a column in their group; bool.

    A group with fewer than two values has no best; equal values are all best.
    """
    if best is None or key not in table:
        return pd.Series(False, index=table.index)
    by = [table[name] for name in within] or [pd.Series(0, index=table.index)]
    values = pd.to_numeric(table[key]).astype(float)
    groups = values.groupby(by, dropna=False)
    return (values == groups.transform(best)) & (groups.transform("count") > 1)


def number_text(value, decimals: int | None = None) -> str:
    """A value as text: a dash for nothing, whole numbers without decimals unless asked."""
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return NOTHING
    if isinstance(value, (bool, *_NUMPY_BOOL)):
        return "yes" if value else "no"
    if isinstance(value, Real) and not isinstance(value, Integral):
        whole = decimals is None and float(value).is_integer()
        return f"{value:.{0 if whole else 3 if decimals is None else decimals}f}"
    return str(value)


def interval_parts(
    value, sd=math.nan, low=math.nan, high=math.nan, method="", n=math.nan, decimals=None
) -> Parts:
    """Text such as "0.91", "± 0.19", "[0.82, 0.98] (8)", without parts that are NaN.

    Where there is no interval, ``method`` says why: "1.000", "", "[too few] (2)". Ends that would
    print the same, or as -0, get more digits: no interval looks as if it had no width.
    """
    text = number_text(value, decimals)
    places = 3 if decimals is None else decimals
    known, parts = text != NOTHING, []
    spread = f"± {sd:.{places}f}" if known and pd.notna(sd) else ""
    if pd.notna(low) and pd.notna(high):
        parts.append("[{}, {}]".format(*_ends(low, high, min(places, 2))))
    elif known and isinstance(method, str) and method:
        parts.append(f"[{method}]")
    if known and pd.notna(n):
        parts.append(f"({n:.0f})")
    return text if known or not parts else "", spread, " ".join(parts)


def _ends(low: float, high: float, decimals: int) -> list[str]:
    ends = [f"{end:.{decimals}f}" for end in (low, high)]
    alike = ends[0] == ends[1] or any(end.startswith("-") and not float(end) for end in ends)
    return _ends(low, high, decimals + 1) if alike and low < high and decimals < 6 else ends


def p_text(p: float, decimals: int) -> str:
    """A p value as text; never zero: "<0.0001" for what is below half the last decimal."""
    return f"<{10**-decimals:.{decimals}f}" if p < 0.5 * 10**-decimals else number_text(p, decimals)


def range_text(low, high, decimals=None) -> str:
    """Text such as "2.5-5"; one number where both ends are the same."""
    ends = [number_text(end, decimals) for end in (low, high)]
    return ends[0] if ends[0] == ends[1] else "-".join(ends)


def titled(caption: str, legend: str) -> str:
    """A caption and, as a sentence after it, its legend where there is one."""
    return f"{caption.rstrip('.')}. {legend}" if legend else caption


def setting_text(value) -> str:
    """A number as it was chosen, without zeros at its end; a word as it is."""
    if isinstance(value, str):
        return value
    return NOTHING if pd.isna(value) else f"{value:g}"


_NUMPY_BOOL = (type(pd.Series([True]).iloc[0]),)


def _printed(column: Column) -> tuple[str, str]:
    return f"{column.key}{THESIS}", f"{column.head} (thesis)"


def _decimals(value: str) -> int | None:
    """Digits behind the point of a number; None for a range, a word or a dash."""
    if not value.removeprefix("-").replace(".", "", 1).isdigit():
        return None
    return len(value.partition(".")[2])


def _zeros(value: str, decimals: int) -> str:
    own = _decimals(value)
    if own is None or own == decimals:
        return ""
    return ("" if "." in value else ".") + "0" * (decimals - own)


def _blank(text: str) -> str:
    """Spaces as wide: those of figures, of a point, and of words, none of which is dropped."""
    return "".join({".": "\u2008", " ": "\u00a0"}.get(sign, "\u2007") for sign in text)


def _parts(table: pd.DataFrame, key: str, column: Column) -> list[Parts]:
    if column.shows in BETWEEN and f"{key}_low" in table:
        as_printed = column.shows == "both" or key != column.key
        text = setting_text if as_printed else lambda end: number_text(end, column.decimals)
        pairs = zip(table[f"{key}_low"].map(text), table[f"{key}_high"].map(text), strict=True)
        return [(BETWEEN[column.shows].join(dict.fromkeys(pair)), "", "") for pair in pairs]
    if column.shows == "p":
        return [(p_text(value, column.decimals or 4), "", "") for value in table[key]]
    if column.shows == "setting":
        return [(setting_text(column.names.get(value, value)), "", "") for value in table[key]]
    missing = [math.nan] * len(table)
    parts = [table.get(f"{key}{part}", missing) for part in PARTS]
    values = [column.names.get(value, value) for value in table.get(key, missing)]
    return [
        interval_parts(value, *rest, decimals=column.decimals)
        for value, *rest in zip(values, *parts, strict=True)
    ]
