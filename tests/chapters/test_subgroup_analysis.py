"""Tables and examples of chapter 8 against filters on the table of matches, and by hand."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from cmbkit.chapters import subgroup_analysis
from cmbkit.chapters.subgroup_analysis.figures import balanced
from cmbkit.chapters.subgroup_analysis.supplement import stated_f1
from cmbkit.evaluation.match_table import match_table
from cmbkit.evaluation.scan import evaluate_scan
from cmbkit.features.describe import describe_lesions
from cmbkit.params import Evaluation, SliceExperiment
from cmbkit.reporting.tables import shown
from cmbkit.volume import Volume

RULES = {"params": Evaluation(bootstrap_samples=50)}
SHAPE = (48, 20, 20)
LABELS = np.zeros(SHAPE, np.int32)
LABELS[:16], LABELS[16:32], LABELS[32:] = 3, 2, 10  # cortex, white matter, thalamus
# Places (x of a 2 x 2 x 2 cube) of annotated CMBs and of candidates of two models.
SCANS = {
    "a": ("SWI", 2.0, "Valid", [4, 10, 20, 40], {"scratch": [4, 21, 44], "tl": []}),
    "b": ("T2S", 5.0, "CRB", [17, 36], {"scratch": [14, 28], "tl": [36]}),
    "c": ("SWI", 2.0, "CRB", [], {"scratch": [8], "tl": []}),
    "d": ("SWI", 2.0, "CRB", [], {"scratch": [], "tl": []}),
}


def volume(places):
    data = np.zeros(SHAPE, np.uint16)
    for label, x in enumerate(places, 1):
        data[x : x + 2, 8:10, 8:10] = label
    return Volume(data, np.eye(4))


@pytest.fixture(scope="module")
def made():
    """Scan rows, and the table of matches, of 4 scans and 2 models."""
    matches, rows, about, features = [], [], [], []
    image, labels = volume([4]), Volume(LABELS, np.eye(4))
    for uid, (sequence, thickness, group, annotated, found) in SCANS.items():
        scan = {"sequence": sequence, "slice_thickness_mm": thickness, "in_plane_mm": 0.6}
        about.append({"uid": uid, **scan, "split": "test"})
        truth = volume(annotated)
        who = {"uid": uid, "dataset": group}
        features.append(describe_lesions(image, truth, labels, **who))
        for model, places in found.items():
            predicted = volume(places)
            scores = {label: 0.9 for label in range(1, len(places) + 1)}
            match, row = evaluate_scan(truth, predicted, **who, patient=uid, scores=scores)
            matches.append(match.assign(model=model))
            rows.append({**row, "model": model, **scan})
            described = describe_lesions(image, predicted, labels, **who, type="Pred")
            features.append(described.assign(model=model))
    both = (
        pd.concat([t for t in part if len(t)], ignore_index=True) for part in (matches, features)
    )
    matches, features = both
    return pd.DataFrame(rows), match_table(matches, pd.DataFrame(about), features)


def counts(matches):
    return [int((matches["match"] == name).sum()) for name in ("TP", "FP", "FN")]


def test_one_model_of_another_name_has_the_same_rows(made):
    """As TL, of which the thesis's chapter 8 prints nothing."""
    renamed = [t[t["model"] == "tl"].assign(model="mine") for t in made]
    used = {"8_1": slice(1), "8_2": slice(2), "8_3": slice(1, 2), "s11": slice(1), "s31": slice(1)}
    for name, which in used.items():
        function = getattr(subgroup_analysis, f"table_{name}")
        rules = {} if name == "8_3" else RULES
        expected = function(*made[which], **rules, model="tl")
        found = function(*renamed[which], **rules, model="mine")
        pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("model", ["scratch", "tl"])
def test_counts_of_tables_8_1_and_8_2_are_filters_on_it(made, model):
    scans, table = made
    by_sequence = subgroup_analysis.table_8_1(scans, **RULES, model=model)
    by_place = subgroup_analysis.table_8_2(scans, table, **RULES, model=model)
    for rows, keys in (
        (by_sequence, ["dataset", "sequence", "cmb_level"]), (by_place, ["dataset", "location"]),
    ):  # fmt: skip
        seen = 0
        for row in rows.to_dict("records"):
            kept = table[table["model"] == model]
            for key in keys:
                kept = kept[kept[key] == row[key]]
            assert [row["tp"], row["fp"], row["fn"]] == counts(kept), row
            seen += len(kept)
        assert seen == (table["model"] == model).sum()  # every match is in one row


def test_other_subgroups_are_filters_too(made):
    scans, table = made
    rows = subgroup_analysis.table_s11(scans, **RULES, model="scratch")
    thick = rows.query("dataset == 'CRB' and subgroup == '>=3 mm'").iloc[0]
    own = table[(table["model"] == "scratch") & (table["dataset"] == "CRB")]
    assert thick[["tp", "fp", "fn"]].tolist() == counts(own[own["slice_thickness_mm"] >= 3])
    shapes = subgroup_analysis.table_8_3(table, model="scratch")
    spurious = shapes.query("match == 'FP' and dataset == 'CRB'").iloc[0]
    kept = own[own["match"] == "FP"]
    assert spurious["n"] == len(kept) == 2
    assert spurious["volume_mm3"] == kept["pred_volume_mm3"].mean() == 8.0


def test_table_8_1_has_rows_for_scans_without_cmbs(scan_rows):
    scans = pd.concat(
        [
            scan_rows("DOU", "scratch", 33, 7, 21, 6),
            scan_rows("DOU", "scratch", 0, 4, 0, 4).assign(uid=list("wxyz"), patient=list("wxyz")),
        ]
    )
    table = subgroup_analysis.table_8_1(scans, **RULES, model="scratch")
    assert table[["dataset", "sequence", "cmb_level"]].to_numpy().tolist() == [
        ["DOU", "SWI", "high"], ["DOU", "SWI", "low"], ["DOU", "SWI", "none"],
    ]  # fmt: skip
    first, only_thesis, second = (table.iloc[i] for i in range(3))
    assert only_thesis[["n_scans", "tp", "tp_thesis"]].tolist() == [0, 0, 18]
    assert first["pooled_f1"] == pytest.approx(66 / (66 + 28))
    assert first["pooled_f1_thesis"] == 0.702
    assert first[["tp", "tp_thesis", "fn_thesis"]].tolist() == [33, 33, 21]
    assert second[["tp", "fp", "fn"]].tolist() == [0, 4, 0] and np.isnan(second["fp_thesis"])
    cells, _ = shown(table)
    assert cells["CMBs"].tolist() == [">=3", "<3", "0"]
    assert cells["TP (thesis)"].tolist() == ["33", "18", "–"]


def test_only_the_scratch_model_has_the_thesis_beside(scan_rows):
    table = subgroup_analysis.table_8_1(scan_rows("DOU", "tl", 33, 7, 21, 6), **RULES, model="tl")
    assert table["tp_thesis"].isna().all() and table["tp"].tolist() == [33]


def test_means_of_table_8_3(made):
    """Scratch misses 10 in scan a and 36 in b: cubes of 8 mm3 each; CRB has one of them."""
    table = subgroup_analysis.table_8_3(made[1], model="scratch").query(
        "match == 'FN' and dataset == 'CRB'"
    )
    row = table.iloc[0]
    assert (row["n"], row["volume_mm3"], row["n_thesis"]) == (1, 8.0, 89)
    assert np.isnan(row["volume_mm3_sd"]) and row["volume_mm3_thesis"] == 30.88
    assert (row["inv_flatness_thesis"], row["inv_flatness_thesis_sd"]) == (0.50, 0.20)


def test_places_in_mni_are_the_annotated_ones_and_of_false_positives_the_predicted():
    matches = pd.DataFrame(
        {
            **{"model": "tl", "dataset": "DOU", "uid": "DOU-1", "match": ["TP", "FN", "FP", "FN"]},
            **{"gt_id": [1, 2, np.nan, 3], "pred_id": [1, np.nan, 2, np.nan]},
            **{f"gt_{name}": [1.0, 2.0, np.nan, np.nan] for name in ("x_mni", "y_mni", "z_mni")},
            **{f"pred_{name}": [1.5, np.nan, 3.0, np.nan] for name in ("x_mni", "y_mni", "z_mni")},
        }
    )
    places = subgroup_analysis.places_in_mni(matches)
    np.testing.assert_array_equal(places["z_mni"], [1, 2, 3, np.nan])
    text = "\n".join(t.get_text() for f in [subgroup_analysis.figure_s38(places)]
                     for t in f.findobj(Text))  # fmt: skip
    assert "False negative (n = 1)" in text and "1 without a place" in text and "TL" in text


def test_f1_by_subgroup_of_scans(scan_rows):
    scans = pd.concat(
        [scan_rows("DOU", "scratch", 4, 0, 0, 1), scan_rows("CRB", "scratch", 1, 1, 1, 1, "T2S")]
    )
    table = subgroup_analysis.table_s11(scans, **RULES, model="scratch")
    rows = table.query("factor == 'sequence'")
    assert rows[["subgroup", "dataset", "n", "f1"]].to_numpy().tolist() == [
        ["T2S", "CRB", 2, 0.5], ["SWI", "DOU", 4, 1.0],
    ]  # fmt: skip
    assert set(table["factor"]) == {
        "sequence",
        "slice thickness",
        "in-plane resolution",
        "many CMBs",
    }
    assert not any("thesis" in name for name in shown(table)[0] if "F1" not in name)


def test_scans_of_many_cmbs_left_out_beside_section_8_1_2(scan_rows):
    """11 CMBs with 1 found and 4 with all found: F1* rises from 2/(1 + 1/0.5454...) to 1."""
    few = scan_rows("CRB", "scratch", 4, 0, 0, 1).assign(uid="a", patient="a", n_gt=4)
    many = scan_rows("CRB", "scratch", 1, 0, 10, 1).assign(uid="b", patient="b", n_gt=11)
    row = subgroup_analysis.table_s31(pd.concat([few, many]), **RULES, model="scratch").iloc[0]
    recall = (1 + 1 / 11) / 2
    before = 2 * recall / (1 + recall)
    assert row["f1_star"] == pytest.approx(before) and row["f1_star_without"] == 1
    assert row["change"] == pytest.approx(1 - before)
    assert (row["n_scans"], row["n_left_out"], row["n_left_out_thesis"]) == (2, 1, 6)
    assert row["change_thesis"] == pytest.approx(0.532 - 0.476)


def test_stated_f1_of_a_subgroup():
    assert stated_f1("slice thickness", ">=3 mm", "CRB") == 0.286
    assert stated_f1("sequence", "SWI", "Valid") == 0.563
    assert np.isnan(stated_f1("sequence", "SWI", "DOU"))
    assert np.isnan(stated_f1("many CMBs", "<=10 CMBs", "CRB"))


@pytest.mark.parametrize(
    ("brains", "told", "few"), [(1, "1 brain cannot", True), (20, "brains as", False)]
)
def test_what_is_said_of_the_intervals_depends_on_the_number_of_brains(brains, told, few):
    design = SliceExperiment(brains=brains)
    note = subgroup_analysis.table_s32(pd.DataFrame({"n": [1]}), design).attrs["layout"].note
    caption = subgroup_analysis.experiment_caption(design, 36)
    assert told in note and told in caption
    assert ("cannot tell" in note) == few and ("Wilson's" in caption) == few
    assert "in 36 scans, an axial slab of 40 mm each. Where nothing else is varied" in caption


@pytest.mark.parametrize(
    ("complex_sum", "apart", "told"),
    [
        (
            (-0.2, -0.3, -0.1),
            (-0.4, -0.5, -0.3),
            "alone lose CMBs; averaging magnitudes overstates the loss (by 0.40 [0.30, 0.50], the",
        ),
        (
            (-0.2, -0.3, -0.1),
            (-0.1, -0.3, 0.1),
            "it is not shown that averaging magnitudes overstates the loss (by 0.10 [-0.10",
        ),
        (
            (0.0, -0.1, 0.1),
            (0.4, 0.3, 0.5),
            "it is not shown that thick slices alone lose CMBs; averaging magnitudes understates",
        ),
        (
            (0.0, np.nan, np.nan),
            (0.0, np.nan, np.nan),
            "alone lose CMBs; it is not shown that averaging magnitudes overstates the loss.",
        ),
    ],
)
def test_what_is_said_of_thick_slices_follows_from_the_intervals(complex_sum, apart, told):
    none = (np.nan,) * 3
    rows = [("complex", *complex_sum, *none), ("magnitude", -0.6, -0.7, -0.5, *apart)]
    columns = ["level", "change", "change_low", "change_high", "apart", "apart_low", "apart_high"]
    changes = pd.DataFrame(rows, columns=columns)
    changes = changes.assign(factor="averaging", thinner_mm=1.0, thicker_mm=6.0, brains=8, n=96)
    assert told in subgroup_analysis.thickness_in_words(changes)
    assert "physical model alone" in subgroup_analysis.thickness_in_words(changes.iloc[:0])


def test_examples_are_the_surest_and_the_most_elongated():
    rows = [
        ("a", "FP", "DOU", np.nan, 0.7, np.nan), ("b", "FP", "DOU", np.nan, 0.9, np.nan),
        ("c", "FP", "CRB", np.nan, 1.0, np.nan), ("d", "FN", "DOU", 1, np.nan, 0.8),
        ("e", "FN", "DOU", 1, np.nan, 0.4), ("f", "FN", "DOU", 2, np.nan, 0.6),
    ]  # fmt: skip
    columns = ["uid", "match", "dataset", "gt_id", "score", "gt_inv_elongation"]
    matches = pd.DataFrame(rows, columns=columns).assign(model="scratch")
    assert subgroup_analysis.examples(matches, "FP", "DOU", model="scratch")["uid"].tolist() == [
        "b",
        "a",
    ]
    assert subgroup_analysis.examples(matches, "FN", "DOU", model="scratch")["uid"].tolist() == [
        "e",
        "f",
    ]
    assert subgroup_analysis.examples(matches, "FN", "CRB", model="scratch")["uid"].tolist() == [
        "e",
        "f",
    ]  # no other
    assert subgroup_analysis.examples(matches, "FP", "DOU", model="tl").empty


def test_as_many_found_as_missed_sorted_by_size():
    """Two found (positions 1 and 4) of six: both, and the smallest and largest missed."""
    radii = [3.0, 2.0, 1.0, 5.0, 4.0, 2.5]
    found = [False, True, False, False, True, False]
    assert balanced(radii, found, 16) == [2, 1, 4, 3]
    assert balanced(radii, found, 4) == [2, 1, 4, 3]
    assert balanced(radii, found, 2) == [2, 1]  # the smallest of each


def test_where_nothing_was_found_all_shown_are_missed():
    assert balanced([2.0, 1.0, 3.0], [False] * 3, 2) == [1, 2]
    assert balanced([], [], 4) == []
