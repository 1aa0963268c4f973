"""Folds by patient, of like composition, each patient held out once."""

import pandas as pd
import pytest

from cmbkit.datasets.folds import assign_folds, foldable, split_by_fold
from cmbkit.datasets.splits import assign_splits


def row(dataset, patient, number, n_cmb=0):
    return {
        "uid": f"{dataset}-{patient}-{number}",
        "dataset": dataset,
        "patient": patient,
        "sequence": "SWI",
        "resolution_level": "low",
        "field_strength": "3",
        "te_ms": 20.0,
        "n_cmb": n_cmb,
    }


@pytest.fixture
def table():
    """MOMENI: 10 patients of 2 scans, 4 of them with CMBs; VALDO: 5 with CMBs; and the others."""
    rows = [row("MOMENI", f"{p:02d}", n, n_cmb=int(p < 4)) for p in range(10) for n in range(2)]
    rows += [row("VALDO", f"{p:02d}", 0, n_cmb=5) for p in range(5)]
    rows += [row("sMOMENI", f"{p:02d}", 0, n_cmb=10) for p in range(10)]
    rows += [row("DOU", "01", 0, 2), row("CRBneg", "07", 0)]
    return assign_splits(pd.DataFrame(rows), 0.2, 1)


def test_patients_stay_whole_and_strata_are_dealt_evenly(table):
    """9 patients with CMBs and 6 without into 3 folds: 3 and 2 in each; VALDO's 5: 1 or 2."""
    folds = assign_folds(foldable(table, {}), 3, seed=4)
    assert set(folds["dataset"]) == {"MOMENI", "VALDO"} and len(folds) == 25
    by_patient = folds.groupby(["dataset", "patient"])["fold"]
    assert by_patient.nunique().max() == 1
    ill = {("MOMENI", f"{p:02d}") for p in range(4)} | {("VALDO", f"{p:02d}") for p in range(5)}
    first = by_patient.first()
    with_cmb = first[[pair in ill for pair in first.index]]
    assert with_cmb.value_counts().to_dict() == {1: 3, 2: 3, 3: 3}
    assert first.drop(with_cmb.index).value_counts().to_dict() == {1: 2, 2: 2, 3: 2}
    assert set(first["VALDO"].value_counts()) == {1, 2}
    assert folds.equals(assign_folds(foldable(table, {}), 3, seed=4))
    assert not folds.equals(assign_folds(foldable(table, {}), 3, seed=5))


def test_no_synthetic_scan_of_a_held_out_patient_is_trained_on(table):
    folds = assign_folds(foldable(table, {}), 3, seed=4)
    held = []
    for fold in (1, 2, 3):
        split = split_by_fold(table, folds, fold)
        valid = split[split["split"] == "valid"]
        held += valid["uid"].tolist()
        trained = split[(split["split"] == "train") & (split["dataset"] != "CRBneg")]
        momeni = set(valid.loc[valid["dataset"] == "MOMENI", "patient"])
        assert not momeni & set(trained.loc[trained["dataset"] != "VALDO", "patient"])
        synthetic = split[split["dataset"] == "sMOMENI"].set_index("patient")["split"]
        assert set(synthetic[synthetic == "excluded"].index) == momeni
        assert split.loc[split["dataset"] == "DOU", "split"].tolist() == ["test"]
        assert split.loc[split["dataset"] == "CRBneg", "split"].tolist() == ["train"]
    assert sorted(held) == sorted(folds["uid"])


def test_too_many_folds_are_refused(table):
    with pytest.raises(ValueError, match="number of patients with CMBs, 9; found 10"):
        assign_folds(foldable(table, {}), 10, seed=4)
