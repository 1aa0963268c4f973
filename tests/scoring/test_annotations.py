import numpy as np
import pytest

from cmbkit.scoring.annotations import AnnotationError, read_mask
from cmbkit.scoring.sides import read_pair
from cmbkit.volume import Volume, VolumeError


def test_a_mask_is_counted_by_components_or_by_labels(mask):
    assert read_mask(mask).instances.ids.tolist() == [1, 2]
    labelled = read_mask(mask, labelled=True)
    assert labelled.instances.ids.tolist() == [3, 9]
    assert labelled.instances.sizes.tolist() == [2, 1]


def test_a_binary_mask_is_no_labelled_one(tmp_path):
    """Two pieces of value 1: apart by 10 voxels of 2 mm they are no one microbleed, by 2 they may.

    A single piece is one microbleed either way.
    """
    for apart, fits in ((10, False), (2, True), (0, True)):
        data = np.zeros((16, 4, 4), np.uint8)
        data[[1, 1 + apart], 2, 2] = 1
        path = Volume(data, np.diag([2.0, 2, 2, 1])).write(tmp_path / f"{apart}.nii.gz")
        if fits:
            assert len(read_mask(path, labelled=True).instances) == 1
            continue
        with pytest.raises(AnnotationError, match="found 1 in all of 2 pieces; --labelled") as told:
            read_mask(path, labelled=True)
        assert path.name in str(told.value) and "\n" not in str(told.value)


def test_float_masks_must_hold_whole_numbers(tmp_path):
    whole = np.zeros((3, 3, 3), np.float32)
    whole[1, 1, 1] = 1
    path = Volume(whole, np.eye(4)).write(tmp_path / "whole.nii.gz")
    assert len(read_mask(path).instances) == 1
    soft = Volume(whole * 0.4, np.eye(4)).write(tmp_path / "soft.nii.gz")
    with pytest.raises(VolumeError, match="found fractional values"):
        read_mask(soft)


def test_errors_of_files(tmp_path, mask):
    given = Volume.read(mask, "uint8")
    moved = Volume(given.data, given.affine + np.diag([0, 0, 0.1, 0]))
    with pytest.raises(VolumeError, match="expected the affine"):
        read_pair(mask, moved.write(tmp_path / "moved.nii.gz"))
    with pytest.raises(VolumeError, match="expected a NIfTI file, found nothing"):
        read_mask(tmp_path / "lost.nii.gz")
    negative = given.with_data(-given.data.astype(np.int16)).write(tmp_path / "minus.nii.gz")
    with pytest.raises(AnnotationError, match="expected 0 and whole numbers above, found -9 as"):
        read_mask(negative, labelled=True)
