"""The atlas: SynthSeg's label set, symmetric, left at negative x, structures where they belong."""

import numpy as np
import pytest

from cmbkit.anatomy.atlas import SYNTHSEG_LABELS, load_atlas, load_templates

LEFT = [2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 17, 18, 26, 28]
RIGHT = [41, 42, 43, 44, 46, 47, 49, 50, 51, 52, 53, 54, 58, 60]


def test_the_33_labels_of_synthseg_are_all_there():
    assert sorted(SYNTHSEG_LABELS) == sorted([0, 14, 15, 16, 24, *LEFT, *RIGHT])
    assert set(np.unique(load_atlas().data)) == set(SYNTHSEG_LABELS)


def test_left_and_right_mirror_each_other():
    atlas = load_atlas()
    middle = int(atlas.to_voxels([0, 0, 0])[0])
    width = min(middle, atlas.shape[0] - 1 - middle)
    left = atlas.data[middle - width : middle][::-1]
    right = atlas.data[middle + 1 : middle + 1 + width]
    swap = np.arange(256)
    swap[LEFT] = RIGHT
    assert (swap[left] == right).mean() > 0.999


@pytest.mark.parametrize(
    ("mni", "label"),
    [  # textbook MNI coordinates
        ((-12, -20, 8), 10),
        ((26, 4, 2), 51),
        ((-12, 14, 8), 11),
        ((0, -28, -34), 16),
        ((-22, -80, -32), 8),
        ((27, -25, -14), 53),
        ((-30, -20, 32), 2),
        ((0, -46, -32), 15),
    ],
)
def test_landmarks(mni, label):
    atlas = load_atlas()
    i, j, k = np.rint(atlas.to_voxels(mni)).astype(int)
    near = atlas.data[i - 2 : i + 3, j - 2 : j + 3, k - 2 : k + 3]
    assert np.bincount(near.ravel()).argmax() == label


def test_the_brain_of_a_template_is_1_to_2_litres():
    maps = load_templates()
    assert 1e6 < maps.brain.sum() < 2.2e6  # 1 mm^3 voxels
    assert not load_atlas().data[~maps.brain].any()
