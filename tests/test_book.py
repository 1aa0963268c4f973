"""The book of `make book`: its contents are there, and tables and figures are places and links."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from cmbkit.reporting.origins import Origin
from cmbkit.reporting.rendered import linked, write_pages

ROOT = Path(__file__).parents[1]
CONF = (ROOT / "book/conf.py").read_text(encoding="utf-8")
ITEMS = {
    ("table", "7.2"): Origin("05_a.ipynb", 1, ()),
    ("figure", "S12"): Origin("07_b.ipynb", 1, ()),
}


def contents():
    """Files of the book's table of contents, in order."""
    trees = re.findall(
        r"^```{toctree}\n(.*?)^```", (ROOT / "book/index.md").read_text(), re.S | re.M
    )
    lines = [line for tree in trees for line in tree.splitlines() if line and line[0] != ":"]
    named = [(ROOT / "book" / line).resolve() for line in lines if "*" not in line]
    return [
        p for name in named for p in (name.parent).glob(f"{name.name}.*") if p.suffix != ".html"
    ]


def test_the_contents_are_there_with_all_seven_notebooks():
    names = [path.relative_to(ROOT).as_posix() for path in contents()]
    notebooks = [name for name in names if name.endswith(".ipynb")]
    assert notebooks == sorted(
        p.relative_to(ROOT).as_posix() for p in ROOT.glob("notebooks/*.ipynb")
    )
    wanted = {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "book/api.md"}
    assert wanted | {"cmbkit/weights/compact/MODEL_CARD.md"} <= set(names)
    assert len(notebooks) == 7 and len(names) == len(set(names)) == 7 + 9


def test_the_book_runs_nothing_and_asks_no_other_machine():
    assert 'nb_execution_mode = "off"' in CONF and "nitpicky = True" in CONF
    assert "://" not in CONF and "intersphinx" not in CONF


def test_what_a_text_names_becomes_a_link_and_a_cell_a_place():
    text = (
        "Tables 7.2 and Figure S12, not `Table 7.2`, Table 7.21 or Table 9.9; **Table 7.2. Own.**"
    )
    shown = new_output("display_data", {"text/markdown": "As Table 7.2 says"})
    book = new_notebook(cells=[new_markdown_cell(text), new_code_cell("", outputs=[shown])])
    linked(book, "05_a.ipynb", ITEMS, "({})=", lambda notebook, place: f"{notebook[:2]}#{place}")
    first, place, code = book.cells
    assert first.source == text.replace("Tables 7.2", "[Tables 7.2](05#table-7-2)", 1).replace(
        "Figure S12", "[Figure S12](07#figure-s12)"
    )
    assert place.source == "(table-7-2)="
    assert code.outputs[0].data["text/markdown"] == "As [Table 7.2](05#table-7-2) says"


def test_a_notebook_becomes_a_page_that_shows_the_gallerys_pictures(tmp_path):
    (tmp_path / "books").mkdir()
    (tmp_path / "figure_4_2.png").write_bytes(b"")
    picture = {"text/plain": "Figure 4.2 (figure_4_2.png)", "image/png": "AAAA"}
    cell = new_code_cell(
        "gallery.figure('4.2', drawn, 'Radii')", outputs=[new_output("display_data", picture)]
    )
    book = new_notebook(cells=[new_markdown_cell("# Sizes\nSee Figure 4.2."), cell])
    nbformat.write(book, tmp_path / "books/03_sizes.ipynb")
    assert write_pages(tmp_path / "books", tmp_path) == {
        "03_sizes.ipynb": "notebooks/03_sizes.html"
    }
    page = (tmp_path / "notebooks/03_sizes.html").read_text()
    assert 'src="../figure_4_2.png"' in page and "AAAA" not in page
    assert '<a href="03_sizes.html#figure-4-2">' in page and 'id="figure-4-2"' in page
    assert not re.search("https?://", page)


def test_the_pages_of_the_stored_gallery_are_there():
    page = (ROOT / "figures/demo/index.html").read_text(encoding="utf-8")
    targets = set(re.findall(r'href="(notebooks/[^"#]+)', page))
    if not targets:
        pytest.skip("the stored gallery was made before notebooks had pages")
    assert all((ROOT / "figures/demo" / target).is_file() for target in targets)
