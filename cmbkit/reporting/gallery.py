"""The gallery: one folder with every table and figure of a run and a page that shows them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from cmbkit.atomic import write_whole
from cmbkit.plotting.canvas import SYNTHETIC_LABEL, label_synthetic, write_below
from cmbkit.reporting import tables
from cmbkit.reporting.displayed import DisplayedFigure, DisplayedTable, csv_text, html_file
from cmbkit.reporting.entries import (
    FOLDER,
    GalleryError,
    entry_text,
    read_entries,
    write_entry,
)
from cmbkit.reporting.gallery_page import changed, page, stale
from cmbkit.reporting.latex_tables import document, figure_latex, render_latex
from cmbkit.reporting.layout import layout_of
from cmbkit.reporting.legends import filled
from cmbkit.reporting.made_with import MadeWith
from cmbkit.reporting.origins import Origin, origins
from cmbkit.reporting.pages import render
from cmbkit.reporting.pictures import on_screen, pdf_bytes, png_bytes
from cmbkit.reporting.rendered import write_pages
from cmbkit.running.file_hashes import file_hash
from cmbkit.running.report import report_line

_NUMBER = re.compile(r"^[0-9A-Z]+(\.[0-9]+)?[a-z]?$")


class Gallery:
    """Writes numbered tables and figures into one folder; several processes may share it.

    Parameters
    ----------
    folder : path-like
        For instance ``figures/demo``; made when missing.
    profile : str
        Name of the parameter file's profile.
    synthetic : bool
        Whether results come from the embedded cohort; each picture and table then says so.
    note : str
        One line for the head of the index, e.g. what the profile reduces.
    made_with : MadeWith, optional
        The study's settings; each foot names those that its table or figure depends on.
    legends, origins : mapping by (kind, number), optional
        What stands after the caption, with fields for numbers (`cmbkit.reporting.legends`); the
        notebook cell and the functions that make each (`cmbkit.reporting.origins`).
    """

    def __init__(
        self,
        folder,
        profile: str,
        synthetic: bool,
        note: str = "",
        made_with: MadeWith | None = None,
        legends: Mapping[tuple[str, str], str] | None = None,
        origins: Mapping[tuple[str, str], Origin] | None = None,
    ):
        self.folder = Path(folder)
        self.profile = profile
        self.synthetic = bool(synthetic)
        self.note = note
        self.made_with = made_with
        self.legends = legends or {}
        self.origins = origins or {}
        self._told = False
        (self.folder / FOLDER).mkdir(parents=True, exist_ok=True)

    def figure(
        self,
        number: str,
        fig: Figure,
        caption: str,
        data: pd.DataFrame | None = None,
        *,
        synthetic: bool | None = None,
    ) -> DisplayedFigure:
        """Write figure_<number>.png and .pdf and, when ``data`` is given, figure_<number>.csv.

        ``synthetic`` overrides the gallery's own setting, for figures that show no results (a
        diagram).
        """
        synthetic = self.synthetic if synthetic is None else synthetic
        stem = self._stem("figure", number)
        if synthetic:
            label_synthetic(fig)
        write_below(fig, self._settings("figure", number))
        files = {".png": png_bytes(fig), ".pdf": pdf_bytes(fig)}
        if data is not None:
            files[".csv"] = csv_text(data, synthetic)
        legend = self._legend("figure", number, data)
        files[".tex"] = figure_latex(f"{stem.name}.pdf", caption, legend, str(number))
        self._keep("figure", number, caption, legend, files, synthetic)
        picture, path = on_screen(files[".png"]), stem.with_name(f"{stem.name}.png")
        return DisplayedFigure(str(number), caption, legend, path, picture, fig, data)

    def table(
        self,
        number: str,
        df: pd.DataFrame,
        caption: str,
        *,
        synthetic: bool | None = None,
    ) -> DisplayedTable:
        """Write table_<number>.csv, .html and .tex; return the table for display.

        The CSV file holds the numbers; HTML and LaTeX show them as the table's layout says
        (`cmbkit.reporting.layout`). At the foot stand the layout's note and the settings.
        """
        synthetic = self.synthetic if synthetic is None else synthetic
        settings = self._settings("table", number)
        own_note = " ".join(filter(None, [layout_of(df).note, settings]))
        full_note = " ".join(filter(None, [own_note, f"({SYNTHETIC_LABEL})" if synthetic else ""]))
        legend = self._legend("table", number, df)
        rendered = tables.render_html(df, f"Table {number}. {caption}", full_note, legend)
        tex_caption = f"{caption} ({SYNTHETIC_LABEL})" if synthetic else caption
        files = {
            ".csv": csv_text(df, synthetic),
            ".html": html_file(f"Table {number}", rendered),
            ".tex": render_latex(df, tex_caption, own_note, legend, str(number)),
        }
        bare = tables.render_html(df, "", full_note)
        self._keep("table", number, caption, legend, files, synthetic, html=bare)
        return DisplayedTable.of(df, f"Table {number}", rendered)

    def data(
        self, number: str, df: pd.DataFrame, caption: str, columns: dict[str, str]
    ) -> DisplayedTable:
        """Write data_<number>.tsv, a long table to filter, and data_<number>.json beside it.

        ``columns`` says what each column holds; the JSON file has it in the form of a BIDS
        sidecar (column: {"Description": text}), and the settings.
        """
        unexplained = [name for name in df if name not in columns]
        if unexplained:
            raise GalleryError(
                f"data {number}: expected a description of every column, none for {unexplained}"
            )
        told = {name: columns[name] for name in df}
        if self.synthetic:
            told["cohort"] = "synthetic cohort: not patient data"
        settings = self._settings("data", number)
        described = told | ({"settings": settings} if settings else {})
        sidecar = {name: {"Description": text} for name, text in described.items()}
        files = {
            ".tsv": csv_text(df, self.synthetic, separator="\t"),
            ".json": json.dumps(sidecar, indent=1, ensure_ascii=False) + "\n",
        }
        listed = pd.DataFrame({"Column": list(told), "Holds": list(told.values())})
        html = tables.render_html(listed, "", settings)
        legend = self._legend("data", number, df)
        self._keep("data", number, caption, legend, files, self.synthetic, html=html)
        head = f"Data {number}: {len(df)} rows; what its {len(df.columns)} columns hold"
        folded = f"<details><summary>{head}</summary>\n{html}</details>\n"
        return DisplayedTable.of(df, f"Data {number}", folded)

    def view(
        self, number: str, scans: pd.DataFrame, viewers: Mapping[str, dict], caption: str
    ) -> DisplayedTable:
        """Write view_<number>.csv and, of each scan, view_<number>_<name>.html to look through it.

        Parameters
        ----------
        scans : DataFrame
            One row per scan, as `table` shows it.
        viewers : mapping of str to dict
            By the names of the pages: what the viewer shows (`cmbkit.prediction.viewer`), and
            ``about``, a sentence on the scan.
        """
        title, files = f"View {number}", {".csv": csv_text(scans, self.synthetic)}
        label = SYNTHETIC_LABEL if self.synthetic else ""
        for name, shown in viewers.items():
            about = {"about": shown["about"], "label": label, "number": title}
            page = render("view.html", title=f"{title}. {name}", viewer=shown, **about)
            files[f"_{name}.html"] = page
        note, legend = self._settings("view", number), self._legend("view", number, scans)
        bare = tables.render_html(scans, "", note)
        names = self._keep("view", number, caption, legend, files, self.synthetic, html=bare)
        note = f"Pages in the gallery's folder: {', '.join(names[1:])}. {note}"
        html = tables.render_html(scans, f"{title}. {caption}", note, legend)
        return DisplayedTable.of(scans, title, html)

    def _legend(self, kind: str, number: str, data: pd.DataFrame | None) -> str:
        return filled(self.legends.get((kind, str(number)), ""), data)

    def _settings(self, kind: str, number: str) -> str:
        return self.made_with.foot(kind, number) if self.made_with else ""

    def _stem(self, kind: str, number: str) -> Path:
        if not _NUMBER.match(str(number)):
            raise GalleryError(f"{kind}: expected a number like 4.2, A.1 or S3, found {number!r}")
        return self.folder / f"{kind}_{str(number).replace('.', '_')}"

    def _keep(self, kind, number, caption, legend, files, synthetic, **shown) -> list[str]:
        """Write files, given by the ends of their names, and the entry; return their names."""
        stem, number = self._stem(kind, number).name, str(number)
        self._tell_of_others(self.folder / FOLDER / f"{stem}.json")
        content = {f"{stem}{end}": text for end, text in files.items()}
        for name, text in content.items():
            write_whole(self.folder / name, text)
        origin, made = self.origins.get((kind, number)), self.made_with
        entry = {
            "kind": kind,
            "number": number,
            "caption": caption,
            "legend": legend,
            "files": list(content),
            "synthetic": synthetic,
            "profile": self.profile,
            "note": self.note,
            "settings": made.digest if made else "",
            "made_with": self._settings(kind, number),
            "parameters": made.parameters(kind, number) if made else "",
            "commit": made.commit if made else "",
            "inputs": made.inputs(kind, number) if made else {},
            "origin": {**asdict(origin), "code": origin.code} if origin else {},
            "content": {name: file_hash(self.folder / name) for name in content},
            **shown,
        }
        write_entry(self.folder / FOLDER / f"{stem}.json", entry)
        return list(content)

    def _tell_of_others(self, path: Path) -> None:
        """Say once that what the profile's file has made is replaced by another run's."""
        replaced = self.made_with.replaced if self.made_with else ""
        if replaced and not self._told and f'"settings": "{replaced}"' in entry_text(path):
            self._told = True
            report_line(
                f"{self.folder}: what params/{self.profile}.yaml made is replaced, with other "
                "parameters than the file's; figures_dir keeps both"
            )


def write_index(
    folder,
    notebooks=None,
    executed=None,
    inputs: Mapping[str, str] | None = None,
    parameters: Callable[[str, str], str] | None = None,
) -> tuple[Path, list[str]]:
    """Build index.html from the entries of a folder, and a page of each notebook beside it.

    ``all.tex`` holds all tables and figures for LaTeX.

    Parameters
    ----------
    notebooks : path-like, optional
        Folder of the notebooks that made them: the page links their cells, and says of what code
        was changed since.
    executed : path-like, optional
        Folder of their executed copies, of which pages are made; default: ``notebooks``.
    inputs : mapping of str to str, optional
        Hashes of today's raw scans and networks, named as `MadeWith.inputs` names them: the page
        says of what was made with others, or with other ``parameters`` (`MadeWith.parameters`).

    Returns
    -------
    index : Path
        The page. Links are relative, so the folder can be moved or sent as it is.
    stale : list of str
        What has changed since it was made: "Table S3 (code, Raw scans)".
    """
    folder = Path(folder)
    entries = read_entries(folder)
    if not entries:
        raise GalleryError(f"{folder}: expected entries of tables and figures, found none")
    now, books, pages = {}, "", {}
    if notebooks:
        now = origins(notebooks)
        books = Path(os.path.relpath(notebooks, folder)).as_posix()
        pages = write_pages(notebooks, folder, executed)
    for entry in entries:
        item = entry["kind"], entry["number"]
        today = dict(inputs or {})
        if notebooks:
            today["code"] = now[item].code if item in now else ""
        if parameters:
            today["parameters"] = parameters(*item)
        entry["changed"] = changed(entry, today)
    path = folder / "index.html"
    write_whole(path, page(entries, books, pages))
    files = [file for entry in entries for file in entry["files"] if file.endswith(".tex")]
    write_whole(folder / "all.tex", document(files))
    return path, stale(entries)
