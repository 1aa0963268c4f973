import numpy as np
import pandas as pd
import pytest

from cmbkit.evaluation import subgroups

NAN = np.nan
SCANS = pd.DataFrame(
    {
        "uid": ["a", "b", "c"],
        "model": "scratch",
        "dataset": "DOU",
        "patient": ["1", "2", "3"],
        "n_gt": [3, 2, 0],
        "in_plane_mm": [0.45, 0.5, 0.9],
        "slice_thickness_mm": [2.9, 3.0, 5.0],
        "tp": [2, 1, 0],
        "fp": [1, 0, 0],
        "fn": [1, 1, 0],
        "dice_tp": [0.5, 0.7, NAN],
    }
)
# Scan a: lesions 1 (cortex), 2 (deep), 3 (cortex); candidates 1 (cortex), 2 (white matter), 3
# (no region). Scan b: lesions 1 (deep), 2 (cortex); candidate 1 (deep).
MATCHES = pd.DataFrame(
    [
        ("a", "TP", 1, 1, 0.4),
        ("a", "TP", 2, 2, 0.6),
        ("a", "FN", 3, NAN, NAN),
        ("a", "FP", NAN, 3, NAN),
        ("b", "TP", 1, 1, 0.7),
        ("b", "FN", 2, NAN, NAN),
    ],
    columns=["uid", "match", "gt_id", "pred_id", "dice"],
).assign(model="scratch", dataset="DOU")
CORTEX, WHITE, DEEP = "Cortex / Grey-White Junction", "Subcortical White Matter", "Thalamus"
FEATURES = pd.DataFrame(
    [
        ("a", "GT", 1, CORTEX, None, 30.0),
        ("a", "GT", 2, DEEP, None, 10.0),
        ("a", "GT", 3, CORTEX, None, 8.0),
        ("b", "GT", 1, DEEP, None, 4.0),
        ("b", "GT", 2, CORTEX, None, 6.0),
        ("a", "Pred", 1, CORTEX, "scratch", 20.0),
        ("a", "Pred", 2, WHITE, "scratch", 12.0),
        ("a", "Pred", 3, "outside", "scratch", 1.0),
        ("b", "Pred", 1, DEEP, "scratch", 5.0),
        ("a", "Pred", 1, DEEP, "tl", 99.0),
    ],
    columns=["uid", "type", "id", "region", "model", "volume_mm3"],
)


def test_scan_level_groups_at_their_limits():
    assert subgroups.number_of_cmbs(SCANS).tolist() == ["high", "low", "none"]
    assert subgroups.in_plane(SCANS).tolist() == ["high", "high", "low"]
    assert subgroups.slice_thickness(SCANS).tolist() == ["<3 mm", ">=3 mm", ">=3 mm"]
    counts = pd.DataFrame({"n_gt": [10, 11]})
    assert subgroups.cmb_count(counts).tolist() == ["<=10 CMBs", ">10 CMBs"]


def located(features=FEATURES):
    placed = features.assign(location=subgroups.pooled_location(features))
    return subgroups.with_features(MATCHES, placed, ["location"])


@pytest.mark.parametrize(
    ("pairs", "location", "expected"),
    [
        # where the annotated CMB is: a/2 is deep although its candidate is in white matter
        ("reference", "Cortical", {"TP": 1, "FN": 2}),
        ("reference", "Deep", {"TP": 2}),
        ("reference", "Subcortical", {}),
        ("reference", "Elsewhere", {"FP": 1}),
        # each side by its own place: a/2 is missed in deep, and extra in white matter
        ("each", "Cortical", {"TP": 1, "FN": 2}),
        ("each", "Deep", {"TP": 1, "FN": 1}),
        ("each", "Subcortical", {"FP": 1}),
    ],
)
def test_calls_at_a_location(pairs, location, expected):
    kept = subgroups.at_location(located(), location, pairs)
    assert kept["match"].value_counts().to_dict() == expected


def test_recount_leaves_scans_without_such_calls_undefined():
    table = subgroups.recount(SCANS, subgroups.at_location(located(), "Deep")).set_index("uid")
    assert table[["tp", "fp", "fn"]].to_numpy().tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert table["dice_tp"].tolist()[:2] == [0.6, 0.7]
    assert np.isnan(table.loc["c", "dice_tp"])
    assert table["n_gt"].tolist() == [1, 1, 0]


def test_shapes_take_the_call_of_their_own_side():
    """TPs twice (annotated 30, 10, 4; predicted 20, 12, 5), FN annotated, FP predicted."""
    matches = subgroups.with_features(MATCHES, FEATURES, ["volume_mm3"])
    shapes = subgroups.shapes_by_match(matches)
    volumes = shapes.groupby(["match", "type"])["volume_mm3"].apply(sorted).to_dict()
    assert volumes == {
        ("FN", "GT"): [6.0, 8.0],
        ("FP", "Pred"): [1.0],
        ("TP", "GT"): [4.0, 10.0, 30.0],
        ("TP", "Pred"): [5.0, 12.0, 20.0],
    }


def test_unknown_way_to_place_pairs():
    with pytest.raises(ValueError, match="expected 'reference' or 'each', found 'both'"):
        subgroups.at_location(located(), "Deep", "both")


def test_a_cmb_without_features_is_named():
    lacking = FEATURES[~((FEATURES["type"] == "GT") & (FEATURES["id"] == 3))]
    with pytest.raises(ValueError, match="found none for 1, first GT 3 of a"):
        located(lacking)


def test_scans_come_once_for_every_factor_they_have():
    parts = {"slices": pd.Series(["thin", None, "thick"]), "sex": pd.Series(["f", "f", "m"])}
    table = subgroups.by_factor(SCANS, parts)
    assert table[["factor", "subgroup", "uid"]].to_numpy().tolist() == [
        ["slices", "thick", "c"], ["slices", "thin", "a"],
        ["sex", "f", "a"], ["sex", "f", "b"], ["sex", "m", "c"],
    ]  # fmt: skip


def test_every_location_but_an_empty_elsewhere_has_all_scans():
    table = subgroups.recounted_by_location(SCANS, located())
    assert table.groupby("location").size().to_dict() == dict.fromkeys(subgroups.LOCATIONS, 3)
    inside = located()
    inside = inside[inside["pred_id"] != 3]  # the only one in no region
    kept = subgroups.recounted_by_location(SCANS, inside)["location"]
    assert list(dict.fromkeys(kept)) == ["Cortical", "Deep", "Subcortical"]
