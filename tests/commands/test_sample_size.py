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
    with pytest.raises(SampleSizeError, match="up to 2000"):  # the same calls: no difference
        sample_size_lines(pilot, "f1", None, against=tmp_path / "other.csv", samples=10)
    pd.DataFrame({"patient": ["a"]}).to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(SampleSizeError, match="missing"):
        sample_size_lines(tmp_path / "bad.csv", "f1", None, width=0.1)
    for row in ("a,-3,1,1", " ,3,1,1"):
        (tmp_path / "odd.csv").write_text(f"patient,tp,fp,fn\nb,1,1,1\n{row}\n")
        with pytest.raises(SampleSizeError, match=r"odd\.csv: row 2: expected a patient"):
            sample_size_lines(tmp_path / "odd.csv", "f1", None, width=0.1)


@pytest.mark.parametrize(
    "plan", [{"width": 0}, {"width": 0.1, "power": 1.5}, {"difference": 0}, {"width": np.nan}]
)
def test_a_plan_that_no_number_of_patients_fulfils_is_said(pilot, plan):
    with pytest.raises(SampleSizeError, match="expected a power and a width between 0 and 1"):
        sample_size_lines(pilot, "f1", None, **plan)


def test_a_difference_and_another_detector_are_one_too_many(pilot, tmp_path):
    with pytest.raises(SampleSizeError, match="expected a difference or another detector"):
        sample_size_lines(pilot, "f1", None, difference=0.1, against=tmp_path / "other.csv")
