"""What check_scan says about damaged files."""

import nibabel as nib
import numpy as np
import pytest

from cmbkit.datasets.check import check_scan, inspect
from cmbkit.records import Acquisition, Annotation, Finding, Mimic, Scan

SHAPE = (6, 7, 8)


@pytest.fixture
def scan(tmp_path, write_nifti):
    """Make a scan of a given image and mask, with more of its annotation as keywords."""

    def make(image=None, mask=None, dataset="RODEJA", kind=None, **annotation):
        data = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
        path = write_nifti(tmp_path / "image.nii", data if image is None else image)
        if mask is not None:
            annotation["mask_path"] = write_nifti(tmp_path / "mask.nii", mask)
        kind = kind or ("none" if mask is None else "mask")
        acquisition = Acquisition((1.0, 1.0), 1.0)
        return Scan(dataset, "1", "1", "SWI", path, Annotation(kind, **annotation), acquisition)

    return make


def ones(dtype=np.uint8):
    mask = np.zeros(SHAPE, dtype)
    mask[2, 2, 2] = 1
    return mask


def with_value(value):
    data = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    data[0, 0, :2] = value
    return data


def test_sound_scans(scan):
    assert check_scan(scan()) == []
    assert check_scan(scan(mask=ones())) == []
    points = ((0, 0, 0), (5, 6, 7))
    assert check_scan(scan(kind="points", points=points)) == []


def test_nan_is_expected_in_valdo_only(scan):
    (line,) = check_scan(scan(with_value(np.nan)))
    assert "2 voxels (0.60%)" in line  # 2 of 6 * 7 * 8 = 336
    assert check_scan(scan(with_value(np.nan), dataset="VALDO")) == []
    (line,) = check_scan(scan(with_value(np.inf), dataset="VALDO"))
    assert "2 voxels" in line


def test_one_rule_for_ones_own_scans_in_check_and_predict(scan):
    """What preprocessing replaces is told, and no problem; in masks NaN is no microbleed."""
    mask = ones(np.float32)
    mask[5, 5, 5] = np.nan
    problems, doubts, fingerprint = inspect(scan(with_value(np.nan), mask, dataset="MINE"))
    assert problems == [] and fingerprint is not None
    assert doubts[-1].endswith("image.nii: 2 voxels held no number; background takes their place")
    (line,) = check_scan(scan(np.full(SHAPE, np.nan, np.float32), dataset="MINE"))
    assert "none that is finite" in line


def test_images_without_content(scan):
    (line,) = check_scan(scan(np.full(SHAPE, 3, np.int16)))
    assert "found 3 in every voxel" in line
    (line,) = check_scan(scan(np.full(SHAPE, np.nan, np.float32), dataset="VALDO"))
    assert "none that is finite" in line


def test_truncated_and_missing_image(scan):
    damaged = scan()
    damaged.image.write_bytes(damaged.image.read_bytes()[:500])
    (line,) = check_scan(damaged)
    assert "image.nii: expected a readable NIfTI file" in line
    damaged.image.unlink()
    (line,) = check_scan(damaged)
    assert "found nothing" in line


def test_mask_on_another_grid(scan, write_nifti):
    shifted = scan(mask=ones())
    write_nifti(shifted.annotation.mask_path, ones(), (1.0, 1.0, 1.1))
    (line,) = check_scan(shifted)
    assert "corners up to 0.7 mm away" in line  # 7 steps of 0.1 mm
    write_nifti(shifted.annotation.mask_path, np.ones((6, 7, 9), np.uint8))
    (line,) = check_scan(shifted)
    assert "found (6, 7, 9)" in line


def test_masks_with_wrong_values(scan):
    (line,) = check_scan(scan(mask=ones() * 0))
    assert "found an empty mask" in line
    (line,) = check_scan(scan(mask=ones(np.float32) * 0.5))
    assert "found fractional values" in line
    negative = ones(np.int16)
    negative[3, 3, 3] = -1
    (line,) = check_scan(scan(mask=negative))
    assert "expected labels from 0, found -1" in line


def test_all_problems_at_once(scan):
    annotation = {
        "points": ((0, 0, 8), (1, 1, 1), (1, 1, 1)),
        "mimics": (Mimic((-1, 0, 0), "Cavernomas"),),
        "findings": (Finding(1), Finding(4)),
    }
    lines = check_scan(scan(with_value(np.nan), ones(), kind="scribbles", **annotation))
    assert len(lines) == 5
    for words, line in zip(
        ("NaN", "points within", "(1, 1, 1) 2 times", "landmarks within", "segments [4]"),
        lines,
        strict=True,
    ):
        assert words in line


def test_units(scan):
    """Voxels of 0.001 metre are voxels of 1 mm, of which nothing is to be said."""
    metres = scan()
    image = nib.load(metres.image)
    image = nib.Nifti1Image(np.array(image.dataobj), np.diag([1e-3, 1e-3, 1e-3, 1]) @ image.affine)
    image.header.set_xyzt_units("meter")
    nib.save(image, metres.image)
    assert check_scan(metres) == []
    image.header.set_xyzt_units("mm")
    nib.save(image, metres.image)
    (line,) = check_scan(metres)
    assert "expected voxels of 0.1 to 25 mm, found 0.001 x 0.001 x 0.001 mm" in line
