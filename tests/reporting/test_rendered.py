"""Notebooks as pages: tables and figures are places, and what names them links."""

import re

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from cmbkit.reporting.origins import Origin
from cmbkit.reporting.rendered import linked, write_pages

ITEMS = {
    ("table", "7.2"): Origin("05_a.ipynb", 1, ()),
    ("figure", "S12"): Origin("07_b.ipynb", 1, ()),
}


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


def test_pages_of_the_gallery_that_a_table_names_are_linked(tmp_path):
    (tmp_path / "books").mkdir()
    shown = {"text/html": "<p>Pages: view_S70_DOU.html, view_S70_CRB.html.</p>"}
    cell = new_code_cell("1", outputs=[new_output("display_data", shown)])
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "books/05_a.ipynb")
    write_pages(tmp_path / "books", tmp_path)
    page = (tmp_path / "notebooks/05_a.html").read_text()
    links = re.findall(r'<a href="(\.\./view[^"]+)">', page)
    assert links == ["../view_S70_DOU.html", "../view_S70_CRB.html"]
