"""A microbleed shown in simulated slices."""

import numpy as np

from cmbkit.detector.patches.slice_example import in_thick_slices
from cmbkit.volume import Volume


def test_a_microbleed_fills_the_slice_that_it_is_in_the_middle_of():
    """A cube of 2.5 mm at 0.5 mm spacing, -1 in 1: a slice of 2.5 mm is -1 throughout, in one of
    5.5 mm 5 of 11 voxels are cube, the rest tissue; the outline is as high as the
    slice, tissue 6 mm away as it was."""
    image, lesion = np.ones((60, 60, 80), np.float32), np.zeros((60, 60, 80), bool)
    cube = (slice(28, 33), slice(28, 33), slice(38, 43))
    image[cube], lesion[cube] = -1.0, True
    volume = Volume(image, np.diag([0.5, 0.5, 0.5, 1]))
    cuts = in_thick_slices(volume, lesion, -3.0, [2.5, 5.5])
    assert list(cuts) == [0, 2.5, 5.5]
    for (shown, mask), height, darkest in zip(
        cuts.values(), (5, 5, 11), (-1, -1, 1 / 11), strict=True
    ):
        assert shown.shape == mask.shape == (48, 48, 48)
        extents = [np.ptp(where) + 1 for where in np.nonzero(mask)]
        assert extents == [5, 5, height]
        np.testing.assert_allclose(shown.min(), darkest, atol=1e-6)
        np.testing.assert_allclose(shown[:8], 1, atol=1e-6)
