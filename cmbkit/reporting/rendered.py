"""Notebooks as pages: what they show are places, and what their text names are links."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from cmbkit.reporting.origins import Origin
from cmbkit.reporting.pages import anchor

_NAMED = re.compile(r"(?<![\w*[`])(Table|Figure|Data)s? ([1-9A-Z]\.?\d+[a-z]?)(?![\w.]*\d)")
"""A table or figure that a text names, but for the caption's own ("**Figure 7.2. ...")."""

Items = Mapping[tuple[str, str], Origin]


def linked(
    book: NotebookNode, name: str, items: Items, place: str, link: Callable[[str, str], str]
) -> NotebookNode:
    """Give a notebook a place before each cell that shows something, and links to all places.

    Parameters
    ----------
    book : NotebookNode
        Changed.
    name : str
        Its file's name.
    items : mapping of (kind, number) to Origin
        What the notebooks show (`cmbkit.reporting.origins.origins`).
    place : str
        How a place is written in Markdown, with ``{}`` for its name ("table-7-2").
    link : callable
        Target of a link, of a notebook's file name and a place's name.
    """

    def to_link(found: re.Match) -> str:
        origin = items.get((found[1].lower(), found[2]))
        return f"[{found[0]}]({link(origin.notebook, _place(*found.groups()))})" if origin else found[0]

    here: dict[int, list[str]] = {}
    for (kind, number), origin in items.items():
        if origin.notebook == name:
            here.setdefault(origin.cell, []).append(_place(kind, number))
    cells, count = [], 0
    for cell in book.cells:
        if cell.cell_type == "code":
            count += 1
            cells += [new_markdown_cell(place.format(name)) for name in here.get(count, ())]
        else:
            cell.source = _NAMED.sub(to_link, cell.source)
        for output in cell.get("outputs", ()):
            text = output.get("data", {}).get("text/markdown")
            if text:
                output.data["text/markdown"] = _NAMED.sub(to_link, "".join(text))
        cells.append(cell)
    book.cells = cells
    return book


def _place(kind: str, number: str) -> str:
    return anchor(f"{kind} {number}")
