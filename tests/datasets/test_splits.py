"""Splits: against the printed counts of Figure A.8 and the promises of section 7.1.2."""

import itertools

import pandas as pd
import pytest

from cmbkit.datasets.splits import assign_splits, strata, stratification_log, stratified_patients


def scan(dataset, patient, n_cmb=0, time=1, sequence="SWI", level="low", field="3", te=20.0):
    uid = f"{dataset}-{patient}_T{time}"
    return dict(
        uid=uid, dataset=dataset, patient=patient, scan=uid, sequence=sequence, n_cmb=n_cmb,
        resolution_level=level, field_strength=field, te_ms=te,
    )  # fmt: skip


def thesis_momeni():
    """118 patients, 370 scans: 30 patients with CMBs have 90 scans, of which 46 low, 11 high."""
    counts = [1] * 46 + [5] * 11 + [0] * 33
    # deal the scans so that each of 30 patients gets one with CMBs first
    rows = [scan("MOMENI", f"s{n % 30}", count, n // 30) for n, count in enumerate(counts)]
    rows += [scan("MOMENI", f"h{n % 88}", 0, n // 88) for n in range(280)]
    return rows


def thesis_rodeja():
    kind = dict(field="1.5/3", te=None)
    groups = [(39, "high", 1), (32, "high", 0), (17, "high", 4), (10, "low", 0), (3, "low", 2)]
    groups += [(2, "low", 3)]
    rows = []
    for size, level, n_cmb in groups:
        rows += [
            scan("RODEJA", f"{len(rows) + n}", n_cmb, level=level, **kind) for n in range(size)
        ]
    return rows


def thesis_valdo():
    kind = dict(field="1.5/3", te=25.0, sequence="T2S")
    groups = [(27, "low", 1), (22, "high", 0), (13, "high", 2), (10, "high", 9)]
    rows = []
    for size, level, n_cmb in groups:
        rows += [scan("VALDO", f"{len(rows) + n}", n_cmb, level=level, **kind) for n in range(size)]
    return rows


@pytest.fixture(scope="module")
def thesis_cohort():
    return pd.DataFrame([*thesis_momeni(), *thesis_rodeja(), *thesis_valdo()])


PRINTED = {  # Figure A.8, train + valid
    "MOMENI-True-SWI-low-3-Unspecified-20_0": 240 + 40,
    "MOMENI-False-SWI-low-3-low-20_0": 65 + 14,
    "MOMENI-False-SWI-low-3-high-20_0": 9 + 2,
    "VALDO-False-T2S-low-1.5/3-low-25_0": 23 + 4,
    "VALDO-False-T2S-high-1.5/3-low-25_0": 11 + 2,
    "VALDO-False-T2S-high-1.5/3-high-25_0": 9 + 1,
}


def test_log_counts_strata_as_figure_a_8(thesis_cohort):
    table = assign_splits(thesis_cohort, 0.15, 1)
    log = stratification_log(table)
    sizes = log[log["column"] == "Dataset"].groupby("split")["n_scans"].sum()
    assert sizes.to_dict() == table["split"].value_counts().to_dict()
    assert list(log) == ["split", "column", "value", "n_scans", "proportion_pct"]
    labels = log[log["column"] == "stratify_label"].groupby("value")["n_scans"].sum()
    assert {name: labels[name] for name in PRINTED} == PRINTED
    datasets = log[log["column"] == "Dataset"].groupby("value")["n_scans"].sum()
    assert datasets.to_dict() == {"MOMENI": 370, "RODEJA": 103, "VALDO": 72}
    shares = log.groupby(["split", "column"])["proportion_pct"].sum()
    assert shares.to_numpy() == pytest.approx(100, abs=0.1)
    assert log["proportion_pct"].tolist() == log["proportion_pct"].round(2).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_split_is_by_patient_and_balanced(thesis_cohort, seed):
    table = assign_splits(thesis_cohort, 0.15, seed)
    assert table.groupby(["dataset", "patient"])["split"].nunique().max() == 1
    valid = table["split"] == "valid"
    assert valid.mean() == pytest.approx(0.15, abs=0.02)
    assert table.groupby("dataset").apply(
        lambda rows: (rows["split"] == "valid").mean(), include_groups=False
    ).to_numpy() == pytest.approx(0.15, abs=0.04)
    log = stratification_log(table).pivot_table(
        index=["column", "value"], columns="split", values="proportion_pct", fill_value=0
    )
    one_way = log.drop("stratify_label", level="column")
    assert (one_way["train"] - one_way["valid"]).abs().max() < 7


def test_three_microbleeds_are_high_and_the_scan_with_most_stands_for_its_patient():
    counts = {"a": [2, 0], "b": [0, 3], "c": [5, 1], "d": [0, 0]}
    rows = [scan("MOMENI", p, n, time) for p, own in counts.items() for time, n in enumerate(own)]
    table = pd.DataFrame(rows)
    level = strata(table).groupby(table["patient"])["CMB_level"].agg(list)
    assert level.to_dict() == {
        "a": ["low", "low"], "b": ["low", "high"], "c": ["high", "low"], "d": ["Unspecified"] * 2,
    }  # fmt: skip
    found = stratified_patients(table).set_index("patient")
    assert found["CMB_level"].to_dict() == {
        "a": "low",
        "b": "high",
        "c": "high",
        "d": "Unspecified",
    }
    assert found["n_scans"].tolist() == [2] * 4


@pytest.mark.parametrize("seed", range(8))
def test_of_ten_healthy_patients_nine_are_drawn(seed):
    """Places at equal distances from a random start name nobody twice."""
    table = assign_splits(pd.DataFrame([scan("MOMENI", str(n)) for n in range(10)]), 0.9, seed)
    assert (table["split"] == "valid").sum() == 9


def test_patients_come_by_dataset_and_name_and_of_equal_scans_the_first():
    rows = [scan("VALDO", "z", 1), scan("MOMENI", "b", 2, 1), scan("MOMENI", "b", 2, 0)]
    found = stratified_patients(pd.DataFrame([*rows, scan("MOMENI", "a")]))
    assert found["uid"].tolist() == ["MOMENI-a_T1", "MOMENI-b_T0", "VALDO-z_T1"]


def test_split_depends_on_the_seed_and_not_on_the_order(thesis_cohort):
    first = assign_splits(thesis_cohort, 0.15, 3).set_index("uid")["split"]
    mixed = assign_splits(thesis_cohort.sample(frac=1, random_state=0), 0.15, 3)
    assert mixed.set_index("uid")["split"].reindex(first.index).equals(first)
    assert not assign_splits(thesis_cohort, 0.15, 4).set_index("uid")["split"].equals(first)


def test_other_datasets_and_no_leak_through_smomeni(thesis_cohort):
    derived = thesis_cohort[thesis_cohort["dataset"] == "MOMENI"].assign(dataset="sMOMENI")
    derived["uid"] = "s" + derived["uid"]
    others = pd.DataFrame([scan(name, "s0", 2) for name in ("CRB", "DOU", "CRBneg")])
    table = assign_splits(pd.concat([derived, others, thesis_cohort]), 0.15, 5)
    split = table.set_index("uid")["split"]
    assert split[["CRB-s0_T1", "DOU-s0_T1"]].tolist() == ["test", "test"]
    assert split["CRBneg-s0_T1"] == "train"
    source = split[[uid[1:] for uid in derived["uid"]]].map({"valid": "excluded", "train": "train"})
    assert split[derived["uid"]].tolist() == source.tolist()
    assert (source == "excluded").any()


def test_tiny_cohort_is_validated_on_microbleeds():
    rows = [scan(d, f"{n}", n) for d, n in itertools.product(("MOMENI", "VALDO"), range(4))]
    for seed in range(10):
        table = assign_splits(pd.DataFrame(rows), 0.15, seed)
        sick = table[table["n_cmb"] > 0]
        for _, split in sick.groupby("dataset")["split"]:
            assert sorted(split) == ["train", "train", "valid"]
    lonely = assign_splits(pd.DataFrame([scan("VALDO", "1", 2)]), 0.15, 0)
    assert lonely["split"].tolist() == ["train"]


def test_errors(thesis_cohort):
    with pytest.raises(ValueError, match="n_cmb"):
        assign_splits(thesis_cohort.drop(columns="n_cmb"), 0.15, 0)
    with pytest.raises(ValueError, match="OTHER"):
        assign_splits(thesis_cohort.assign(dataset="OTHER"), 0.15, 0)
    with pytest.raises(ValueError, match="validation_fraction"):
        assign_splits(thesis_cohort, 1.0, 0)


def test_datasets_of_ones_own_go_where_they_are_told():
    rows = [scan(name, f"{n}", n % 2) for name in ("OWN", "MINE", "NEW") for n in range(4)]
    table = pd.DataFrame(rows).assign(annotated=[True] * 11 + [False])
    with pytest.raises(ValueError, match=r"found \['MINE', 'NEW', 'OWN'\]"):
        assign_splits(table, 0.25, 0)
    own = {"OWN": "train", "MINE": "train-valid", "NEW": "test"}
    split = assign_splits(table, 0.25, 0, own).groupby("dataset")["split"].agg(list)
    assert split["OWN"] == ["train"] * 4
    assert split["NEW"] == ["test"] * 3 + ["excluded"]  # the last one nobody has annotated
    # half of the 2 healthy patients is rounded to none; of the 2 others one is validated
    assert sorted(split["MINE"]) == ["train"] * 3 + ["valid"]


def test_a_published_dataset_can_be_moved(thesis_cohort):
    tested = pd.DataFrame([scan(name, f"{n}", n) for name in ("CRB", "DOU") for n in range(6)])
    table = pd.concat([thesis_cohort, tested])
    moved = assign_splits(table, 0.25, 1, {"DOU": "train-valid", "RODEJA": "train"})
    split = moved.groupby("dataset")["split"].agg(set)
    assert split["DOU"] == {"train", "valid"}
    assert split["RODEJA"] == {"train"}
    assert split["CRB"] == {"test"}


def test_no_brain_is_trained_on_and_tested_wherever_the_file_sends_it(thesis_cohort):
    """118 MOMENI patients in test: none of their 118 sMOMENI brains may train."""
    momeni = thesis_cohort[thesis_cohort["dataset"] == "MOMENI"]
    derived = momeni.assign(dataset="sMOMENI", uid="s" + momeni["uid"], n_cmb=10)
    table = assign_splits(pd.concat([thesis_cohort, derived]), 0.15, 1, {"MOMENI": "test"})
    sides = table.groupby(["dataset", "split"])["patient"].nunique()
    assert sides["MOMENI", "test"] == 118
    assert sides["sMOMENI", "excluded"] == 118 and ("sMOMENI", "train") not in sides
    both = assign_splits(derived, 0.15, 1)  # without MOMENI itself there is nothing to leak into
    assert set(both["split"]) == {"train"}
