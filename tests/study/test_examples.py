"""Which CMBs Figure 8.3 shows."""

from types import SimpleNamespace

import numpy as np

from cmbkit.study.examples import balanced, clearest_microbleed


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
    lesions = np.zeros(image.shape, np.uint16)
    image[:15] = -4.0  # the darkest voxels of all, but hardly darker than what is around them
    image[5:8, 8:11, 8:11], lesions[5:8, 8:11, 8:11] = -4.5, 1
    image[22:25, 8:11, 8:11], lesions[22:25, 8:11, 8:11] = -2.0, 3
    scan = SimpleNamespace(
        image=lambda: SimpleNamespace(data=image), lesions=lambda: SimpleNamespace(data=lesions)
    )
    assert clearest_microbleed(scan) == (3, 2.0)
    lesions[:] = 0
    assert clearest_microbleed(scan) is None
