"""VALDO: masks with values 1 to 3, NaN outside the brain, two kinds of acquisition."""

import json

import numpy as np
import pytest

from cmbkit.datasets import valdo
from cmbkit.datasets.registry import count_microbleeds, read_dataset
from cmbkit.datasets.sources import DatasetError

THICK, THIN = (0.9, 0.9, 3.0), (0.488, 0.488, 0.8)


@pytest.fixture
def subject(tmp_path, write_nifti):
    def write(name, mask, spacing):
        stem = tmp_path / f"sub-{name}" / f"sub-{name}_space-T2S"
        image = np.full(mask.shape, np.nan, np.float32)
        image[1:-1] = 100
        write_nifti(stem.with_name(f"{stem.name}_desc-masked_T2S.nii.gz"), image, spacing)
        write_nifti(stem.with_name(f"{stem.name}_desc-masked_T1.nii.gz"), image, spacing)
        return write_nifti(stem.with_name(f"{stem.name}_CMB.nii.gz"), mask, spacing)

    return write


def corner_touching_mask():
    """Value 3 beside value 1 (one CMB), value 2 that touches by an edge only (another)."""
    mask = np.zeros((8, 8, 5), np.uint8)
    mask[2, 2, 2], mask[3, 2, 2], mask[4, 3, 2] = 1, 3, 2
    return mask


def test_any_value_is_cmb_and_faces_connect(tmp_path, subject):
    subject("101", corner_touching_mask(), THICK)
    subject("102", np.zeros((8, 8, 5), np.uint8), THICK)
    one, none = valdo.read(tmp_path)
    assert (one.uid, one.patient, one.sequence) == ("VALDO-101", "101", "T2S")
    assert one.image.name == "sub-101_space-T2S_desc-masked_T2S.nii.gz"
    assert one.annotation.kind == "mask" and count_microbleeds(one) == 2
    assert none.annotation.kind == "none" and count_microbleeds(none) == 0


def test_cohorts_by_slice_thickness(tmp_path, subject):
    subject("101", corner_touching_mask(), THIN)
    subject("102", corner_touching_mask(), THICK)
    rotterdam, other = (scan.acquisition for scan in valdo.read(tmp_path))
    assert (rotterdam.field_strength, rotterdam.te_ms, rotterdam.tr_ms) == ("1.5", 31, 45)
    assert rotterdam.in_plane_mm == pytest.approx((0.488, 0.488))
    assert rotterdam.slice_thickness_mm == pytest.approx(0.8)
    assert (rotterdam.resolution_level, other.resolution_level) == ("high", "low")
    assert (other.field_strength, other.te_ms) == ("3", None)


def test_sidecar_wins(tmp_path, subject):
    subject("101", corner_touching_mask(), THICK)
    fields = {"MagneticFieldStrength": 2.8936, "EchoTime": 0.0212, "FlipAngle": 18}
    sidecar = tmp_path / "sub-101" / "sub-101_space-T2S_desc-masked_T2S.json"
    sidecar.write_text(json.dumps(fields))
    (scan,) = valdo.read(tmp_path)
    assert scan.acquisition.field_strength == "3"
    assert scan.acquisition.te_ms == pytest.approx(21.2)
    assert scan.acquisition.flip_deg == 18


def test_synthetic_only_when_the_description_says_so(tmp_path, subject):
    subject("101", corner_touching_mask(), THICK)
    assert not read_dataset("VALDO", tmp_path)[0].synthetic
    (tmp_path / "dataset_description.json").write_text('{"Synthetic": true}')
    assert read_dataset("VALDO", tmp_path)[0].synthetic


def test_every_missing_file_is_named(tmp_path, subject):
    for name in ("101", "102", "103"):
        subject(name, corner_touching_mask(), THICK)
    (tmp_path / "sub-101" / "sub-101_space-T2S_CMB.nii.gz").unlink()
    (tmp_path / "sub-103" / "sub-103_space-T2S_desc-masked_T2S.nii.gz").unlink()
    with pytest.raises(DatasetError) as error:
        read_dataset("VALDO", tmp_path)
    lines = str(error.value).splitlines()
    assert len(lines) == 2
    assert "sub-101_space-T2S_CMB.nii.gz" in lines[0] and "sub-103" in lines[1]


def test_plain_files_beside_packed_ones(tmp_path, subject, write_nifti):
    packed = subject("101", corner_touching_mask(), THICK)
    packed.unlink()
    write_nifti(packed.with_name("sub-101_space-T2S_CMB.nii"), corner_touching_mask(), THICK)
    assert count_microbleeds(valdo.read(tmp_path)[0]) == 2
