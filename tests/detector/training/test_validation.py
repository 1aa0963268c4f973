from pathlib import Path

import numpy as np
import pytest

from cmbkit.detector.training.validation import Tally, balanced_subset, depends_on
from cmbkit.params import Evaluation, Inference, Training, read_parameters


def boxes(*corners, side=2, shape=(40, 12, 12)):
    labels = np.zeros(shape, np.uint16)
    for id, (i, j, k) in enumerate(corners, 1):
        labels[i : i + side, j : j + side, k : k + side] = id
    return labels


def counted(truth, found, spacing_mm=1.0, **rule):
    tally = Tally(Evaluation(**rule))
    tally.add(truth, found, spacing_mm)
    return tally.tp, tally.fp, tally.fn


def test_each_microbleed_takes_the_nearest_candidate_once():
    """Two candidates near one CMB: the nearer (1 mm) matches. One CMB far away: no match."""
    truth = boxes((2, 2, 2), (30, 2, 2))
    assert counted(truth, boxes((5, 2, 2), (1, 2, 2))) == (1, 1, 1)


def test_the_study_s_rule_and_distance_decide():
    """Centres 5 mm apart are too far at 5 mm, not at 6 mm; they share no voxel."""
    truth, found = boxes((0, 0, 0)), boxes((5, 0, 0))
    assert counted(truth, found) == (0, 1, 1)
    assert counted(truth, found, spacing_mm=0.9) == (1, 0, 0)
    assert counted(truth, found, max_distance_mm=6.0) == (1, 0, 0)
    assert counted(truth, found, max_distance_mm=6.0, matching="overlap") == (0, 1, 1)


def test_a_training_depends_on_the_rule_and_of_patches_on_little_else():
    patches = Training(validation_patches_per_scan=4)
    one = depends_on(patches, Inference(overlap=0.1), Evaluation())
    assert one == depends_on(patches, Inference(overlap=0.4), Evaluation(nan_rule="code"))
    assert one != depends_on(patches, Inference(), Evaluation(max_distance_mm=3.0))
    assert depends_on(Training(), Inference(overlap=0.1), Evaluation()) != depends_on(
        Training(), Inference(overlap=0.4), Evaluation()
    )


def test_another_threshold_of_inference_trains_nothing():
    """Of the thesis's own file, and of patches."""
    thesis = read_parameters(Path("params/thesis.yaml"))
    for training in (thesis.training, Training(validation_patches_per_scan=4)):
        known = [
            depends_on(training, thesis.inference.model_copy(update=changes), Evaluation())
            for changes in ({}, {"threshold": 0.9}, {"minimum_voxels": 8})
        ]
        assert known[0] == known[1] == known[2]
        assert (known[0]["threshold"], known[0]["minimum_voxels"]) == (0.5, 1)


def test_metrics_by_hand():
    """One pair that shares half its voxels, one miss, one false alarm."""
    tally = Tally(Evaluation(), losses=[1.0, 2.0])
    tally.add(boxes((2, 2, 2), (30, 2, 2)), boxes((3, 2, 2), (20, 2, 2)), 1.0)
    expected = {"loss": 1.5, "count_f1": 0.5, "count_precision": 0.5}
    assert tally.metrics() == pytest.approx({**expected, "segmentation_f1": 0.5, "dice": 0.25})


def test_undefined_metrics_are_nan():
    assert all(np.isnan(value) for value in Tally(Evaluation()).metrics().values())


def test_the_subset_is_balanced_where_it_can_be(standard_scan):
    ill = [standard_scan(f"ill{i}", dark=[(9, 9, 9)], side=16) for i in range(2)]
    healthy = [standard_scan(f"healthy{i}", dark=[], side=16) for i in range(6)]
    rng = np.random.default_rng(0)
    chosen = balanced_subset([*ill, *healthy], 0.5, rng)
    assert len(chosen) == 4 and sum(scan in ill for scan in chosen) == 2
    assert len(balanced_subset([*ill, *healthy], 1.0, rng)) == 8
