"""The gallery: files written, the page, and what it says of the synthetic cohort."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from cmbkit.params import read_parameters
from cmbkit.plotting.canvas import is_labelled, label_synthetic, new_figure
from cmbkit.reporting.gallery import Gallery, GalleryError, csv_text, read_entries, write_index
from cmbkit.reporting.gallery_page import REQUIRED, missing
from cmbkit.reporting.layout import Column, laid_out
from cmbkit.reporting.legends import LegendError
from cmbkit.reporting.made_with import MadeWith
from cmbkit.reporting.origins import Origin, origins
from cmbkit.reporting.pictures import png_bytes

LAYOUT = "cmbkit.reporting.layout"


def line_figure():
    figure = new_figure(3, 2)
    figure.subplots().plot([0, 1, 2], [0.1, 0.5, 0.3])
    return figure


def demo(folder):
    return Gallery(folder, "demo", synthetic=True, note="Reduced network.")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Folder of a gallery of two figures and a table."""
    gallery = demo(tmp_path_factory.mktemp("figures") / "demo")
    gallery.figure("8.1", line_figure(), "False positives.")
    gallery.figure("4.2", line_figure(), "Radii.", pd.DataFrame({"radius_mm": [1 / 3, 2.0]}))
    gallery.table("7.2", pd.DataFrame({"Dataset": ["DOU"], "F1": [2 / 3]}), "Scores <all>.")
    return gallery.folder


@pytest.fixture
def filled(written, tmp_path):
    """A copy of it."""
    return demo(shutil.copytree(written, tmp_path / "demo"))


def test_the_thesis_has_14_tables_and_24_figures_to_regenerate():
    # counted by hand in the thesis: Tables 2.1, 4.1-2, 5.1, 7.1-5, 8.1-4, B.1 and Figures 2.1,
    # 4.1-4, 5.1, 6.1-2, 7.1-5, 8.1-3, A.1-8
    kinds = [kind for kind, _ in REQUIRED]
    assert kinds.count("table") == 1 + 2 + 1 + 5 + 4 + 1
    assert kinds.count("figure") == 1 + 4 + 1 + 2 + 5 + 3 + 8 - 3  # A.1 to A.4 are one
    assert len(set(REQUIRED)) == len(REQUIRED)


def test_one_document_sets_all_in_the_pages_order(filled):
    write_index(filled.folder)
    lines = (filled.folder / "all.tex").read_text().splitlines()
    names = [line.split("{")[1].split("}")[0] for line in lines if line.startswith(r"\input")]
    assert names == ["figure_4_2.tex", "table_7_2.tex", "figure_8_1.tex"]
    assert lines[0] == r"\documentclass[a4paper]{article}" and lines[-1] == r"\end{document}"
    assert r"\renewcommand{\thefigure}{4.2}" in (filled.folder / "figure_4_2.tex").read_text()


def test_files_carry_the_number(filled):
    names = {path.name for path in filled.folder.iterdir() if path.is_file()}
    assert names == {
        "figure_8_1.png", "figure_8_1.pdf", "figure_8_1.tex", "figure_4_2.png", "figure_4_2.pdf",
        "figure_4_2.tex", "figure_4_2.csv",
        "table_7_2.csv", "table_7_2.html", "table_7_2.tex",
    }  # fmt: skip


def test_csv_has_six_significant_digits_and_names_the_synthetic_cohort(filled):
    text = (filled.folder / "figure_4_2.csv").read_text()
    assert text == "radius_mm,cohort\n0.333333,synthetic cohort\n2,synthetic cohort\n"


def test_csv_of_real_data_has_no_extra_column_and_keeps_a_named_index():
    table = pd.DataFrame({"n": [3]}, index=pd.Index(["DOU"], name="dataset"))
    assert csv_text(table, synthetic=False) == "dataset,n\nDOU,3\n"


def test_a_table_that_names_its_cohorts_is_left_as_it_is():
    table = pd.DataFrame({"f1": [0.5, 0.25], "cohort": ["published", "synthetic cohort"]})
    assert csv_text(table, synthetic=True).splitlines()[1] == "0.5,published"


def test_every_table_and_figure_says_synthetic_cohort(filled):
    for ending in (".csv", ".html", ".tex"):
        assert "synthetic cohort" in (filled.folder / f"table_7_2{ending}").read_text()
    shown = filled.figure("A.1", line_figure(), "Loss.")
    assert is_labelled(shown.figure)


def test_a_diagram_may_say_that_it_shows_no_results(filled):
    shown = filled.figure("6.1", line_figure(), "Network.", synthetic=False)
    assert not is_labelled(shown.figure)
    assert read_entries(filled.folder)[1]["synthetic"] is False


def test_entries_follow_the_thesis_whatever_the_order_of_writing(filled):
    for number in ("A.1", "7.10", "7.2", "S10", "S2"):
        filled.figure(number, line_figure(), "Later.")
    order = [f"{entry['kind']} {entry['number']}" for entry in read_entries(filled.folder)]
    assert order == [
        "figure 4.2", "table 7.2", "figure 7.2", "figure 7.10", "figure 8.1", "figure A.1",
        "figure S2", "figure S10",
    ]  # fmt: skip


def test_index_shows_everything_with_relative_links_and_lists_what_is_missing(filled):
    page = write_index(filled.folder)[0].read_text()
    assert 'src="figure_4_2.png"' in page and 'href="table_7_2.csv"' in page
    assert "Scores &lt;all&gt;." in page and "Reduced network." in page
    assert page.count("<caption") == 0 and "0.667" in page
    assert "http" not in page and str(filled.folder) not in page
    assert 'alt="Figure 4.2. Radii.. "' not in page and '<a href="#table-7-2">' in page
    assert "Table 2.1, Table 4.1" in page and "3 of 35" in page
    assert len(missing(read_entries(filled.folder))) == 35 - 3
    assert page.index("figure-4-2") < page.index("table-7-2") < page.index("figure-8-1")


def test_second_run_writes_the_same_bytes(filled, tmp_path):
    write_index(filled.folder)
    first = {p.name: p.read_bytes() for p in filled.folder.rglob("*") if p.is_file()}
    again = demo(filled.folder)
    again.table("7.2", pd.DataFrame({"Dataset": ["DOU"], "F1": [2 / 3]}), "Scores <all>.")
    again.figure("8.1", line_figure(), "False positives.")
    again.figure("4.2", line_figure(), "Radii.", pd.DataFrame({"radius_mm": [1 / 3, 2.0]}))
    write_index(filled.folder)
    assert first == {p.name: p.read_bytes() for p in filled.folder.rglob("*") if p.is_file()}


def test_two_galleries_share_a_folder(filled):
    other = Gallery(filled.folder, "demo", synthetic=False)
    other.table("2.1", pd.DataFrame({"mimic": ["calcification"]}), "Mimics.")
    assert len(read_entries(filled.folder)) == 4


def test_png_is_small_and_without_metadata_even_for_noise():
    from io import BytesIO

    from PIL import Image

    figure = new_figure(9, 4)
    noise = np.random.default_rng(0).normal(size=(200, 200))
    figure.subplots().imshow(noise, cmap="gray")
    encoded = png_bytes(figure, 100)
    image = Image.open(BytesIO(encoded))
    assert image.size == (900, 400)
    assert "Software" not in image.info and len(encoded) < 150_000


def test_a_small_patch_of_a_rare_colour_keeps_it_where_colours_are_few():
    from io import BytesIO

    from PIL import Image

    figure = new_figure(9, 6)
    noise = np.random.default_rng(0).random((400, 700, 1))
    figure.subplots().imshow(noise * [0.6, 0.8, 1.0])
    for place, colour in enumerate(("#FF7F0E", "#D62728")):  # orange, red
        figure.text(0.02 + 0.1 * place, 0.02, " " * 4, backgroundcolor=colour)
    drawn = Image.open(BytesIO(png_bytes(figure, 100)))
    assert drawn.mode == "P"
    seen = np.asarray(drawn.convert("RGB")).reshape(-1, 3).astype(int)
    for colour in ((255, 127, 14), (214, 39, 40)):
        assert np.abs(seen - colour).max(axis=1).min() <= 2


def test_figures_are_stored_for_print_with_text_as_text_and_without_date(filled, pdf_text):
    from PIL import Image

    picture = Image.open(filled.folder / "figure_8_1.png")
    assert picture.size == (900, 600) and round(picture.info["dpi"][0]) == 300
    path = filled.folder / "figure_8_1.pdf"
    assert "synthetic cohort" in pdf_text(path)
    assert b"Date" not in path.read_bytes() and b"atplotlib" not in path.read_bytes()


def test_shown_objects_display_what_was_stored(filled):
    table = filled.table("8.4", pd.DataFrame({"F1": [0.5]}), "Literature.")
    html = table._repr_mimebundle_()["text/html"]
    assert html.startswith("<table") and "Literature." in html
    figure = filled.figure("8.3", line_figure(), "Renders.")
    assert repr(figure) == "Figure 8.3 (figure_8_3.png)"


def test_a_data_table_is_stored_with_what_its_columns_hold(filled):
    table = pd.DataFrame({"match": ["TP", "FN"], "score": [0.5, np.nan]})
    columns = {"match": "TP or FN", "score": "probability <0 to 1>", "other": "not in it"}
    shown = filled.data("S35", table, "Every match.", columns)
    text = (filled.folder / "data_S35.tsv").read_text()
    assert text == "match\tscore\tcohort\nTP\t0.5\tsynthetic cohort\nFN\t\tsynthetic cohort\n"
    told = json.loads((filled.folder / "data_S35.json").read_text())
    assert list(told) == ["match", "score", "cohort"]
    assert told["match"] == {"Description": "TP or FN"}
    html = shown._repr_mimebundle_()["text/html"]
    assert ">probability &lt;0 to 1&gt;</td>" in html and html.startswith("<details><summary>")
    page = write_index(filled.folder)[0].read_text()
    assert 'href="data_S35.tsv"' in page and ">TP or FN</td>" in page
    with pytest.raises(GalleryError, match=r"data S35: .* none for \['score'\]"):
        filled.data("S35", table, "Every match.", {"match": "TP or FN"})


def test_label_is_written_once():
    figure = label_synthetic(label_synthetic(line_figure()))
    assert [text.get_text() for text in figure.texts] == ["synthetic cohort"]


def test_bad_number_and_empty_folder_are_errors(tmp_path):
    gallery = Gallery(tmp_path, "demo", synthetic=True)
    with pytest.raises(GalleryError, match=r"found '\.\./x'"):
        gallery.figure("../x", line_figure(), "")
    with pytest.raises(GalleryError, match="found none"):
        write_index(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"kind": "table"}', '{"kind": "table", "number": "1"}', b"\xff"]
)
def test_a_damaged_entry_is_named(tmp_path, content):
    path = tmp_path / ".entries" / "table_1.json"
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(GalleryError, match=r"table_1\.json: expected an entry of a table"):
        write_index(tmp_path)


def test_entry_is_plain_json(filled):
    entry = json.loads((filled.folder / ".entries" / "table_7_2.json").read_text())
    assert entry["number"] == "7.2" and entry["files"][0] == "table_7_2.csv"


def test_a_tables_own_note_stands_at_its_foot(tmp_path):
    table = laid_out(pd.DataFrame({"F1": [0.5]}), [Column("F1")], note="Mean over scans.")
    Gallery(tmp_path, "demo", synthetic=True).table("7.2", table, "Scores")
    assert "Mean over scans. (synthetic cohort)" in (tmp_path / "table_7_2.html").read_text()
    assert r"\noindent Mean over scans." in (tmp_path / "table_7_2.tex").read_text()


def test_one_legend_with_numbers_of_the_data_stands_everywhere(tmp_path):
    """Three rows of two scans; 5 + 2 + 1 CMBs."""
    rows = pd.DataFrame({"uid": ["a", "a", "b"], "n_cmb": [5, 2, 1]})
    legend = "{rows} rows of {scans} scans, {total_n_cmb} CMBs & more."
    legends = {("figure", "4.2"): legend, ("table", "7.2"): legend}
    gallery = Gallery(tmp_path, "demo", synthetic=True, legends=legends)
    gallery.figure("4.2", line_figure(), "Radii", rows)
    gallery.table("7.2", rows, "Scores")
    text = "3 rows of 2 scans, 8 CMBs & more."
    html, tex = text.replace("&", "&amp;"), text.replace("&", r"\&")
    assert write_index(tmp_path)[0].read_text().count(html) == 3  # one of them for the blind
    assert html in (tmp_path / "table_7_2.html").read_text()
    assert (
        rf"\caption[Scores (synthetic cohort)]{{Scores (synthetic cohort). {tex}}}"
        in (tmp_path / "table_7_2.tex").read_text()
    )
    figure = (tmp_path / "figure_4_2.tex").read_text()
    assert rf"\caption[Radii]{{Radii. {tex}}}" in figure and "{figure_4_2.pdf}" in figure
    with pytest.raises(LegendError, match="total_n_cmb"):
        gallery.table("7.2", rows[["uid"]], "Scores")
    gallery.table("7.2", rows[["uid"]].iloc[:0], "Scores")
    assert "0 rows of 0 scans, 0 CMBs" in (tmp_path / "table_7_2.html").read_text()


def test_the_page_names_what_other_settings_made(filled):
    assert "other settings" not in write_index(filled.folder)[0].read_text()
    path = filled.folder / ".entries/figure_8_1.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"settings": "0123"}))
    page = write_index(filled.folder)[0].read_text()
    told = "Made with other settings or inputs than the rest, and not to be read with it: "
    assert f"{told}Figure 8.1." in page
    inputs = {"Raw scans": "one"}
    for stem, other in (("figure_8_1", {}), ("figure_4_2", {}), ("table_7_2", {"Raw scans": "b"})):
        path = filled.folder / f".entries/{stem}.json"
        entry = json.loads(path.read_text())
        path.write_text(json.dumps(entry | {"settings": "", "inputs": inputs | other}))
    page = write_index(filled.folder)[0].read_text()
    assert f"{told}Table 7.2." in page and "<dt>Raw scans</dt><dd><code>one</code></dd>" in page


def test_an_item_that_comes_out_the_same_keeps_the_commit_that_made_it(tmp_path):
    def made(commit, value):
        gallery.made_with = replace(made_with, commit=commit)
        gallery.table("S3", pd.DataFrame({"a": [value]}), "Rules")
        return read_entries(tmp_path)[0]["commit"]

    params = read_parameters(Path(__file__).parents[2] / "params/demo.yaml")
    made_with = MadeWith(params, params, dict)
    gallery = Gallery(tmp_path, "demo", synthetic=False)
    assert [made("one", 1), made("two", 1), made("three", 2)] == ["one", "one", "three"]
    (tmp_path / ".entries/table_S3.json").write_text("{")
    assert made("four", 2) == "four"


def test_other_parameters_that_replace_what_the_file_made_are_told_once(tmp_path, capsys):
    file = Path(__file__).parents[2] / "params/demo.yaml"
    own, other = read_parameters(file), read_parameters(file, {"inference": {"threshold": 0.9}})

    def said(params):
        gallery = Gallery(tmp_path, "demo", False, made_with=MadeWith(params, own, dict))
        for number in ("S3", "S4"):
            gallery.table(number, pd.DataFrame({"a": [1]}), "Rules")
        return capsys.readouterr().err

    assert not said(own)
    told = said(other)
    assert told.count("what params/demo.yaml made is replaced") == 1 and str(tmp_path) in told
    assert not said(other), "what the file made has gone already"
    assert not said(own)


def test_the_page_says_how_each_was_made_and_what_is_stale(tmp_path):
    """The notebook has two code cells; the second shows Table S3 by a function of cmbkit."""
    cells = [
        "from cmbkit.reporting import rules\nrows = rules.NAMES",
        "from cmbkit.reporting.layout import laid_out as lay\n"
        "shown = lay(rows, [])\ngallery.table('S3', shown, 'Rules')",
    ]
    books = tmp_path / "notebooks"
    books.mkdir()
    book = new_notebook(cells=[new_code_cell(text) for text in cells])
    nbformat.write(book, books / "03_rules.ipynb")
    found = origins(books)
    assert found == {("table", "S3"): Origin("03_rules.ipynb", 2, (f"{LAYOUT}:laid_out",))}
    gallery = Gallery(tmp_path / "figures/demo", "demo", synthetic=False, origins=found)
    gallery.table("S3", pd.DataFrame({"a": [1]}), "Rules")
    page = write_index(gallery.folder, books)[0].read_text()
    assert 'href="../../notebooks/03_rules.ipynb"' in page and "code cell 2" in page
    assert 'href="notebooks/03_rules.html#table-s3"' in page
    assert 'id="table-s3"' in (gallery.folder / "notebooks/03_rules.html").read_text()
    assert f"<code>{LAYOUT}:laid_out</code>" in page and "Stale" not in page
    path = gallery.folder / ".entries/table_S3.json"
    entry = json.loads(path.read_text())
    entry["origin"]["code"] = "0" * 16
    path.write_text(json.dumps(entry))
    page = write_index(gallery.folder, books)[0].read_text()
    assert "Stale, for what made them has changed since: Table S3 (code)." in page
    entry["origin"], entry["inputs"] = {}, {"Raw scans": "one", "Network tl": "two"}
    path.write_text(json.dumps(entry))
    now = {"Raw scans": "another", "Network tl": "two"}
    index, stale = write_index(gallery.folder, books, inputs=now)
    assert stale == ["Table S3 (Raw scans)"] and "<code>one</code>, changed since" in (
        index.read_text()
    )
    assert write_index(gallery.folder, books)[1] == []  # of what is not known today nothing is said
