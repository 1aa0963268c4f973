"""Which CMBs Figures 7.2 and 8.3 show."""

from types import SimpleNamespace

import numpy as np

from cmbkit.study.examples import clearest_microbleed
from cmbkit.volume import Volume


def test_the_clearest_microbleed_is_the_darkest_against_its_own_surroundings():
    image = np.zeros((30, 20, 20), np.float32)
    lesions, brain = np.zeros(image.shape, np.uint16), np.ones(image.shape, np.uint8)
    image[:15] = -4.0  # the darkest voxels of all, but hardly darker than what is around them
    image[5:8, 8:11, 8:11], lesions[5:8, 8:11, 8:11] = -4.5, 1
    image[22:25, 8:11, 8:11], lesions[22:25, 8:11, 8:11] = -2.0, 3
    image[26:], brain[26:] = 50.0, 0  # within 2 mm, but outside the brain
    scan = SimpleNamespace(
        image=lambda: Volume(image, np.eye(4)),
        lesions=lambda: Volume(lesions, np.eye(4)),
        brain=lambda: Volume(brain, np.eye(4)),
    )
    assert clearest_microbleed(scan) == (3, 2.0)
    lesions[:] = 0
    assert clearest_microbleed(scan) is None
