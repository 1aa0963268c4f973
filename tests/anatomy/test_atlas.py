"""The atlas: SynthSeg's label set, symmetric, left at negative x, structures where they belong."""

import os
import subprocess
import sys

import numpy as np
import pytest

from cmbkit.anatomy import atlas as atlas_module
from cmbkit.anatomy.atlas import SYNTHSEG_LABELS, filled_atlas, load_atlas, load_templates

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


def test_the_filled_atlas_is_the_atlas_and_beside_it_the_nearest_label(monkeypatch, tmp_path):
    """Made, kept and read again: the same, at the same places in MNI mm."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = filled_atlas.__wrapped__()
    (path,) = (tmp_path / "cmbkit" / "atlas").iterdir()
    monkeypatch.setattr(atlas_module, "load_atlas", None)  # not made a second time
    for one, two in zip(made, filled_atlas.__wrapped__(), strict=True):
        assert (one.data == two.data).all() and (one.affine == two.affine).all()
    labels, brain = made
    whole = load_atlas()
    for place in ((30, -20, 40), (-12, 10, 8), (2, -40, -33)):
        value = whole.data[tuple(np.rint(whole.to_voxels(place)).astype(int))]
        voxel = tuple(np.rint(labels.to_voxels(place)).astype(int))
        assert labels.data[voxel] == value and brain.data[voxel] == (value > 0)
    top = np.argwhere(brain.data[100, 100] > 0).max()
    assert labels.data[100, 100, top + 15] > 0 and brain.data[100, 100, top + 1] == 0
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(TypeError):  # a damaged file is not read, so it is to be made
        filled_atlas.__wrapped__()


SLOW = """
import sys
from cmbkit.anatomy.parcellation import filled_atlas
from cmbkit.evaluation.calibration import number_of_microbleeds
filled_atlas(), number_of_microbleeds([0.5], 0.5)
print(*sorted({"nilearn", "sklearn", "scipy.stats", "scipy.signal"} & set(sys.modules)))
"""


def test_with_the_kept_atlas_a_prediction_imports_nothing_that_takes_seconds(tmp_path):
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    asked = {"env": environment, "text": True, "check": True, "stdout": subprocess.PIPE}
    first, second = (subprocess.run([sys.executable, "-c", SLOW], **asked) for _ in range(2))
    assert "nilearn" in first.stdout.split() and second.stdout.split() == []
