"""Numbers become text once: cells, bold, HTML, LaTeX."""

from xml.etree import ElementTree

import pandas as pd
import pytest

from cmbkit.reporting import latex_tables, tables
from cmbkit.reporting.layout import Column, laid_out, layout_of

NAN = float("nan")
TABLE = pd.DataFrame(
    {
        "dataset": ["CRB", "CRB", "DOU", "DOU"],
        "model": ["scratch", "tl", "scratch", "tl"],
        "f1": [0.426, 0.489, 0.87, 0.814],
        "f1_sd": [0.193, 0.259, 0.185, NAN],
        "f1_low": [0.21, 0.305, 0.7, NAN],
        "f1_high": [0.63, 0.6, 0.999, NAN],
        "f1_thesis": [0.5, NAN, 0.25, 0.75],
        "fp_scan": [0.889, 1.056, 0.5, 0.5],
        "n_scans": [8, 8, 3, 3],
    }
)
COLUMNS = [
    Column("dataset", "Dataset"),
    Column("model", "Model", names={"scratch": "Scratch", "tl": "TL"}),
    Column("f1", "F1", best="max"),
    Column("fp_scan", "FPscan", best="min", decimals=2),
]


def laid(table=TABLE):
    return laid_out(table, COLUMNS, within=("dataset",), note="Mean ± SD.")


def test_a_cell_joins_value_spread_and_interval_and_the_thesis_stands_beside():
    cells, _ = tables.shown(laid())
    assert list(cells) == ["Dataset", "Model", "F1", "F1 (thesis)", "FPscan"]
    first = ["CRB", "Scratch", "0.426 ± 0.193 [0.21, 0.63]", "0.500", "0.89"]
    assert cells.loc[0].tolist() == first
    assert cells.loc[3].tolist() == ["DOU", "TL", "0.814", "0.750", "0.50"]
    assert cells.loc[1, "F1 (thesis)"] == "–"


def test_best_values_are_found_per_dataset():
    """F1: TL in CRB, Scratch in DOU. FPscan: Scratch in CRB, a tie in DOU. A lone printed
    value has nothing to beat."""
    _, bold = tables.shown(laid())
    assert bold["F1"].tolist() == [False, True, True, False]
    assert bold["FPscan"].tolist() == [True, False, True, True]
    assert bold["F1 (thesis)"].tolist() == [False, False, False, True]


@pytest.mark.parametrize(("ends", "text"), [
    ((0.001, 0.0, 0.0028), "[0.000, 0.003]"),
    ((0.228, 0.2261, 0.2307), "[0.226, 0.231]"),
    ((0.0, 0.0, 0.000004), "[0.000000, 0.000004]"),
    ((-0.07, -0.1366, -0.0041), "[-0.137, -0.004]"),
    ((0.5, 0.301, 0.699), "[0.30, 0.70]"),
])  # fmt: skip
def test_no_interval_is_printed_as_if_it_had_no_width(ends, text):
    value, low, high = ends
    assert tables.interval_parts(value, NAN, low, high, decimals=3)[2] == text


def test_without_a_layout_every_quantity_is_shown_once():
    cells, bold = tables.shown(TABLE)
    assert list(cells) == ["dataset", "model", "f1", "f1 (thesis)", "fp_scan", "n_scans"]
    assert cells["n_scans"].tolist() == ["8", "8", "3", "3"] and not bold.any(axis=None)


def test_html_is_well_formed_bold_and_escaped():
    table = laid(TABLE.assign(dataset=["<b>", "<b>", "a&b", "a&b"]))
    root = ElementTree.fromstring(tables.render_html(table, "Table 7.2. <Detection>", "note"))
    rows = [["".join(cell.itertext()) for cell in row] for row in root.find("tbody")]
    assert root.find("caption").text == "Table 7.2. <Detection>"
    assert [row[0] for row in rows] == ["<b>", "<b>", "a&b", "a&b"]
    lacking = "\u00a0\u2007\u00a0\u2007\u2008\u2007\u2007\u2007"  # " ± 0.193"
    assert rows[1][2] == f"0.489 ± 0.259[0.30, 0.60]–{lacking}"
    marked = [[cell.find("b") is not None for cell in row] for row in root.find("tbody")]
    assert marked[1] == [False, False, True, False]
    foot = root.find("tfoot/tr/td")
    assert (
        foot.text == "note In italics: the thesis. Bold: the best of each dataset."
        and foot.attrib["colspan"] == "4"
    )


def test_the_thesis_stands_in_italics_below_and_words_stand_left():
    root = ElementTree.fromstring(tables.render_html(laid(), "x"))
    cells = root.findall("tbody/tr[1]/td")
    assert cells[2].find("br") is not None and cells[2].find("i").text.strip() == "0.500"
    sides = [cell.attrib["style"].split("text-align:")[1].split(";")[0] for cell in cells]
    assert sides == ["left", "left", "right", "right"]
    assert cells[2].text == "0.426 ± 0.193" and cells[2].find("br").tail == "[0.21, 0.63]"
    assert [cell.get("data-value") for cell in cells] == [None, None, "0.426", "0.889"]
    tex = latex_tables.render_latex(laid(), "x")
    assert r"\makecell[tr]{0.426 $\pm$ 0.193 \\ {[}0.21, 0.63] \\ \textit{0.500}}" in tex


def test_points_stand_below_each_other():
    """By hand: 12 lacks ".500", 1.25 lacks "0" and a spread, a dash no digits."""
    table = pd.DataFrame({"x": [12.0, 1.25, NAN], "x_sd": [0.5, NAN, NAN], "x_thesis": [1.5, 2, 3]})
    (column,) = tables.columns_of(laid_out(table, [Column("x")]))
    assert column.parts == [("12", "± 0.500", ""), ("1.250", "", ""), ("–", "", "")]
    digits, point = "\u2007", "\u2008"
    spread = f"\u00a0{digits}\u00a0{digits}{point}{3 * digits}"  # " ± 0.500"
    assert column.pads == [(point + 3 * digits, ""), ("", spread), ("", spread)]
    assert column.under().pads[1] == (point + 3 * digits, spread)
    ends = pd.DataFrame({"x_low": [1.25, 2.0], "x_high": [2.5, 2.0]})
    (column,) = tables.columns_of(laid_out(ends, [Column("x", "", 1, shows="range")]))
    assert column.pads == [("", ""), ("", "")]  # "1.2-2.5", "2.0"


@pytest.mark.parametrize(("p", "text"), [(4.9e-5, "<0.0001"), (5.1e-5, "0.0001"), (0.04, "0.0400")])
def test_p_is_never_zero(p, text):
    table = laid_out(pd.DataFrame({"p": [p]}), [Column("p", "p", 4, shows="p")])
    assert tables.shown(table)[0].iloc[0, 0] == text


def test_latex_escapes_counts_its_columns_and_marks_the_best():
    text = latex_tables.render_latex(pd.DataFrame({"a_b": ["50 %"], "x": [NAN]}), "Share & rest")
    assert text.count(r"a\_b & x \\") == 2 and r"50 \% & -- \\" in text  # on each page
    assert r"\caption{Share \& rest}" in text and r"\begin{longtable}{lr}" in text
    bold = r"\textbf{0.489 $\pm$ 0.259} \\ \textbf{{[}0.30, 0.60]}"
    assert bold in latex_tables.render_latex(laid(), "x")


def test_a_wide_latex_table_lies_on_its_side_at_8_points_and_long_words_wrap():
    """Ten quantities as in TABLE (16 characters each), and a sentence: no more than 240 mm."""
    names = [f"f{i}" for i in range(9)]
    values = {f"{n}{end}": TABLE[f"f1{end}"] for n in names for end in ("", "_sd", "_low", "_high")}
    table = TABLE[["dataset"]].assign(**values, note="a sentence that is too long for one line")
    wide = laid_out(table, [Column("dataset"), *map(Column, names), Column("note", "Note")])
    tex = latex_tables.render_latex(wide, "x")
    assert r"\begin{landscape}" in tex and "resizebox" not in tex and r"{8}{9.5}" in tex
    assert "p{" in tex and tex.count(r"0.426 $\pm$ 0.193") == 9
    widths = latex_tables.widths_mm(tables.columns_of(wide))
    assert sum(widths) + latex_tables.GAP_MM * len(widths) <= latex_tables.LANDSCAPE_MM + 0.1
    assert "landscape" not in latex_tables.render_latex(laid(), "x")


def test_latex_has_the_number_and_no_character_that_it_cannot_set():
    """Check marks, comparisons, a star after a line's end; a package or T1 letters set the rest."""
    table = pd.DataFrame({"step": ["✓", "✗", "*"], "of": ["<3", "≥ 5 mm²", "é ± 1°"]})
    tex = latex_tables.render_latex(table, "Steps", legend="All.", number="5.1")
    assert (
        r"\renewcommand{\thetable}{5.1}" in tex and r"\caption[Steps]{Steps. All.}\label{tab:5.1}"
    )
    for cell in (
        r"$\surd$ & \textless{}3 \\",
        r"$\times$ & $\geq$ 5 mm$^2$ \\",
        r"{*} & é $\pm$ 1$^\circ$",
    ):
        assert cell in tex


def test_a_long_word_has_places_to_break_and_a_column_holds_its_longest_piece():
    """An address of 41 characters: after each mark, and within the number after 16 digits."""
    word = "doi.org/10.1016/" + "0123456789" * 2 + "/abcd"
    assert latex_tables.latex("doi.org/10.1016") == "doi.org/10.1016"
    pieces = latex_tables.latex(word).split(r"\allowbreak{}")
    assert pieces[:5] == ["doi.", "org/", "10.", "1016/", "0123456789012345"]
    assert "".join(pieces) == word and max(map(len, pieces)) == 16
    names = [f"number {i}" for i in range(12)]
    long = pd.DataFrame({name: [1234567890123] for name in names} | {"source": [f"see {word}"]})
    *_, width = latex_tables.widths_mm(tables.columns_of(long))
    assert width == pytest.approx(latex_tables.CHARACTER_MM * 1.1 * 16)


def test_columns_of_long_texts_share_what_is_left_and_a_short_one_keeps_its_own():
    """25 characters of 1.45 mm are 36.25 mm; two long ones halve the rest, 240 - 5.4 - 36.25."""
    table = pd.DataFrame({"a": ["five " * 5], "b": ["word " * 60], "c": ["word " * 80]})
    widths = latex_tables.widths_mm(tables.columns_of(table))
    assert widths == pytest.approx([36.25, 99.175, 99.175])


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.0, "2"), (2 / 3, "0.667"), (7, "7"), (NAN, "–"), (None, "–"), (True, "yes"), ("a", "a")],
)
def test_numbers_as_text(value, text):
    assert tables.number_text(value) == text


def test_a_named_index_becomes_columns_and_a_group_of_one_has_no_best():
    table = laid(TABLE.iloc[[0, 2]]).set_index("dataset")
    table.attrs["layout"] = layout_of(laid_out(table, COLUMNS))
    cells, _ = tables.shown(table)
    assert cells["dataset"].tolist() == ["CRB", "DOU"]
    assert not tables.shown(laid(TABLE.iloc[[0, 2]]))[1].any(axis=None)


def test_an_empty_table_has_its_heads():
    assert ">a</th>" in tables.render_html(pd.DataFrame(columns=["a"]), "x")


def test_direction_is_checked():
    with pytest.raises(ValueError, match="expected 'max' or 'min', found 'largest'"):
        Column("f1", best="largest")


def test_a_range_shows_its_ends_and_the_thesis_s_text_beside():
    table = pd.DataFrame({"te_ms": [25.0, 20.0, None], "te_ms_low": [19.6, 20.0, None]})
    table["te_ms_high"], table["te_ms_thesis"] = [40.0, 20.0, None], ["19-40", "20", None]
    cells, _ = tables.shown(laid_out(table, [Column("te_ms", "TE", 1, shows="range")]))
    assert cells.to_numpy().tolist() == [["19.6-40.0", "19-40"], ["20.0", "20"], ["–", "–"]]


def test_a_setting_is_shown_as_it_was_chosen():
    table = pd.DataFrame({"level": [2.0, 1.5, 0.25, 24.0, NAN]})
    cells, _ = tables.shown(laid_out(table, [Column("level", "Value", shows="setting")]))
    assert cells["Value"].tolist() == ["2", "1.5", "0.25", "24", "–"]
