import pytest

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


def test_every_published_rate_names_its_denominator_and_rule():
    table = literature()
    assert table["matching"].notna().all()
    assert table.loc[table["fp_scan"].notna(), "fp_denominator"].eq("scans").all()


def test_unknown_table():
    with pytest.raises(KeyError, match=r"expected one of 4\.1"):
        thesis_table("9.9")
