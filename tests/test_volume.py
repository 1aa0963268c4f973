"""Reading, writing and reorienting NIfTI volumes."""

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.eulerangles import euler2mat

from cmbkit.volume import Volume, VolumeError


def lps(shape=(3, 4, 5)):
    affine = np.diag([-0.5, -0.75, 2.0, 1.0])
    affine[:3, 3] = [10, 20, -30]
    return Volume(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), affine)


def test_a_voxel_keeps_its_place_in_mm_when_reoriented():
    volume = lps()
    ras = volume.reoriented("RAS")
    assert volume.orientation == "LPS" and ras.orientation == "RAS"
    # voxel (0, 1, 2) is at x = 10 - 0, y = 20 - 0.75, z = -30 + 4
    np.testing.assert_allclose(volume.to_mm([0, 1, 2]), [10, 19.25, -26])
    i, j, k = np.rint(ras.to_voxels([10, 19.25, -26])).astype(int)
    assert ras.data[i, j, k] == volume.data[0, 1, 2]


AXES = ["".join(o) for p in permutations(("RL", "AP", "SI")) for o in product(*p)]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.tuples(*[st.floats(-0.7, 0.7)] * 3),
    st.tuples(*[st.floats(0.15, 9)] * 3),
    st.tuples(*[st.floats(-300, 300)] * 3),
    st.sampled_from(AXES),
    st.sampled_from(AXES),
    st.sampled_from(["u1", "i2", "f4"]),
)
def test_any_affine_keeps_places_in_a_file_and_in_any_order(
    tmp_path_factory, angles, spacing, origin, stored, wanted, dtype
):
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = euler2mat(*angles) * spacing, origin
    data = np.arange(60, dtype=dtype).reshape(3, 4, 5)
    volume = Volume(data, affine).reoriented(stored)
    np.testing.assert_allclose(volume.to_voxels(volume.to_mm([2, 1, 3])), [2, 1, 3], atol=1e-6)
    np.testing.assert_allclose(sorted(volume.spacing), sorted(spacing))
    path = volume.write(tmp_path_factory.getbasetemp() / f"{dtype}.nii")
    read = Volume.read(path, dtype)
    np.testing.assert_array_equal(read.data, volume.data)
    np.testing.assert_allclose(read.affine, volume.affine, rtol=1e-6, atol=1e-4)
    turned = volume.reoriented(wanted)
    place = turned.to_voxels(volume.to_mm(np.argwhere(np.ones(volume.shape))))
    found = turned.data[tuple(np.rint(place).astype(int).T)]
    np.testing.assert_array_equal(found, volume.data.ravel())
    again = turned.in_order_of(volume)
    np.testing.assert_array_equal(again.data, volume.data)
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-9)


def test_spacing_and_voxel_volume():
    np.testing.assert_allclose(lps().spacing, [0.5, 0.75, 2.0])
    assert lps().voxel_volume_mm3 == pytest.approx(0.75)


def test_scaled_integers_keep_values_to_a_tenth_of_a_permille_of_the_range(tmp_path):
    volume = lps()
    back = Volume.read(volume.write(tmp_path / "v.nii.gz", dtype=np.int16))
    assert np.abs(back.data - volume.data).max() <= 1e-4 * 60
    assert [p.name for p in tmp_path.iterdir()] == ["v.nii.gz"]


def test_scaled_values_are_those_of_nibabel_to_the_last_bit(tmp_path):
    values = np.random.default_rng(0).normal(50, 20, (7, 6, 5)).astype(np.float32)
    path = Volume(values, np.eye(4)).write(tmp_path / "v.nii.gz", dtype=np.int16)
    image = nib.load(path)
    assert image.dataobj.slope != 1
    np.testing.assert_array_equal(
        Volume.read(path).data, np.asarray(image.dataobj).astype(np.float32)
    )


def test_4d_with_one_volume_is_3d_and_with_two_is_an_error(tmp_path):
    for count in (1, 2):
        data = np.zeros((2, 3, 4, count), np.int16)
        nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / f"{count}.nii")
    assert Volume.read(tmp_path / "1.nii").shape == (2, 3, 4)
    with pytest.raises(VolumeError, match=r"2\.nii.*expected a 3D image"):
        Volume.read(tmp_path / "2.nii")


def test_truncated_file_and_fractional_labels_are_named(tmp_path):
    path = lps().write(tmp_path / "cut.nii")
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(VolumeError, match=r"cut\.nii"):
        Volume.read(path)
    half = lps().with_data(lps().data + 0.5).write(tmp_path / "half.nii")
    with pytest.raises(VolumeError, match="fractional"):
        Volume.read(half, "uint8")


def test_a_tenth_of_a_voxel_is_the_measure_of_a_grid():
    """Of voxels of 0.5 x 0.75 x 2 mm: 0.04 mm off passes, 0.06 mm does not."""
    volume = lps()
    near, far = volume.affine.copy(), volume.affine.copy()
    near[0, 3] += 0.04
    far[0, 3] += 0.06
    volume.require_same_grid(Volume(volume.data, near))
    with pytest.raises(VolumeError, match=r"corners up to 0\.06 mm away"):
        volume.require_same_grid(Volume(volume.data, far))


def test_synthstrips_voxel_sizes_pass():
    """freesurfer 1060: 1.000005 times, over 512 voxels of 0.449 mm 0.00115 mm at the corner."""
    affine = np.diag([0.449, 0.449, 1.0, 1.0])
    other = affine.copy()
    other[:3, 1] *= 1.000005
    data = np.broadcast_to(np.zeros((), np.uint8), (512, 512, 150))
    Volume(data, affine).require_same_grid(Volume(data, other))


@pytest.mark.parametrize("axes", ["RAS", "LPI", "SPL", "AIR"])
def test_the_same_space_in_another_storage_order_is_the_same(axes):
    volume = lps()
    back = volume.reoriented(axes).in_order_of(volume)
    np.testing.assert_array_equal(back.data, volume.data)
    np.testing.assert_allclose(back.affine, volume.affine)
    mirrored = volume.affine.copy()
    mirrored[0] *= -1
    with pytest.raises(VolumeError, match="expected the affine"):
        Volume(volume.data, mirrored).in_order_of(volume)


def test_packed_files_of_both_versions_and_byte_orders(tmp_path):
    """NIfTI-1 and -2, little and big endian, give the values that nibabel reads."""
    data = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        for endianness in "<>":
            header = kind.header_class(endianness=endianness)
            header.set_data_dtype(np.int16)
            header.set_data_shape(data.shape)
            path = tmp_path / f"{kind.__name__}{ord(endianness)}.nii.gz"
            nib.save(kind(data, np.diag([1.0, 2, 3, 1]), header), path)
            volume = Volume.read(path)
            np.testing.assert_array_equal(volume.data, nib.load(path).get_fdata())
            np.testing.assert_allclose(volume.spacing, [1, 2, 3])


def test_nifti_image_goes_out_and_comes_back_and_nilearn_takes_it():
    from nilearn.image import load_img

    affine = np.diag([0.5, 0.5, 2.0, 1.0])
    affine[:3, 3] = 3, -4, 5
    volume = Volume(np.arange(24, dtype=np.int64).reshape(2, 3, 4), affine)
    image = volume.to_nifti()
    assert image.header.get_xyzt_units()[0] == "mm" and image.get_data_dtype() == np.int64
    assert load_img(image).shape == (2, 3, 4)
    back = Volume.from_nifti(image)
    np.testing.assert_array_equal(back.data, volume.data)
    np.testing.assert_array_equal(back.affine, affine)
    assert volume.with_data(volume.data > 3).to_nifti().get_data_dtype() == np.uint8


def test_only_one_volume_of_a_nifti_image_is_taken():
    with pytest.raises(VolumeError, match="expected a 3D image"):
        Volume.from_nifti(nib.Nifti1Image(np.zeros((2, 2, 2, 3)), np.eye(4)))
    assert Volume.from_nifti(nib.Nifti1Image(np.zeros((2, 2, 2, 1)), np.eye(4))).shape == (2, 2, 2)


def test_volume_of_a_file_an_image_or_a_volume(tmp_path):
    volume = lps()
    path = volume.write(tmp_path / "v.nii.gz")
    for image in (path, str(path), nib.load(path), volume.to_nifti(), volume):
        found = Volume.of(image)
        np.testing.assert_array_equal(found.data, volume.data)
        np.testing.assert_allclose(found.affine, volume.affine)
    assert Volume.of(nib.load(path)).path == path and Volume.of(volume) is volume
    assert Volume.of(volume, np.int32).data.dtype == np.int32
    with pytest.raises(VolumeError, match="volume: expected integer labels, found fractional"):
        Volume.of(volume.with_data(volume.data + 0.5), np.int32)
    with pytest.raises(VolumeError, match="expected a path, a nibabel image or a Volume, found li"):
        Volume.of([1, 2])


def test_nilearn_draws_a_mask_without_a_file():
    from nilearn.plotting import plot_roi

    mask = Volume(np.zeros((20, 20, 20), bool), np.diag([2.0, 2, 2, 1]))
    mask.data[8:12, 8:12, 8:12] = True
    plot_roi(mask.to_nifti(), bg_img=None, cut_coords=(20, 20, 20)).close()


def test_masks_of_0_999_are_whole_and_a_faint_map_is_none(tmp_path):
    """Bicubic leftovers round to 1; a map of at most 0.008 would round to an empty mask."""
    one = np.zeros((3, 3, 3), np.float32)
    one[1, 1, 1] = 0.999
    grid = np.diag([1.0, 1, 2, 1])
    assert Volume.read(Volume(one, grid).write(tmp_path / "a.nii"), np.uint8).data.sum() == 1
    faint = Volume(one * 0.008, grid).write(tmp_path / "b.nii")
    with pytest.raises(VolumeError, match="fractional"):
        Volume.read(faint, np.uint8)


def test_complex_voxels_are_refused_also_with_a_scale(tmp_path):
    """complex64 with scl_slope 2 lost its imaginary part."""
    import struct

    image = nib.Nifti1Image(np.full((2, 2, 2), 1 + 1j, np.complex64), np.diag([1.0, 1, 2, 1]))
    content = bytearray(image.to_bytes())
    struct.pack_into("<2f", content, 112, 2.0, 0.0)
    (tmp_path / "c.nii").write_bytes(content)
    with pytest.raises(VolumeError, match=r"c\.nii: expected real numbers, found .* complex64"):
        Volume.read(tmp_path / "c.nii")


def test_equal_voxels_give_equal_bytes(tmp_path):
    """No time (bytes 4 to 7 of gzip's header) and no name (bit 3 of byte 3)."""
    volume = Volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    content = [volume.write(tmp_path / name).read_bytes() for name in ("a.nii.gz", "b.nii.gz")]
    assert content[0] == content[1]
    assert content[0][4:8] == b"\0\0\0\0" and not content[0][3] & 8
