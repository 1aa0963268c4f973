import pytest

from cmbkit.evaluation.audit import audit, call_counts, integer_solutions
from cmbkit.evaluation.audit_cohort import recall_solutions
from cmbkit.evaluation.metrics import glob_averages


@pytest.fixture(scope="module")
def findings():
    return audit()


def verdict(findings, where, text):
    rows = findings[(findings["where"] == where) & findings["finding"].str.contains(text)]
    assert len(rows) == 1
    return rows["recomputed"].iloc[0], rows["verdict"].iloc[0]


@pytest.mark.parametrize(
    ("dataset", "counts", "printed"),
    [
        ("CRB", (38, 16, 89), (0.704, 0.299, 0.420, 0.126)),
        ("DOU", (51, 10, 23), (0.836, 0.689, 0.756, 0.135)),
        ("Valid", (71, 68, 26), (0.511, 0.732, 0.602, 0.701)),
    ],
)
def test_counts_of_table_8_1_give_table_7_3(dataset, counts, printed):
    rows = call_counts().query("dataset == @dataset")
    assert tuple(rows[["tp", "fp", "fn"]].iloc[0]) == counts
    found = glob_averages(rows)[["precision", "recall", "f1", "fp_cmb"]]
    assert tuple(round(value, 3) for value in found) == printed


def test_known_contradictions_are_found(findings):
    for where, text, recomputed in (
        ("Table 8.4", "^DOU: false positives", "0.500"),
        ("abstract", "^CRB", "0.889"),
        ("Table 7.2", "^Valid", "0.829"),
        ("Table 7.5", "positive group", "0 rows fit; 18 fit the opposite (fewer)"),
        ("Table 7.1", "^CRB", "7"),
        ("Table 7.1", "^DOU", "12"),
        ("Tables 8.1, 8.2", "^DOU", "49/12/24"),
        ("Section 5.1", "radius 5 mm", "524"),
        ("Section 7.1.2.1", "share", "85 % and 15 %"),
        ("Section 4.5", "sMOMENI", "9.95 on average"),
        ("Section 8.1.2", "^CRB", "+0.056"),
        ("Table 8.4", "^Dou", "3.08"),
    ):
        assert verdict(findings, where, text) == (recomputed, "differs")


def test_what_is_right_agrees(findings):
    assert (findings.loc[findings["where"] == "Table 7.3", "verdict"] == "agrees").all()
    assert verdict(findings, "Table 7.2", "^DOU") == ("0.500", "agrees")
    assert verdict(findings, "Table 8.4", "^Ferrer") == ("0.00", "agrees")


def test_crb_at_three_fits_one_way_only():
    """7 scans below and 11 from 3 CMBs on: TP 6, FP 6, TN 5, FN 1."""
    assert integer_solutions(0.5, 0.857, 0.455, 7, 11) == [(6, 6, 5, 1)]
    assert integer_solutions(0.5, 0.857, 0.455, 11, 7) == []


def test_recall_solutions_by_hand():
    """Recalls 0 and 1 of two scans: mean 0.5, SD 0.707; 1 TP and 1 FN in scans of one CMB."""
    assert recall_solutions(1, 1, 2, 0.5, 0.707) == [(1, 1)]
