"""Lesions along a line of 1 mm: certain at 5, 30 and 50, uncertain at 9, 40 and 45."""

import json

import numpy as np
import pandas as pd
import pytest

from cmbkit.running.map_scans import ScanFailures
from cmbkit.scoring.points import read_points
from cmbkit.scoring.run import evaluate_files
from cmbkit.volume import Volume

CERTAIN, DOUBTFUL = [5, 30, 50], [9, 40, 45]


def line(places, values=1):
    data = np.zeros((60, 5, 5), np.uint8)
    data[places, 2, 2] = values
    return Volume(data, np.eye(4))


def counts(reference, predicted, **how):
    listing = {"uid": ["a"], "dataset": "x", "patient": "p"}
    listing |= {"reference": [reference], "predicted": [predicted]}
    found = evaluate_files(pd.DataFrame(listing), **how)
    return found.scans[["tp", "fp", "fn", "n_gt", "n_pred"]].iloc[0].tolist()


def test_uncertain_lesions_are_counted_or_ignored(tmp_path):
    """Found: 7 (as near to 5 as to 9), 31, 40 and 20. Of 9, 40, 45 only 40 is found."""
    said = line([7, 31, 40, 20]).write(tmp_path / "said.nii.gz")
    mask = line([*CERTAIN, *DOUBTFUL], [1, 1, 1, 2, 2, 2]).write(tmp_path / "truth.nii.gz")
    words = [*["definite", "certain", None], *["possible", "uncertain", "Possible"]]
    table = pd.DataFrame({"x_mm": [*CERTAIN, *DOUBTFUL], "y_mm": 2, "z_mm": 2, "certainty": words})
    table.to_csv(tmp_path / "truth.csv", index=False)
    for truth in (mask, tmp_path / "truth.csv"):
        assert counts(truth, said) == [3, 1, 3, 6, 4]
        # 40 goes with its lesion, 9 and 45 are no misses: 5 and 30 found, 50 missed, 20 invented
        assert counts(truth, said, ignore_uncertain=True) == [2, 1, 1, 3, 3]
    assert counts(line(CERTAIN).write(tmp_path / "all.nii.gz"), said, ignore_uncertain=True) == [
        2, 2, 1, 3, 4,
    ]  # fmt: skip


def test_what_a_mask_or_a_table_must_say(tmp_path):
    said = line([5]).write(tmp_path / "said.nii.gz")
    three = line([5, 20], [1, 3]).write(tmp_path / "three.nii.gz")
    with pytest.raises(ScanFailures, match=r"expected 0, 1 \(certain\) and 2 .* found 3"):
        counts(three, said, ignore_uncertain=True)
    with pytest.raises(ScanFailures, match="found one integer per microbleed"):
        counts(said, said, ignore_uncertain=True, labelled="reference")
    (tmp_path / "odd.csv").write_text("x_mm,y_mm,z_mm,certainty\n1,2,3,maybe\n")
    with pytest.raises(ValueError, match=r"certainty: .* found 'maybe'"):
        read_points(tmp_path / "odd.csv")


def test_slicer_says_it_in_a_description(tmp_path):
    points = [
        {"position": [n, 2, 3], "description": word} for n, word in ((1, ""), (9, "possible"))
    ]
    lists = [{"coordinateSystem": "RAS", "controlPoints": points}]
    (tmp_path / "a.mrk.json").write_text(json.dumps({"markups": lists}))
    columns = "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
    rows = ["0,1,2,3,0,0,0,1,1,1,0,F-1,,", "1,9,2,3,0,0,0,1,1,1,0,F-2,uncertain,"]
    text = "\n".join(["# CoordinateSystem = RAS", columns, *rows])
    (tmp_path / "b.fcsv").write_text(text)
    for name in ("a.mrk.json", "b.fcsv"):
        assert read_points(tmp_path / name).uncertain == (2,)
