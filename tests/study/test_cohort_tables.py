"""Tables of chapters 4 and 7.1 beside the printed ones; changes of single microbleeds."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cmbkit.chapters import dataset_analysis as cohort_tables
from cmbkit.chapters import preprocessing as preparation
from cmbkit.preprocessing import cleaning
from cmbkit.preprocessing.census import Ledger
from cmbkit.published.numbers import thesis_table
from cmbkit.records import Acquisition, Annotation, Scan


def scan(dataset, name, kind="points", sequence="SWI", synthetic=False, **acquired):
    acquisition = Acquisition((0.5, 0.6), 2.0, **acquired)
    image = Path(f"{name}.nii.gz")
    return Scan(dataset, name, name, sequence, image, Annotation(kind), acquisition, synthetic)


@pytest.fixture
def study():
    scans = [
        scan("CRB", "1", "scribbles", site="United States", synthetic=True),
        scan("VALDO", "1", "points", "T2S", site="UK or Spain"),
        scan("OWN", "1", "mask"),
    ]
    columns = ["uid", "dataset", "patient", "n_cmb", "te_ms", "split"]
    rows = [
        ("MOMENI-1", "MOMENI", "a", 0, 20.0, "train"),
        ("MOMENI-2", "MOMENI", "a", 4, 20.0, "train"),
        ("MOMENI-3", "MOMENI", "b", 0, 20.0, "train"),
        ("MOMENI-4", "MOMENI", "c", 1, 20.0, "valid"),
    ]
    table = pd.DataFrame(rows, columns=columns).assign(
        sequence="SWI", resolution_level="low", field_strength="3", cmb_level="none"
    )
    bleeds = pd.DataFrame({"dataset": ["MOMENI"] * 5, "radius_mm": [1.0, 1, 1, 1, 2]})
    return SimpleNamespace(cohort=SimpleNamespace(scans=scans, table=table, microbleeds=bleeds))


def printed_columns(table):
    return {name.removesuffix(" (thesis)") for name in table if name.endswith(" (thesis)")}


def test_every_printed_column_of_4_1_stands_beside_its_site(study):
    table = cohort_tables.table_4_1(study)
    assert printed_columns(table) == set(thesis_table("4.1")) - {"dataset", "location"}
    rows = table.set_index(["dataset", "site"])
    assert rows.loc[("CRB", "United States"), "scanner_model (thesis)"] == "Siemens: Magnetom Vida"
    valdo = rows.loc[("VALDO", "UK or Spain")]
    assert valdo["TR_ms (thesis)"] == "1288 / 1300" and valdo["field_T (thesis)"] == "3"
    assert valdo["rating_scale (thesis)"] == "BOMBS"
    assert len(rows) == 11 + 1  # 12 printed sites, two of them in one row, and OWN


def test_5_1_says_what_is_printed_where_a_run_differs(study):
    told = cohort_tables.table_5_1(study).set_index("dataset")["as printed (thesis)"]
    assert told.to_dict() == {
        "CRB": "yes",
        "OWN": "no: not in the thesis",
        "VALDO": "no: full 3d mask ✓ ✗ ✗ ✓",
    }


def test_7_1_has_all_printed_columns_and_where_the_data_come_from(study):
    table = cohort_tables.table_7_1(study).set_index("dataset")
    assert len(printed_columns(table)) == len(thesis_table("7.1").columns) - 1
    assert table.loc["MOMENI", "source"] == "Public"
    assert table.loc["CRB", "resolution low, high pct (thesis)"] == "44, 56"
    assert table.loc["CRB", "scans with CMB, below 3 (thesis)"] == "18, 8"


def test_a_8_by_hand_beside_the_log_of_the_thesis(study, tmp_path):
    table = cohort_tables.table_a_8(study)
    rows = table.set_index(["split", "column", "value"])
    # Patient a has a scan with and one without CMBs: neither is "healthy_all".
    assert rows.loc[("train", "healthy_all", "False")].tolist() == [2, 66.67, 169, 36.5]
    assert rows.loc[("train", "CMB_level", "high")].tolist() == [1, 33.33, 34, 7.34]
    assert rows.loc[("valid", "Dataset", "RODEJA")].isna().tolist() == [True, True, False, False]
    assert table["count (thesis)"].notna().sum() == 30 + 28  # printed rows of both logs
    first = table[(table["split"] == "train") & (table["column"] == "Dataset")]
    assert first["value"].tolist() == ["MOMENI", "RODEJA", "VALDO"]
    title = cohort_tables.split_figure(table).get_suptitle()
    assert "train 3 (463), valid 1 (82)" in title
    assert "No dataset" in cohort_tables.split_figure(table.iloc[:0]).texts[0].get_text()


def standard(uid, record):
    return SimpleNamespace(scan=SimpleNamespace(uid=uid, dataset="DOU"), record=lambda: record)


def test_each_microbleed_whose_count_changed_has_its_step_and_reason():
    refined = np.zeros((12, 12, 12), int)
    refined[1, 1, 1:4], refined[1, 2, 1:4] = 1, 2  # touch
    refined[6, 6, 1:8] = 3
    refined[9, 9, 9] = 4
    later = refined.copy()
    later[6, 6, 4] = 0  # two pieces
    later[9, 9, 9] = 0  # between voxels
    ledger = Ledger("DOU-1")
    ledger.enter("refined", refined, "refinement")
    ledger.enter("resampled", later, "resampling from 1 x 1 x 2 mm to 0.5 mm")
    later[9, 9, 9] = 4
    ledger.note(4, "its centre voxel marked")
    centres = {1: (1, 1, 2), 2: (1, 2, 2), 3: (6, 6, 2), 4: (9, 9, 9)}
    centres = {label: np.array(centre) for label, centre in centres.items()}
    ledger.note_all(cleaning.prune(later, centres, 1.0))
    ledger.enter("pruned", later, "pruning")
    ledger.note(2, "closing added 1 and removed 0 voxels")
    record = ledger.record()
    study = SimpleNamespace(cohort=SimpleNamespace(standard=[standard("DOU-1", record)]))
    table = preparation.count_changes(study)
    assert table.columns.tolist() == ["uid", "CMB", "step", "reason"]
    assert [tuple(row)[1:3] for row in table.to_numpy()] == [
        *((1, "refinement"), (2, "refinement")),
        *((3, "resampling"), (3, "pruning"), (3, "pruning")),
        *((4, "resampling"), (4, "resampling")),
    ]
    assert table["reason"].iloc[2].startswith("fragmented from 1 to 2 pieces at resampling")
    assert table["reason"].iloc[3] == "1 of 2 components pruned"
    assert table["reason"].iloc[4] == "reduced from 2 to 1 pieces at pruning"
    summed = preparation.changes(study).set_index(["step", "reason"])
    assert summed.loc[("refinement", "merged with n at refinement: one component in the collapsed "
                       "mask"), "CMBs"] == 2  # fmt: skip
    assert summed.loc[("closing", "closing added n and removed n voxels"), "CMBs"] == 1


def test_no_change_of_a_count_is_said_and_an_unknown_remark_is_an_error():
    def with_remark(text):
        records = [standard("DOU-1", {"changes": {"1": [text]}})]
        return SimpleNamespace(cohort=SimpleNamespace(standard=records))

    quiet = preparation.count_changes(with_remark("grown to 60 of 65 voxels"))
    assert quiet["reason"].tolist() == ["no count changed"]
    with pytest.raises(ValueError, match="found 'eaten'"):
        preparation.remarks(with_remark("eaten"))
