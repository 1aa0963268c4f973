"""The page of the gallery (index.html), made from its entries."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from itertools import groupby

from cmbkit.plotting.canvas import SYNTHETIC_LABEL
from cmbkit.reporting.pages import render

REQUIRED = (
    *(("table", n) for n in ("2.1", "4.1", "4.2", "5.1")),
    *(("table", f"7.{n}") for n in range(1, 6)),
    *(("table", f"8.{n}") for n in range(1, 5)),
    ("table", "B.1"),
    *(("figure", n) for n in ("2.1", "4.1", "4.2", "4.3", "4.4", "5.1", "6.1", "6.2")),
    *(("figure", f"7.{n}") for n in range(1, 6)),
    *(("figure", f"8.{n}") for n in range(1, 4)),
    *(("figure", f"A.{n}") for n in (1, 5, 6, 7, 8)),
)
"""Figures A.1 to A.4 of the thesis are the panels of one, A.1."""
NOT_MADE = "Figure 2.2, the original U-Net, which the thesis takes from its publication"
"""What the thesis prints and no run can make."""
CHAPTERS = {
    "2": "Background",
    "4": "Datasets",
    "5": "Preprocessing",
    "6": "Methods",
    "7": "Experiments",
    "8": "Performance analysis",
    "A": "Appendix A: training details",
    "B": "Appendix B: more on the datasets",
}


def chapter_of(number: str) -> str:
    """Chapter or appendix letter of a number: ``"7"`` of ``"7.2"``."""
    return str(number).split(".")[0]


def order(kind: str, number: str):
    """Sort key: chapter, tables before figures, number; beyond the thesis the number alone."""
    chapter = chapter_of(number)
    names = list(CHAPTERS)
    place = names.index(chapter) if chapter in CHAPTERS else len(names)
    digits = [int(part) for part in re.findall(r"\d+", str(number))]
    later = kind != "table" and place < len(names)
    return place, re.sub(r"\d.*", "", chapter), later, digits, str(number), kind != "table"


def missing(entries) -> list[tuple[str, str]]:
    """Return (kind, number) of the thesis's tables and figures that are not among the entries."""
    found = {(entry["kind"], entry["number"]) for entry in entries}
    return [item for item in REQUIRED if item not in found]


def page(
    entries: list[dict],
    notebooks: str = "",
    pages: Mapping[str, str] | None = None,
) -> str:
    """Return the whole page.

    Parameters
    ----------
    entries : list of dict
        In the order in which they are shown.
    notebooks : str
        Their folder seen from the page's; empty where there is none to link.
    pages : mapping, optional
        Address of each notebook's own page, by the notebook's file name.
    """
    profiles = sorted({entry["profile"] for entry in entries})
    return render(
        "gallery.html",
        title=f"Tables and figures: {', '.join(profiles)}",
        notes=sorted({entry["note"] for entry in entries if entry["note"]}),
        synthetic=any(entry["synthetic"] for entry in entries),
        label=SYNTHETIC_LABEL,
        missing=missing(entries),
        others=_of_other_settings(entries),
        stale=stale(entries),
        notebooks=notebooks,
        pages=pages or {},
        total=len(REQUIRED),
        not_made=NOT_MADE,
        sections=[(name, list(group)) for name, group in groupby(entries, key=_section)],
    )


def _of_other_settings(entries: list[dict]) -> list[str]:
    """What was made with other settings or inputs than most of a folder."""
    told = [{"settings": e.get("settings", "")} | e.get("inputs", {}) for e in entries]
    others = set()
    for key in dict.fromkeys(name for each in told for name in each):
        most = Counter(each[key] for each in told if key in each).most_common(1)[0][0]
        others |= {n for n, each in enumerate(told) if each.get(key, most) != most}
    return [_name(entries[n]) for n in sorted(others)]


def changed(entry: dict, today: Mapping[str, str]) -> list[str]:
    """What an entry was made with that has another hash today; what is not known passes."""
    made = {"code": entry.get("origin", {}).get("code"), "parameters": entry.get("parameters")}
    made |= entry.get("inputs", {})
    return [name for name, value in made.items() if value and today.get(name, value) != value]


def stale(entries: list[dict]) -> list[str]:
    """Entries of which something has changed since, with what that is."""
    return [f"{_name(e)} ({', '.join(e['changed'])})" for e in entries if e.get("changed")]


def _name(entry: dict) -> str:
    return f"{entry['kind'].capitalize()} {entry['number']}"


def _section(entry: dict) -> str:
    chapter = chapter_of(entry["number"])
    if chapter not in CHAPTERS:
        return "Beyond the thesis"
    title = CHAPTERS[chapter]
    return f"{chapter} {title}" if chapter.isdigit() else title
