"""Headers and voxels as scanners and their software leave them."""

import nibabel as nib
import numpy as np
import pytest

from cmbkit.datasets.sources import DatasetError, mask_content, nifti_file, read_header
from cmbkit.volume import Volume, VolumeError

VALUES = np.arange(24).reshape(2, 3, 4)


def save(path, data, affine=None):
    nib.save(nib.Nifti1Image(data, np.eye(4) if affine is None else affine), path)
    return path


def test_spacing_of_oblique_and_sheared_grids(tmp_path):
    """Axes of 0.5, 0.5 and 5 mm: turned by 30 degrees, then with the third one leaning."""
    turn = np.eye(4)
    turn[:2, :2] = [[np.sqrt(3) / 2, -0.5], [0.5, np.sqrt(3) / 2]]
    oblique = turn @ np.diag([0.5, 0.5, 5.0, 1.0])
    header = read_header(save(tmp_path / "o.nii", np.zeros((2, 3, 4), np.int16), oblique))
    assert header.spacing == (0.5, 0.5, 5.0) and header.shape == (2, 3, 4)
    sheared = np.diag([0.5, 0.5, 4.0, 1.0])
    sheared[0, 2] = 3.0  # 3-4-5 triangle: 5 mm along the axis, 4 mm between slices
    path = save(tmp_path / "s.nii.gz", np.zeros((2, 3, 4), np.int16), sheared)
    assert read_header(path).spacing == (0.5, 0.5, 5.0)
    assert Volume.read(path).voxel_volume_mm3 == pytest.approx(0.5 * 0.5 * 4)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float64])
def test_stored_types(tmp_path, dtype, ending):
    path = save(tmp_path / f"v{ending}", (VALUES + 1000).astype(dtype))
    np.testing.assert_array_equal(Volume.read(path).data, VALUES + 1000)
    np.testing.assert_array_equal(Volume.read(path, np.int32).data, VALUES + 1000)


def scaled(path, stored, slope, inter=0.0):
    image = nib.Nifti1Image(stored, np.eye(4))
    nib.save(image, path)
    raw = bytearray(path.read_bytes())
    raw[112:120] = np.array([slope, inter], "<f4").tobytes()  # scl_slope, scl_inter
    path.write_bytes(raw)
    return path


def test_scaled_images_and_masks(tmp_path):
    image = scaled(tmp_path / "i.nii", VALUES.astype(np.int16), 2.5, -10)
    np.testing.assert_allclose(Volume.read(image).data, VALUES * 2.5 - 10)
    mask = np.zeros((2, 3, 4), np.uint8)
    mask[0, 0, 0], mask[1, 2, 3] = 85, 255
    found = mask_content(scaled(tmp_path / "m.nii", mask, 1 / 85))
    assert found.values == (1, 3) and found.n_components == 2


def test_infinity_is_no_label(tmp_path):
    data = np.zeros((2, 3, 4), np.float32)
    data[0, 0, :2] = np.nan, 1
    assert Volume.read(save(tmp_path / "n.nii", data), np.int32).data.sum() == 1
    data[0, 0, 0] = np.inf
    with pytest.raises(VolumeError, match=r"n\.nii: expected integer labels, found infinity"):
        Volume.read(save(tmp_path / "n.nii", data), np.int32)


def test_one_volume_of_4d(tmp_path):
    one = save(tmp_path / "1.nii", np.zeros((2, 3, 4, 1), np.int16))
    assert read_header(one).shape == (2, 3, 4)
    with pytest.raises(DatasetError, match=r"expected a 3D image, found shape \(2, 3, 4, 2\)"):
        read_header(save(tmp_path / "2.nii", np.zeros((2, 3, 4, 2), np.int16)))


def test_flat_affines_are_refused(tmp_path):
    flat = np.eye(4)
    flat[:3, 2] = flat[:3, 1]
    with pytest.raises(DatasetError, match="expected a finite affine of full rank"):
        read_header(save(tmp_path / "f.nii", np.zeros((2, 3, 4), np.int16), flat))


def test_packed_or_plain_but_not_both(tmp_path):
    plain = save(tmp_path / "a.nii", np.zeros((2, 3, 4), np.int16))
    assert nifti_file(tmp_path, "a") == plain
    save(tmp_path / "a.nii.gz", np.zeros((2, 3, 4), np.int16))
    with pytest.raises(DatasetError, match=r"expected one file, found a\.nii beside it"):
        nifti_file(tmp_path, "a")


def test_colours_and_complex_values_are_no_scan(tmp_path):
    colour = np.zeros((2, 3, 4), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    for name, data in (("c.nii", colour), ("z.nii", VALUES.astype(np.complex64))):
        with pytest.raises(VolumeError, match="expected real numbers"):
            Volume.read(save(tmp_path / name, data))
