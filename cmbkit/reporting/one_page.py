"""One folder and one page: tables (CSV, HTML, LaTeX) and figures under plain names.

The page holds its pictures itself, so it can be sent as a single file. The folder appears
whole or not at all: everything is written beside it first and moved there at the end.
"""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from html import escape
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from cmbkit.reporting.gallery import csv_text, png_bytes
from cmbkit.reporting.tables import render_html, render_latex

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:1150px;margin:2rem auto;padding:0 1rem;
color:#222;background:#fff}
h2{margin-top:2.5rem;border-bottom:1px solid #ddd}
figure,.table{margin:1.5rem 0;overflow-x:auto}
figure img{max-width:100%;height:auto}
figcaption{margin-top:.4rem}
table{border-collapse:collapse;font-size:.85rem}
caption{text-align:left;font-weight:600;padding:.3rem 0;caption-side:top}
th,td{padding:.2rem .55rem;text-align:left;vertical-align:top;border-bottom:1px solid #e5e5e5}
th{border-bottom:2px solid #888}
.note{color:#555;font-size:.8rem}
.files{font-size:.8rem;color:#555}
.warning{background:#fdf0d5;border:1px solid #e69f00;border-radius:4px;padding:.5rem .8rem}
nav a{margin-right:1rem}
"""


class OutputError(ValueError):
    """The output folder cannot be used; the message names it."""


class OnePage:
    """Collects tables, figures and paragraphs, then writes the folder in one go.

    Parameters
    ----------
    title : str
    """

    def __init__(self, title: str):
        self.title = title
        self._files: dict[str, bytes] = {}
        self._body: list[str] = []
        self._sections: list[str] = []

    def section(self, title: str, text: str = "") -> None:
        """Start a section with an optional paragraph."""
        self._sections.append(title)
        self._body.append(f'<h2 id="s{len(self._sections)}">{escape(title)}</h2>')
        if text:
            self._body.append(f"<p>{escape(text)}</p>")

    def warning(self, text: str, lines: list[str]) -> None:
        """Say something that the reader must see, with a list."""
        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        self._body.append(f'<div class="warning">{escape(text)}<ul>{items}</ul></div>')

    def block(self, html: str) -> None:
        """Add HTML as it stands."""
        self._body.append(html)

    def table(self, name: str, table: pd.DataFrame, caption: str, note: str = "") -> None:
        """Add a table; writes name.csv, name.html and name.tex."""
        note = note or table.attrs.get("note", "")
        rendered = render_html(table, caption, note)
        self._keep(f"{name}.csv", csv_text(table, False).encode())
        head = f'<!DOCTYPE html>\n<meta charset="utf-8">\n<title>{escape(caption)}</title>\n'
        self._keep(f"{name}.html", (head + rendered).encode())
        self._keep(f"{name}.tex", render_latex(table, caption).encode())
        links = " ".join(f'<a href="{name}.{e}">{name}.{e}</a>' for e in ("csv", "html", "tex"))
        self._body.append(f'<div class="table">{rendered}<div class="files">{links}</div></div>')

    def figure(
        self, name: str, figure: Figure, caption: str, data: pd.DataFrame | None = None
    ) -> None:
        """Add a figure; writes name.png and, of its data, name.csv."""
        picture = png_bytes(figure)
        self._keep(f"{name}.png", picture)
        links = f'<a href="{name}.png">{name}.png</a>'
        if data is not None:
            self._keep(f"{name}.csv", csv_text(data, False).encode())
            links += f' <a href="{name}.csv">{name}.csv</a>'
        source = base64.b64encode(picture).decode()
        self._body.append(
            f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{source}">'
            f'<figcaption>{escape(caption)}</figcaption><div class="files">{links}</div></figure>'
        )

    def file(self, name: str, table: pd.DataFrame) -> None:
        """Add a CSV that the page only links."""
        self._keep(f"{name}.csv", csv_text(table, False).encode())
        self._body.append(f'<p class="files"><a href="{name}.csv">{name}.csv</a></p>')

    def _keep(self, name: str, content: bytes) -> None:
        if name in self._files:
            raise OutputError(f"{name}: expected every name once, found it again")
        self._files[name] = content

    def html(self) -> str:
        """Return the page."""
        links = "".join(
            f'<a href="#s{number}">{escape(title)}</a>'
            for number, title in enumerate(self._sections, 1)
        )
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style></head><body>\n"
            f"<h1>{escape(self.title)}</h1>\n<nav>{links}</nav>\n"
            + "\n".join(self._body)
            + "\n</body></html>\n"
        )

    def write(self, folder, *, force: bool = False) -> Path:
        """Write the folder; return the page's path.

        Raises
        ------
        OutputError
            If the folder holds something and ``force`` is not set, or holds what no earlier
            page wrote.
        """
        folder = Path(folder).absolute()
        require_free(folder, force=force)
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".part-{folder.name}-"))
        old = part / "old"
        try:
            new = part / "new"
            new.mkdir()
            for name, content in self._files.items():
                (new / name).write_bytes(content)
            (new / "index.html").write_text(self.html(), encoding="utf-8")
            if folder.exists():
                os.replace(folder, old)
            try:
                os.replace(new, folder)
            except OSError:
                if old.exists():
                    os.replace(old, folder)
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return folder / "index.html"


def require_free(folder, *, force: bool = False) -> None:
    """Raise OutputError unless ``folder`` may be written: missing, empty, or ours and forced."""
    folder = Path(folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder}: expected a folder, found a file")
    held = sorted(path.name for path in folder.iterdir())
    if not held:
        return
    if not force:
        raise OutputError(f"{folder}: expected no or an empty folder, found {len(held)} entries; "
                          "--force replaces it")  # fmt: skip
    if "index.html" not in held:
        raise OutputError(
            f"{folder}: expected an earlier result (with index.html) to replace, found {held[0]}"
        )
