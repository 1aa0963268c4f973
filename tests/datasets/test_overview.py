"""Tables of the datasets: against Table 5.1 as printed and counts made by hand."""

from importlib import resources
from pathlib import Path

import pandas as pd
import pytest

from cmbkit.datasets.overview import table_4_1, table_5_1, table_7_1, table_b_1
from cmbkit.records import Acquisition, Annotation, Scan

KINDS = {
    "CRB": "scribbles",
    "CRBneg": "none",
    "DOU": "points",
    "MOMENI": "points",
    "RODEJA": "mask",
    "VALDO": "mask",
    "sMOMENI": "points",
}


def scan(dataset, name, kind="points", sequence="SWI", slice_mm=2.0, **acquired):
    acquisition = Acquisition((0.5, 0.6), slice_mm, **acquired)
    image = Path(f"{name}.nii.gz")
    return Scan(dataset, name, name, sequence, image, Annotation(kind), acquisition)


def test_table_5_1_is_the_printed_one():
    scans = [scan(dataset, "1", kind) for dataset, kind in KINDS.items()]
    scans.append(scan("MOMENI", "2", "none"))  # a healthy scan changes nothing
    path = resources.files("cmbkit.evaluation") / "thesis" / "table_5_1_processing.csv"
    with resources.as_file(path) as file:
        printed = pd.read_csv(file, keep_default_na=False)
    pd.testing.assert_frame_equal(table_5_1(scans), printed)
    mixed = table_5_1([scan("OWN", "1", kind) for kind in ("mask", "points", "unknown")])
    assert mixed.to_numpy().tolist() == [
        ["OWN", "full 3d mask", "✓", "✗", "✗", "✓"],
        ["OWN", "center of CMB", "✓", "✓", "✓", "✓"],
    ]


def test_table_4_1_gives_ranges():
    india = dict(site="India", flip_deg=15.0)
    scans = [
        scan("CRB", "1", slice_mm=5.0, field_strength="1.5", te_ms=40.0, **india),
        scan("CRB", "2", slice_mm=2.5, field_strength="3", te_ms=None, **india),
        scan("CRB", "3", slice_mm=4.0, field_strength="1.5", te_ms=19.6, **india),
        scan("CRB", "4", slice_mm=4.6, sequence="T2S", field_strength="1.5", **india),
        scan("RODEJA", "1", field_strength="1.5/3"),
    ]
    table = table_4_1(scans)
    assert table.to_numpy().tolist() == [
        ["CRB", "India", "SWI", "1.5/3", "-", "19.6-40", "15", "2.5-5", 3],
        ["CRB", "India", "T2S", "1.5", "-", "-", "15", "4.6", 1],
        ["RODEJA", "-", "SWI", "1.5/3", "-", "-", "-", "2", 1],
    ]


@pytest.fixture
def table():
    rows = [
        ("M1", "MOMENI", "a", 0, "low", "3", "none", "train"),
        ("M2", "MOMENI", "a", 2, "low", "3", "low", "train"),
        ("M3", "MOMENI", "b", 4, "high", "3", "high", "valid"),
        ("M4", "MOMENI", "c", 0, "low", "3", "none", "train"),
        ("N1", "CRBneg", "a", 0, "high", None, "none", "train"),
    ]
    columns = ["uid", "dataset", "patient", "n_cmb", "resolution_level"]
    columns += ["field_strength", "cmb_level", "split"]
    return pd.DataFrame(rows, columns=columns).assign(sequence="SWI")


def test_table_7_1_by_hand(table):
    bleeds = pd.DataFrame(
        {"uid": ["M2"] * 2 + ["M3"] * 4, "dataset": "MOMENI", "radius_mm": [1, 2, 1, 2, 1, 2]}
    )
    negative, momeni = table_7_1(table, bleeds).to_numpy().tolist()
    assert negative == ["CRBneg", 1, 0, 0, 1, 0, 0.0, 100.0, 0, "-", "-", "Train"]
    # sd of (2, 4) = sqrt 2; sd of three 1 and three 2 = sqrt(6 * 0.25 / 5)
    expected = ["MOMENI", 4, 2, 1, 3, 2, 75.0, 25.0, 6, "3 ± 1.41", "1.5 ± 0.55", "Train-Valid"]
    assert momeni == expected


def test_table_b_1_by_hand(table):
    assert table_b_1(table).to_numpy().tolist() == [
        ["CRBneg", "SWI", "high", "yes", "True", "-", "none", 1],
        ["MOMENI", "SWI", "high", "no", "False", "3", "high", 1],
        ["MOMENI", "SWI", "low", "no", "False", "3", "low", 1],
        ["MOMENI", "SWI", "low", "yes", "False", "3", "none", 1],  # patient a, sick on M2
        ["MOMENI", "SWI", "low", "yes", "True", "3", "none", 1],
    ]
