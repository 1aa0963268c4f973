"""What nbval calls different: numbers, rows, pictures, text; and what it lets pass."""

import base64
import importlib.util
import io
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from cmbkit.reporting.displayed import NUMBERS

PLACE = Path(__file__).parents[1] / "notebooks" / "conftest.py"
SPEC = importlib.util.spec_from_file_location("notebooks_conftest", PLACE)
comparison = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(comparison)


def table(rows, html="<table>"):
    numbers = {"columns": ["dataset", "precision", "recall"], "rows": rows}
    return {"text/plain": "Table 7.3: 2 rows", "text/html": html, NUMBERS: numbers}


def picture(*points):
    figure = Figure(figsize=(2, 2))
    figure.subplots().plot(points, "o", markersize=8)
    raw = io.BytesIO()
    figure.savefig(raw, format="png")
    return {"text/plain": "Figure 7.4", "image/png": base64.b64encode(raw.getvalue()).decode()}


STORED = table([["CRB", 0.9, 0.5], ["DOU", 0.8, 0.6]])


def differences(stored, new, through_network=False):
    return list(comparison._differences([stored], [new], through_network, lambda text: text))


@pytest.mark.parametrize("through_network", [False, True])
@pytest.mark.parametrize(
    "rows",
    [
        [["CRB", 0.5, 0.9], ["DOU", 0.6, 0.8]],  # precision and recall swapped
        [["CRB", 0.9, 0.5]],  # a row lost
        [["DOU", 0.9, 0.5], ["CRB", 0.8, 0.6]],  # labels exchanged
        [["CRB", None, 0.5], ["DOU", 0.8, 0.6]],  # a number lost
    ],
)
def test_a_wrong_table_is_found_with_either_tolerance(rows, through_network):
    assert differences(STORED, table(rows), through_network)


def test_a_last_digit_passes_and_the_next_one_passes_only_through_a_network():
    rounded = table([["CRB", 0.900001, 0.5], ["DOU", 0.8, 0.6]])
    assert not differences(STORED, rounded)
    nearby = table([["CRB", 0.91, 0.5], ["DOU", 0.8, 0.6]], html="<table>other digits")
    assert not differences(STORED, nearby, through_network=True)
    (headline, *_) = differences(STORED, nearby)
    assert headline.startswith("text/html") or "1 values differ" in headline


def test_an_empty_or_shifted_picture_is_found_and_the_same_one_is_not():
    drawn = picture(0, 1, 2, 3)
    assert not differences(drawn, picture(0, 1, 2, 3))
    for wrong in (picture(), picture(1, 2, 3, 0)):
        assert "of its ink" in differences(drawn, wrong, through_network=True)[0]


def test_text_and_kinds_of_output_are_compared():
    assert differences({"text/plain": "12 scans"}, {"text/plain": "13 scans"})
    assert "expected outputs of" in differences(STORED, {"text/plain": "12 scans"})[0]
    assert list(comparison._differences([STORED], [], False, str)) == [
        "expected 1 outputs, found 0"
    ]


def test_every_column_left_out_says_why():
    assert all(len(reason) > 10 for reason in comparison.NOT_COMPARED.values())
