"""Notebooks as pages: what they show are places, and what their text names are links."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cmbkit.atomic import write_whole
from cmbkit.reporting.origins import INJECTED, Origin, origins
from cmbkit.reporting.pages import anchor, render

if TYPE_CHECKING:
    from nbformat import NotebookNode

_NAMED = re.compile(r"(?<![\w*[`])(Table|Figure|Data|View)s? ([1-9A-Z]\.?\d+[a-z]?)(?![\w.]*\d)")
"""A table or figure that a text names, but for the caption's own ("**Figure 7.2. ...")."""
_STORED = re.compile(r"Figure \S+ \((figure_\w+\.png)\)")
"""What a stored figure is as plain text (`cmbkit.reporting.displayed`)."""
_PAGE = re.compile(r"\bview_\w+\.html")
"""A page of the gallery that a notebook names."""
PAGES = "notebooks"

Items = Mapping[tuple[str, str], Origin]


def as_stored(book: NotebookNode) -> NotebookNode:
    """Make of an executed copy the notebook with outputs, whichever parameter file ran it.

    Without the cell of parameters that were handed in, and of its metadata tags alone; cells are
    counted anew. A notebook of ``notebooks/`` stays as it is.

    Parameters
    ----------
    book : NotebookNode
        Changed.
    """
    book.cells = [c for c in book.cells if INJECTED not in c.metadata.get("tags", [])]
    for number, cell in enumerate((c for c in book.cells if c.cell_type == "code"), 1):
        cell.execution_count = number
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number
    for cell in book.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = {"tags": tags} if tags else {}
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return book


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
    from nbformat.v4 import new_markdown_cell

    def to_link(found: re.Match) -> str:
        origin = items.get((found[1].lower(), found[2]))
        if origin is None:
            return found[0]
        return f"[{found[0]}]({link(origin.notebook, _place(*found.groups()))})"

    here: dict[int, list[str]] = {}
    for (kind, number), origin in items.items():
        if origin.notebook == name:
            here.setdefault(origin.cell, []).append(_place(kind, number))
    cells, count = [], 0
    for cell in book.cells:
        if cell.cell_type == "code":
            count += 1
            cells += [new_markdown_cell(place.format(each)) for each in here.get(count, ())]
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


def write_pages(notebooks, folder, executed=None) -> dict[str, str]:
    """Write each notebook, with its outputs, as a page into ``folder/notebooks``.

    Pictures that the gallery in ``folder`` holds are shown from there, so the pages stay small.

    Parameters
    ----------
    notebooks : path-like
        Their folder.
    folder : path-like
    executed : path-like, optional
        Folder of executed copies, of which alone pages are made; pages of others that are there
        stay, and are linked.

    Returns
    -------
    dict of str to str
        Address of each page seen from ``folder``, by the notebook's file name.
    """
    from nbconvert import HTMLExporter
    from nbformat import read
    from pygments.formatters import HtmlFormatter

    executed = Path(executed or notebooks)
    paths = sorted(executed.glob("*.ipynb"))
    (Path(folder) / PAGES).mkdir(exist_ok=True)
    there = {path.stem for path in (*paths, *(Path(folder) / PAGES).glob("*.html"))}
    pages = {f"{stem}.ipynb": f"{PAGES}/{stem}.html" for stem in sorted(there)}
    items = {**origins(notebooks), **origins(executed)}
    items = {item: origin for item, origin in items.items() if origin.notebook in pages}
    exporter = HTMLExporter(template_name="basic", anchor_link_text="")
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    style = HtmlFormatter().get_style_defs(".highlight")
    for path in paths:
        book = as_stored(read(path, as_version=4))
        _show_stored(book, Path(folder))
        linked(book, path.name, items, '<a id="{}"></a>', _to_page)
        for number, cell in enumerate(book.cells):
            cell.id = f"{number}"  # new cells have random names
        html, _ = exporter.from_notebook_node(book)
        page = render("notebook.html", title=path.stem, html=html, code_style=style)
        write_whole(Path(folder) / pages[path.name], page)
    return pages


def _to_page(notebook: str, place: str) -> str:
    return f"{Path(notebook).stem}.html#{place}"


def _show_stored(book: NotebookNode, folder: Path) -> None:
    """Put the gallery's own file in the place of each picture that it holds; link its pages."""
    for output in (o for cell in book.cells for o in cell.get("outputs", ())):
        data = output.get("data", {})
        found = _STORED.fullmatch(data.get("text/plain", ""))
        if found and (folder / found[1]).is_file():
            data["text/html"] = f'<img src="../{found[1]}" alt="{found[0]}" loading="lazy">'
            data.pop("image/png", None)
        elif "text/html" in data:
            link = r'<a href="../\g<0>">\g<0></a>'
            data["text/html"] = _PAGE.sub(link, "".join(data["text/html"]))
