"""The page of the gallery (index.html), made from its entries."""

from __future__ import annotations

import json
import re
from html import escape
from itertools import groupby
from pathlib import Path

from cmbkit.plotting.canvas import SYNTHETIC_LABEL

REQUIRED = (
    *(("table", n) for n in ("2.1", "4.1", "4.2", "5.1")),
    *(("table", f"7.{n}") for n in range(1, 6)),
    *(("table", f"8.{n}") for n in range(1, 5)),
    ("table", "B.1"),
    *(("figure", n) for n in ("2.1", "4.1", "4.2", "4.3", "4.4", "5.1", "6.1", "6.2")),
    *(("figure", f"7.{n}") for n in range(1, 6)),
    *(("figure", f"8.{n}") for n in range(1, 4)),
    *(("figure", f"A.{n}") for n in range(1, 9)),
)
CHAPTERS = {
    "2": "Background",
    "4": "Datasets",
    "5": "Preprocessing",
    "6": "Methods",
    "7": "Experiments",
    "8": "Discussion",
    "A": "Appendix A: training details",
    "B": "Appendix B: more on the datasets",
}
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;
color:#222;background:#fff}
nav a{margin-right:1rem}
section{margin-top:3rem}
figure,.table{margin:2rem 0;padding:1rem;border:1px solid #ddd;border-radius:6px;overflow-x:auto}
figure img{max-width:100%;height:auto;display:block;margin:0 auto}
figcaption,.caption{margin-top:.6rem}
.cohort{background:#fdf0d5;border:1px solid #e69f00;border-radius:4px;padding:0 .4rem;
font-size:.85rem}
.files{font-size:.85rem;color:#555}
.missing{color:#8a3b00}
table{border-collapse:collapse;font-size:.85rem}
th,td{padding:.15rem .5rem}
"""


def chapter_of(number: str) -> str:
    """Chapter or appendix letter of a number: ``"7"`` of ``"7.2"``."""
    return str(number).split(".")[0]


def order(kind: str, number: str):
    """Sort key: chapter, tables before figures, number."""
    chapter = chapter_of(number)
    names = list(CHAPTERS)
    place = names.index(chapter) if chapter in CHAPTERS else len(names)
    digits = [int(part) for part in re.findall(r"\d+", str(number))]
    return place, chapter if place == len(names) else "", kind != "table", digits, str(number)


def page(folder, entries: list[dict], missing: list[tuple[str, str]]) -> str:
    """Return the whole page.

    Parameters
    ----------
    folder : path-like
        Where the files of the entries are.
    entries : list of dict
        In the order in which they are shown.
    missing : list of (kind, number)
        What the thesis has and this folder lacks.
    """
    profiles = sorted({entry["profile"] for entry in entries})
    notes = sorted({entry["note"] for entry in entries if entry["note"]})
    synthetic = any(entry["synthetic"] for entry in entries)
    sections = [(name, list(group)) for name, group in groupby(entries, key=_section)]
    head = [
        f"<h1>Tables and figures: {escape(', '.join(profiles))}</h1>",
        *(f"<p>{escape(note)}</p>" for note in notes),
        f'<p><span class="cohort">{SYNTHETIC_LABEL}</span> marks what was made from the embedded '
        "cohort. It shows how the study runs, not how the detector performs on people.</p>"
        if synthetic
        else "",
        _what_is_missing(missing),
        "<nav>"
        + "".join(f'<a href="#{_anchor(n)}">{escape(n)}</a>' for n, _ in sections)
        + "</nav>",
    ]
    body = [
        f'<section id="{_anchor(name)}"><h2>{escape(name)}</h2>'
        + "\n".join(_item(Path(folder), entry) for entry in group)
        + "</section>"
        for name, group in sections
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>cmbkit: {escape(', '.join(profiles))}</title>"
        f"<style>{_STYLE}</style></head><body>\n"
        + "\n".join(filter(None, head + body))
        + "\n</body></html>\n"
    )


def _section(entry: dict) -> str:
    chapter = chapter_of(entry["number"])
    if chapter not in CHAPTERS:
        return "Beyond the thesis"
    title = CHAPTERS[chapter]
    return f"{chapter} {title}" if chapter.isdigit() else title


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _what_is_missing(missing) -> str:
    total = len(REQUIRED)
    if not missing:
        return f"<p>All {total} tables and figures of the thesis are here.</p>"
    names = ", ".join(f"{kind.capitalize()} {number}" for kind, number in missing)
    return (
        f'<p class="missing">{total - len(missing)} of {total} tables and figures of the thesis '
        f"are here. Missing: {escape(names)}.</p>"
    )


def _item(folder: Path, entry: dict) -> str:
    badge = f' <span class="cohort">{SYNTHETIC_LABEL}</span>' if entry["synthetic"] else ""
    files = " ".join(f'<a href="{escape(name)}">{escape(name)}</a>' for name in entry["files"])
    label = f"{entry['kind'].capitalize()} {entry['number']}"
    identifier = _anchor(label)
    caption = f"<b>{escape(label)}.</b> {escape(entry['caption'])}{badge}"
    links = f'<div class="files">{files}</div>'
    if entry["kind"] == "figure":
        return (
            f'<figure id="{identifier}"><img src="{escape(entry["files"][0])}" '
            f'alt="{escape(label)}: {escape(entry["caption"])}" loading="lazy">'
            f"<figcaption>{caption}</figcaption>{links}</figure>"
        )
    if entry["kind"] == "data":
        return (
            f'<div class="table" id="{identifier}"><div class="caption">{caption}</div>{links}'
            f"<details><summary>Columns</summary>{columns_of(folder / entry['files'][0])}"
            "</details></div>"
        )
    rendered = next(name for name in entry["files"] if name.endswith(".html"))
    text = (folder / rendered).read_text(encoding="utf-8")
    return (
        f'<div class="table" id="{identifier}"><div class="caption">{caption}</div>'
        f"{table_of(text, caption=False)}{links}</div>"
    )


def columns_of(path: Path) -> str:
    """Return a table of what the columns of a data table (.tsv, its .json beside it) hold."""
    told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    rows = (
        f"<tr><td>{escape(name)}</td><td>{escape(what['Description'])}</td></tr>"
        for name, what in told.items()
    )
    head = "<tr><th>Column</th><th>Holds</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def table_of(text: str, *, caption: bool = True) -> str:
    """Return the table element of a rendered page, with or without its caption."""
    found = re.search(r"<table.*</table>", text, flags=re.DOTALL)
    table = found.group(0) if found else text
    return table if caption else re.sub(r"<caption.*?</caption>", "", table, flags=re.DOTALL)
