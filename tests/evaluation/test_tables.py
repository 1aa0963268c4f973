"""Tables from scan rows whose sums are the thesis's printed counts."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cmbkit.chapters import evaluation as tables
from cmbkit.chapters.subgroup_analysis import thesis_pooled_f1
from cmbkit.evaluation import subgroups
from cmbkit.params import Evaluation
from cmbkit.reporting.tables import render_html, render_latex

PARAMS = Evaluation(bootstrap_samples=200)


def rows(dataset, model, tp, fp, fn, n_scans, sequence="SWI"):
    """Spread counts over scans, all of the remainder on the first."""
    table = pd.DataFrame({"uid": [f"{dataset}-{i}" for i in range(n_scans)]})
    for name, total in (("tp", tp), ("fp", fp), ("fn", fn)):
        each = total // n_scans
        table[name] = [total - each * (n_scans - 1)] + [each] * (n_scans - 1)
    return table.assign(
        dataset=dataset,
        patient=table["uid"],
        model=model,
        sequence=sequence,
        dice_tp=np.where(table["tp"] > 0, 0.5, np.nan),
        n_gt=table["tp"] + table["fn"],
        n_pred=table["tp"] + table["fp"],
        slice_thickness_mm=1.0,
    )


@pytest.fixture(scope="module")
def scans():
    return pd.concat(
        [
            rows("DOU", "tl", 52, 23, 22, 20),
            rows("DOU", "scratch", 51, 10, 23, 20),
            rows("DOU", "my detector", 10, 900, 64, 20),
            rows("CRB", "scratch", 38, 16, 89, 18),
        ],
        ignore_index=True,
    )


def test_table_7_3_prints_what_the_thesis_prints(scans):
    table = tables.table_7_3(scans, PARAMS)
    assert table[["Dataset", "Model"]].to_numpy().tolist() == [
        ["CRB", "Scratch"], ["DOU", "Scratch"], ["DOU", "TL"], ["DOU", "my detector"],
    ]  # fmt: skip
    for measure in ("Precision", "Recall", "F1", "FPcmb"):
        own = table[measure].str.split(" ").str[0]
        printed = table[f"{measure} (thesis)"]
        assert own[:3].tolist() == printed[:3].tolist()
        assert printed[3] == "–"
    assert "[" in table.loc[1, "F1"]


def test_numbers_instead_of_text(scans):
    table = tables.table_7_3(scans, PARAMS, numeric=True)
    row = table.query("dataset == 'DOU' and model == 'scratch'").iloc[0]
    assert row["pooled_f1"] == pytest.approx(102 / (102 + 33))
    assert row["pooled_f1_thesis"] == 0.756
    assert row["pooled_f1_low"] <= row["pooled_f1"] <= row["pooled_f1_high"]


def test_the_best_model_is_bold_within_its_dataset(scans):
    table = tables.table_7_3(scans, PARAMS)
    html = render_html(table, "x")
    assert f"<b>{table.loc[1, 'F1']}</b>" in html
    assert f"<b>{table.loc[0, 'F1']}</b>" not in html
    assert r"\textbf" in render_latex(table, "x")


def test_table_7_2_and_7_4_carry_deviation_and_the_thesis(scans):
    table = tables.table_7_2(scans, PARAMS).query("Dataset == 'DOU' and Model == 'Scratch'")
    assert table["FPscan"].iloc[0].startswith("0.500 ± ")
    assert table["FPscan (thesis)"].iloc[0] == "0.500 ± 1.235"
    dice = tables.table_7_4(scans, PARAMS).query("Dataset == 'DOU' and Model == 'Scratch'")
    assert dice["scanDSC_TP"].iloc[0].startswith("0.50 ± 0.00")
    assert dice["scanDSC_TP (thesis)"].iloc[0] == "0.56 ± 0.20"


def classification_rows():
    """CRB at 3 CMBs as the integers behind Table 7.5 say: TP 6, FP 6, TN 5, FN 1."""
    n_gt = [1] * 7 + [4] * 11
    n_pred = [0] * 6 + [5] + [1] * 6 + [4] * 5
    return pd.DataFrame(
        {"dataset": "CRB", "model": "scratch", "n_gt": n_gt, "n_pred": n_pred}
    ).assign(patient=range(18))


@pytest.mark.parametrize("positive", ["fewer_than", "at_least"])
def test_table_7_5_agrees_with_the_thesis_under_both_conventions(positive):
    table = tables.table_7_5(
        classification_rows(), Evaluation(scan_thresholds=[3]), positive=positive, numeric=True
    )
    row = table.iloc[0]
    for name in ("precision", "recall", "f1", "specificity"):
        assert row[name] == pytest.approx(row[f"{name}_thesis"], abs=0.0006)
    assert row["n_positive"] == {"fewer_than": 7, "at_least": 11}[positive]
    assert row["recall"] == pytest.approx({"fewer_than": 6 / 7, "at_least": 5 / 11}[positive])


def test_table_8_1_has_rows_for_scans_without_cmbs():
    scans = pd.concat(
        [
            rows("DOU", "scratch", 33, 7, 21, 6),
            rows("DOU", "scratch", 0, 4, 0, 4).assign(uid=list("wxyz"), patient=list("wxyz")),
        ]
    )
    table = tables.table_8_1(scans, PARAMS)
    assert table[["Dataset", "Sequence", "CMBs"]].to_numpy().tolist() == [
        ["DOU", "SWI", ">=3"], ["DOU", "SWI", "0"],
    ]  # fmt: skip
    assert table.loc[0, "globF1"].split(" ")[0] == table.loc[0, "globF1 (thesis)"] == "0.702"
    assert table.loc[0, ["TP", "TP (thesis)", "FN (thesis)"]].tolist() == ["33", "33", "21"]
    assert table.loc[1, ["TP", "FP", "FN", "FP (thesis)"]].tolist() == ["0", "4", "0", "–"]


def _cases():
    """Scans, matches and features of test_subgroups (tests are no package)."""
    path = Path(__file__).with_name("test_subgroups.py")
    spec = importlib.util.spec_from_file_location("cases_of_subgroups", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_table_8_2_and_8_3_from_the_table_of_matches():
    cases = _cases()
    matches = subgroups.with_locations(cases.MATCHES, cases.FEATURES)
    table = tables.table_8_2(cases.SCANS, matches, PARAMS, numeric=True)
    assert table[["location", "tp", "fp", "fn"]].to_numpy().tolist() == [
        ["Cortical", 1, 0, 2], ["Deep", 2, 0, 0], ["Subcortical", 0, 0, 0],
        ["Elsewhere", 0, 1, 0],
    ]  # fmt: skip
    assert table["tp_thesis"].tolist()[:3] == [21, 14, 14]
    names = ["inv_elongation", "inv_flatness", "max_diameter_mm", "sphericity"]
    shapes = cases.FEATURES.assign(**dict.fromkeys(names, 0.5))
    table = tables.table_8_3(subgroups.with_features(matches, shapes, [*names, "volume_mm3"]))
    missed = table.query("Call == 'FN'").iloc[0]
    assert missed["n"] == "2"
    assert missed["Volume (mm³)"] == "7.00 ± 1.41"
    assert missed["Volume (mm³) (thesis)"] == "15.46 ± 10.82"


def test_table_8_4_names_data_and_rule_of_every_row(scans):
    table = tables.table_8_4(scans, PARAMS, synthetic=True)
    own = table[table["Method"].str.startswith("this run")]
    assert len(own) == 4
    assert own["Data"].str.endswith("(synthetic cohort)").all()
    assert own["Matching"].eq("centre distance < 5 mm, greedy, one to one").all()
    dou = table[table["Method"] == "Dou et al. 2016"].iloc[0]
    assert (dou["FP per scan"], dou["Scans"]) == ("7.700", "20")


def test_any_other_split_of_the_scans(scans):
    table = tables.table_by("slice thickness", scans, PARAMS)
    assert table["Slice thickness"].unique().tolist() == ["<3 mm"]
    assert not any("thesis" in name for name in table)
    with pytest.raises(ValueError, match="expected one of sequence, number of CMBs"):
        tables.table_by("age", scans, PARAMS)


def test_both_grids_stand_below_each_other_and_count_what_differs(scans):
    native = scans.copy()
    first = native.index[native["model"] == "scratch"][0]
    native.loc[first, "fp"] += 1
    table = tables.both_grids(scans, native, PARAMS, numeric=True)
    own = table.query("dataset == @native.dataset[@first] and model == 'scratch'")
    assert own["grid"].tolist() == ["standard", "native"]
    assert own["fp"].diff().iloc[1] == 1 and own["differ"].tolist() == [1, 1]
    assert table["differ"].sum() == 2
    with pytest.raises(ValueError, match="scans and models of standard"):
        tables.both_grids(scans, native.iloc[1:], PARAMS)


def test_scans_of_many_cmbs_left_out_beside_section_8_1_2():
    """11 CMBs with 1 found and 4 with all found: F1* rises from 2/(1 + 1/0.5454...) to 1."""
    few = rows("CRB", "scratch", 4, 0, 0, 1).assign(uid="a", patient="a", n_gt=4)
    many = rows("CRB", "scratch", 1, 0, 10, 1).assign(uid="b", patient="b", n_gt=11)
    table = tables.without_many(pd.concat([few, many]), PARAMS)
    row = table.iloc[0]
    recall = (1 + 1 / 11) / 2
    before = 2 * recall / (1 + recall)
    assert row["scanF1*, all"].startswith(f"{before:.3f} [")
    assert row["scanF1*, without"].startswith("1.000")
    assert row["Change"] == f"{1 - before:+.3f}"
    assert (row["Scans left out"], row["Scans left out (thesis)"]) == (1, "6")
    assert row["Change (thesis)"] == "+0.056"  # 0.532 - 0.476


def test_stated_f1_of_a_subgroup():
    assert thesis_pooled_f1("slice thickness", ">=3 mm", "CRB") == 0.286
    assert thesis_pooled_f1("sequence", "SWI", "Valid") == 0.563
    assert np.isnan(thesis_pooled_f1("sequence", "SWI", "DOU"))
    assert np.isnan(thesis_pooled_f1("many CMBs", "<=10 CMBs", "CRB"))
