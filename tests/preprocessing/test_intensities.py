"""Values that are not finite, and the moments of the padded cube, worked out by hand."""

import numpy as np
import pytest

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
