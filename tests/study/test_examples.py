"""Which CMBs Figures 7.2 and 8.3 show."""

from types import SimpleNamespace

import numpy as np

from cmbkit.study.examples import balanced, clearest_microbleed
from cmbkit.volume import Volume


def test_as_many_found_as_missed_sorted_by_size():
    """Two found (positions 1 and 4) of six: both, and the smallest and largest missed."""
    radii = [3.0, 2.0, 1.0, 5.0, 4.0, 2.5]
    found = [False, True, False, False, True, False]
    assert balanced(radii, found, 16) == [2, 1, 4, 3]
    assert balanced(radii, found, 4) == [2, 1, 4, 3]
    assert balanced(radii, found, 2) == [2, 1]  # the smallest of each


def test_where_nothing_was_found_all_shown_are_missed():
    assert balanced([2.0, 1.0, 3.0], [False] * 3, 2) == [1, 2]
    assert balanced([], [], 4) == []


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
