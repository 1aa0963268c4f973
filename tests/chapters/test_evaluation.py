"""Tables of chapter 7 from scan rows whose sums are the thesis's printed counts."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.chapters import evaluation
from cmbkit.evaluation.calibration import Calibration
from cmbkit.params import Evaluation, Inference
from cmbkit.reporting.latex_tables import render_latex
from cmbkit.reporting.layout import layout_of
from cmbkit.reporting.tables import render_html, shown

RULES = {"params": Evaluation(bootstrap_samples=200)}


@pytest.fixture(scope="module")
def scans(scan_rows):
    return pd.concat(
        [
            scan_rows("DOU", "tl", 52, 23, 22, 20),
            scan_rows("DOU", "scratch", 51, 10, 23, 20),
            scan_rows("DOU", "my detector", 10, 900, 64, 20),
            scan_rows("CRB", "scratch", 38, 16, 89, 18),
        ],
        ignore_index=True,
    )


def test_table_7_3_holds_what_the_thesis_prints(scans):
    table = evaluation.table_7_3(scans, **RULES)
    assert table[["dataset", "model"]].to_numpy().tolist() == [
        ["CRB", "scratch"], ["DOU", "scratch"], ["DOU", "tl"], ["DOU", "my detector"],
    ]  # fmt: skip
    for name in ("precision", "recall", "f1", "fp_cmb"):
        own, printed = table[f"pooled_{name}"], table[f"pooled_{name}_thesis"]
        np.testing.assert_allclose(own[:3], printed[:3], atol=0.0006)
        assert np.isnan(printed[3])
        assert (table[f"pooled_{name}_low"] <= own).all()
        assert (own <= table[f"pooled_{name}_high"]).all()
    row = table.loc[1]
    assert row["pooled_f1"] == pytest.approx(102 / (102 + 33)) and row["pooled_f1_thesis"] == 0.756
    assert row[["n_scans", "tp", "fp", "fn"]].tolist() == [20, 51, 10, 23]
    assert not any(name.startswith("scan_") for name in table)  # what the table shows, no more


def test_the_best_model_is_bold_within_its_dataset(scans):
    table = evaluation.table_7_3(scans, **RULES)
    cells, bold = shown(table)
    assert cells["Model"].tolist() == ["Scratch", "Scratch", "TL", "my detector"]
    assert bold["F1"].tolist() == [False, True, False, False]
    assert bold["FPcmb (thesis)"].tolist() == [False, True, False, False]
    assert f"<b>{cells.loc[1, 'F1']}</b>" in (
        render_html(table, "x").replace("\xa0", " ").replace("<br/>", " ")
    )
    assert r"\textbf" in render_latex(table, "x")


def test_table_7_2_and_7_4_carry_deviation_and_the_thesis(scans):
    """Scratch on DOU: 10 false positives in one of 20 scans."""
    table = evaluation.table_7_2(scans, **RULES).query("dataset == 'DOU' and model == 'scratch'")
    row = table.iloc[0]
    assert row["fp_scan"] == 0.5 and row["fp_scan_sd"] == pytest.approx(np.sqrt(95 / 19))
    assert row[["fp_scan_thesis", "fp_scan_thesis_sd"]].tolist() == [0.5, 1.235]
    dice = evaluation.table_7_4(scans, **RULES).query("dataset == 'DOU' and model == 'scratch'")
    row = dice.iloc[0]
    assert row[["scan_dice_tp", "scan_dice_tp_sd", "pooled_dice_tp"]].tolist() == [0.5, 0, 0.5]
    assert row[["scan_dice_tp_thesis", "scan_dice_tp_thesis_sd"]].tolist() == [0.56, 0.20]


def classification_rows():
    """CRB at 3 CMBs as the integers behind Table 7.5 say: TP 6, FP 6, TN 5, FN 1."""
    n_gt = [1] * 7 + [4] * 11
    n_pred = [0] * 6 + [5] + [1] * 6 + [4] * 5
    return pd.DataFrame(
        {"dataset": "CRB", "model": "scratch", "n_gt": n_gt, "n_pred": n_pred}
    ).assign(patient=range(18))


@pytest.mark.parametrize("positive", ["fewer_than", "at_least"])
def test_table_7_5_agrees_with_the_thesis_under_both_conventions(positive):
    table = evaluation.table_7_5(
        classification_rows(), Evaluation(scan_thresholds=[3]), positive=positive
    )
    row = table.iloc[0]
    for name in ("precision", "recall", "f1", "specificity"):
        assert row[name] == pytest.approx(row[f"{name}_thesis"], abs=0.0006)
    assert row["n_positive"] == {"fewer_than": 7, "at_least": 11}[positive]
    assert row["n_many"] == 11
    many = layout_of(table).columns[4]
    assert many.title == "Sensitivity for many" and row[many.key] == pytest.approx(5 / 11)
    assert row["recall"] == pytest.approx({"fewer_than": 6 / 7, "at_least": 5 / 11}[positive])


def test_table_7_5_sorts_datasets_then_thresholds():
    rows = classification_rows()
    both = pd.concat([rows.assign(dataset="MINE"), rows])
    table = evaluation.table_7_5(both, Evaluation(scan_thresholds=[5, 3]))
    assert table[["dataset", "threshold"]].to_numpy().tolist() == [
        ["CRB", 3], ["CRB", 5], ["MINE", 3], ["MINE", 5],
    ]  # fmt: skip
    assert table["recall_thesis"].notna().tolist() == [True, True, False, False]


def test_both_grids_stand_below_each_other_and_count_what_differs(scans):
    native = scans.copy()
    first = native.index[native["model"] == "scratch"][0]
    native.loc[first, "fp"] += 1
    table = evaluation.table_s30(scans, native, **RULES)
    own = table.query("dataset == @native.dataset[@first] and model == 'scratch'")
    assert own["grid"].tolist() == ["standard", "native"]
    assert own["fp"].diff().iloc[1] == 1 and own["n_differ"].tolist() == [1, 1]
    assert table["n_differ"].sum() == 2
    with pytest.raises(ValueError, match="scans and models of standard"):
        evaluation.table_s30(scans, native.iloc[1:], **RULES)


def test_operating_points_by_f1_with_the_study_s_own_marked():
    points = pd.DataFrame({"threshold": [0.5, 0.9999, 0.9999], "minimum_voxels": [1, 1, 8]})
    points = points.assign(tp=1, fp=2, fn=3, precision=0.4, recall=0.5, f1=[0.2, 0.7, 0.6])
    table = evaluation.table_s33(points, Inference(threshold=0.9999, minimum_voxels=8))
    assert table["f1"].tolist() == [0.7, 0.6, 0.2]
    assert table["chosen"].tolist() == [False, True, False]
    cells, _ = shown(table)
    assert cells["Threshold"].tolist() == ["0.9999", "0.9999", "0.5"]
    assert cells["This study's"].tolist() == ["", "yes", ""]


def test_steps_are_named_with_their_values():
    steps = pd.DataFrame({"step": ["components", "minimum_voxels"], "value": [np.nan, 8]}).assign(
        tp=1, fp=2, fn=3, precision=0.4, recall=0.5, f1=0.2
    )
    cells, _ = shown(evaluation.table_s34(steps))
    assert cells["Step"].tolist() == [
        "components of the threshold", "at least 8 voxels",
    ]  # fmt: skip


def test_the_baseline_stands_below_the_trained_models(scans):
    blobs = scans[scans["model"] == "tl"].assign(model="dark blobs", tp=0, fp=2)
    table = evaluation.table_s9(pd.concat([blobs, scans]), **RULES)
    assert table.query("dataset == 'DOU'")["model"].tolist() == [
        "scratch", "tl", "dark blobs", "my detector",
    ]  # fmt: skip
    row = table.query("model == 'dark blobs'").iloc[0]
    assert (row["fp"], row["fp_scan"], row["pooled_precision"]) == (40, 2, 0)
    assert row["fp_scan_low"] < 2 < row["fp_scan_high"]  # 2 in each of 20 scans: less than Poisson


def test_the_microbleed_of_figure_7_5_is_where_the_models_differ_most():
    """Of one model, the one with the lowest Dice."""
    rows = [
        ("a", 1, "scratch", 0.5, "TP"), ("a", 1, "tl", 0.4, "TP"),
        ("b", 1, "tl", 0.9, "TP"), ("b", 1, "scratch", 0.2, "TP"),
        ("b", 2, "scratch", 0.9, "TP"), ("b", 2, "tl", np.nan, "FN"),
    ]  # fmt: skip
    matches = pd.DataFrame(rows, columns=["uid", "gt_id", "model", "dice", "match"])
    matches = matches.assign(sequence="SWI", slice_thickness_mm=4.0)
    on_t2s = matches.assign(sequence=np.where(matches["uid"] == "a", "T2S", "SWI"))
    assert set(evaluation.largest_difference(on_t2s, ["scratch", "tl"])["uid"]) == {"a"}
    found = evaluation.largest_difference(matches, ["scratch", "tl"])
    assert found[["uid", "gt_id", "model"]].to_numpy().tolist() == [
        ["b", 1, "scratch"], ["b", 1, "tl"],
    ]  # fmt: skip
    alone = matches[matches["model"] == "tl"]
    assert evaluation.largest_difference(alone, ["scratch", "tl"]).empty
    assert evaluation.largest_difference(alone, ["tl"])["dice"].tolist() == [0.4]


def test_curves_in_one_number_by_dataset_and_model(scans):
    """Of every scan its TP at score 0.9 and its FP at 0.1: no FP beats a CMB that was found."""
    rows = [
        {"dataset": r.dataset, "model": r.model, "uid": r.uid, "match": kind, "adds": adds} | score
        for r in scans.itertuples()
        for kind, adds, n, score in (
            ("TP", "TP", r.tp, {"score": 0.9}), ("FP", "FP", r.fp, {"score": 0.1}),
            ("FN", None, r.fn, {"score": np.nan}),
        )
        for _ in range(n)
    ]  # fmt: skip
    scans = scans.assign(n_gt=scans["tp"] + scans["fn"])
    table = evaluation.table_s41(
        pd.DataFrame(rows), scans, Evaluation(bootstrap_samples=20), seed=1
    )
    row = table.query("dataset == 'DOU' and model == 'scratch' and figure == 'average_precision'")
    assert row["value"].iloc[0] == pytest.approx(51 / 74)  # precision 1 until all TP are in
    assert table["model"].unique().tolist() == ["scratch", "tl", "my detector"]
    assert evaluation.figure_s64(pd.DataFrame(rows), scans).axes


@pytest.fixture
def judged():
    """Eight patients of DOU, a scan with 2 CMBs each: one found at 40, one missed, an FP at 10."""
    calls = [("TP", "TP", 40.0), ("FP", "FP", 10.0), ("FN", None, np.nan)] * 8
    calls = pd.DataFrame(calls, columns=["match", "adds", "score"])
    calls = calls.assign(uid=np.repeat(list("abcdefgh"), 3), dataset="DOU", model="tl")
    scans = pd.DataFrame({"dataset": "DOU", "model": "tl", "uid": list("abcdefgh")})
    return calls, scans.assign(patient=scans["uid"], n_gt=2)


def test_calibration_error_before_and_after(judged):
    """The softmax of both is 1: wrong by 1 for half of them; a curve to 0.8 and 0.2 by 0.2."""
    curve = Calibration(np.log(16) / 30, -np.log(4) - np.log(16) / 3, 0.5, 16, 8)
    table = evaluation.table_s43(*judged, {"tl": curve})
    assert table[["n_scans", "n", "real"]].iloc[0].tolist() == [8, 16, 8]
    assert table["after"].iloc[0] == pytest.approx(0.2) and table["before"].iloc[0] > 0.49
    assert table["after_interval"].tolist() == ["no spread"]  # every patient is alike
    few = evaluation.table_s43(judged[0][:15], judged[1][:5], {"tl": curve})
    assert few["after_interval"].tolist() == ["too few"] and few["after_low"].isna().all()
    assert len(evaluation.figure_s65(judged[0], {"tl": curve}).axes) == 1


def test_the_number_of_every_scan_is_in_its_interval(judged):
    """Sure of one, not of the other, half are missed: 1 + NB(2, 1/2), in 0 to 6 with 96 %."""
    curve = Calibration(10.0, -300.0, 0.5, 16, 8)
    table = evaluation.table_s44(*judged, {"tl": curve})
    assert table[["n_scans", "inside", "coverage", "width"]].iloc[0].tolist() == [8, 8, 1, 6]


def test_networks_are_compared_patient_by_patient(judged):
    """TL finds one CMB more in each of 8 patients: 2 of 256 exchanges are as extreme.

    Two of the seven metrics' tests are possible: F1's and those of the same counts; Dice has none.
    """
    scans = judged[1].assign(source="DOU", dice_tp=np.nan, dice_scan=np.nan, fp=0)
    scratch, tl = (scans.assign(model=m, tp=tp, fn=2 - tp) for m, tp in (("scratch", 1), ("tl", 2)))
    table = evaluation.table_s45(pd.concat([tl, scratch]), Evaluation(), seed=1).set_index("metric")
    row = table.loc["pooled_recall"]
    assert row[["first", "second", "difference"]].tolist() == [1, 0.5, 0.5]
    assert (row["p_value"], row["p_least"]) == (2 / 256, 2 / 256) and row["difference_low"] > 0
    assert row["p_holm"] == pytest.approx(2 / 256 * table["p_value"].notna().sum())
    assert np.isnan(table.loc["pooled_dice_tp", "p_value"])
    one = evaluation.table_s45(tl, Evaluation(), seed=1)
    assert len(one) == 0 and "nothing to compare" in one.attrs["layout"].note


def test_table_of_coverage_shows_both_methods():
    cells, _ = shown(evaluation.table_s40())
    assert {"Coverage (%)", "Percentile bootstrap: coverage (%)"} < set(cells)
    usual, harder = ["3", "5", "6", "8", "20", "50"], ["8", "20", "50"]
    assert cells["Patients"].tolist() == usual + 5 * harder + usual


def test_coverage_is_that_of_95_percent_where_patients_are_as_expected():
    """Within two standard errors of 2,000 cohorts (1 %) of 93 to 98 %."""
    table = evaluation.table_s40().query("of == 'rates'").set_index(["cohorts", "patients"])
    assert table.loc[[("usual", 3), ("usual", 5)], "coverage_low"].isna().all()
    given = table.loc[[(kind, n) for kind in ("usual", "alike") for n in (8, 20, 50)]]
    assert given["coverage_low"].min() > 92 and given["coverage_high"].max() < 99
    assert table.loc[("a_few_with_40", 8), "coverage_low"] < 90
