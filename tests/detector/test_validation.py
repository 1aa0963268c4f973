import numpy as np
import pytest

from cmbkit.detector.training.validation import Tally, balanced_subset, match


def boxes(*corners, side=2, shape=(40, 12, 12)):
    labels = np.zeros(shape, np.uint16)
    for id, (i, j, k) in enumerate(corners, 1):
        labels[i : i + side, j : j + side, k : k + side] = id
    return labels


def test_each_microbleed_takes_the_nearest_candidate_once():
    """Two candidates near one CMB: the nearer matches. One CMB far away: no match."""
    truth = boxes((2, 2, 2), (30, 2, 2))
    found = boxes((5, 2, 2), (1, 2, 2))
    assert match(truth, found, 1.0) == ([(1, 2)], 2, 2)


def test_five_millimetres_apart_is_too_far():
    assert match(boxes((0, 0, 0)), boxes((5, 0, 0)), 1.0)[0] == []
    assert match(boxes((0, 0, 0)), boxes((5, 0, 0)), 0.9)[0] == [(1, 1)]


def test_metrics_by_hand():
    """One pair that shares half its voxels, one miss, one false alarm."""
    tally = Tally(losses=[1.0, 2.0])
    tally.add(boxes((2, 2, 2), (30, 2, 2)), boxes((3, 2, 2), (20, 2, 2)), 1.0)
    expected = {"loss": 1.5, "count_f1": 0.5, "count_precision": 0.5}
    assert tally.metrics() == pytest.approx({**expected, "segmentation_f1": 0.5, "dice": 0.25})


def test_undefined_metrics_are_nan():
    assert all(np.isnan(value) for value in Tally().metrics().values())


def test_the_subset_is_balanced_where_it_can_be(standard_scan):
    ill = [standard_scan(f"ill{i}", dark=[(9, 9, 9)], side=16) for i in range(2)]
    healthy = [standard_scan(f"healthy{i}", dark=[], side=16) for i in range(6)]
    rng = np.random.default_rng(0)
    chosen = balanced_subset([*ill, *healthy], 0.5, rng)
    assert len(chosen) == 4 and sum(scan in ill for scan in chosen) == 2
    assert len(balanced_subset([*ill, *healthy], 1.0, rng)) == 8
