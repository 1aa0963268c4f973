"""Every table and figure of the notebooks has a legend as a journal wants it."""

import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from cmbkit.reporting.gallery_page import REQUIRED
from cmbkit.reporting.legends import filled, read_legends

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
CALL = re.compile(r'gallery\.(table|figure|data|view)\(\s*"([^"]+)"')


def shown():
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                yield from CALL.findall(cell.source)


def test_what_notebooks_show_has_a_legend():
    assert set(REQUIRED) <= set(shown()) <= set(read_legends())


def test_a_number_of_the_supplement_stands_once():
    numbers = [number for _, number in shown() if number.startswith("S")]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize(("item", "legend"), read_legends().items(), ids=map(str, read_legends()))
def test_legends_have_the_length_that_a_reader_needs(item, legend):
    """Figures: 40 to 120 words with a title of at least three; tables: a sentence."""
    words = len(legend.split())
    assert (37 if item[0] == "figure" else 6) <= words <= 112
    assert legend.endswith(".") and "  " not in legend


def test_one_of_a_thing_is_told_in_the_singular():
    data = pd.DataFrame({"model": ["a", "a"], "uid": ["x", "y"]})
    assert filled("{rows} rows, {models} models, {scans} scans", data) == "2 rows, 1 model, 2 scans"
    one = "{rows} rows, {rows} missed CMBs, {rows} values of bodies, 1 mm slices"
    assert filled(one, data[:1]) == "1 row, 1 missed CMB, 1 value of bodies, 1 mm slices"
    assert filled("{rows} rows", None) == "0 rows"


def test_datasets_are_named_as_they_are():
    data = pd.DataFrame({"dataset": ["MINE", "MINE", "B"]})
    assert filled("CMBs of {names}", data[:2]) == "CMBs of MINE"
    assert filled("CMBs of {names}", data) == "CMBs of MINE and B"
    assert filled("CMBs of {names}", data[:0]) == "CMBs of this run"
    more = pd.DataFrame({"dataset": ["A", "B", "C", float("nan")]})
    assert filled("CMBs of {names}", more) == "CMBs of A, B and C"
    for number in ("8.1", "8.2", "8.3", "S1", "S57"):
        assert not re.search("CRB|DOU", read_legends()["figure", number]), number
