import numpy as np
import pytest
from scipy import ndimage

from cmbkit.detector.inference import dark_blob
from cmbkit.detector.inference.dark_blob import (
    confidence,
    curvatures,
    dark_blob_candidates,
    second_derivatives,
)
from cmbkit.params import DarkBlobs

AXES = np.ogrid[-20:21, -20:21, -20:21]


def test_curvatures_of_a_gaussian_dip_by_formula():
    """-exp(-r^2 / 2 s^2) has second derivative 1 / s^2 in every direction at its centre."""
    s, spacing = 6.0, (0.5, 1.0, 1.0)
    x, y, z = AXES
    dip = -np.exp(-((0.5 * x) ** 2 + y**2 + z**2) / (2 * s**2))
    centre = np.array([[20, 20, 20]])
    total, upwards = second_derivatives(dip, spacing)
    assert upwards[20, 20, 20] and total[20, 20, 20] == pytest.approx(3 / s**2, rel=0.02)
    assert curvatures(dip, centre, spacing)[0] == pytest.approx(np.full(3, 1 / s**2), rel=0.02)


def test_a_slanted_tube_has_no_curvature_along_it():
    x, y, z = AXES
    across = (x - y) ** 2 / 2 + z**2
    tube = -np.exp(-across / 18)
    centre = np.array([[20, 20, 20]])
    assert curvatures(tube, centre, (1, 1, 1))[0, 0] == pytest.approx(0, abs=0.03 / 9)


def test_it_finds_a_dark_ball_not_a_bright_one_nor_a_slab(monkeypatch):
    monkeypatch.setattr(dark_blob, "EVEN", 12.0)
    rng = np.random.default_rng(0)
    image = rng.normal(0, 0.2, (40, 40, 40)).astype(np.float32)
    axes = np.ogrid[:40, :40, :40]

    def ball(*centre):
        return sum((x - c) ** 2 for x, c in zip(axes, centre, strict=True)) <= 4

    image[ball(12, 12, 12)] -= 3
    image[ball(28, 28, 28)] += 3
    image[:, :, 34:] -= 3
    brain = np.ones(image.shape, np.uint8)
    instances, table = dark_blob_candidates(confidence(image, brain, 0.75), None, 0.75, DarkBlobs())
    assert len(table) == 1 and table["kept"].all()
    centre = np.mean(np.nonzero(instances), axis=1)
    np.testing.assert_allclose(centre, 12, atol=0.5)
    assert table["score"].iloc[0] >= 0  # logit of the confidence 0.5


def test_threshold_and_smallest_size_are_those_of_the_point():
    """Two blobs of 27 and 8 voxels, sure to .9 and .8."""
    sure = np.zeros((20, 20, 20), np.float32)
    sure[2:5, 2:5, 2:5], sure[12:14, 12:14, 12:14] = 0.9, 0.8
    for point, kept in (((0.5, 1), 2), ((0.5, 9), 1), ((0.85, 1), 1), ((0.85, 28), 0)):
        point = DarkBlobs(threshold=point[0], minimum_voxels=point[1])
        assert dark_blob_candidates(sure, None, 0.75, point)[1]["kept"].sum() == kept


def test_an_empty_brain_has_no_blob():
    instances, table = dark_blob_candidates(
        confidence(np.zeros((9, 9, 9)), np.zeros((9, 9, 9)), 1.0), None, 1.0, DarkBlobs()
    )
    assert not instances.any() and len(table) == 0


def test_depth_in_a_mask_is_that_of_the_distance_transform():
    mask = np.pad(np.random.default_rng(1).random((24, 20, 16)) > 0.02, 1)[1:, 1:, :-1]
    spacing = (0.75, 0.5, 1.1)
    away = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    assert 0 < (away > 2).sum() < mask.sum()
    np.testing.assert_array_equal(dark_blob.deeper(mask, 2.0, spacing), away > 2)
