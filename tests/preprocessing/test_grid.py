"""The standard grid and the way back, on images whose values are known in millimetres."""

import numpy as np
import pytest
from nibabel.eulerangles import euler2mat
from scipy import ndimage

from cmbkit.preprocessing import grid
from cmbkit.volume import Volume


def ramp(affine, shape, slope=(2.0, -1.0, 0.5), offset=7.0):
    """An image whose value is a linear function of RAS mm."""
    volume = Volume(np.zeros(shape, np.float32), np.asarray(affine, float))
    mm = volume.to_mm(np.indices(shape).reshape(3, -1).T)
    return volume.with_data((mm @ slope + offset).reshape(shape).astype(np.float32))


LPS = np.array([[-0.9, 0, 0, 80], [0, -1.1, 0, 60], [0, 0, 2.5, -30], [0, 0, 0, 1]])
SWAPPED = np.array([[0, 0, 2.5, -30], [-0.9, 0, 0, 80], [0, 1.1, 0, 5], [0, 0, 0, 1.0]])
OBLIQUE = LPS.copy()
OBLIQUE[:3, :3] = euler2mat(0.1, 0.2, -0.15) @ LPS[:3, :3]


@pytest.mark.parametrize("affine", [LPS, SWAPPED, OBLIQUE], ids=["LPS", "swapped", "oblique"])
def test_a_ramp_in_mm_stays_that_ramp(affine):
    image = ramp(affine, (14, 13, 9)).reoriented("RAS")
    shape, target = grid.standard_grid(image, 0.5)
    found = grid.resample_linear(image, shape, target, fill=-1000.0)
    expected = ramp(target, shape)
    inside = found.data != -1000.0
    np.testing.assert_allclose(found.data[inside], expected.data[inside], atol=1e-3)
    assert found.orientation == "RAS" and np.allclose(found.spacing, 0.5)
    if affine is not OBLIQUE:
        assert inside[:-1, :-1, :-1].all()


def test_axis_by_axis_equals_scipy():
    rng = np.random.default_rng(2)
    image = Volume(rng.normal(size=(7, 8, 6)).astype(np.float32), np.diag([1.0, 0.7, 3.0, 1.0]))
    shape, target = grid.standard_grid(image, 0.4)
    matrix = np.linalg.inv(image.affine) @ target
    expected = ndimage.affine_transform(
        image.data, matrix, output_shape=shape, order=1, cval=image.data.min()
    )
    found = grid.resample_linear(image, shape, target, float(image.data.min()))
    np.testing.assert_allclose(found.data, expected, atol=1e-5)


@pytest.mark.parametrize("order", ["C", "F"])
def test_oblique_equals_scipy(order):
    """Inside the image; scipy and cmbkit may differ on which rim voxels are outside."""
    rng = np.random.default_rng(4)
    data = np.asarray(rng.normal(size=(14, 13, 9)).astype(np.float32), order=order)
    image = Volume(data, OBLIQUE)
    shape, target = grid.standard_grid(image, 0.7)
    matrix = np.linalg.inv(image.affine) @ target
    for fill in (0.0, -50.0):
        expected = ndimage.affine_transform(data, matrix, output_shape=shape, order=1, cval=fill)
        found = grid.resample_linear(image, shape, target, fill).data
        differ = np.abs(found - expected) > 1e-4
        assert differ.mean() < 1e-3 and (found == fill).any()
    labels = np.asarray(rng.integers(0, 5, data.shape), dtype=np.uint8, order=order)
    expected = ndimage.affine_transform(
        labels, matrix, output_shape=shape, order=0, mode="grid-constant"
    )
    found = grid.resample_nearest(image.with_data(labels), shape, target).data
    assert (found != expected).mean() < 1e-3 and found.dtype == np.uint8


def test_standard_grid_covers_the_voxel_centres():
    """9 mm and 8 mm at 2 mm spacing: 6 voxels (0 to 10 mm) and 5 voxels (0 to 8 mm)."""
    shape, affine = grid.standard_grid(Volume(np.zeros((10, 9, 1)), np.eye(4)), 2.0)
    assert shape == (6, 5, 1) and np.array_equal(affine[:3, 3], [0, 0, 0])


def test_crop_keeps_every_voxel_in_its_place():
    image = ramp(OBLIQUE, (9, 9, 9))
    part = grid.crop(image, (slice(2, 6), slice(1, 9), slice(3, 4)))
    np.testing.assert_allclose(part.data, ramp(part.affine, part.shape).data, atol=1e-4)


@pytest.mark.parametrize("affine", [LPS, OBLIQUE], ids=["LPS", "oblique"])
def test_labels_in_their_boxes_equal_the_whole_volume(affine):
    labels = np.zeros((14, 13, 9), np.uint16)
    labels[2:5, 3:5, 1:4], labels[5, 3:8, 3], labels[12, 11, 8] = 1, 2, 5
    source = Volume(labels, affine).reoriented("RAS")
    shape, target = grid.standard_grid(source, 0.5)
    found = grid.resample_labels(source, shape, target)
    whole = grid.resample_nearest(source, shape, target)
    differ = found.data != whole.data
    assert differ.mean() < 1e-4
    assert set(np.unique(found.data)) == {0, 1, 2, 5}


def test_volume_of_a_mask_survives_resampling():
    """A block of 4 x 4 x 2 voxels of 0.9 x 1.1 x 2.5 mm is 79.2 mm^3."""
    labels = np.zeros((14, 13, 9), np.uint16)
    labels[5:9, 5:9, 4:6] = 1
    source = Volume(labels, LPS).reoriented("RAS")
    found = grid.resample_labels(source, *grid.standard_grid(source, 0.1))
    assert found.data.sum() * 0.1**3 == pytest.approx(79.2, rel=0.05)


@pytest.mark.parametrize("affine", [LPS, SWAPPED], ids=["LPS", "swapped"])
def test_to_native_undoes_resampling(affine):
    """Finer standard grid: every native voxel gets back the label it had."""
    rng = np.random.default_rng(0)
    native = Volume(rng.integers(0, 4, (11, 12, 7)).astype(np.uint16), affine)
    record = {"native": {"shape": list(native.shape), "affine": affine.tolist()}}
    ras = native.reoriented("RAS")
    standard = grid.resample_nearest(ras, *grid.standard_grid(ras, 0.45))
    found = grid.to_native(standard, record)
    np.testing.assert_array_equal(found.data, native.data)
    np.testing.assert_array_equal(found.affine, affine)


def test_to_native_keeps_a_microbleed_between_two_slices():
    """Slices at 0, 6, 12 mm; labels at 2 to 3 mm, at 8 mm and at 10 mm have no slice centre."""
    native = {"shape": [5, 5, 3], "affine": np.diag([1.0, 1, 6, 1]).tolist()}
    standard = Volume(np.zeros((9, 9, 25), np.uint16), np.diag([0.5, 0.5, 0.5, 1.0]))
    standard.data[4:7, 4, 4:6] = 1
    standard.data[1, 1, 16] = 2
    standard.data[6, 6, 20] = 3
    found = grid.to_native(standard, {"native": native}).data
    assert np.argwhere(found == 1).tolist() == [[2, 2, 0], [3, 2, 0]]
    assert len(np.argwhere(found == 2)) == 1 and found[:, :, 1].max() == 2
    assert np.argwhere(found == 3).tolist() == [[3, 3, 2]]  # 10 mm lie nearer to 12 than to 6


def test_mark_voxel_takes_the_nearest_free_one():
    labels = np.zeros((3, 3, 3), np.uint16)
    labels[1, 1, 1] = 4
    assert grid.mark_voxel(labels, (1.0, 1.0, 1.3), 5) == (1, 1, 2)
    assert labels[1, 1, 1] == 4 and labels[1, 1, 2] == 5


@pytest.mark.parametrize("slice_mm", [1.0, 1.5, 3.0, 6.0])
def test_where_a_mask_lies_beside_its_image(slice_mm):
    """One voxel of 1 x 1 x ``slice_mm`` on 0.5 mm: by centres its ties go up, so its middle lies
    0.25 mm low along every axis with an even ratio (1.5 mm has none); by edges nowhere, and it
    keeps its volume. The image's own middle, interpolated, is right both times."""
    data = np.zeros((9, 9, 9), np.uint8)
    data[4, 4, 4] = 1
    source = Volume(data, np.diag([1.0, 1.0, slice_mm, 1.0]))
    low = [-0.25, -0.25, 0.0 if slice_mm == 1.5 else -0.25]
    for alignment, shift, rim in (("centres", low, 0.0), ("edges", [0.0] * 3, 0.5)):
        target = grid.standard_grid(source, 0.5, alignment)
        mask = grid.resample_nearest(source, *target)
        image = grid.resample_linear(source, *target, fill=0.0, rim=rim)
        middle = mask.to_mm(np.argwhere(mask.data)).mean(axis=0)
        assert middle - source.to_mm([4, 4, 4]) == pytest.approx(shift)
        weights = image.data[image.data > 0]
        centre = (image.to_mm(np.argwhere(image.data > 0)) * weights[:, None]).sum(0)
        assert centre / weights.sum() == pytest.approx(source.to_mm([4, 4, 4]), abs=1e-5)
        assert mask.data.sum() * 0.125 == pytest.approx(slice_mm)
        labels = grid.resample_labels(source, *target)
        assert np.array_equal(labels.data, mask.data)


def test_a_grid_by_edges_covers_the_field_of_view_without_a_rim():
    """10 voxels of 1 mm are 10 mm: 20 voxels of 0.5 mm, the first centre 0.25 mm inside."""
    source = Volume(np.ones((10, 10, 10), np.float32), np.eye(4))
    shape, affine = grid.standard_grid(source, 0.5, "edges")
    assert shape == (20, 20, 20) and affine[:3, 3] == pytest.approx(-0.25)
    assert (grid.resample_linear(source, shape, affine, fill=-9.0, rim=0.5).data == 1).all()
    line = Volume(np.arange(4.0).reshape(4, 1, 1), np.eye(4))
    found = grid.resample_linear(line, *grid.standard_grid(line, 0.5, "edges"), fill=-9.0, rim=0.5)
    assert found.data[:, 0, 0].tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]  # held


def test_boxes_are_those_of_each_label_in_either_memory_order():
    labels = np.zeros((7, 8, 9), np.uint16)
    labels[1:3, 2:5, 3:4] = 7
    labels[6, 7, 8] = 2
    for array in (labels, np.asfortranarray(labels)):
        boxes = dict(grid.label_boxes(array))
        assert list(boxes) == [2, 7]
        assert boxes[7] == (slice(1, 3), slice(2, 5), slice(3, 4))
        assert boxes[2] == (slice(6, 7), slice(7, 8), slice(8, 9))
    assert not dict(grid.label_boxes(labels * 0))


def test_the_box_of_all_labels_has_a_margin_and_ends_with_the_image():
    labels = np.zeros((8, 8, 6), np.uint8)
    assert grid.labels_box(labels, 0) == (slice(0, 1),) * 3
    labels[3, 3, 1], labels[5, 6, 3] = 1, 2
    assert grid.labels_box(labels, 0) == (slice(3, 6), slice(3, 7), slice(1, 4))
    assert grid.labels_box(labels, 2) == (slice(1, 8), slice(1, 8), slice(0, 6))


def test_padding_puts_the_image_in_the_middle_and_an_odd_voxel_at_the_end():
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = 10, 20, 30
    shape, padded = grid.padded_grid((3, 4, 9), affine, 8)
    assert shape == (8, 8, 9) and affine[0, 3] == 10
    np.testing.assert_array_equal(padded[:3, 3], [6, 16, 30])
    np.testing.assert_array_equal(padded[:3, :3], affine[:3, :3])


def test_mark_voxel_stays_within_the_image_and_says_where_there_is_no_room():
    labels = np.zeros((3, 3, 3), np.uint16)
    assert grid.mark_voxel(labels, (-3.0, 9.0, 1.2), 5) == (0, 2, 1) and labels.sum() == 5
    with pytest.raises(ValueError, match="label 7: expected a free voxel near"):
        grid.mark_voxel(np.ones((2, 2, 2), int), (0, 0, 0), 7)


def test_the_nearest_voxel_beyond_either_end_is_nothing():
    """Two rows of four: from -1 to 5, beyond the first row's end does not lie the second."""
    rows = Volume(np.arange(1, 9).reshape(1, 2, 4), np.eye(4))
    shifted = np.eye(4)
    shifted[2, 3] = -1
    found = grid.resample_nearest(rows, (1, 2, 7), shifted).data
    assert found[0].tolist() == [[0, 1, 2, 3, 4, 0, 0], [0, 5, 6, 7, 8, 0, 0]]
