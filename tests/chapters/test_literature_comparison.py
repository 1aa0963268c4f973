"""Table 8.4, Figure S12 and the audit's tables of notebook 07."""

import pandas as pd
import pytest

from cmbkit.chapters.literature_comparison import (
    audit_overview,
    figure_s12,
    table_8_4,
    table_s13,
    table_s15,
)
from cmbkit.params import Evaluation
from cmbkit.reporting.tables import shown

PARAMS = Evaluation(bootstrap_samples=20)


@pytest.fixture
def scans():
    """Two scans of each dataset and model: DOU scratch has 6 TP, 2 FP, 4 FN in all."""
    rows = []
    for dataset in ("Valid", "DOU", "CRB"):
        for model in ("scratch", "tl"):
            for number, (tp, fp, fn) in enumerate(((4, 0, 1), (2, 2, 3))):
                about = {"dataset": dataset, "model": model, "patient": f"p{number}"}
                rows.append(about | {"uid": f"{dataset}{number}", "tp": tp, "fp": fp, "fn": fn})
    return pd.DataFrame(rows)


def test_every_row_of_table_8_4_names_data_and_rule(scans):
    table = table_8_4(scans, PARAMS, synthetic=True)
    own = table[table["own"]]
    assert own["method"].tolist() == ["this run, Scratch", "this run, TL"] * 2
    assert own["data"].tolist() == ["CRB, synthetic cohort"] * 2 + ["DOU, synthetic cohort"] * 2
    assert own["matching"].eq("centre distance < 5 mm, greedy, one to one").all()
    row = own.iloc[2]
    assert row[["n_scans", "n_cmb", "tp", "fp", "fn"]].tolist() == [2, 10, 6, 2, 4]
    rates = row[["precision", "recall", "f1", "fp_scan", "fp_cmb"]].tolist()
    assert rates == pytest.approx([6 / 8, 6 / 10, 12 / 18, 1.0, 0.2])
    dou = table[table["method"] == "Dou et al. 2016"].iloc[0]
    assert (dou["fp_scan"], dou["n_scans"]) == (7.7, 20)
    assert not table_8_4(scans, PARAMS, synthetic=False)["data"].str.contains("synthetic").any()


def test_table_s15_names_the_source_of_every_published_row_of_table_8_4(scans):
    table = table_8_4(scans, PARAMS, synthetic=True)
    sources = table_s15(table)
    assert len(sources) == len(table) - 4 and sources["source"].str.len().gt(0).all()
    assert sources["method"].tolist() == table["method"].tolist()[: len(sources)]
    cells, _ = shown(sources)
    assert cells.loc[2, "Source"] == "the thesis's Table 8.4"
    assert "need FP per scan 3.0500 to 3.1000, printed 7.7" in cells.loc[2, "Notes"]


def test_table_8_4_as_text(scans):
    cells, _ = shown(table_8_4(scans, PARAMS, synthetic=True))
    cells = cells.set_index(["Method", "Data"])
    # Wilson for 37 of 74: 0.5 +- z sqrt(0.25/74 + z^2/(4 * 74^2)) / (1 + z^2/74)
    assert cells.loc[("Ferrer et al. 2023", "DOU"), "Recall"] == "0.500 [0.39, 0.61]"
    assert cells.loc[("Dou et al. 2016", "DOU"), ["TP", "FP"]].tolist() == [
        "59", "61-62",
    ]  # fmt: skip
    assert cells.loc[("MixMicrobleedNet", "VALDO hidden test"), "Precision"] == "–"


def test_own_f1_stands_beside_each_rule_that_is_known(scans):
    by_rule = pd.DataFrame(
        [("3 mm", 6, 2, 4), ("3 mm", 0, 2, 0), ("5 mm", 9, 1, 1), ("VALDO", 1, 0, 0),
         ("VALDO", 2, 1, 1), ("VALDO", 0, 0, 9), ("VALDO", 0, 9, 0)],
        columns=["rule", "tp", "fp", "fn"],
    )  # fmt: skip
    by_rule = by_rule.assign(n_gt=by_rule["tp"] + by_rule["fn"])
    table = table_8_4(scans, PARAMS, by_rule, synthetic=True).set_index("method")
    asan = table.loc["Attention U-Net, Asan 2025 (abstract)"]
    assert asan["own_f1"] == pytest.approx(12 / 20)  # 6 TP, 4 FP, 4 FN
    # VALDO prints medians over scans: 1, 2/3 and 0; the scan without CMBs has none.
    assert table.loc["MixMicrobleedNet", "own_f1"] == pytest.approx(2 / 3)
    assert pd.isna(table.loc["Sundaresan et al. 2023", "own_f1"])  # its rule was not counted
    assert "own_f1" not in table_8_4(scans, PARAMS, synthetic=True)


def test_figure_s12_has_a_bar_per_row_and_rate(scans):
    table = table_8_4(scans, PARAMS, synthetic=True)
    panels = figure_s12(table).axes
    bars = {round(bar.get_y() + bar.get_height() / 2): bar.get_width() for bar in panels[3].patches}
    known = table["fp_scan"].reset_index(drop=True).dropna()
    assert bars == pytest.approx(known.to_dict())  # the others say "not reported"


def test_what_differs_is_listed_and_everything_is_counted():
    findings = pd.DataFrame(
        [("Table 1", "a", "1", "2", "", "rounding", ""),
         ("Table 1", "b", "1", "1", "", "agrees", ""),
         ("Abstract", "c", "3", "4", "x", "contradiction", "")],
        columns=["where", "finding", "printed", "recomputed", "arithmetic", "verdict", "reading"],
    )  # fmt: skip
    assert table_s13(findings)["finding"].tolist() == ["c", "a"]
    counted = audit_overview(findings)
    assert counted.columns.tolist() == ["contradiction", "ambiguity", "rounding", "agrees"]
    assert counted.loc["Table 1"].tolist() == [0, 0, 1, 1]
    assert counted.loc["Abstract"].tolist() == [1, 0, 0, 0]
