"""Features beside the thesis, from a small table of features."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from cmbkit.chapters import shape_location_features as chapter
from cmbkit.chapters.beside import pooled
from cmbkit.features.columns import SHAPES
from cmbkit.features.location import location_features
from cmbkit.reporting.tables import shown


@pytest.fixture
def features():
    """CRB: cortex, two white matter, brainstem; DOU: thalamus, white matter. Values 0, 1, ..."""
    rows = []
    for dataset, labels in {"CRB": [3, 2, 2, 16], "DOU": [10, 2]}.items():
        for number, label in enumerate(labels):
            values = dict.fromkeys(SHAPES, float(number))
            values |= {"n_voxels": 10 * number + 5, "radius_mm": number + 1.0, "reason": ""}
            keys = {"uid": f"{dataset}-{number % 2}", "dataset": dataset, "id": number}
            rows.append({**keys, **location_features([label]), **values})
    return pd.DataFrame(rows)


@pytest.fixture
def scans(features):
    table = features.groupby(["uid", "dataset"]).size().reset_index(name="n_cmb")
    table["slice_thickness_mm"] = [2.0, 5.0, 1.0, 1.0]
    none = {"uid": "CRB-9", "dataset": "CRB", "n_cmb": 0, "slice_thickness_mm": 2.0}
    return pd.concat([table, pd.DataFrame([none])], ignore_index=True)


def test_pooling_two_groups_equals_the_whole():
    values = np.array([1.0, 4, 2, 8, 5, 7])
    groups = values[:2], values[2:]
    found = pooled(*zip(*[(len(v), v.mean(), v.std(ddof=1)) for v in groups], strict=True))
    assert found == pytest.approx((values.mean(), values.std(ddof=1)))


def test_size_stands_beside_the_printed_numbers(features, scans):
    table = chapter.table_s6(features, scans).set_index("dataset")
    assert list(table.index) == ["CRB", "DOU"]
    crb = table.loc["CRB"]  # radii 1, 2, 3, 4 mm: variance 5 / 3
    assert crb["radius_mm"] == crb["radius_mm_median"] == 2.5
    assert crb["radius_mm_sd"] == pytest.approx(np.sqrt(5 / 3))
    counts = crb[["n_cmb", "n_scans", "cmb_per_scan", "cmb_per_scan_sd"]]
    assert counts.tolist() == [4, 2, 2, 0]
    assert table.loc["DOU", ["radius_mm_thesis", "radius_mm_thesis_sd"]].tolist() == [1.48, 0.37]
    assert table["n_cmb_thesis"].tolist() == [127, 74]
    cells = shown(chapter.table_s6(features, scans))[0]
    assert cells.loc[0, "Radius (mm)"] == "2.50 ± 1.29"
    assert cells.loc[0, "CMBs per scan (thesis)"] == "7.06 ± 7.53"


def test_shape_of_the_thesis_is_put_together_from_found_and_missed(features):
    table = chapter.table_s20(features).set_index("dataset")
    assert table["n_cmb_thesis"].tolist() == [127, 74]
    elongation = table["inv_elongation_thesis"]
    assert elongation["CRB"] == pytest.approx((89 * 0.58 + 38 * 0.70) / 127)
    assert elongation["DOU"] == pytest.approx((23 * 0.88 + 51 * 0.85) / 74)
    assert table.loc["DOU", ["sphericity", "sphericity_n"]].tolist() == [0.5, 2]
    assert table.loc["DOU", "sphericity_sd"] == pytest.approx(np.sqrt(0.5))


def test_places_stand_beside_table_8_2(features):
    table = chapter.table_s21(features).set_index(["dataset", "place"])
    # 16 + 40, 8 + 32 and 9 + 21 of 126 CMBs
    printed = table.loc["CRB", "n_cmb_thesis"]
    assert printed.to_dict() == {"Cortical": 56, "Subcortical": 40, "Deep": 30}
    assert table.loc[("CRB", "Cortical"), "percent_thesis"] == pytest.approx(100 * 56 / 126)
    assert table.loc["CRB", "n_cmb"].to_dict() == {"Cortical": 1, "Subcortical": 2, "Deep": 1}
    assert table.loc[("DOU", "Deep"), "percent"] == 50.0
    assert table.loc[("DOU", "Cortical"), "n_cmb"] == 0


def test_places_outside_brain_tissue_count_in_the_whole_and_others_stay_without_thesis(features):
    outside = features.iloc[[0]].assign(dataset="VALDO", **location_features([4]))
    table = chapter.table_s21(pd.concat([outside, features.assign(dataset="VALDO")]))
    assert table["percent"].tolist() == pytest.approx([100 / 7, 300 / 7, 200 / 7])
    assert table["percent_thesis"].isna().all() and table["n_cmb_thesis"].isna().all()


def test_reasons_are_counted_on_both_grids(features):
    native = features.assign(reason=["", "one voxel", "one voxel", "", "one voxel", ""])
    table = chapter.table_s26(features, native).set_index("reason")
    assert table.loc[""].tolist() == [6, 3] and table.loc["one voxel"].tolist() == [0, 3]
    assert shown(chapter.table_s26(features, native))[0].iloc[0, 0] == "all values are there"


def test_grids_have_a_row_each(features):
    table = chapter.table_s22(features, features.assign(n_voxels=1, radius_mm=3.0))
    assert table[["dataset", "grid"]].to_numpy().tolist() == [
        ["CRB", "standard"], ["CRB", "native"], ["DOU", "standard"], ["DOU", "native"],
    ]  # fmt: skip
    assert table["n_voxels_median"].tolist() == [20, 1, 10, 1]
    assert table["radius_mm"].tolist() == [2.5, 3, 1.5, 3]


def test_regions_and_groups_are_those_of_the_printed_table():
    table = chapter.table_4_2()
    groups = ["Lobar", "Lobar", "Deep", "Deep", "Deep", "Deep"]
    assert table["group_thesis"].tolist() == groups and table["as_printed"].all()
    assert table["group"].tolist() == [*groups[:4], "Posterior fossa", "Posterior fossa"]


def test_a_line_through_two_thicknesses_and_its_numbers(features, scans):
    """Ratios 0 and 2 in slices of 2 mm, 1 and 3 in slices of 5 mm: (2 - 1) / 3 per mm."""
    points = chapter.with_slice_thickness(features[features["dataset"] == "CRB"], scans)
    assert points["slice_thickness_mm"].tolist() == [2, 5, 2, 5]
    lines = chapter.thickness_trends(points, seed=1)
    data = chapter.data_s59(points, lines)
    line = data[data["line"] == "inv_elongation"]
    assert line["slope"].unique() == pytest.approx([1 / 3])
    assert line["fit"].iloc[[0, -1]].tolist() == pytest.approx([1, 2])
    assert data["uid"].notna().sum() == len(points)


def test_without_a_second_thickness_there_is_no_line(features, scans):
    points = chapter.with_slice_thickness(features[features["dataset"] == "DOU"], scans)
    assert chapter.thickness_trends(points, seed=1) == {}
    assert chapter.data_s59(points, {})["slice_thickness_mm"].tolist() == [1, 1]


def test_the_form_shown_is_that_of_the_scan_with_most_microbleeds(features):
    rated = features[(features["dataset"] == "DOU") | ~features["id"].isin([1, 3])]
    assert chapter.busiest_scan(rated) == "CRB-0"
    made = rated.assign(dataset="sMOMENI", uid="sMOMENI-1")
    assert chapter.busiest_scan(pd.concat([made, rated])) == "CRB-0"
    assert chapter.busiest_scan(made) == "sMOMENI-1"


def test_digitised_shapes_leave_no_rounding_errors():
    table = chapter.table_s23()
    ball = table[table["shape"] == "ball 3 x 3 x 3 mm"].set_index("feature")
    assert ball.loc["volume_mm3", "closed_form"] == pytest.approx(36 * np.pi, abs=1e-6)
    assert ball.loc["inv_flatness", "difference"] == 0
    assert set(table["feature"]) == set(SHAPES)


def test_rater_against_parcellation():
    """Ten CMBs of one scan, one of them not rated.

    The rater said thalamus of five (the parcellation: 4 thalamus, 1 white matter), brainstem of
    three (2, 1 outside), capsule of one (white matter). They agree on 6 of 9. By chance on
    (5 x 4 + 3 x 2) / 81, so kappa is (54 - 26) / (81 - 26).
    """
    said = ["Thalamus", "thalamus", " thalamus", "thalamus", "thalamus"]
    said += ["brainstem"] * 3 + ["Internal and  External Capsule", None]
    white = "Subcortical White Matter"
    region = ["Thalamus"] * 4 + [white] + ["Brainstem"] * 2 + ["Outside brain tissue", white, white]
    features = pd.DataFrame({"uid": "CRB-1", "id": range(1, 11), "region": region})
    rated = pd.DataFrame({"uid": "CRB-1", "id": range(1, 11), "rater_location": said})
    laid_out = chapter.table_s27(features, rated.iloc[::-1])
    assert shown(laid_out)[0]["Kappa"].tolist() == ["–"] * 7 + ["0.509"]
    table = laid_out.set_index("rater_location")
    counts = table.filter(like="n_").drop(columns="n_same")
    assert counts.loc["Thalamus", ["n_thalamus", "n_subcortical_white_matter"]].tolist() == [4, 1]
    assert counts.loc["Brainstem", ["n_brainstem", "n_outside_brain_tissue"]].tolist() == [2, 1]
    assert counts.loc["Internal and External Capsule"].sum() == 1
    assert counts.loc["Cerebellum"].sum() == 0 and counts.loc["All"].sum() == 9
    assert table.loc["All", ["n", "n_same"]].tolist() == [9, 6]
    assert table.loc["All", "agreement"] == pytest.approx(6 / 9)
    assert table.loc["All", "kappa"] == pytest.approx(28 / 55)
    assert table.loc["Brainstem", "agreement"] == pytest.approx(2 / 3)
    assert table.loc["All", "agreement_interval"] == "too few"  # one scan


def test_agreement_with_the_parcellation_takes_scans_as_units():
    """A CMB each of nine scans, six agree: Wilson's of 6 of 9."""
    features = pd.DataFrame({"uid": list("abcdefghi"), "id": 1, "region": "Thalamus"})
    said = ["thalamus"] * 6 + ["brainstem"] * 3
    table = chapter.table_s27(features, features[["uid", "id"]].assign(rater_location=said))
    row = table.set_index("rater_location").loc["All"]
    assert row["agreement_interval"] == "Wilson"
    ends = binomtest(6, 9).proportion_ci(method="wilson")
    assert row[["agreement_low", "agreement_high"]].tolist() == pytest.approx([*ends])


def test_location_that_the_form_lacks_has_a_row_of_its_own():
    features = pd.DataFrame({"uid": ["a"], "id": [1], "region": ["Thalamus"]})
    rated = pd.DataFrame({"uid": ["a"], "id": [1], "rater_location": ["pineal gland"]})
    row = chapter.table_s27(features, rated).set_index("rater_location")
    assert row.loc["pineal gland", ["n", "n_same", "n_thalamus"]].tolist() == [1, 0, 1]
