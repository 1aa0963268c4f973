"""Two galleries compared: identical, within tolerance, different; which tables are exact."""

import json
import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cmbkit.reporting.gallery import Gallery
from cmbkit.reporting.reproduction import (
    THROUGH_NETWORK,
    compare_galleries,
    intervals_beside,
    read_files,
)

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
DETECTION = pd.DataFrame(
    {
        "model": ["scratch", "tl"],
        "f1": [0.6, 0.7],
        "f1_low": [0.5, 0.55],
        "f1_high": [0.7, 0.85],
        "tp": [30, 35],
    }
)


def gallery(folder, *, detection=DETECTION, radius=(1.0, 2.0, 1.5), caption="Radius"):
    """Files of a gallery with two tables and a figure."""
    made = Gallery(folder, "small", synthetic=True)
    made.table("7.2", detection, "Detection")
    made.table("7.1", pd.DataFrame({"dataset": ["CRB", "DOU"], "scans": [8, 20]}), "Scans")
    figure = Figure((3, 2))
    figure.add_subplot(ylim=(0, 3)).plot(radius, "o")
    made.figure("4.2", figure, caption, pd.DataFrame({"radius_mm": radius}))
    return read_files(folder)


@pytest.fixture
def before(tmp_path):
    return gallery(tmp_path / "before")


def verdicts(compared):
    return {f"{item.kind} {item.number}": item.verdict for item in compared}


def test_the_same_numbers_make_identical_files_in_the_order_of_the_thesis(before, tmp_path):
    compared = compare_galleries(before, gallery(tmp_path / "after"))
    assert list(verdicts(compared)) == ["figure 4.2", "table 7.1", "table 7.2"]
    assert {item.verdict for item in compared} == {"identical"}
    assert all(not item.changed and not item.differences for item in compared)


def test_a_number_that_moved_a_little_is_within_what_passed_a_network(before, tmp_path):
    moved = DETECTION.assign(f1=[0.61, 0.7])
    compared = compare_galleries(before, gallery(tmp_path / "after", detection=moved))
    (item,) = [each for each in compared if each.verdict != "identical"]
    assert (item.number, item.verdict) == ("7.2", "within tolerance")
    assert item.changed == ["table_7_2.csv", "table_7_2.html", "table_7_2.tex"]
    file, difference = item.differences[0]
    assert (file, difference.row, difference.column) == ("table_7_2.csv", "scratch", "f1")
    assert (difference.before, difference.after) == (0.6, 0.61)


def test_figures_are_judged_by_numbers_and_picture(before, tmp_path):
    moved = gallery(tmp_path / "after", radius=(2.0, 1.0, 1.5))
    found = verdicts(compare_galleries(before, moved))
    assert found["figure 4.2"] == "different" and found["table 7.1"] == "identical"
    moved["figure_4_2.csv"] = before["figure_4_2.csv"]  # the picture alone
    (item,) = [each for each in compare_galleries(before, moved) if each.changed]
    assert item.verdict == "different" and item.apart > 0.02 and not item.differences


def test_a_table_that_is_gone_or_new_is_different(before, tmp_path):
    less = gallery(tmp_path / "after")
    del less[".entries/table_7_1.json"]
    for pair, state in (((before, less), "missing"), ((less, before), "there")):
        (item,) = [each for each in compare_galleries(*pair) if each.verdict != "identical"]
        assert (item.number, item.verdict) == ("7.1", "different")
        assert item.differences[0][1].after == state


def test_a_changed_page_of_unchanged_numbers_is_different(before):
    after = before | {"table_7_1.html": before["table_7_1.html"].replace(b"CRB", b"CRBs")}
    (item,) = [each for each in compare_galleries(before, after) if each.changed]
    assert item.verdict == "different"
    assert "CRBs" in item.differences[0][1].after


def test_values_with_intervals_stand_beside_each_other(before, tmp_path):
    anew = DETECTION.assign(f1=[0.65, 0.4], f1_low=[0.5, 0.3])
    table = intervals_beside(before, gallery(tmp_path / "after", detection=anew), "table_7_2.csv")
    assert table["row"].tolist() == ["scratch", "tl"]
    assert set(table["quantity"]) == {"f1"}  # tp has no interval
    assert table["frozen"].tolist() == [0.6, 0.7]
    assert table["retrained"].tolist() == [0.65, 0.4]
    assert table["retrained_low"].tolist() == [0.5, 0.3]


def numbers_of(stem: str) -> set[tuple[str, str]]:
    """Tables and figures that a notebook's cells put into the gallery."""
    book = nbformat.read(next(NOTEBOOKS.glob(f"{stem}_*.ipynb")), as_version=4)
    code = "\n".join(cell.source for cell in book.cells if cell.cell_type == "code")
    return set(re.findall(r'gallery\.(table|figure|data|view)\(\s*"([^"]+)"', code))


def test_what_passed_through_a_network_is_what_notebooks_05_to_07_show_but_the_audit():
    exact = {("table", number) for number in ["S13", "S15", "S32b", "S37b", "S40"]}
    exact |= {("figure", "S63")}
    shown = numbers_of("05") | numbers_of("06") | numbers_of("07")
    assert shown - exact == THROUGH_NETWORK
    assert not THROUGH_NETWORK & (numbers_of("01") | numbers_of("02") | numbers_of("03"))


def test_files_are_read_with_their_folders(before):
    assert json.loads(before[".entries/table_7_2.json"])["number"] == "7.2"
    assert read_files("nowhere") == {}
