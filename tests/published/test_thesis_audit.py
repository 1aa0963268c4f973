import pytest

from cmbkit.evaluation.metrics import aggregate
from cmbkit.published.thesis_audit import (
    audit,
    call_counts,
    differences,
    integer_solutions,
)
from cmbkit.published.thesis_cohort import recall_solutions


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
    found = aggregate(rows)
    rates = (found[f"pooled_{name}"][0] for name in ("precision", "recall", "f1", "fp_cmb"))
    assert tuple(round(rate, 3) for rate in rates) == printed


def test_known_contradictions_are_found(findings):
    for where, text, recomputed in (
        ("Table 8.4", "^DOU: false positives", "0.500"),
        ("Abstract", "^CRB: false", "0.889"),
        ("Table 7.2", "^Valid", "0.829"),
        ("Table 7.5", "positive group", "0 rows fit; 18 fit the opposite (fewer)"),
        ("Table 7.1", "^CRB: scans", "7"),
        ("Table 7.1", "^DOU: scans", "12"),
        ("Section 5.1", "radius 5 mm", "524"),
        ("Section 8.1.2", "^CRB: gain", "+0.056"),
        ("Section 6.2.1 and Figure A.7", "slope", "0.01"),
        ("Table 4.2", "^Cerebellum", "Posterior fossa"),
    ):
        assert verdict(findings, where, text) == (recomputed, "contradiction")


def test_further_contradictions_are_found(findings):
    """Each value worked out by hand from the printed tables."""
    for where, text, recomputed in (
        # three VALDO scans sit in an SWI stratum
        ("Figure A.8", "^valid: seq_type", "SWI 75, T2S 7"),
        ("Figure A.8", "^valid: shares", "71.95%"),
        # 56 FN over the 11 T2S scans of section 4.1, 33 over the 7 SWI scans
        ("Section 8.1.3", "^CRB, T2S: FN per scan", "5.09"),
        ("Section 8.1.3", "^CRB, SWI: FN per scan", "4.71"),
        # 18 of 20 CMBs found with recall 0.857 +- 0.363: 12 scans found and 2 missed
        ("Table 8.1", "^DOU, SWI, <3", "14 scans"),
        ("Tables 7.2, 7.3", "behind Valid, TL", "none"),
        ("Section 4.1.1", "^CRB", "1.9 to 5.5"),
    ):
        assert verdict(findings, where, text) == (recomputed, "contradiction")


def test_only_the_guilty_are_accused(findings):
    """Each with the reading that makes both numbers right."""
    for where, text, recomputed, kind, reading in (
        # 74 + 16 MOMENI scans in strata that are not healthy, of 30 patients (Table 7.1)
        ("Table 7.1, Figure A.8", "^MOMENI", "90", "ambiguity", "30 patients with CMBs have 90"),
        ("Section 4.3 and Figure 8.1", "^DOU", "1", "ambiguity", "2 mm, one every 1 mm"),
        # 2*25 / (2*25 + 7 + 33) = 0.5556, printed 0.555; 33 / 58 = 0.569, printed 0.5
        ("Section 8.1.3", "^CRB, SWI: globF1", "0.5556", "rounding", "cut off"),
        ("Section 8.1.3", "^CRB, SWI: FN per CMB", "0.57", "rounding", "cut off"),
        # 65 and 3 FP are the 68 of Table 8.3
        ("Section 8.1.3", "^Valid, SWI: globF1", "0.6480", "ambiguity", "scans without CMBs"),
        # 2 TP fewer, 2 FP and 1 FN more; CRB has 5 fewer and 6 FP more, which no pairs give
        ("Tables 8.1, 8.2", "^DOU", "49/12/24", "ambiguity", "count twice"),
        ("Tables 8.1, 8.2", "^CRB", "33/22/93", "contradiction", ""),
        ("Section 7.1.2.1", "share", "85 % and 15 %", "ambiguity", "73 of them can have 82 scans"),
        ("Section 4.5", "sMOMENI", "9.95 on average", "ambiguity", "duplicates"),
        ("Table 8.4", "behind Sundaresan", "none", "ambiguity", "the thesis's assumption"),
        ("Table 8.4", "^Dou", "3.08", "ambiguity", "the thesis's assumption"),
        ("Table 8.4", "^matching of Sundaresan", "several", "ambiguity", "its own rule"),
        ("Section 6.7.1 and Released code", "matching", "overlap of at least 1 voxel", "ambiguity",
         "both rules"),
        ("Table 8.4", "^DOU: false positives", "0.500", "contradiction", "per CMB"),
        ("Section 5.1", "radius 5 mm", "524", "contradiction", "4/3 pi 5^2"),
    ):  # fmt: skip
        assert verdict(findings, where, text) == (recomputed, kind)
        row = findings[(findings["where"] == where) & findings["finding"].str.contains(text)].iloc[
            0
        ]
        assert reading in row["reading"] and bool(reading) == bool(row["reading"])


def test_contradictions_lead(findings):
    kinds = differences(findings)["verdict"].drop_duplicates().tolist()
    assert kinds == ["contradiction", "ambiguity", "rounding"]
    assert (findings.loc[findings["verdict"] == "agrees", "reading"] == "").all()


def test_the_validation_scans_are_counted_as_40(findings):
    rows = findings[findings["finding"] == "whole counts behind Valid, Scratch"]
    assert "139/82 = 1.6951, 140/82 = 1.7073" in rows["arithmetic"].iloc[0]
    assert rows["arithmetic"].iloc[0].endswith("it would fit 40 scans")


def test_what_is_right_agrees(findings):
    assert (findings.loc[findings["where"] == "Table 7.3", "verdict"] == "agrees").all()
    assert verdict(findings, "Table 7.2", "^DOU") == ("0.500", "agrees")
    assert verdict(findings, "Table 8.4", "^Ferrer") == ("0.00", "agrees")
    assert verdict(findings, "Tables 7.2, 7.3", "behind DOU, TL") == (
        "TP 52, FP 23, FN 22",
        "agrees",
    )
    assert verdict(findings, "Section 8.1.3, Table 8.3", "^Valid") == ("68", "agrees")
    rows = findings[findings["finding"].str.contains("harmonic mean|CMBs per scan$")]
    assert len(rows) == 10 and (rows["verdict"] == "agrees").all()


def test_crb_at_three_fits_one_way_only():
    """7 scans below and 11 from 3 CMBs on: TP 6, FP 6, TN 5, FN 1."""
    assert integer_solutions(0.5, 0.857, 0.455, 7, 11) == [(6, 6, 5, 1)]
    assert integer_solutions(0.5, 0.857, 0.455, 11, 7) == []


def test_recall_solutions_by_hand():
    """Recalls 0 and 1 of two scans: mean 0.5, SD 0.707; 1 TP and 1 FN in scans of one CMB."""
    assert recall_solutions(1, 1, 2, 0.5, 0.707) == [(1, 1)]
    # recalls 1/3 and 0: mean 0.167, SD 0.236
    assert recall_solutions(1, 4, 2, 0.167, 0.236) == [(2, 3)]
    assert recall_solutions(1, 4, 2, 0.167, 0.236, largest=2) == []
