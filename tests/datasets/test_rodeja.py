"""RODEJA: one mask value per microbleed; masks named after their image."""

import numpy as np
import pytest

from cmbkit.datasets import rodeja
from cmbkit.datasets.registry import count_microbleeds, read_dataset
from cmbkit.datasets.sources import DatasetError


@pytest.fixture
def scan(tmp_path, write_nifti):
    def write(number, mask, subfolder="cph_annotated", prefix="cmb_"):
        base, spacing = tmp_path / "cmb_annotations", (0.4, 0.4, 2.0)
        image = base / subfolder / "images" / f"{number}.nii.gz"
        write_nifti(image, np.ones(mask.shape, np.int16), spacing)
        write_nifti(base / "Annotations" / subfolder / f"{prefix}{number}mask.nii", mask, spacing)

    return write


def touching():
    mask = np.zeros((5, 5, 5), np.uint16)
    mask[1, 1, 1], mask[2, 1, 1], mask[4, 4, 4], mask[0, 0, 4] = 1, 2, 7, 7
    return mask


def test_values_are_microbleeds_even_where_they_touch(tmp_path, scan):
    scan("20001", touching())
    scan("20002", np.zeros((5, 5, 5), np.uint16), "cph_annotated_mip", "")
    one, none = rodeja.read(tmp_path)
    assert (one.uid, one.sequence, one.annotation.kind) == ("RODEJA-20001", "SWI", "mask")
    assert count_microbleeds(one) == 3  # values 1, 2 and 7 (7 in two pieces)
    assert none.annotation.kind == "none"
    assert one.acquisition.field_strength == "1.5/3" and one.acquisition.te_ms is None


def test_number_that_ends_like_another(tmp_path, scan):
    scan("20001", touching())
    scan("120001", touching())
    names = {s.scan: s.annotation.mask_path.name for s in rodeja.read(tmp_path)}
    assert names == {"20001": "cmb_20001mask.nii", "120001": "cmb_120001mask.nii"}


def test_missing_mask_and_missing_image(tmp_path, scan):
    scan("20001", touching())
    scan("20002", touching())
    masks = tmp_path / "cmb_annotations" / "Annotations" / "cph_annotated"
    kept = (masks / "cmb_20001mask.nii").rename(tmp_path / "kept.nii")
    with pytest.raises(DatasetError, match=r"expected one mask \*20001mask.nii, found 0"):
        rodeja.read(tmp_path)
    kept.rename(masks / "cmb_20001mask.nii")
    (tmp_path / "cmb_annotations" / "cph_annotated" / "images" / "20002.nii.gz").unlink()
    with pytest.raises(DatasetError, match=r"cmb_20002mask.nii: expected an image, found none"):
        rodeja.read(tmp_path)


def test_one_number_in_both_folders_is_not_two_patients(tmp_path, scan):
    scan("20001", touching())
    scan("20001", touching(), "cph_annotated_mip")
    with pytest.raises(DatasetError, match="expected one scan RODEJA-20001, found 2") as caught:
        read_dataset("RODEJA", tmp_path)
    assert all(folder in str(caught.value) for folder in ("annotated/images", "mip/images"))
