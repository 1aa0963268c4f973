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


def cell_of(number, count=1):
    cell = new_code_cell(f"gallery.table('{number}', drawn, 'Sizes')", execution_count=count)
    shown = new_output("execute_result", {"text/plain": f"Table {number}"}, execution_count=count)
    cell.outputs = [shown]
    return cell


def test_an_executed_copy_and_its_notebook_make_the_same_page(tmp_path):
    """As papermill leaves a copy: parameters handed in, other counts, its own metadata."""
    made = {}
    for road in ("stored", "executed"):
        cells = [new_markdown_cell("# Sizes\nSee Table 7.2."), cell_of("7.1"), cell_of("7.2", 2)]
        book = new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})
        if road == "executed":
            injected = new_code_cell("seed = 1", metadata={"tags": ["injected-parameters"]})
            book.cells = [*cells[:1], injected, cells[1], cell_of("7.2", 9)]
            book.cells[2].metadata = {"papermill": {"duration": 1.5}, "tags": []}
            lexer = {"name": "python", "pygments_lexer": "ipython3"}
            book.metadata = {"language_info": lexer, "papermill": {"duration": 2.0}}
        (tmp_path / road).mkdir()
        nbformat.write(book, tmp_path / road / "03_sizes.ipynb")
    for road in ("stored", "executed"):
        folder = tmp_path / f"of {road}"
        folder.mkdir()
        pages = write_pages(tmp_path / "stored", folder, tmp_path / road)
        assert pages == {"03_sizes.ipynb": "notebooks/03_sizes.html"}
        made[road] = (folder / pages["03_sizes.ipynb"]).read_text()
    assert made["stored"] == made["executed"]
    assert "seed = 1" not in made["stored"] and "hl-python" in made["stored"]
    place, table = (made["stored"].index(text) for text in ('id="table-7-2"', "Table 7.2</pre>"))
    assert made["stored"].index('id="table-7-1"') < place < table


def test_a_page_of_one_notebook_links_the_pages_that_are_there(tmp_path):
    """Of three notebooks one was run again, one has a page from earlier, one has none."""
    for folder in ("books", "run", "notebooks"):
        (tmp_path / folder).mkdir()
    for stem, number in (("03_a", "7.1"), ("04_b", "7.2"), ("05_c", "7.3")):
        text = new_markdown_cell("Tables 7.1, Table 7.2 and Table 7.3")
        book = new_notebook(cells=[text, cell_of(number)])
        nbformat.write(book, tmp_path / "books" / f"{stem}.ipynb")
        if stem == "03_a":
            nbformat.write(book, tmp_path / "run" / f"{stem}.ipynb")
    (tmp_path / "notebooks/04_b.html").write_text("earlier")
    pages = write_pages(tmp_path / "books", tmp_path, tmp_path / "run")
    assert set(pages) == {"03_a.ipynb", "04_b.ipynb"}
    page = (tmp_path / "notebooks/03_a.html").read_text()
    assert re.findall(r'href="(\d\d_[^"]+)"', page) == [
        "03_a.html#table-7-1",
        "04_b.html#table-7-2",
    ]
    assert (tmp_path / "notebooks/04_b.html").read_text() == "earlier"
