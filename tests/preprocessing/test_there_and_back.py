"""A mask taken to the standard grid and back, over orientations, spacings and oblique affines.

Nearest-voxel resampling to a grid of spacing d moves a point by at most d / 2 along each axis of
that grid. So the way back ends in the same native voxel wherever the native spacing is at least
d (axes parallel to the scanner's) or more than sqrt(3) d (any rotation). On finer native grids
voxels are lost on the way; then no label ends up further off than the two roundings.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.eulerangles import euler2mat
from scipy import ndimage

from cmbkit.boxes import bounding_box
from cmbkit.preprocessing import grid
from cmbkit.volume import Volume

ORIENTATIONS = [
    (order, signs)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]
SPACINGS = [(0.5, 0.5, 0.5), (1.0, 1.0, 1.0), (0.5, 0.6, 3.0), (0.94, 0.94, 1.75), (0.7, 0.5, 6.0)]
D = 0.5


def native_affine(order, signs, spacing, rotation=None):
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3)[:, order] * signs) * spacing
    if rotation is not None:
        affine[:3, :3] = rotation @ affine[:3, :3]
    affine[:3, 3] = (-31.7, 12.3, 4.9)
    return affine


def there(native, pad=0):
    """Crop to the labels, to RAS, to the standard grid: the pipeline's steps."""
    part = grid.crop(native, bounding_box(native.data)).reoriented("RAS")
    shape, affine = grid.standard_grid(part, D)
    if pad:
        shape, affine = grid.padded_grid(shape, affine, pad)
    return grid.resample_labels(part, shape, affine)


def back(standard, native):
    affine = native.affine.tolist()
    return grid.to_native(standard, {"native": {"shape": list(native.shape), "affine": affine}})


def random_labels(seed, shape=(11, 9, 8)):
    rng = np.random.default_rng(seed)
    return (rng.integers(1, 4, shape) * (rng.random(shape) < 0.4)).astype(np.uint16)


@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
def test_every_orientation_comes_back_voxel_for_voxel(spacing):
    for seed, (order, signs) in enumerate(ORIENTATIONS):
        native = Volume(random_labels(seed), native_affine(order, signs, spacing))
        found = back(there(native), native)
        np.testing.assert_array_equal(found.data, native.data, f"{order} {signs}")
        np.testing.assert_array_equal(found.affine, native.affine)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.9, 0.9, 3.0), (1.2, 0.9, 6.0)], ids=str)
def test_every_rotation_comes_back_voxel_for_voxel(spacing):
    rng = np.random.default_rng(7)
    for seed in range(24):
        order, signs = ORIENTATIONS[2 * seed]
        rotation = euler2mat(*rng.uniform(-0.6, 0.6, 3))
        native = Volume(random_labels(seed), native_affine(order, signs, spacing, rotation))
        np.testing.assert_array_equal(back(there(native), native).data, native.data)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.sampled_from(ORIENTATIONS),
    st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    st.tuples(*[st.floats(D * 3**0.5 + 0.01, 7)] * 3),
    st.tuples(*[st.integers(1, 9)] * 3),
    st.integers(0, 2**32),
)
def test_any_grid_of_large_enough_voxels_comes_back(orientation, angles, spacing, shape, seed):
    labels = random_labels(seed, shape)
    labels[0, 0, 0] = 1
    native = Volume(labels, native_affine(*orientation, spacing, euler2mat(*angles)))
    np.testing.assert_array_equal(back(there(native), native).data, labels)


def test_padding_changes_nothing_on_the_way_back():
    native = Volume(random_labels(3), native_affine((2, 0, 1), (1, -1, 1), (0.9, 0.8, 2.0)))
    padded = there(native, pad=61)
    assert padded.shape == (61, 61, 61)
    np.testing.assert_array_equal(back(padded, native).data, native.data)


def test_padding_is_central_and_leaves_a_longer_axis():
    """4 x 3 x 9 to 7: one before and two after, two and two, nothing."""
    affine = np.diag([2.0, 2, 2, 1])
    shape, padded = grid.padded_grid((4, 3, 9), affine, 7)
    assert shape == (7, 7, 9)
    np.testing.assert_array_equal(padded @ (1, 2, 0, 1), affine @ (0, 0, 0, 1))


@pytest.mark.parametrize("spacing", [(0.449, 0.449, 1.0), (0.2, 0.2, 1.0)], ids=str)
def test_finer_native_grid_is_off_by_the_two_roundings_at_most(spacing):
    """Labels on the way back occur in the original within (d + s) / 2 along each axis."""
    reach = np.floor((D + np.array(spacing)) / 2 / spacing + 1e-9).astype(int)
    for seed, (order, signs) in enumerate(ORIENTATIONS[::5]):
        native = Volume(random_labels(seed), native_affine(order, signs, spacing))
        found = back(there(native), native).data
        for label in (1, 2, 3):
            near = ndimage.maximum_filter(native.data == label, 2 * reach + 1)
            assert near[found == label].all() and (found == label).any()


def test_a_solid_ball_on_a_dou_grid_comes_back_with_hardly_a_voxel_changed():
    """Radius 4 mm on 0.449 x 0.449 x 1 mm: changes are confined to the surface layer."""
    spacing = np.array([0.449, 0.449, 1.0])
    steps = np.moveaxis(np.indices((31, 31, 15)), 0, -1) * spacing
    ball = ((steps - steps[15, 15, 7]) ** 2).sum(-1) <= 16
    native = Volume(ball.astype(np.uint16), native_affine((0, 1, 2), (-1, -1, 1), spacing))
    found = back(there(native), native).data > 0
    cube = np.ones((3, 3, 3))
    surface = ndimage.binary_dilation(ball, cube) & ~ndimage.binary_erosion(ball, cube)
    assert not (found ^ ball)[~surface].any()
    assert 2 * (found & ball).sum() / (found.sum() + ball.sum()) > 0.95
