"""Files of masks through the evaluation, counted by hand."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.scoring.run import evaluate_files
from cmbkit.volume import Volume

AFFINE = np.diag([0.5, 0.5, 0.5, 1.0])


def volume(*blobs):
    labels = np.zeros((60, 9, 9), np.int32)
    for number, first, last in blobs:
        labels[first : last + 1, 4, 4] = number
    return Volume(labels, AFFINE)


def test_masks_from_files_are_split_into_components(tmp_path):
    """Binary masks: two lesions, two candidates, one of which is near the first lesion."""
    truth = volume((1, 10, 12), (1, 40, 42)).write(tmp_path / "truth.nii.gz")
    said = volume((1, 11, 13), (1, 25, 25)).write(tmp_path / "said.nii.gz")
    empty = volume().write(tmp_path / "empty.nii.gz")
    listing = pd.DataFrame(
        {
            "uid": ["a", "b"],
            "dataset": "mine",
            "patient": ["p1", "p2"],
            "reference": [truth, empty],
            "predicted": [said, empty],
        }
    )
    matches, scans, features = evaluate_files(listing)
    assert scans[["uid", "tp", "fp", "fn"]].to_numpy().tolist() == [["a", 1, 1, 1], ["b", 0, 0, 0]]
    assert matches["uid"].unique().tolist() == ["a"]
    assert features.groupby("type")["n_voxels"].apply(list).to_dict() == {
        "GT": [3, 3], "Pred": [3, 1],
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"missing \['patient'\]"):
        evaluate_files(listing.drop(columns="patient"))
    with pytest.raises(ValueError, match="expected every uid once, found 'a' again"):
        evaluate_files(listing.assign(uid="a"))
