"""One folder and one page: tables (CSV, HTML, LaTeX) and figures under plain names.

The page holds its pictures itself, so it can be sent as a single file. The folder appears
whole or not at all.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from cmbkit.atomic import whole_folder
from cmbkit.reporting.displayed import csv_text, html_file
from cmbkit.reporting.latex_tables import render_latex
from cmbkit.reporting.layout import layout_of
from cmbkit.reporting.pages import render
from cmbkit.reporting.pictures import SCREEN_DPI, png_bytes
from cmbkit.reporting.tables import render_html

PAGE = "index.html"


class OnePage:
    """Collects tables, figures and warnings, then writes the folder in one go.

    Parameters
    ----------
    title : str
    """

    def __init__(self, title: str):
        self.title = title
        self._files: dict[str, bytes] = {}
        self._items: list[dict] = []

    def section(self, title: str) -> None:
        """Start a section."""
        self._add("section", title=title)

    def warning(self, text: str, lines: list[str]) -> None:
        """Say something that the reader must see, with a list."""
        self._add("warning", text=text, lines=lines)

    def table(self, name: str, table: pd.DataFrame, caption: str) -> None:
        """Add a table; writes its numbers as name.csv, and name.html and name.tex as laid out."""
        note = layout_of(table).note
        rendered = render_html(table, caption, note)
        texts = {
            "csv": csv_text(table, False),
            "html": html_file(caption, rendered),
            "tex": render_latex(table, caption, note),
        }
        files = [self._keep(f"{name}.{end}", text.encode()) for end, text in texts.items()]
        self._add("table", html=rendered, files=files)

    def figure(
        self, name: str, figure: Figure, caption: str, data: pd.DataFrame | None = None
    ) -> None:
        """Add a figure; writes name.png and, of its data, name.csv."""
        picture = png_bytes(figure, SCREEN_DPI)
        files = [self._keep(f"{name}.png", picture)]
        if data is not None:
            files.append(self._keep(f"{name}.csv", csv_text(data, False).encode()))
        self._add("figure", caption=caption, picture=picture, files=files)

    def file(self, name: str, table: pd.DataFrame) -> None:
        """Add a CSV that the page only links."""
        self._add("file", files=[self._keep(f"{name}.csv", csv_text(table, False).encode())])

    def _add(self, kind: str, **values) -> None:
        self._items.append({"kind": kind, **values})

    def _keep(self, name: str, content: bytes) -> str:
        if name in self._files:
            raise ValueError(f"{name}: expected every name once, found it again")
        self._files[name] = content
        return name

    def html(self) -> str:
        """Return the page."""
        return render("evaluation.html", title=self.title, items=self._items)

    def write(self, folder, *, force: bool = False) -> Path:
        """Write the folder; return the page's path.

        Raises
        ------
        cmbkit.atomic.OutputError
            If the folder holds something and ``force`` is not set, or holds what no earlier
            page wrote.
        """
        with whole_folder(folder, ours=PAGE, force=force) as new:
            for name, content in self._files.items():
                (new / name).write_bytes(content)
            (new / PAGE).write_text(self.html(), encoding="utf-8")
        return Path(folder).absolute() / PAGE
