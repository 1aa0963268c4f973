"""Tables 2.1, 4.1, 7.1, B.1 and the strata of Figure A.8, on scans counted by hand."""

from pathlib import Path

import pandas as pd
import pytest

from cmbkit.chapters import dataset_analysis as chapter
from cmbkit.chapters.beside import pooled
from cmbkit.published.numbers import thesis_table
from cmbkit.records import Acquisition, Annotation, Scan
from cmbkit.reporting.legends import read_legends
from cmbkit.reporting.tables import shown


def scan(dataset, name, kind="points", sequence="SWI", slice_mm=2.0, **acquired):
    acquisition = Acquisition((0.5, 0.6), slice_mm, **acquired)
    return Scan(
        dataset, name, name, sequence, Path(f"{name}.nii.gz"), Annotation(kind), acquisition
    )


def test_both_scales_ask_for_certainty_side_and_location():
    table = chapter.table_2_1().set_index("category")
    assert table.loc["Size", "mars"] == "not asked"
    assert (table.loc[["Certainty", "Side"]] != "not asked").all().all()


def test_4_1_gives_ranges_beside_every_printed_column():
    india = dict(site="India", flip_deg=15.0)
    scans = [
        scan("CRB", "1", slice_mm=5.0, field_strength="1.5", te_ms=40.0, **india),
        scan("CRB", "2", slice_mm=2.5, field_strength="3", te_ms=None, **india),
        scan("CRB", "3", slice_mm=4.0, field_strength="1.5", te_ms=19.6, **india),
        scan("CRB", "4", slice_mm=4.6, sequence="T2S", field_strength="1.5", **india),
        scan("VALDO", "1", sequence="T2S", site="UK or Spain"),
        scan("OWN", "1", field_strength="1.5/3"),
    ]
    table = chapter.table_4_1(scans)
    printed = [name for name in table if "_thesis" in name]
    assert len(printed) == len(thesis_table("4.1").columns) - 2  # dataset and location are keys
    rows = table.set_index(["dataset", "site", "sequence"])
    india = rows.loc[("CRB", "India", "SWI")]
    tesla = ["field_strength_low", "field_strength_high"]
    assert india[[*tesla, "n_scans"]].tolist() == [1.5, 3, 3]
    assert rows.loc[("OWN",)].iloc[0][tesla].tolist() == [1.5, 3]
    assert india[["te_ms", "te_ms_low", "te_ms_high"]].tolist() == [29.8, 19.6, 40.0]
    slices = ["slice_thickness_mm", "slice_thickness_mm_low", "slice_thickness_mm_high"]
    assert india[slices].tolist() == [4.0, 2.5, 5.0]
    assert india[["te_ms_thesis_low", "te_ms_thesis_high"]].tolist() == [19, 40]
    assert pd.isna(india["tr_ms"])
    valdo = rows.loc[("VALDO", "UK or Spain", "T2S")]
    assert valdo[["tr_ms_thesis_low", "tr_ms_thesis_high"]].tolist() == [1288, 1300]
    assert valdo[["field_strength_thesis_low", "field_strength_thesis_high"]].tolist() == [3, 3]
    kept = {"site", "sequence", "demographics_thesis", "scanner_model_thesis", "sequence_thesis"}
    kept |= {"dataset", "rating_scale_thesis"}
    assert set(table.select_dtypes(exclude="number")) == kept
    # 12 printed sites, two of them in one row; India has two sequences; OWN is not printed
    assert len(rows) == 11 + 1 + 1
    cells = shown(table)[0].set_index(["Dataset", "Site", "Sequence"]).loc[("CRB", "India", "SWI")]
    assert cells[["TE (ms)", "Slices (mm)", "TR (ms)"]].tolist() == ["19.6-40.0", "2.50-5.00", "–"]
    assert cells[["Field (T)", "Field (T) (thesis)"]].tolist() == ["1.5/3", "1.5/3"]
    printed = ["TR (ms) (thesis)", "Slices (mm) (thesis)"]
    assert cells[printed].tolist() == ["48-936", "2.5-5"]


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
    made = [False] * 4 + [True]
    return pd.DataFrame(rows, columns=columns).assign(sequence="SWI", synthetic=made, te_ms=20.0)


def test_7_1_by_hand_beside_the_printed_numbers(table):
    bleeds = pd.DataFrame(
        {"uid": ["M2"] * 2 + ["M3"] * 4, "dataset": "MOMENI", "radius_mm": [1, 2, 1, 2, 1, 2]}
    )
    found = chapter.table_7_1(table, bleeds).set_index("dataset")
    momeni, negative = found.loc["MOMENI"], found.loc["CRBneg"]
    counts = ["n_scans", "n_scans_with_cmb", "n_scans_below_3", "n_patients", "n_patients_with_cmb"]
    assert momeni[counts].tolist() == [4, 2, 1, 3, 2]
    assert negative[[*counts, "n_cmb"]].tolist() == [1, 0, 0, 1, 0, 0]
    assert momeni[["resolution_low_pct", "resolution_high_pct", "n_cmb"]].tolist() == [75, 25, 6]
    # sd of (2, 4) = sqrt 2; sd of three 1 and three 2 = sqrt(6 * 0.25 / 5)
    sizes = ["cmb_per_scan", "cmb_per_scan_sd", "radius_mm", "radius_mm_sd"]
    assert momeni[sizes].tolist() == pytest.approx([3, 2**0.5, 1.5, 0.3**0.5])
    assert negative[sizes].isna().all()
    assert negative[["source", "split"]].tolist() == ["Synthetic", "Train"]
    assert momeni[["source", "split"]].tolist() == ["Public", "Train-Valid"]
    printed = found.loc["CRB", [f"{name}_thesis" for name in (*counts, "resolution_low_pct")]]
    assert printed.tolist() == [18, 18, 8, 18, 18, 44]
    sizes = ["cmb_per_scan_thesis", "cmb_per_scan_thesis_sd", "radius_mm_thesis"]
    assert found.loc["CRB", [*sizes, "radius_mm_thesis_sd"]].tolist() == [7.06, 7.53, 1.8, 0.49]
    assert pd.isna(found.loc["CRBneg", "radius_mm_thesis"])
    cells = shown(chapter.table_7_1(table, bleeds))[0].set_index("Dataset").loc["MOMENI"]
    assert cells[["Radius (mm)", "Radius (mm) (thesis)"]].tolist() == ["1.50 ± 0.55", "1.40 ± 0.20"]


def test_b_1_by_hand(table):
    found = chapter.table_b_1(table)
    expected = [
        ["CRBneg", "SWI", "high", True, True, None, "none", 1],
        ["MOMENI", "SWI", "high", False, False, "3", "high", 1],
        ["MOMENI", "SWI", "low", False, False, "3", "low", 1],
        ["MOMENI", "SWI", "low", True, False, "3", "none", 1],  # patient a, sick on M2
        ["MOMENI", "SWI", "low", True, True, "3", "none", 1],
    ]
    assert found.astype(object).where(found.notna(), None).to_numpy().tolist() == expected


def test_a_8_by_hand_beside_the_log_of_the_thesis():
    columns = ["uid", "dataset", "patient", "n_cmb", "te_ms", "split"]
    scans = [
        ("MOMENI-1", "MOMENI", "a", 0, 20.0, "train"),
        ("MOMENI-2", "MOMENI", "a", 4, 20.0, "train"),
        ("MOMENI-3", "MOMENI", "b", 0, 20.0, "train"),
        ("MOMENI-4", "MOMENI", "c", 1, 20.0, "valid"),
    ]
    alike = {"sequence": "SWI", "resolution_level": "low", "field_strength": "3"}
    table = chapter.table_a_8(pd.DataFrame(scans, columns=columns).assign(**alike))
    rows = table.set_index(["split", "column", "value"])
    assert rows.loc[("train", "TE", "20_0"), "te_ms"] == 20  # what "20_0" stands for
    assert rows.pop("te_ms").notna().sum() == 2 + 2  # 20 and 25 ms, printed in both splits
    # Patient a has a scan with and one without CMBs: neither is "healthy_all".
    assert rows.loc[("train", "healthy_all", "False")].tolist() == [2, 66.67, 169, 36.5]
    assert rows.loc[("train", "CMB_level", "high")].tolist() == [1, 33.33, 34, 7.34]
    columns = ["n_scans", "proportion_pct", "n_scans_thesis", "proportion_pct_thesis"]
    only = rows.loc[("valid", "Dataset", "RODEJA"), columns]
    assert only.isna().tolist() == [True, True, False, False]
    assert table["n_scans_thesis"].notna().sum() == 30 + 28  # printed rows of both logs
    first = table[(table["split"] == "train") & (table["column"] == "Dataset")]
    assert first["value"].tolist() == ["MOMENI", "RODEJA", "VALDO"]
    # of M1 (0), M2 (4), M3 (0, of another patient): "low" holds the scan without CMBs of a
    assert rows.loc[("train", "CMB_level", "low"), "n_scans"] == 1
    legends = read_legends()
    assert "low, fewer than 3, holds scans with 0, too" in legends["figure", "A.8"]
    assert "none, low (1 or 2) or high, where Figure A.8 goes by" in legends["table", "B.1"]
    title = chapter.figure_a_8(table).get_suptitle()
    assert "train 3 (463), valid 1 (82)" in title
    assert "No dataset" in chapter.figure_a_8(table.iloc[:0]).texts[0].get_text()


def test_s14_tells_the_thesis_marginals_and_marks_what_is_off():
    """Table 8.3: (89 x .58 + 38 x .70) / 127; Table 8.2: 8 + 32 of 126 are subcortical."""
    table = pd.DataFrame(
        {
            "uid": ["a", "b"],
            "dataset": "CRB",
            "split": ["test", "test"],
            "n_cmb": [7, 0],
            "resolution_level": ["low", "high"],
        }
    )
    region = ["Subcortical White Matter"] * 3 + ["Thalamus"]
    features = pd.DataFrame({"uid": "a", "radius_mm": 2.0, "inv_elongation": 0.9, "region": region})
    found = chapter.table_s14(table, features).set_index("quantity")
    assert set(found["dataset"]) == {"CRB"}
    thesis = found["value_thesis"]
    assert thesis["inv_elongation"] == pytest.approx((89 * 0.58 + 38 * 0.70) / 127)
    assert thesis["Subcortical"] == pytest.approx(100 * 40 / 126)
    assert found.loc["Subcortical", "value"] == 75 and thesis["low_resolution"] == 44
    off = {"Subcortical", "inv_elongation", "Cortical"}
    assert set(found.index[found["off"]]) == off


def test_groups_together_have_the_mean_and_spread_of_their_values():
    values = [1.0, 2.0, 4.0, 7.0, 11.0]
    parts = [pd.Series(values[:2]), pd.Series(values[2:])]
    mean, sd = pooled([2, 3], [p.mean() for p in parts], [p.std() for p in parts])
    assert (mean, sd) == (pytest.approx(5.0), pytest.approx(pd.Series(values).std()))
