import numpy as np
import pytest

from cmbkit.boxes import bounding_box, cut_box


def test_bounding_box_of_two_masks_and_of_none():
    a, b = np.zeros((5, 6, 7), bool), np.zeros((5, 6, 7), bool)
    a[1, 2, 3] = b[3, 2, 6] = True
    assert bounding_box(a, b) == (slice(1, 4), slice(2, 3), slice(3, 7))
    with pytest.raises(ValueError, match="expected voxels > 0"):
        bounding_box(np.zeros((2, 2, 2), bool))


def test_a_margin_ends_with_the_array():
    mask = np.zeros((9, 9, 9), np.uint8)
    mask[1:3, 4, 8] = 2
    box = bounding_box(mask, margin=2)
    assert [len(range(*side.indices(9))) for side in box] == [5, 5, 3]
    assert [side.start for side in box] == [0, 2, 6]


def test_a_box_beyond_the_array_is_filled():
    array = np.arange(27).reshape(3, 3, 3)
    cut = cut_box(array, (-1, 0, 2), (2, 3, 3), -5)
    np.testing.assert_array_equal(cut[1, :, 0], array[0, :, 2])
    assert (cut[0] == -5).all() and (cut[:, :, 1:] == -5).all()
    assert (cut_box(array, (9, 9, 9), (2, 2, 2), 7) == 7).all()
