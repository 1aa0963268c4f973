import pytest

from cmbkit.datasets.splits import STRATA
from cmbkit.published.numbers import FILES, literature, thesis_numbers, thesis_table


@pytest.mark.parametrize("number", FILES)
def test_every_table_reads(number):
    assert len(thesis_table(number)) >= 4
    assert len(thesis_numbers(number)) == len(thesis_table(number))


def test_means_and_deviations_come_apart():
    row = thesis_numbers("7.2").query("dataset == 'DOU' and model == 'scratch'").iloc[0]
    assert (row["precision"], row["precision_sd"], row["f1_star"]) == (0.912, 0.187, 0.849)


def test_a_cell_without_deviation_stays_a_number():
    """Table 8.1, CRB, SWI, <3: precision is printed as 1.0 alone."""
    row = thesis_numbers("8.1").iloc[1]
    assert row["scan_precision"] == 1.0
    assert row["scan_precision_sd"] != row["scan_precision_sd"]


def test_splits_count_463_and_82_scans():
    for part, expected in (("train", 463), ("valid", 82)):
        table = thesis_numbers(f"A.8 {part}")
        assert table.loc[table["column"] == "Dataset", "count"].sum() == expected


@pytest.mark.parametrize(("number", "words"), [
    ("7.1", {"dataset", "source", "split"}),
    ("4.1", {"dataset", "location", "demographics", "scanner_model", "sequence", "rating_scale"}),
])  # fmt: skip
def test_what_is_printed_as_a_pair_or_a_range_is_numbers(number, words):
    assert set(thesis_numbers(number).select_dtypes(exclude="number")) == words


def test_pairs_and_ranges_by_hand():
    """Printed: MOMENI 57 scans, 46 below 3; 118 patients, 30 with CMBs. CRB, India: 1.5/3 T."""
    momeni = thesis_numbers("7.1").set_index("dataset").loc["MOMENI"]
    names = ["scans_with_cmb", "scans_below_3", "patients_total", "patients_with_cmb"]
    assert momeni[names].tolist() == [57, 46, 118, 30]
    india = thesis_numbers("4.1").query("dataset == 'CRB' and location == 'India'").iloc[0]
    names = ["field_T_low", "field_T_high", "TR_ms_low", "TR_ms_high"]
    assert india[names].tolist() == [1.5, 3, 48, 936]


@pytest.mark.parametrize("part", ["train", "valid"])
def test_parts_of_a_joint_stratum_are_columns(part):
    table = thesis_table(f"A.8 {part}")
    joint = table[table["column"] == "stratify_label"]
    assert (joint[list(STRATA)].agg("-".join, axis=1) == joint["value"]).all()
    assert table.loc[table["column"] != "stratify_label", list(STRATA)].isna().all(axis=None)


def test_the_thesis_own_rows_are_marked():
    own = literature().query("of_thesis")
    assert own[["data", "f1"]].to_numpy().tolist() == [["DOU", 0.756], ["CRB", 0.42]]  # Table 7.3


def test_every_published_rate_names_its_denominator_and_rule():
    table = literature()
    assert table["matching"].notna().all()
    assert table.loc[table["fp_scan"].notna(), "fp_denominator"].eq("scans").all()


def test_unknown_table():
    with pytest.raises(KeyError, match=r"expected one of 4\.1"):
        thesis_table("9.9")
