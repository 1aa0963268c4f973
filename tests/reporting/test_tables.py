from xml.etree import ElementTree

import pandas as pd
import pytest

from cmbkit.reporting import tables

TABLE = pd.DataFrame(
    {
        "Dataset": ["CRB", "CRB", "DOU", "DOU"],
        "Model": ["Scratch", "TL", "Scratch", "TL"],
        "F1": ["0.426 ± 0.193", "0.489 ± 0.259", "0.870 ± 0.185", "0.814 ± 0.162"],
        "FPscan": [0.889, 1.056, 0.5, 0.5],
    }
)
BEST = {"F1": "max", "FPscan": "min"}


def test_best_values_are_found_per_dataset():
    """F1: TL in CRB, Scratch in DOU. FPscan: Scratch in CRB, a tie in DOU."""
    marks = tables.best_cells(TABLE, BEST, ["Dataset"])
    assert marks["F1"].tolist() == [False, True, True, False]
    assert marks["FPscan"].tolist() == [True, False, True, True]


def test_html_has_bold_caption_and_note_and_escapes():
    df = TABLE.assign(Model=["<b>", "TL", "a&b", "TL"])
    df.attrs.update(best=BEST, within=["Dataset"])
    html = tables.render_html(df, "Table 7.2. Detection", "synthetic cohort")
    assert "<td><b>0.489 ± 0.259</b></td>" in html
    assert "<td>0.426 ± 0.193</td>" in html
    assert "&lt;b&gt;" in html
    assert "<caption>Table 7.2. Detection</caption>" in html
    assert '<td colspan="4" class="note">synthetic cohort</td>' in html


def test_html_is_well_formed_and_holds_every_cell():
    root = ElementTree.fromstring(tables.render_html(TABLE, "x", "a note"))
    rows = [["".join(cell.itertext()) for cell in row] for row in root.find("tbody")]
    assert rows[0] == ["CRB", "Scratch", "0.426 ± 0.193", "0.889"]
    assert len(rows) == 4


def test_latex_escapes_and_counts_its_columns():
    df = pd.DataFrame({"a_b": ["50 %"], "x": [float("nan")]})
    text = tables.render_latex(df, "Share & rest")
    assert r"a\_b & x \\" in text
    assert r"50 \% & -- \\" in text
    assert r"\caption{Share \& rest}" in text
    assert r"\begin{tabular}{ll}" in text
    assert r"\textbf{0.489 $\pm$ 0.259}" in tables.render_latex(
        TABLE, "x", best=BEST, within=["Dataset"]
    )


def test_named_index_becomes_columns_and_groups_of_one_have_no_best():
    df = TABLE.iloc[[0, 2]].set_index("Dataset")
    html = tables.render_html(df, "x", best=BEST, within=["Dataset"])
    assert '<th scope="col">Dataset</th>' in html
    assert "<b>" not in html


def test_direction_is_checked():
    with pytest.raises(ValueError, match="expected 'max' or 'min', found 'largest'"):
        tables.best_cells(TABLE, {"F1": "largest"})
