import numpy as np
import pytest

from cmbkit.scoring.annotations import AnnotationError
from cmbkit.scoring.sides import labelled_sides, read_pair
from cmbkit.volume import Volume


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("by name", (False, True)),
        ("reference", (True, False)),
        ("predictions", (False, True)),
        ("both", (True, True)),
        ("none", (False, False)),
    ],
)
def test_each_side_is_labelled_or_not(word, expected):
    sides = "VALDO/sub-101_CMB.nii.gz", "result/sub-101/sub-101_desc-cmb_dseg.nii.gz"
    assert labelled_sides(word, *sides) == expected
    with pytest.raises(AnnotationError, match=r"expected one of by name, predictions, .*'yes'"):
        labelled_sides("yes", *sides)


def test_voxels_need_a_mask_on_the_other_side(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("i,j,k\n1,2,3\n")
    with pytest.raises(AnnotationError, match="where neither side is a mask"):
        read_pair(path, path)


def test_scores_are_the_highest_probability_inside(tmp_path, mask):
    values = np.zeros((9, 8, 7), np.float32)
    values[1, 1, 1], values[2, 1, 1], values[6, 5, 4], values[0, 0, 0] = 0.5, 0.75, 0.25, 1.0
    soft = Volume(values, Volume.read(mask).affine).write(tmp_path / "soft.nii.gz")
    assert read_pair(mask, mask, soft)[2] == {1: 0.75, 2: 0.25}
