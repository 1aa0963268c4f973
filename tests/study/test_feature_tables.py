"""Summaries beside the thesis, from a small table of features."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cmbkit.chapters import shape_location_features as feature_tables
from cmbkit.features.location import location_features


@pytest.fixture
def study():
    labels = {"CRB": [3, 2, 2, 16], "DOU": [10, 2]}
    rng = np.random.default_rng(0)
    rows = []
    for dataset, found in labels.items():
        for number, label in enumerate(found):
            place = location_features([label])
            values = dict.fromkeys(feature_tables.SHAPES, float(number))
            values |= {"n_voxels": int(rng.integers(2, 90)), "radius_mm": number + 1.0}
            uid = f"{dataset}-{number % 2}"
            rows.append({"uid": uid, "dataset": dataset, "id": number, **place, **values})
    features = pd.DataFrame(rows)
    scans = features.groupby(["uid", "dataset"]).size().reset_index(name="n_cmb")
    scans["slice_thickness_mm"] = [2.0, 5.0, 1.0, 1.0]
    cohort = SimpleNamespace(features=features, native_features=features, table=scans)
    return SimpleNamespace(cohort=cohort, params=SimpleNamespace(seed=1))


def test_pooling_two_groups_equals_the_whole():
    values = np.array([1.0, 4, 2, 8, 5, 7])
    parts = [(len(v), v.mean(), v.std(ddof=1)) for v in (values[:2], values[2:])]
    found = feature_tables.pooled(parts)
    assert found == pytest.approx((6, values.mean(), values.std(ddof=1)))


def test_size_stands_beside_the_printed_columns(study):
    table = feature_tables.size_summary(study).set_index("dataset")
    assert table.loc["CRB", "radius mm"] == "2.50 ± 1.29"  # 1, 2, 3, 4 mm
    assert table.loc["CRB", "CMBs per scan"] == "2.00 ± 0.00"
    assert table.loc["DOU", "radius mm (thesis)"] == "1.48 ± 0.37"
    assert list(table.index) == ["CRB", "DOU"]


def test_shape_of_the_thesis_is_pooled_from_found_and_missed(study):
    table = feature_tables.shape_summary(study).set_index("dataset")
    assert table.loc["CRB", "n (thesis)"] == 127 and table.loc["DOU", "n (thesis)"] == 74
    # (89 * 0.58 + 38 * 0.70) / 127 = 0.6159
    assert table.loc["CRB", "inverse elongation (thesis)"].startswith("0.62 ±")


def test_places_stand_beside_table_8_2(study):
    table = feature_tables.place_summary(study).set_index(["dataset", "place"])
    # 16 + 40, 8 + 32 and 9 + 21 of 126 CMBs
    assert table.loc["CRB", "CMBs (thesis)"].to_dict() == {
        "Cortical": "56", "Subcortical": "40", "Deep": "30",
    }  # fmt: skip
    assert table.loc[("CRB", "Cortical"), "% (thesis)"] == 44.4
    assert table.loc["CRB", "CMBs"].to_dict() == {"Cortical": 1, "Subcortical": 2, "Deep": 1}
    assert table.loc[("DOU", "Deep"), "%"] == 50.0


def test_the_form_shown_is_that_of_the_scan_with_most_microbleeds(study):
    features = study.cohort.features.assign(max_diameter_mm=3.0)
    study.cohort.features = features[~features["id"].isin([1, 3]) | (features["dataset"] == "DOU")]
    form = feature_tables.busiest_form(study)
    assert form.uid == "CRB-0" and form.total == 2
    made = study.cohort.features.assign(dataset="sMOMENI", uid="sMOMENI-1")
    study.cohort.features = pd.concat([made, study.cohort.features])
    assert feature_tables.busiest_form(study).uid == "CRB-0"
    study.cohort.features = made
    assert feature_tables.busiest_form(study).uid == "sMOMENI-1"


def test_grids_side_by_side(study):
    table = feature_tables.grid_summary(study).set_index("dataset")
    assert table.loc["CRB", "radius mm, native"] == table.loc["CRB", "radius mm, standard"]
