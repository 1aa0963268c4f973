"""The gallery: one folder with every table and figure of a run and a page that shows them."""

from __future__ import annotations

import gzip
import io
import json
import re
from html import escape
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from cmbkit.atomic import write_whole
from cmbkit.plotting.canvas import SYNTHETIC_LABEL, drawn_area, label_synthetic, write_below
from cmbkit.reporting import tables
from cmbkit.reporting.displayed import DisplayedFigure, DisplayedTable
from cmbkit.reporting.gallery_page import REQUIRED, order, page
from cmbkit.reporting.layout import layout_of
from cmbkit.reporting.made_with import MadeWith

SCREEN_DPI = 110
PNG_LIMIT_BYTES = 150_000
SVG_LIMIT_BYTES = 150_000
_CLIP = re.compile(rb"\bp[0-9a-f]{10}\b")
_PATH = re.compile(rb'\b(?:d|x|y)="[^"]*"')
_DECIMALS = re.compile(rb"(\d+\.\d\d)\d+")
_NUMBER = re.compile(r"^[0-9A-Z]+(\.[0-9]+)?[a-z]?$")


class GalleryError(ValueError):
    """A number or a folder that the gallery cannot use."""


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
    """

    def __init__(
        self,
        folder,
        profile: str,
        synthetic: bool,
        note: str = "",
        made_with: MadeWith | None = None,
    ):
        self.folder = Path(folder)
        self.profile = profile
        self.synthetic = bool(synthetic)
        self.note = note
        self.made_with = made_with
        (self.folder / ".entries").mkdir(parents=True, exist_ok=True)

    def figure(
        self,
        number: str,
        fig: Figure,
        caption: str,
        data: pd.DataFrame | None = None,
        *,
        synthetic: bool | None = None,
    ) -> DisplayedFigure:
        """Write figure_<number>.png and .svg and, when ``data`` is given, figure_<number>.csv.

        A large vector file is written compressed, as .svgz; one that stays large even so holds
        pictures rather than vectors and is left out. ``synthetic`` overrides the gallery's own
        setting, for figures that show no results (a diagram).
        """
        synthetic = self.synthetic if synthetic is None else synthetic
        path = self._stem("figure", number).with_suffix(".png")
        if synthetic:
            label_synthetic(fig)
        write_below(fig, self._settings("figure", number))
        write_whole(path, png_bytes(fig))
        files = [path.name, *self._write_vector(path, fig)]
        if data is not None:
            write_whole(path.with_suffix(".csv"), csv_text(data, synthetic))
            files.append(path.with_suffix(".csv").name)
        self._record("figure", number, caption, files, synthetic)
        return DisplayedFigure(str(number), caption, path, fig, data)

    def table(
        self,
        number: str,
        df: pd.DataFrame,
        caption: str,
        note: str = "",
        *,
        synthetic: bool | None = None,
    ) -> DisplayedTable:
        """Write table_<number>.csv, .html and .tex; return the table for display.

        The CSV file holds the numbers; HTML and LaTeX show them as the table's layout says
        (`cmbkit.reporting.layout`). At the foot stand the layout's note, ``note`` and the
        settings.
        """
        synthetic = self.synthetic if synthetic is None else synthetic
        path = self._stem("table", number).with_suffix(".csv")
        settings = self._settings("table", number)
        own_note = " ".join(filter(None, [layout_of(df).note, note, settings]))
        full_note = " ".join(filter(None, [own_note, f"({SYNTHETIC_LABEL})" if synthetic else ""]))
        titled = f"Table {number}. {caption}"
        write_whole(path, csv_text(df, synthetic))
        rendered = tables.render_html(df, titled, full_note)
        write_whole(path.with_suffix(".html"), html_file(f"Table {number}", rendered))
        tex_caption = f"{caption} ({SYNTHETIC_LABEL})" if synthetic else caption
        write_whole(path.with_suffix(".tex"), tables.render_latex(df, tex_caption, own_note))
        files = [path.with_suffix(ending).name for ending in (".csv", ".html", ".tex")]
        bare = tables.render_html(df, "", full_note)
        self._record("table", number, caption, files, synthetic, html=bare)
        return DisplayedTable.of(df, f"Table {number}", rendered)

    def data(
        self,
        number: str,
        df: pd.DataFrame,
        caption: str,
        columns: dict[str, str],
        *,
        synthetic: bool | None = None,
    ) -> DisplayedTable:
        """Write data_<number>.tsv, a long table to filter, and data_<number>.json beside it.

        ``columns`` says what each column holds; the JSON file has it in the form of a BIDS
        sidecar (column: {"Description": text}), and the settings.
        """
        synthetic = self.synthetic if synthetic is None else synthetic
        unexplained = [name for name in df if name not in columns]
        if unexplained:
            raise GalleryError(
                f"data {number}: expected a description of every column, none for {unexplained}"
            )
        path = self._stem("data", number).with_suffix(".tsv")
        told = {name: {"Description": columns[name]} for name in df}
        if synthetic:
            told["cohort"] = {"Description": "synthetic cohort: not patient data"}
        settings = self._settings("data", number)
        described = told | ({"settings": {"Description": settings}} if settings else {})
        write_whole(path, csv_text(df, synthetic, separator="\t"))
        text = json.dumps(described, indent=1, ensure_ascii=False) + "\n"
        write_whole(path.with_suffix(".json"), text)
        files = [path.name, path.with_suffix(".json").name]
        listed = pd.DataFrame(
            {"Column": list(told), "Holds": [column["Description"] for column in told.values()]}
        )
        html = tables.render_html(listed, "", settings)
        self._record("data", number, caption, files, synthetic, html=html)
        head = f"Data {number}: {len(df)} rows; what its {len(df.columns)} columns hold"
        folded = f"<details><summary>{head}</summary>\n{html}</details>\n"
        return DisplayedTable.of(df, f"Data {number}", folded)

    def _write_vector(self, path: Path, fig: Figure) -> list[str]:
        content, ending = svg_bytes(fig), ".svg"
        if len(content) > SVG_LIMIT_BYTES:
            content, ending = gzip.compress(content, 9, mtime=0), ".svgz"
        for old in (".svg", ".svgz"):
            path.with_suffix(old).unlink(missing_ok=True)
        if len(content) > SVG_LIMIT_BYTES:
            return []
        write_whole(path.with_suffix(ending), content)
        return [path.with_suffix(ending).name]

    def _settings(self, kind: str, number: str) -> str:
        return self.made_with.foot(kind, number) if self.made_with else ""

    def _stem(self, kind: str, number: str) -> Path:
        if not _NUMBER.match(str(number)):
            raise GalleryError(f"{kind}: expected a number like 4.2, A.1 or S3, found {number!r}")
        return self.folder / f"{kind}_{str(number).replace('.', '_')}"

    def _record(self, kind, number, caption, files, synthetic, **shown):
        entry = {
            "kind": kind,
            "number": str(number),
            "caption": caption,
            "files": files,
            "synthetic": synthetic,
            "profile": self.profile,
            "note": self.note,
            "settings": self.made_with.digest if self.made_with else "",
            **shown,
        }
        name = f"{kind}_{str(number).replace('.', '_')}.json"
        text = json.dumps(entry, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        write_whole(self.folder / ".entries" / name, text)


def html_file(title: str, rendered: str) -> str:
    """A rendered table as a file of its own."""
    return f'<!DOCTYPE html>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n{rendered}'


def png_bytes(fig: Figure, dpi: int = SCREEN_DPI) -> bytes:
    """Encode a figure without software name or date; 256 colours where it would be large.

    They are those that cover the range, so that a small patch of a rare colour keeps it.
    """
    from PIL import Image

    raw = io.BytesIO()
    fig.savefig(
        raw, format="png", dpi=dpi, metadata={"Software": None}, bbox_inches=drawn_area(fig)
    )
    image = Image.open(raw).convert("RGB")
    packed = io.BytesIO()
    image.save(packed, format="PNG", optimize=True)
    if packed.tell() > PNG_LIMIT_BYTES:
        packed = io.BytesIO()
        few = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(packed, format="PNG", optimize=True)
    return packed.getvalue()


def svg_bytes(fig: Figure) -> bytes:
    """Encode a figure as vectors without date or software name; text stays text.

    Paths are rounded to a hundredth of a point, and clipping areas are numbered in the order in
    which they come: their names are made from coordinates that differ in the last digit from
    run to run.
    """
    raw = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "cmbkit"}):
        about = {"Date": None, "Creator": None}
        fig.savefig(raw, format="svg", metadata=about, bbox_inches=drawn_area(fig))
    text = _PATH.sub(lambda path: _DECIMALS.sub(rb"\1", path[0]), raw.getvalue())
    order = {name: b"clip%d" % n for n, name in enumerate(dict.fromkeys(_CLIP.findall(text)))}
    return _CLIP.sub(lambda name: order[name[0]], text)


def csv_text(df: pd.DataFrame, synthetic: bool, separator: str = ",") -> str:
    """CSV with 6 significant digits; a last column names the synthetic cohort where it applies.

    A table that already has a column ``cohort`` says so itself and is left as it is.
    """
    named = [name for name in df.index.names if name is not None]
    table = df.reset_index() if named else df
    if synthetic and "cohort" not in table.columns:
        table = table.assign(cohort=SYNTHETIC_LABEL)
    return table.to_csv(index=False, sep=separator, float_format="%.6g", lineterminator="\n")


def missing(folder) -> list[tuple[str, str]]:
    """Return (kind, number) of the thesis's tables and figures that a folder lacks."""
    found = {(entry["kind"], entry["number"]) for entry in read_entries(folder)}
    return [item for item in REQUIRED if item not in found]


def read_entries(folder) -> list[dict]:
    """Entries of a gallery in the thesis's order: chapters, in each tables and then figures."""
    paths = (Path(folder) / ".entries").glob("*.json")
    entries = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return sorted(entries, key=lambda entry: order(entry["kind"], entry["number"]))


def write_index(folder) -> Path:
    """Build index.html from the entries of a folder.

    Returns
    -------
    Path
        The page. Links are relative, so the folder can be moved or sent as it is.
    """
    folder = Path(folder)
    entries = read_entries(folder)
    if not entries:
        raise GalleryError(f"{folder}: expected entries of tables and figures, found none")
    old = [e for e in entries if e["kind"] != "figure" and "html" not in e]
    if old:
        raise GalleryError(
            f"{folder}: expected entries of this version, found {old[0]['kind']} "
            f"{old[0]['number']} of an older one; run its notebook again, or delete the folder"
        )
    path = folder / "index.html"
    write_whole(path, page(entries, missing(folder)))
    return path
