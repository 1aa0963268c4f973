"""Values that are not finite, and the moments of the padded cube, worked out by hand."""

import numpy as np
import pytest

from cmbkit.params import Preprocessing
from cmbkit.preprocessing import intensities
from cmbkit.volume import Volume, VolumeError


def test_nan_becomes_the_median_of_the_corners():
    data = np.full((30, 30, 30), 50.0, np.float32)
    for corner in ((0, 0, 0), (20, 20, 20)):
        data[tuple(slice(c, c + 10) for c in corner)] = 7.0
    data[0, 0, :5] = np.nan
    data[15, 15, 15] = np.inf
    data[20:, :10, :10] = 7
    data[:10, 20:, :10] = 7
    data[:10, :10, 20:] = 7
    filled, count = intensities.fill_nan(Volume(data, np.eye(4)))
    assert count == 6 and filled.data[0, 0, 0] == filled.data[15, 15, 15] == 7
    with pytest.raises(VolumeError, match="expected finite values"):
        intensities.fill_nan(Volume(np.full((3, 3, 3), np.nan), np.eye(4)))


def test_padded_moments_by_hand():
    """One voxel of 8 and one of 4 in a cube of 2^3: mean 12/8, mean square 80/8."""
    mean, sd = intensities.padded_moments(np.array([8.0, 4.0]).reshape(2, 1, 1), 2)
    assert mean == pytest.approx(1.5) and sd == pytest.approx(np.sqrt(10 - 1.5**2))


def test_moments_of_a_brain_that_fills_a_share_by_hand():
    """Voxels 8 and 4 among six zeros: share 1/4, mean 12/8, mean square 80/8. All of it: plain."""
    mean, sd = intensities.shared_moments(np.array([8.0, 4.0]), 0.25)
    assert mean == pytest.approx(1.5) and sd == pytest.approx(np.sqrt(10 - 1.5**2))
    assert intensities.shared_moments(np.array([8.0, 4.0]), 1.0) == pytest.approx((6, 2))


def zscores(data, inside):
    params = Preprocessing(zscore="brain")
    brain = Volume(inside.astype(np.uint8), np.eye(4))
    part = intensities.tissue(Volume(data.astype(np.float32), np.eye(4)), brain, params)
    mean, sd = intensities.moments(part, brain, params)
    return (part.data - mean) / sd


def test_zscore_depends_on_the_tissue_alone():
    """A slab of a sixth of the brain, an offset, a factor, another background, one hot voxel."""
    rng = np.random.default_rng(0)
    data = rng.normal(300, 60, (30, 30, 30))
    inside = np.zeros(data.shape, bool)
    inside[3:27, 3:27, 3:27] = True
    expected = zscores(data, inside)
    slab = inside.copy()
    slab[:, :, :10] = slab[:, :, 14:] = False
    np.testing.assert_allclose(zscores(data, slab)[slab], expected[slab], atol=0.15)
    for changed in (data - 1000, data * 7e-4 + 3, np.where(inside, data, 1e6)):
        np.testing.assert_allclose(zscores(changed, inside), expected, atol=2e-3)
    data[15, 15, 15] = 1e9
    others = np.ones(data.shape, bool)
    others[15, 15, 15] = False
    np.testing.assert_allclose(zscores(data, inside)[others], expected[others], atol=2e-2)
    assert zscores(data, inside).max() < 20


def test_zscore_of_a_whole_brain_is_that_of_the_padded_cube():
    """A brain that fills a quarter of the cube, its darkest percent where the cohort has it."""
    side, cube = 63, 100
    data = np.random.default_rng(1).normal(400, 60, (side,) * 3).astype(np.float32)
    data.ravel()[: side**3 // 500] = 400 / 9
    image, brain = Volume(data, np.eye(4)), Volume(np.ones(data.shape, np.uint8), np.eye(4))
    mean, sd = intensities.padded_moments(data, cube)
    np.testing.assert_allclose(zscores(image.data, brain.data), (data - mean) / sd, atol=0.02)
