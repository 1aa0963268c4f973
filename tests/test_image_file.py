"""What is read, and what headers say of millimetres, left and right."""

import bz2
import gzip
import struct

import nibabel as nib
import numpy as np
import pytest

from cmbkit.image_file import GeometryError, geometry, is_image_file, load_header, stem
from cmbkit.volume import Volume, VolumeError

LAS = np.array([[-0.5, 0, 0, 60], [0, 0.5, 0, -60], [0, 0, 2, -50], [0, 0, 0, 1.0]])
DATA = np.arange(240 * 240 * 50, dtype=np.int16).reshape(240, 240, 50) % 999


def image(affine=LAS, **codes):
    made = nib.Nifti1Image(DATA, affine)
    for form, code in codes.items():
        getattr(made, f"set_{form}")(made.affine, code)
    return made


def test_a_plain_header_leaves_nothing_open():
    found = geometry(image())
    np.testing.assert_array_equal(found.affine, LAS)
    assert found.doubts == () and found.sides_known


@pytest.mark.parametrize(("unit", "per_mm"), [("meter", 0.001), ("micron", 1000), ("mm", 1)])
def test_units_become_millimetres(unit, per_mm):
    other = image(np.diag([per_mm, per_mm, per_mm, 1]) @ LAS)
    other.header.set_xyzt_units(unit)
    np.testing.assert_allclose(geometry(other).affine, LAS)


@pytest.mark.parametrize("factor", [0.001, 0.1, 1000])
def test_another_unit_that_is_not_said_is_refused(factor):
    """Metres, centimetres and microns under the name of millimetres: 0.05 to 2000 mm."""
    with pytest.raises(GeometryError, match=r"expected voxels of 0\.1 to 25 mm, found"):
        geometry(image(np.diag([factor] * 3 + [1]) @ LAS))


def test_centimetres_of_large_voxels_are_doubted():
    """2 mm as 0.2: a voxel may be that small, a head is not 48 mm."""
    (said,) = geometry(image(np.diag([0.2, 0.2, 0.2, 1]))).doubts
    assert "field of view is 48 x 48 x 10 mm" in said


def test_without_codes_left_and_right_are_not_known():
    found = geometry(image(sform=0, qform=0))
    assert not found.sides_known and "code 0" in found.doubts[0]


def test_forms_that_mirror_each_other():
    made = image(sform=1)
    made.set_qform(np.diag([-1.0, 1, 1, 1]) @ LAS, 1)
    found = geometry(made)
    assert not found.sides_known and "mirror each other" in found.doubts[0]
    np.testing.assert_allclose(found.affine, LAS)


def test_forms_that_turn_each_other():
    """Turned by 180 degrees about the first axis: LAS becomes LPI, with left where it was."""
    made = image(sform=1)
    made.set_qform(np.diag([1.0, -1, -1, 1]) @ LAS, 1)
    found = geometry(made)
    assert found.sides_known and "sform says LAS and qform LPI" in found.doubts[0]


def test_an_sform_that_scales_to_a_template_does_not_count_for_sizes():
    """0.6 x 0.58 x 2.2 to MNI from voxels of 0.5 x 0.5 x 2 mm."""
    made = image(qform=1)
    made.set_sform(np.diag([1.2, 1.16, 1.1, 1]) @ LAS, 4)
    found = geometry(made)
    np.testing.assert_allclose(found.affine[:3, :3], LAS[:3, :3], atol=1e-6)
    assert "scales to 0.6 x 0.58 x 2.2 mm: voxels are 0.5 x 0.5 x 2 mm" in found.doubts[0]


def test_a_pixdim_of_0_does_not_matter_beside_an_sform_and_is_doubted_without(tmp_path):
    """nibabel makes 1 mm of it."""
    content = bytearray(image(sform=1, qform=0).to_bytes())
    struct.pack_into("<3f", content, 80, 0, 0, 0)
    (tmp_path / "a.nii").write_bytes(content)
    found = Volume.read(tmp_path / "a.nii")
    np.testing.assert_allclose(found.spacing, [0.5, 0.5, 2])
    struct.pack_into("<h", content, 254, 0)  # sform_code
    (tmp_path / "b.nii").write_bytes(content)
    found = Volume.read(tmp_path / "b.nii")
    assert not found.sides_known and "voxel size, left and right may be lost" in found.doubts[1]


def test_the_identity_as_affine():
    """50 mm and 240 mm may be a head of 1 mm; 400 mm are none."""
    found = geometry(nib.Nifti1Image(DATA, np.eye(4)))
    assert not found.sides_known and "identity" in found.doubts[0]
    wide = nib.Nifti1Image(np.zeros((400, 400, 60), np.uint8), np.eye(4))
    with pytest.raises(GeometryError, match="found 1 mm along each axis"):
        geometry(wide)


def test_files_that_people_have(tmp_path):
    """Packed otherwise than named, upper case, bz2, pairs, FreeSurfer's, NRRD: the same voxels."""
    import SimpleITK as sitk

    made = image()
    nib.save(made, tmp_path / "plain.nii")
    plain = (tmp_path / "plain.nii").read_bytes()
    nib.save(nib.Nifti1Pair(DATA, LAS), tmp_path / "pair.img")
    nib.save(nib.MGHImage(DATA, LAS), tmp_path / "f.mgz")
    (tmp_path / "UP.NII.GZ").write_bytes(gzip.compress(plain, 1))
    (tmp_path / "packed.nii").write_bytes(gzip.compress(plain, 1))
    (tmp_path / "unpacked.nii.gz").write_bytes(plain)
    (tmp_path / "b.nii.bz2").write_bytes(bz2.compress(plain, 1))
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "plain.nii")), str(tmp_path / "n.nrrd"))
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "plain.nii")), str(tmp_path / "m.mha"))
    names = ["UP.NII.GZ", "packed.nii", "unpacked.nii.gz", "b.nii.bz2", "pair.img", "pair.hdr"]
    for name in [*names, "f.mgz", "n.nrrd", "m.mha"]:
        found = Volume.read(tmp_path / name)
        np.testing.assert_array_equal(found.data, DATA, name)
        np.testing.assert_allclose(found.affine, LAS, atol=1e-5, err_msg=name)
        assert found.sides_known, name
        assert load_header(tmp_path / name).shape[:3] == DATA.shape
    assert [stem(f"a{end}") for end in (".NII.GZ", ".mgz", ".nii.bz2", ".csv")] == ["a"] * 3 + [
        "a.csv"
    ]
    assert is_image_file(tmp_path / "pair.img") and not is_image_file(tmp_path / "pair.hdr")


def test_analyze_does_not_tell_left_from_right(tmp_path):
    nib.save(nib.AnalyzeImage(DATA, np.diag([-0.5, 0.5, 2, 1])), tmp_path / "a.img")
    found = Volume.read(tmp_path / "a.img")
    assert not found.sides_known and "left and right open" in found.doubts[0]


@pytest.mark.parametrize("shape", [(0, 4, 4), (4, 4, 4, 2)])
def test_other_shapes_are_named(tmp_path, shape):
    nib.save(nib.Nifti1Image(np.zeros(shape, np.uint8), LAS), tmp_path / "s.nii")
    with pytest.raises(VolumeError, match=r"s\.nii: expected (voxels|a 3D image), found shape"):
        Volume.read(tmp_path / "s.nii")
