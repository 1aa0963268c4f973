"""Tables 5.1 and S2 to S5 against the printed one and counts made by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cmbkit.chapters import preprocessing as chapter
from cmbkit.preprocessing import cleaning
from cmbkit.preprocessing.census import Ledger
from cmbkit.preprocessing.changes import Change, change_table
from cmbkit.records import Acquisition, Annotation, Scan
from cmbkit.reporting.latex_tables import render_latex
from cmbkit.reporting.tables import shown

KINDS = {
    "CRB": "scribbles",
    "CRBneg": "none",
    "DOU": "points",
    "MOMENI": "points",
    "RODEJA": "mask",
    "VALDO": "mask",
    "sMOMENI": "points",
}
STEPS = ["raw_annotation", "step_0", "step_1", "step_2", "steps_3_6"]


def scan(dataset, name, kind):
    image = Path(f"{name}.nii.gz")
    acquisition = Acquisition((0.5, 0.6), 2.0)
    return Scan(dataset, name, name, "SWI", image, Annotation(kind), acquisition)


def test_5_1_is_the_printed_one():
    scans = [scan(dataset, "1", kind) for dataset, kind in KINDS.items()]
    scans.append(scan("MOMENI", "2", "none"))  # a healthy scan changes nothing
    table = chapter.table_5_1(scans)
    assert len(table) == 7
    for name in STEPS:
        assert table[name].tolist() == table[f"{name}_thesis"].tolist()
    assert table.set_index("dataset").loc["RODEJA", STEPS[1:]].tolist() == [
        True,
        False,
        False,
        True,
    ]
    cells = shown(table)[0].set_index("Dataset")
    steps = ["Step 0", "Step 1", "Step 2", "Steps 3-6"]
    for name, marks in {"RODEJA": ["✓", "✗", "✗", "✓"], "CRBneg": ["✓", "n/a", "n/a", "✓"]}.items():
        assert cells.loc[name, steps].tolist() == marks
        assert cells.loc[name, [f"{step} (thesis)" for step in steps]].tolist() == marks
    mixed = chapter.table_5_1([scan("OWN", "1", kind) for kind in ("mask", "points", "unknown")])
    assert mixed[STEPS].to_numpy().tolist() == [
        ["full 3d mask", True, False, False, True],
        ["center of CMB", True, True, True, True],
    ]
    assert mixed["step_1_thesis"].isna().all()


def test_s2_counts_scans_microbleeds_and_elbows_of_each_winning_setting():
    rows = [
        ("A", 1, 6, "parent", True, 1.0, 1.2),
        ("A", 2, 6, "parent", False, 2.0, 2.2),
        ("B", 1, 6, "parent", True, 3.0, 2.6),
        ("C", 1, 26, "running", True, 1.5, 1.4),
        ("D", 1, None, None, None, 1.0, 1.0),  # a mask: nothing was grown
    ]
    columns = ["uid", "id", "connectivity", "reference", "elbow", "native_radius_mm", "radius_mm"]
    table = pd.DataFrame(rows, columns=columns).assign(dataset="CRB", difference="absolute")
    table["tolerance"] = table["connectivity"] * 1.0
    table["leaked"] = [True, False, False, False, False]
    found = chapter.table_s2(table).drop(columns=["dataset", "difference"])
    assert found.to_numpy().tolist()[0] == pytest.approx(
        [6, "parent", 2, 3, 2, 2.0, 2.0, 1], abs=1e-9
    )
    assert found.to_numpy().tolist()[1] == [26, "running", 1, 1, 1, 1.5, 1.4, 0]


@pytest.fixture
def changes():
    """Labels 1 and 2 touch; 3 falls into two pieces and is pruned; 4 is lost and marked again."""
    refined = np.zeros((12, 12, 12), int)
    refined[1, 1, 1:4], refined[1, 2, 1:4] = 1, 2
    refined[6, 6, 1:8] = 3
    refined[9, 9, 9] = 4
    later = refined.copy()
    later[6, 6, 4] = later[9, 9, 9] = 0
    ledger = Ledger("DOU-1")
    ledger.changes.append(Change("intensities", None, "replaced", 27, 0))
    ledger.enter("refined", refined)
    ledger.enter("resampled", later)
    later[9, 9, 9] = 4
    ledger.changes.append(Change("resampling", 4, "marked", 0, 1))
    centres = {1: (1, 1, 2), 2: (1, 2, 2), 3: (6, 6, 2), 4: (9, 9, 9)}
    centres = {label: np.array(centre) for label, centre in centres.items()}
    ledger.changes += cleaning.prune(later, centres, 1.0)
    ledger.enter("pruned", later)
    ledger.changes.append(Change("closing", 2, "added", 3, 5))
    return change_table(ledger.changes).assign(uid="DOU-1", dataset="DOU")


def test_each_microbleed_whose_count_changed_has_its_step_and_numbers(changes):
    table = chapter.table_s4b(changes)
    assert table.drop(columns=["uid", "unit", "other"]).to_numpy().tolist() == [
        [1, "refinement", "merged", 2, 1],
        [2, "refinement", "merged", 2, 1],
        [3, "resampling", "fragmented", 1, 2],
        [3, "pruning", "pruned", 2, 1],
        [3, "pruning", "reduced", 2, 1],
        [4, "resampling", "lost", 1, 0],
        [4, "resampling", "marked", 0, 1],
    ]
    assert table["other"].tolist()[:2] == [2, 1] and table["other"].isna().sum() == 5
    assert shown(table)[0]["What happened"].iloc[5] == "lost"


def test_no_change_of_a_count_is_a_note(changes):
    quiet = chapter.table_s4b(changes[changes["kind"].isin(["added", "replaced"])])
    assert len(quiet) == 0 and "No step changed" in quiet.attrs["layout"].note
    assert shown(quiet)[0].empty and "longtable" in render_latex(quiet, "Nothing")


def test_s4_sums_scans_and_microbleeds_in_the_order_of_the_steps(changes):
    more = changes[changes["kind"] == "merged"].assign(uid="DOU-2")
    table = chapter.table_s4(pd.concat([changes, more]))
    assert table["step"].drop_duplicates().tolist() == [
        *("intensities", "refinement", "resampling", "pruning", "closing"),
    ]
    sums = table.set_index(["step", "kind"])[["n_scans", "n_cmb"]]
    assert sums.loc[("refinement", "merged")].tolist() == [2, 4]
    assert sums.loc[("intensities", "replaced")].tolist() == [1, 0]  # of the scan, not of a CMB


def test_s3_and_s5_sum_scans_by_dataset(changes):
    columns = ["uid", "dataset", "annotated", "refined", "resampled", "pruned", "final"]
    columns += ["collapsed", "brain_mask", "parcellation"]
    rows = [
        ("DOU-1", "DOU", 3, 4, 3, 4, 4, 3, "zero background", "SynthSeg"),
        ("DOU-2", "DOU", 1, 1, 1, 1, 1, 1, "zero background", "SynthSeg"),
    ]
    census = pd.DataFrame(rows, columns=columns)
    assert chapter.table_s3(census).to_numpy().tolist() == [["DOU", 4, 5, 4, 5, 5, 4, 1]]
    expected = [["DOU", "zero background", "SynthSeg", 2, 1]]
    assert chapter.table_s5(census, changes).to_numpy().tolist() == expected
