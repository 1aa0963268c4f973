"""What the gallery stored, as objects that Jupyter shows: a table stays a DataFrame.

Beside what a person sees, each puts its numbers into the notebook (`NUMBERS`), rounded as in the
gallery's files, so that a stored notebook can be compared with a new run number by number.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from cmbkit.plotting.canvas import SYNTHETIC_LABEL

NUMBERS = "application/vnd.cmbkit.numbers+json"
"""Media type of a table's numbers in a notebook; readers that do not know it pass over it."""


def with_index(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose rows are numbered; what names them becomes columns."""
    return table.reset_index(drop=not any(name is not None for name in table.index.names))


def numbers_of(table: pd.DataFrame) -> dict:
    """Columns and rows of a table for JSON: numbers with 6 significant digits, None for NaN."""
    table = with_index(table)
    return {
        "columns": [str(name) for name in table],
        "rows": [[_plain(value) for value in row] for row in table.itertuples(index=False)],
    }


def _plain(value):
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return None
    if pd.api.types.is_bool(value):
        return bool(value)
    if pd.api.types.is_integer(value):
        return int(value)
    return float(f"{value:.6g}") if pd.api.types.is_float(value) else str(value)


def csv_text(df: pd.DataFrame, synthetic: bool, separator: str = ",") -> str:
    """CSV with 6 significant digits; a last column names the synthetic cohort where it applies.

    A table that already has a column ``cohort`` says so itself and is left as it is.
    """
    table = with_index(df)
    if synthetic and "cohort" not in table.columns:
        table = table.assign(cohort=SYNTHETIC_LABEL)
    return table.to_csv(index=False, sep=separator, float_format="%.6g", lineterminator="\n")


def html_file(title: str, rendered: str) -> str:
    """A rendered table as a file of its own."""
    return f'<!DOCTYPE html>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n{rendered}'


class DisplayedTable(pd.DataFrame):
    """A table as the gallery stored it: a DataFrame that Jupyter shows under its name.

    Whatever is made from it is a plain DataFrame again.
    """

    _metadata = ("name", "html")

    @property
    def _constructor(self):
        return pd.DataFrame

    @classmethod
    def of(cls, table: pd.DataFrame, name: str, html: str) -> DisplayedTable:
        """The table with its name in the gallery, such as "Table 7.2", and what is shown of it."""
        made = cls(table)
        made.attrs = table.attrs
        made.name, made.html = name, html
        return made

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        rows, columns = self.shape
        return {
            "text/plain": f"{self.name}: {rows} rows, {columns} columns",
            "text/html": self.html,
            NUMBERS: numbers_of(self),
        }


@dataclass(frozen=True)
class DisplayedFigure:
    """A figure as the gallery stored it; Jupyter shows ``picture`` (PNG), then the caption."""

    number: str
    caption: str
    legend: str
    path: Path
    picture: bytes
    figure: Figure
    data: pd.DataFrame | None = None

    def __repr__(self) -> str:
        return f"Figure {self.number} ({self.path.name})"

    def _ipython_display_(self) -> None:
        from IPython.display import Markdown, display

        picture = {"text/plain": repr(self), "image/png": self.picture}
        numbers = {} if self.data is None else {NUMBERS: numbers_of(self.data)}
        display(picture | numbers, raw=True)
        caption, legend = _markdown(self.caption.rstrip(".")), _markdown(self.legend)
        display(Markdown(f"**Figure {self.number}. {caption}.** {legend}"))


def _markdown(text: str) -> str:
    """Plain text for Markdown: neither HTML nor emphasis, as in "T2*"."""
    return escape(text, quote=False).replace("*", r"\*")
