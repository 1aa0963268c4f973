"""A mask of two microbleeds on a grid whose axes are not those of space."""

import numpy as np
import pytest

from cmbkit.volume import Volume

AFFINE = np.array([[0, 2.0, 0, 10], [1, 0, 0, -5], [0, 0, 3, 0], [0, 0, 0, 1]])


@pytest.fixture
def mask(tmp_path):
    """Two microbleeds; the first of two voxels, each with its own value."""
    data = np.zeros((9, 8, 7), np.uint8)
    data[1, 1, 1] = data[2, 1, 1] = 3
    data[6, 5, 4] = 9
    return Volume(data, AFFINE).write(tmp_path / "mask.nii.gz")
