import pytest
from scipy.stats import binomtest

from cmbkit.evaluation.rules import RULES
from cmbkit.published import literature


def test_f1_interval_is_wilsons_of_another_share():
    """TP 51, FP 10, FN 23: share 51 / 84, F1 = 2 s / (1 + s) at its ends."""
    share = binomtest(51, 84).proportion_ci(method="wilson")
    low, high = literature.f1_interval(51, 10, 23)
    assert low == pytest.approx(2 * share.low / (1 + share.low))
    assert high == pytest.approx(2 * share.high / (1 + share.high))


def test_intervals_span_all_possible_counts():
    found = literature.intervals([(5, 1, 5), (5, 2, 5)], 10)
    ends = [binomtest(5, n).proportion_ci(method="wilson") for n in (6, 7)]
    assert found["precision_low"] == pytest.approx(ends[1].low)
    assert found["precision_high"] == pytest.approx(ends[0].high)
    assert found["fp_scan_high"] == pytest.approx(7.225 / 10, abs=1e-4)


def test_published_rows_have_counts_or_say_why_not():
    table = literature.published_results().set_index(["method", "data"])
    counts = ["n_ways", "tp", "fp", "fn"]
    assert table.loc[("Ferrer et al. 2023", "DOU"), counts].tolist() == [1, 37, 0, 37]
    own = table.loc[("Dou et al. 2016, own test set", "private, 50 scans")]
    assert own[counts].tolist() == [1, 109, 137, 8]
    assert own["note"].endswith("follows from the counts: precision 0.443, f1 0.601")
    dou = table.loc[("Dou et al. 2016", "DOU")]
    # recall 0.80 of 74: 59; precision 0.49: 59 / 0.495 to 59 / 0.485 candidates
    assert dou[["n_ways", "tp", "fp_low", "fp_high", "fn"]].tolist() == [2, 59, 61, 62, 15]
    assert dou["without_fp_scan"] and "printed 7.7" in dou["note"]
    assert table.loc[("Sundaresan et al. 2023", "DOU"), "n_ways"] == 0
    assert (table["n_ways"].gt(0) | table["note"].ne("")).all()
    shown = table[table["recall_low"].notna()]
    assert (shown["recall_low"] < shown["recall"]).all()
    assert len(shown) == 10


def test_the_atlas_says_of_every_row_where_it_was_read_and_what_the_audit_finds():
    table = literature.published_results()
    assert len(table) >= 40 and table["source"].ne("").all() and table["verdict"].ne("").all()
    asan = table[table["method"].str.contains("Asan")].iloc[0]
    # 103 + 18 false positives in 114 scans are printed beside 146 of 158
    assert asan[["n_ways", "tp", "fp", "fn"]].tolist() == [1, 146, 121, 12]
    high = table[table["method"].str.contains("high resolution")].iloc[0]
    assert high[["tp", "fp"]].tolist() == [176, 3757]  # 176 / 188, 3757 / 72
    # 2 x .891 x .887 / (.891 + .887) = .889, printed .887: a mean, perhaps
    cho = table[table["method"].str.startswith("Cho")].iloc[0]
    assert cho["verdict"] == literature.ONLY_AS_MEAN and "0.8885 to 0.8895" in cho["note"]
    # that counts were summed is what the thesis assumes of these: they may be means
    assumed = table[table["averaging"].str.contains("assumed")]
    assert len(assumed) == 3 and "cannot be" not in set(assumed["verdict"])


def test_every_rule_that_a_row_states_is_one_of_those_counted():
    rows = literature.published_results()
    assert set(rows.loc[rows["matching"] != "not stated", "rule"]) <= set(RULES)
    assert (rows.loc[rows["matching"] == "not stated", "rule"] == "").all()


def test_recall_alone_says_nothing_of_false_positives():
    rau = literature.published_results().query("method.str.startswith('Rau')").iloc[0]
    assert rau[["tp", "fn"]].tolist() == [39, 1] and "precision" not in rau["note"]
    assert rau[["fp", "fp_cmb"]].isna().all()
