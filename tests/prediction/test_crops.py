"""Pictures of a scan whose background is no number, as VALDO's masked images have it."""

import io

import numpy as np
from PIL import Image

from cmbkit.prediction.crops import mask_cuts, to_grey, window
from cmbkit.volume import Volume


def head(around):
    """A ramp from 100 to 200 in a box of 20 x 20 x 20 voxels of 1 mm, ``around`` about it."""
    data = np.full((30, 30, 30), around, np.float32)
    data[5:25, 5:25, 5:25] = np.linspace(100, 200, 20)[:, None, None]
    brain = np.zeros(data.shape, np.uint8)
    brain[5:25, 5:25, 5:25] = 1
    return Volume(data, np.eye(4)), Volume(brain, np.eye(4))


def test_no_number_and_zero_around_the_brain_look_alike():
    pictures = []
    for around in (0, np.nan):
        scan, brain = head(around)
        assert 100 <= window(scan)[0] < 107 and 193 < window(scan)[1] <= 200
        pictures.append(np.asarray(Image.open(io.BytesIO(mask_cuts(scan, brain))), int))
    assert np.ptp(pictures[0]) > 200
    np.testing.assert_array_equal(*pictures)


def test_what_is_no_number_is_black_and_the_ends_are_black_and_white():
    assert to_grey(np.array([np.nan, 0, 1, 3, 9]), (1, 3)).tolist() == [0, 0, 0, 255, 255]


def test_a_scan_without_a_number_has_a_window():
    assert window(Volume(np.full((2, 2, 2), np.nan), np.eye(4))) == (0, 1)


def test_the_brain_mask_is_outlined_where_it_ends():
    """The box of voxels 5 to 24 lies at 10 to 50 of the first panel's 60 pixels."""
    picture = np.asarray(Image.open(io.BytesIO(mask_cuts(*head(0)))), int)
    coloured = picture[..., 1] - picture[..., 2] > 25
    rows, columns = np.nonzero(coloured[:, :60])
    for found in (rows, columns):
        assert abs(found.min() - 10) <= 2 and abs(found.max() - 50) <= 2
    assert not coloured[15:45, 15:45].any()
