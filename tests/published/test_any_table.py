"""Any table of detection results: which rates no counts give. Answers are worked out by hand."""

import math
from itertools import product

import pandas as pd
import pytest

from cmbkit.published.any_table import audit_rows, audit_table, read_table
from cmbkit.published.counts import AuditError, Claim, printed, solutions, spread_possible


def audited(decimals=None, averaging="pooled", **cells):
    row = {"method": "x", "averaging": averaging, **cells}
    ((_, found),) = audit_rows(pd.DataFrame([row]), decimals)
    return found.verdict, found.text, found.arithmetic


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("0.704", 0.7035, 0.7045),
        ("70.4 %", 0.7035, 0.7045),
        ("1", 0.5, 1.5),
        (".5", 0.45, 0.55),
        ("1.7 ± 2.803", 1.65, 1.75),
    ],
)
def test_a_printed_number_is_an_interval(text, low, high):
    found = printed(text)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_dropped_zeros_and_cut_off_decimals():
    assert (printed("0.42", 3).low, printed("0.42", 3).high) == pytest.approx((0.4195, 0.4205))
    assert printed("0.87", cut=True).holds(0.8784) and not printed("0.87").holds(0.8784)
    assert printed("12.5 %", 3).high == pytest.approx(0.1255)
    assert printed("-") is None and printed("") is None


def test_one_third_of_three():
    """2 of 3 found and 1 false positive is the only way to 0.667 twice."""
    found = audited(n_cmb="3", precision="0.667", recall="0.667")
    assert found[:2] == ("fits", "TP 2, FP 1, FN 1")


def test_recall_that_no_count_gives():
    """7 lesions: 4/7 = 0.571, 5/7 = 0.714; 0.650 is neither."""
    verdict, _, text = audited(n_cmb="7", recall="0.650")
    assert verdict == "cannot be"
    assert text == "recall 0.650 over 7 CMBs: 4/7 = 0.5714, 5/7 = 0.7143"


def test_recall_that_was_cut_off():
    """65 / 74 = 0.8784 prints as 0.87 only when the last decimals are cut off."""
    assert audited(n_cmb="74", recall="0.87")[:2] == ("fits only cut off", "TP 65, FN 9")


def test_f1_of_printed_precision_and_recall_is_rounding():
    """10/15 and 10/13 print as .67 and .77, their F1 20/28 as .71; 2 x .67 x .77 / 1.44 = .7165."""
    row = {"n_cmb": "13", "precision": "0.67", "recall": "0.77"}
    assert audited(**row, f1="0.71")[0] == "fits"
    verdict, counts, text = audited(**row, f1="0.72")
    assert (verdict, counts) == ("fits but for rounding", "TP 10, FP 5, FN 3")
    assert text == "precision 0.67, recall 0.77 need F1 0.7143, printed 0.72"
    assert audited(**row, f1="0.70")[0] == "cannot be"


def test_rates_that_fit_alone_but_not_together():
    """10 lesions, recall 0.5: TP 5; precision 0.5: FP 5, so 0.5 per CMB and not 0.9."""
    verdict, _, text = audited(n_cmb="10", precision="0.50", recall="0.50", fp_cmb="0.90")
    assert verdict == "cannot be"
    assert text == "precision 0.50, recall 0.50 need FP per CMB 0.5000, printed 0.90"


def test_f1_against_precision_and_recall_needs_no_counts():
    verdict, _, text = audited(precision="0.80", recall="0.40", f1="0.60")
    assert verdict == "cannot be"
    assert text.startswith("precision and recall need F1 0.52")


def test_false_positives_per_scan_that_are_per_lesion():
    """Precision and recall need 10 FP; 10 / 20 = 0.5, 10 / 74 = 0.135."""
    verdict, _, text = audited(
        n_cmb="74", n_scans="20", precision="0.836", recall="0.689", fp_scan="0.135"
    )
    assert verdict == "cannot be"
    assert text.endswith("as FP per CMB 0.135 fits (TP 51, FP 10, FN 23)")


def test_stated_counts_are_held_against_stated_rates():
    assert audited(tp="51", fp="10", fn="23", precision="0.836")[0] == "fits"
    verdict, _, text = audited(tp="51", fp="10", fn="23", precision="0.900")
    assert (verdict, text) == (
        "cannot be", "the counts need precision 0.8361, printed 0.900",
    )  # fmt: skip
    assert audited(tp="5", fn="5", n_cmb="11", recall="0.5")[2] == "TP + FN = 10, stated 11 CMBs"


def test_lesions_unknown_but_scans_known():
    """4 scans, 0.5 FP each: 2 FP; precision 0.50: 2 TP; recall 0.50: 2 FN."""
    found = audited(n_scans="4", precision="0.50", recall="0.50", fp_scan="0.5")
    assert found[:2] == ("fits", "TP 2, FP 2, FN 2")
    # 3 scans: 0.50 is no number of FP over 3 scans
    assert audited(n_scans="3", precision="0.50", recall="0.50", fp_scan="0.50")[0] == "cannot be"


def test_too_little_to_check():
    assert audited(precision="0.5", recall="0.5")[0] == "not checkable"
    assert audited(n_cmb="9", precision="0.31", averaging="scan")[0] == "not checkable"
    assert audited(n_scans="82", fp_scan="1.700", averaging="scan")[0] == "cannot be"


@pytest.mark.parametrize("n_cmb", [1, 4, 9])
def test_solutions_are_all_solutions(n_cmb):
    """Against every TP and FP up to 40, for rates printed from random counts."""
    for tp, fp in product(range(n_cmb + 1), (0, 1, 5, 13)):
        fn, names = n_cmb - tp, ("precision", "recall", "f1", "fp_cmb")
        exact = [
            (lambda t, f: t / (t + f) if t + f else math.nan),
            (lambda t, f: t / n_cmb),
            (lambda t, f: 2 * t / (t + f + n_cmb)),
            (lambda t, f: f / n_cmb),
        ]
        values = [function(tp, fp) for function in exact]
        rates = {
            name: printed(f"{value:.2f}")
            for name, value in zip(names, values, strict=True)
            if not math.isnan(value)
        }
        expected = [
            (t, f, n_cmb - t)
            for t, f in product(range(n_cmb + 1), range(41))
            if all(
                rates[name].holds(function(t, f))
                for name, function in zip(names, exact, strict=True)
                if name in rates
            )
            and not ("precision" in rates and t + f == 0)
        ]
        assert (tp, fp, fn) in expected
        assert solutions(Claim(rates, n_cmb=n_cmb)) == expected


def test_standard_deviation_of_whole_numbers():
    """0, 0, 0, 2: mean 0.5, SD 1.0. Four scans with 2 FP have SD 0.577 or 1.0, nothing between."""
    for text, possible in (("0.5 ± 1.000", True), ("0.5 ± 0.577", True), ("0.5 ± 0.800", False)):
        assert spread_possible(2, 4, printed(text)) is possible


def test_tables_come_with_other_names_and_in_percent(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(
        "Paper,Lesions,Scans,PPV,Sensitivity,FP/scan\n"
        "Dou 2016,117,50,-,93.16%,2.74\n"
        'Other,"10",5,0.5,0.5,9\n'
    )
    table = audit_table(read_table(path))
    assert table["row"].tolist() == ["Dou 2016", "Other"]
    assert table.loc[0, ["n_ways", "tp", "fp", "fn"]].tolist() == [1, 109, 137, 8]
    assert table.loc[1, "n_ways"] == 0 and table.loc[1, ["tp", "fp", "fn"]].isna().all()
    assert table["verdict"].tolist() == ["fits", "ambiguous"]


def test_tables_come_with_semicolons_and_decimal_commas(tmp_path):
    """TP 8, FP 2, FN 4: precision .8, recall 2/3, F1 16/22, FP per scan 2/4."""
    path = tmp_path / "table.csv"
    path.write_text(
        "Paper;TP 1,5 T;Lesions;Scans;PPV;Sensitivity;F1;FP/scan\n"
        "A, 4 scans;1,5;12;4;0,800;66,7 %;0,727;0,5 ± 1,0\n",
        encoding="utf-8-sig",
    )
    table = audit_table(read_table(path))
    assert table["row"].tolist() == ["A, 4 scans, 1.5"]
    assert table.loc[0, ["verdict", "tp", "fp", "fn"]].tolist() == ["fits", 8, 2, 4]
    path.write_text('Paper,Lesions,PPV\nA,12,"0,800"\n')  # eight hundred, or 0.8
    with pytest.raises(AuditError, match="found '0,800'"):
        audit_table(read_table(path))
    path.write_text("Paper,Lesions,PPV\n")
    with pytest.raises(AuditError, match="expected rows, found none"):
        audit_table(read_table(path))


def test_counts_that_are_not_the_only_ones_have_a_lowest_and_a_highest():
    """10 lesions, recall 0.5, precision 0.50 to 0.6 (one decimal: 0.45 to 0.55): FP 5 or 6."""
    row = audit_table(pd.DataFrame([{"n_cmb": "10", "recall": "0.5", "precision": "0.5"}])).loc[0]
    assert row[["n_ways", "tp", "fn", "fp_low", "fp_high"]].tolist() == [2, 5, 5, 5, 6]
    assert pd.isna(row["fp"]) and row["tp_low"] == row["tp_high"] == 5


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"precision": "high"}, r"row 1 \(x\): column precision: expected a number"),
        ({"precision": "70"}, "expected 0 to 1 or a percent sign, found '70'"),
        ({"recall": "1", "n_cmb": "2.5"}, "column n_cmb: expected a whole number"),
        ({"size": "3"}, "expected rates"),
        ({"recall": "1", "tpr": "1"}, "expected one for recall, found 'recall' and 'tpr'"),
    ],
)
def test_what_cannot_be_read_is_named(cells, message):
    with pytest.raises(AuditError, match=message):
        audited(**cells)


@pytest.mark.parametrize(
    ("cells", "ways"),
    [
        # FP 49.5 to 50.5, TP at most 50 * 0.005 / 0.995 = 0.25; FN anything above 0
        ({"fp_scan": "5.0", "precision": "0.00", "recall": "0.00"}, ((0, 50, 1), (0, 50, 100000))),
        # with 50 FP in 0.00005 to 0.00015 per CMB: 333,334 to 1,000,000 CMBs
        (
            {"fp_scan": "5.0", "precision": "0.00", "recall": "0.00", "fp_cmb": "0.0001"},
            ((0, 50, 333334), (0, 50, 1000000)),
        ),
        # FP 500 (499.5 to 500.5), TP at most 500 * 0.005 / 0.995 = 2.5, recall 1/2 or 2/4
        (
            {"fp_scan": "50.00", "precision": "0.00", "recall": "0.50"},
            ((1, 500, 1), (2, 500, 2)),
        ),
    ],
)
def test_rates_that_print_as_0(cells, ways):
    ((_, found),) = audit_rows(pd.DataFrame([{"n_scans": "10", **cells}]))
    assert (found.verdict, found.counts) == ("fits", ways)


def test_any_number_of_false_positives_can_be():
    """282.75 and 282.85 of 381 scans: 107,727.75 and 107,765.85; 1142 / 0.0005 - 1142."""
    found = audited(n_cmb="1149", n_scans="381", fp_scan="282.8", recall="0.994")
    assert found[1] == "38 ways: TP 1142, FP 107728-107765, FN 7"
    counts = {"tp": "1142", "fp": "107747", "fn": "7"}
    assert audited(**counts, precision="0.0105", recall="0.994")[0] == "fits"
    found = audited(n_cmb="1149", precision="0.000", recall="0.994")
    assert found[0] == "fits" and "FP 2282858-" in found[1]
    # more ways than are tried: 1 / 0.01055 - 1 = 93.8, 1149 / 0.01045 - 1149 = 108,803.2
    found = audited(n_cmb="1149", precision="0.0105")
    assert found[0] == "fits" and ", FP 94-108803, " in found[1]


def test_standard_deviation_of_a_population():
    """0, 0, 1, 2, 5, 0, 3, 1: sum 12, of squares 40; 40 - 18 over 8 = 1.658^2, over 7 1.773^2."""
    for deviation, verdict in (("1.658", "fits"), ("1.773", "fits"), ("1.700", "cannot be")):
        cells = {"n_scans": "8", "n_cmb": "20", "recall": ".50", "fp_scan": f"1.500 ± {deviation}"}
        assert audited(**cells)[0] == verdict


@pytest.mark.parametrize("word", ["per image", "image-wise", "mean of cases", "Volume", "by study"])
def test_means_over_scans_go_by_many_names(word):
    """10 / 20 = 0.5 and 11 / 20 = 0.55: 0.512 is from no counts, but may be a mean."""
    assert audited(n_cmb="20", recall="0.512", averaging=word)[0] == "not checkable"
    assert audited(n_cmb="20", recall="0.512", averaging="pooled")[0] == "cannot be"


def test_stated_counts_are_held_against_rates_where_lesions_are_unknown():
    """5.0 FP in 10 scans are 50, precision 0.50 makes TP 50 or 51, recall 0.50 FN 50 to 52."""
    cells = {"n_scans": "10", "fp_scan": "5.0", "precision": "0.50", "recall": "0.50"}
    found = audited(**cells, tp="100", fp="3")
    assert found == ("cannot be", "", "FP 3 over 10 scans = 0.3000, printed 5.0")
    for wrong in ({"tp": "49"}, {"fn": "5"}, {"tp": "100", "fp": "50"}):
        assert audited(**cells, **wrong)[0] == "cannot be"
    assert audited(**cells, tp="50", fp="50")[1] == "2 ways: TP 50, FP 50, FN 50-51"


def test_false_positives_per_scan_without_scans_say_nothing_of_false_positives():
    row = audit_table(pd.DataFrame([{"n_cmb": "4", "recall": "0.5", "fp_scan": "2.0"}])).loc[0]
    assert (row["tp"], row["fn"]) == (2, 2) and row[["fp", "fp_low", "fp_high"]].isna().all()


def test_false_positives_alone_are_all_that_is_said():
    """135.3 (1.65 x 82) to 143.5 (1.75 x 82): FP 136 to 143; nothing of TP and FN."""
    for how in ("scan", "pooled", ""):
        assert audited(n_scans="82", fp_scan="1.7", averaging=how)[:2] == (
            "fits", "8 ways: FP 136-143",
        )  # fmt: skip
    row = audit_table(pd.DataFrame([{"n_scans": "82", "fp_scan": "1.7"}])).loc[0]
    assert row[["n_ways", "fp_low", "fp_high"]].tolist() == [8, 136, 143]
    assert row[["tp", "tp_low", "fn", "fn_high"]].isna().all()
    cells = {"fp": "100", "n_scans": "50"}
    assert audited(**cells, fp_scan="2.0", averaging="scan")[:2] == ("fits", "FP 100")
    assert audited(**cells, fp_scan="3.0", averaging="scan") == (
        "cannot be", "", "FP 100 over 50 scans = 2.0000, printed 3.0",
    )  # fmt: skip
    # 1.649 x 82 = 135.2, of 1.64 cut off: 134.5 to 135.3
    assert audited(n_scans="82", fp_scan="1.64", averaging="scan")[0] == "fits only cut off"


@pytest.mark.parametrize("how", ["scan", "pooled", ""])
def test_stated_counts_that_contradict_each_other(how):
    """However rates are averaged, and whether any are printed."""
    for cells, text in (
        ({"tp": "12", "n_cmb": "10"}, "TP 12 of 10 CMBs"),
        ({"fn": "11", "n_cmb": "10"}, "FN 11 of 10 CMBs"),
        ({"tp": "5", "fn": "3", "n_cmb": "10"}, "TP + FN = 8, stated 10 CMBs"),
    ):
        for rates in ({"recall": ""}, {"precision": "0.8"}, {"recall": "0.9"}):
            assert audited(averaging=how, **cells, **rates) == ("cannot be", "", text)


def test_precision_of_stated_counts_needs_no_number_of_lesions():
    assert audited(tp="3", fp="1", precision="0.75")[:2] == ("fits", "TP 3, FP 1")
    found = audited(tp="3", fp="1", precision="0.85")
    assert found == ("cannot be", "", "TP 3, FP 1 need precision 0.7500, printed 0.85")


def test_means_over_scans_are_not_accused():
    """Recalls 1, 0.5 and 0.25 of 1, 2 and 4 CMBs average 0.583; 4 of 7 are 0.571, 5 of 7 0.714."""
    verdict, counts, text = audited(averaging="", n_cmb="7", recall="0.583")
    assert (verdict, counts) == ("ambiguous", "")
    assert text == (
        "fits no pooled counts (recall 0.583 over 7 CMBs: 4/7 = 0.5714, 5/7 = 0.7143); "
        "would fit if averaged over scans"
    )
    assert audited(averaging="", n_cmb="90", precision="0.8", recall="0.4", f1="0.9")[0] == (
        "ambiguous"
    )
    # columns that name themselves pooled, and FP per scan, which is the same either way
    row = pd.DataFrame([{"n_cmb": "7", "glob_recall": "0.583"}])
    assert audit_table(row)["verdict"].tolist() == ["cannot be"]
    cells = {"n_cmb": "90", "n_scans": "3", "precision": "0.8", "recall": "0.4"}
    assert audited(averaging="", **cells, fp_scan="0.50")[0] == "cannot be"


@pytest.mark.parametrize(
    "cells",
    [
        {"n_cmb": "7", "n_scans": "1", "recall": "0.583"},  # a scan's mean is its own
        {"n_cmb": "1", "recall": "0.583"},  # found or not
        {"n_cmb": "2", "recall": "0.583"},  # of one scan or of two: 0, 1/2, 1
        {"n_cmb": "3", "n_scans": "2", "recall": "0.583"},  # thirds; 1 and 2: quarters
        {"n_cmb": "0", "recall": "0.583"},
        {"n_cmb": "20", "tp": "0", "precision": "0.3"},  # 0 in every scan
        {"n_cmb": "20", "fn": "0", "recall": "0.97"},
        {"n_cmb": "20", "fp": "0", "precision": "0.97"},
    ],
)
def test_what_no_mean_over_scans_gives_is_a_contradiction(cells):
    assert audited(averaging="", **cells)[0] == "cannot be"
