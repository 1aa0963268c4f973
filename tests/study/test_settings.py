"""What notebook 04 shows of simulated slices."""

from types import SimpleNamespace

import numpy as np

from cmbkit.chapters.training import in_thick_slices
from cmbkit.volume import Volume


def test_a_microbleed_fills_the_slice_that_it_is_in_the_middle_of():
    """A cube of 2.5 mm at 0.5 mm spacing, -1 in 1: a slice of 2.5 mm is -1 throughout, in one of
    5.5 mm 5 of 11 voxels are cube, the rest tissue; the outline is as high as the
    slice, tissue 6 mm away as it was."""
    image, lesions = np.ones((60, 60, 80), np.float32), np.zeros((60, 60, 80), np.uint16)
    cube = (slice(28, 33), slice(28, 33), slice(38, 43))
    image[cube], lesions[cube] = -1.0, 7
    scan = SimpleNamespace(
        image=lambda: Volume(image, np.diag([0.5, 0.5, 0.5, 1])),
        lesions=lambda: Volume(lesions, np.diag([0.5, 0.5, 0.5, 1])),
        record=lambda: {"background_value": -3.0},
    )
    rows = in_thick_slices(scan, 7, [2.5, 5.5], side_mm=20)
    assert [label for label, *_ in rows] == ["As scanned", "2.5 mm slices", "5.5 mm slices"]
    for (_, shown, mask), height, darkest in zip(rows, (5, 5, 11), (-1, -1, 1 / 11), strict=True):
        assert shown.shape == mask.shape == (40, 40, 40)
        extents = [np.ptp(where) + 1 for where in np.nonzero(mask)]
        assert extents == [5, 5, height]
        np.testing.assert_allclose(shown.min(), darkest, atol=1e-6)
        np.testing.assert_allclose(shown[:8], 1, atol=1e-6)
