"""Where a network is wrong on training scans, and patches around these places."""

from types import SimpleNamespace

import numpy as np
import pytest

from cmbkit.detector.patches import hard_negatives as false_alarms
from cmbkit.detector.patches.hard_negatives import FILE, FalseAlarms, find_false_alarms, places_in
from cmbkit.detector.patches.sampling import SampledScan, patch_start
from cmbkit.detector.patches.stream import epoch_batches
from cmbkit.params import Inference

CMB, NEAR, FAR, WIDER = (8, 8, 8), (8, 8, 14), (24, 24, 8), (24, 8, 24)


@pytest.fixture
def alarmed(standard_scan, monkeypatch):
    """A detector that calls whatever differs by 2 from the mean: CMBs and bright balls alike."""

    def called(predictor, scan):
        image, brain = scan.image(), scan.brain().data
        return image, np.where((np.abs(image.data) > 2) & (brain > 0), 9.0, -9.0)

    monkeypatch.setattr(false_alarms, "predict_standard", called)
    scan = standard_scan("alarmed", dark=[CMB], bright=[NEAR, FAR, WIDER])
    image = scan.image()
    image.data[24, 8, 24:28] = 3  # 2 voxels more than the ball of radius 2
    image.write(scan.image_path)
    predictor = SimpleNamespace(params=false_alarms.searched(Inference(minimum_voxels=1000)))
    return scan, find_false_alarms(predictor, [scan], step="alarms")


def test_alarms_are_candidates_away_from_microbleeds_largest_first(alarmed):
    """6 voxels of 0.75 mm from the CMB are 4.5 mm: the ball there may be a part of it."""
    scan, table = alarmed
    assert set(table["uid"]) == {scan.scan.uid}
    np.testing.assert_array_equal(table["n_voxels"], [34, 33])  # lattice points within 2: 33
    np.testing.assert_allclose(table[["x", "y", "z"]], [WIDER, FAR], atol=0.1)


def test_they_are_read_back_by_scan(alarmed, tmp_path, standard_scan):
    scan, table = alarmed
    assert places_in(tmp_path) == 0
    table.to_csv(tmp_path / FILE, index=False)
    assert places_in(tmp_path) == 2
    alarms = FalseAlarms.read(tmp_path / FILE, 0.5)
    np.testing.assert_allclose(alarms.of(scan), table[["x", "y", "z"]])
    assert alarms.of(standard_scan("other", dark=[])).shape == (0, 3)


def test_patches_without_a_microbleed_hold_an_alarm_as_often_as_asked(alarmed):
    """Half of them an alarm, and of the other half all a dark spot."""
    scan = SampledScan.load(alarmed[0])
    rng = np.random.default_rng(0)
    places = {"alarm": np.array([FAR]), "dark": np.array([WIDER])}
    drawn = []
    for _ in range(400):
        spots = [(0.5, places["alarm"]), (1.0, places["dark"])]
        start = patch_start(scan, (8, 8, 8), [1, 0], rng, spots)
        holds = {name: (start <= at).all() and (at < start + 8).all()
                 for name, (at,) in places.items()}  # fmt: skip
        assert sum(holds.values()) == 1
        drawn.append(holds["alarm"])
    assert 0.43 < np.mean(drawn) < 0.57  # 2.8 standard deviations


def test_the_batches_of_an_epoch_hold_alarms(alarmed, small_training):
    """The one alarm is the only place above 2 far from all else: every patch shows it."""
    scan, _ = alarmed
    training = small_training.model_copy(
        update={"class_proportions": [1.0, 0.0], "dark_background": 0.0, "augmentation": None}
    )
    alarms = FalseAlarms(1.0, {scan.scan.uid: np.array([FAR])})
    for image, mask in epoch_batches(
        [scan], training, (8, 8, 8), 4, 3, seed=0, epoch=1, alarms=alarms
    ):
        assert (image.reshape(4, -1).max(axis=1) > 2).all() and not mask.any()
