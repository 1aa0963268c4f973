"""What the gallery stored, as objects that Jupyter shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from cmbkit.reporting.gallery_page import columns_of, table_of


@dataclass(frozen=True)
class ShownFigure:
    """A figure as the gallery stored it; Jupyter shows the very bytes of the file."""

    number: str
    caption: str
    path: Path
    figure: Figure

    def __repr__(self) -> str:
        return f"Figure {self.number} ({self.path.name})"

    def _repr_png_(self) -> bytes:
        return self.path.read_bytes()


@dataclass(frozen=True)
class ShownTable:
    """A table as the gallery stored it."""

    number: str
    caption: str
    path: Path
    table: pd.DataFrame

    def __repr__(self) -> str:
        return f"Table {self.number} ({self.path.name}, {len(self.table)} rows)"

    def _repr_html_(self) -> str:
        return table_of(self.path.with_suffix(".html").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class ShownData:
    """A data table as the gallery stored it; shown by what its columns hold."""

    number: str
    caption: str
    path: Path
    table: pd.DataFrame

    def __repr__(self) -> str:
        rows, columns = self.table.shape
        return f"Data {self.number} ({self.path.name}, {rows} rows, {columns} columns)"

    def _repr_html_(self) -> str:
        return columns_of(self.path)
