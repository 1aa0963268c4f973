"""The command about numbers of patients: its lines and its errors."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.commands.sample_size import sample_size_lines
from cmbkit.evaluation.sample_size import SampleSizeError

FEW = {"samples": 40, "seed": 1}


@pytest.fixture
def pilot(tmp_path):
    rng = np.random.default_rng(2)
    found, missed = rng.integers(0, 5, 30), rng.integers(0, 3, 30)
    table = pd.DataFrame({"patient": [f"p{i}" for i in range(30)], "tp": found, "fn": missed})
    table["fp"] = rng.integers(0, 3, 30)
    table.to_csv(tmp_path / "scans.csv", index=False)
    table.sample(frac=1, random_state=1).to_csv(tmp_path / "other.csv", index=False)
    return tmp_path / "scans.csv"


def test_lines_name_the_pilot_and_the_patients(pilot):
    first, width, same, apart = sample_size_lines(
        pilot, "f1", 0.75, width=0.2, difference=0.15, **FEW
    )
    assert first.startswith("pilot: 30 patients") and first.endswith("planned: 0.750")
    assert "no wider than 0.2 in 80% of studies" in width
    assert "+0.150" in same and int(same.split()[0]) < int(apart.split()[0])


def test_what_cannot_be_planned_is_said(pilot, tmp_path):
    with pytest.raises(SampleSizeError, match="expected a width"):
        sample_size_lines(pilot, "f1", None)
    with pytest.raises(SampleSizeError, match="metric: expected f1"):
        sample_size_lines(pilot, "dice", None, width=0.1)
    with pytest.raises(SampleSizeError, match="another f1 than the pilot's"):  # the same calls
        sample_size_lines(pilot, "f1", None, against=tmp_path / "other.csv", samples=10)
    pd.DataFrame({"patient": ["a"]}).to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(SampleSizeError, match=r"expected columns patient, .*, found patient$"):
        sample_size_lines(tmp_path / "bad.csv", "f1", None, width=0.1)
    for row, found in (
        ("a,-3,1,1", "a, -3, 1, 1"), (" ,3,1,1", "nothing, 3, 1, 1"),
        ("a,1.5,1,1", r"a, 1\.5, 1, 1"), ("a,,1,1", "a, nothing, 1, 1"),
    ):  # fmt: skip
        (tmp_path / "odd.csv").write_text(f"patient,tp,fp,fn\nb,1,1,1\n{row}\n")
        with pytest.raises(
            SampleSizeError, match=rf"odd\.csv: line 3: expected a patient .* found {found}$"
        ):
            sample_size_lines(tmp_path / "odd.csv", "f1", None, width=0.1)
    with pytest.raises(SampleSizeError, match=r"expected a table .*, found nothing"):
        sample_size_lines(tmp_path, "f1", None, width=0.1)


def test_a_pilot_may_come_from_a_spreadsheet(pilot, tmp_path):
    table = pd.read_csv(pilot, dtype="str")
    table.to_csv(tmp_path / "semicolons.csv", sep=";", index=False, encoding="utf-8-sig")
    table.to_excel(tmp_path / "book.xlsx", index=False)
    lines = [
        sample_size_lines(path, "f1", None, width=0.3, **FEW)
        for path in (pilot, tmp_path / "semicolons.csv", tmp_path / "book.xlsx")
    ]
    assert lines[0] == lines[1] == lines[2]


@pytest.mark.parametrize(
    "plan", [{"width": 0}, {"width": 0.1, "power": 1.5}, {"difference": 0}, {"width": np.nan}]
)
def test_a_plan_that_no_number_of_patients_fulfils_is_said(pilot, plan):
    with pytest.raises(SampleSizeError, match="expected a power and a width between 0 and 1"):
        sample_size_lines(pilot, "f1", None, **plan)


def test_a_difference_and_another_detector_are_one_too_many(pilot, tmp_path):
    with pytest.raises(SampleSizeError, match="expected a difference or another detector"):
        sample_size_lines(pilot, "f1", None, difference=0.1, against=tmp_path / "other.csv")


def calls(path, tp, fp, fn):
    """A pilot of 8 patients with the same calls in each."""
    table = pd.DataFrame({"patient": list("abcdefgh"), "tp": tp, "fp": fp, "fn": fn})
    table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("pilot_calls", "plan", "message"),
    [
        # all found, nothing invented; nothing found; no call at all
        (
            (2, 0, 0),
            {"width": 0.1},
            "f1: expected a pilot with hits and errors, found 1, .*--value",
        ),
        ((2, 0, 0), {"difference": -0.05}, "f1: expected a pilot with hits and errors, found 1"),
        ((0, 0, 2), {"width": 0.1}, "f1: expected a pilot with hits and errors, found 0"),
        ((0, 0, 2), {"width": 0.1, "metric": "precision"}, "precision: .* errors, found nan"),
        # F1 2 / 4 = 0.5
        (
            (1, 1, 1),
            {"difference": 0.6},
            r"expected f1 0\.500 \+0\.600 between 0 and 1, found 1\.1",
        ),
        ((1, 1, 1), {"difference": -0.5}, r"expected f1 0\.500 -0\.500 between 0 and 1, found 0"),
        ((1, 1, 1), {"width": 0.1, "value": 1.2}, "f1: expected a value between 0 and 1"),
        ((1, 1, 1), {"width": 1e-5}, "up to 2000 to do, found that more are needed"),
        # no FP: precision stays 1 however many hits become misses
        (
            (1, 0, 1),
            {"width": 0.1, "value": 0.9, "metric": "precision"},
            r"hits and errors like the pilot's can give \(1 to 1\), found 0\.9",
        ),
    ],
)
def test_pilots_and_plans_without_an_answer_are_one_line(tmp_path, pilot_calls, plan, message):
    metric, value = plan.pop("metric", "f1"), plan.pop("value", None)
    with pytest.raises(SampleSizeError, match=message) as error:
        sample_size_lines(calls(tmp_path / "p.csv", *pilot_calls), metric, value, **plan, **FEW)
    assert "\n" not in str(error.value)


def test_a_worse_detector_needs_as_many_and_the_better_is_named(pilot):
    """-0.15 from 0.75 is +0.15 from 0.6 with the names exchanged; about as many patients."""
    _, same, _ = sample_size_lines(pilot, "f1", 0.75, difference=-0.15, **FEW)
    assert "-0.150" in same and same.endswith("the better one finds all that the other finds")
    _, other, _ = sample_size_lines(pilot, "f1", 0.6, difference=0.15, **FEW)
    n, m = int(same.split()[0]), int(other.split()[0])
    assert 0.7 < n / m < 1.4


def test_a_value_beside_another_detector_is_one_too_many(pilot, tmp_path):
    with pytest.raises(SampleSizeError, match="a planned value or another detector"):
        sample_size_lines(pilot, "f1", 0.8, against=tmp_path / "other.csv")
