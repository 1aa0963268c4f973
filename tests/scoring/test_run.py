"""Files of masks through the evaluation, counted by hand."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.evaluation.instances import from_labels
from cmbkit.running.map_scans import ScanFailures
from cmbkit.scoring.annotations import Annotated
from cmbkit.scoring.run import evaluate_files, outline_features
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


def test_images_in_memory_are_counted_like_files(tmp_path):
    """Paths, nibabel images (of any type that holds whole numbers) and volumes, mixed."""
    truth, said = volume((1, 10, 12), (1, 40, 42)), volume((1, 11, 13), (1, 25, 25))
    probability = truth.with_data(np.linspace(0, 1, truth.data.size).reshape(truth.shape))
    floats = said.with_data(said.data.astype(np.float32)).to_nifti()
    listing = pd.DataFrame(
        {
            "uid": ["a", "b"],
            "dataset": "mine",
            "patient": ["p1", "p2"],
            "reference": [truth, truth.write(tmp_path / "truth.nii.gz")],
            "predicted": [floats, said],
            "probability": [probability.to_nifti(), None],
        }
    )
    matches, scans, features = evaluate_files(listing)
    assert scans[["uid", "tp", "fp", "fn"]].to_numpy().tolist() == [["a", 1, 1, 1], ["b", 1, 1, 1]]
    # the first candidate ends at voxel (13, 4, 4), where the map has its largest value in it
    best = matches.query("uid == 'a' and match == 'TP'")["score"].item()
    assert best == pytest.approx(probability.data[13, 4, 4])
    assert len(features) == 8 and list(scans["in_plane_mm"]) == [0.5, 0.5]
    with pytest.raises(ScanFailures, match="expected the affine"):
        moved = Volume(said.data, said.affine @ np.diag([2.0, 1, 1, 1]))
        evaluate_files(listing.head(1).assign(predicted=[moved]))


def test_integers_of_labels_may_be_large():
    """Sizes by hand; memory must not grow with the number itself."""
    marked = volume((7, 10, 12), (2_000_000_000, 40, 41))
    annotated = Annotated(from_labels(marked.data, AFFINE), marked, {})
    rows = outline_features(annotated, None, "Pred")
    assert [(row["id"], row["n_voxels"]) for row in rows] == [(7, 3), (2_000_000_000, 2)]
