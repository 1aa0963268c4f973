import numpy as np
import pytest

from cmbkit.detector.patches.augmentation import augment, margin
from cmbkit.detector.patches.simulated_slices import Slices, averaging, thicken
from cmbkit.params import Augmentation
from cmbkit.preprocessing.grid import resample_linear, resample_nearest
from cmbkit.volume import Volume

ONLY_SLICES = dict(spatial=0, intensity=0, blur=0, thick_slices=1)


def test_the_mean_over_slices_by_hand():
    """Slices of 1.5 voxels from 0.5 on: half of voxel 0 and all of 1; all of 2 and half of 3."""
    found = averaging(np.array([0.5, 2.0, 3.5]), 4)
    np.testing.assert_allclose(found, [[1 / 3, 2 / 3, 0, 0], [0, 0, 2 / 3, 1 / 3]], atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_it_is_a_scan_with_thick_slices_on_the_standard_grid(axis):
    """Slices of 4 voxels averaged with numpy, then brought back by the pipeline itself."""
    rng = np.random.default_rng(axis)
    image = rng.normal(size=(8, 8, 24) if axis == 2 else (24, 8, 8)).astype(np.float32)
    image = image if axis != 1 else np.ascontiguousarray(np.swapaxes(image, 0, 1))
    mask = np.zeros(image.shape, np.uint8)
    blocks = np.moveaxis(image, axis, 0).reshape(6, 4, 8, 8).mean(axis=1)
    labels = np.zeros_like(blocks, np.uint8)
    labels[2, 3:5, 3:5] = 1  # in the third slice, voxels 8 to 11, and only there
    centre = [slice(3, 5)] * 3
    centre[axis] = slice(8, 11)
    mask[tuple(centre)] = 1
    affine = np.eye(4)
    affine[axis, axis], affine[axis, 3] = 4, 1.5
    thick = Volume(np.moveaxis(blocks, 0, axis), affine)
    back = resample_linear(thick, image.shape, np.eye(4), fill=0).data
    nearest = resample_nearest(
        Volume(np.moveaxis(labels, 0, axis), affine), image.shape, np.eye(4)
    ).data
    found, shown = thicken(image, mask, Slices(axis, 4.0, 0.0))
    inside = [slice(None)] * 3
    inside[axis] = slice(2, 22)  # between the outermost slice centres
    np.testing.assert_allclose(found[tuple(inside)], back[tuple(inside)], atol=1e-5)
    np.testing.assert_array_equal(shown, nearest)


def test_a_lesion_between_two_slices_is_on_both_and_a_small_share_is_not_drawn():
    """Slices of 4: a rod over voxels 6 to 9 fills half of two slices; over 5 to 8 three
    quarters of one and a quarter, less than half as much, of the next."""
    image = np.zeros((5, 5, 16), np.float32)
    for rod, expected in ((slice(6, 10), slice(4, 12)), (slice(5, 9), slice(4, 8))):
        mask = np.zeros(image.shape, np.uint8)
        mask[2, 2, rod] = 1
        shown = thicken(image, mask, Slices(2, 4.0, 0.0))[1]
        by_hand = np.zeros_like(mask)
        by_hand[2, 2, expected] = 1
        np.testing.assert_array_equal(shown, by_hand)


def test_no_lesion_of_a_patch_is_lost_and_it_looks_like_slices():
    params = Augmentation(**ONLY_SLICES, thick_slices_axes=[0, 0, 1], thick_slices_mm=[4, 4])
    border = margin((16, 16, 16), params, 0.5)
    side = 16 + 2 * border
    image = np.random.default_rng(0).normal(size=[side] * 3).astype(np.float32)
    mask = np.zeros(image.shape, np.uint8)
    mask[border + 8, border + 8, border + 8] = 1
    for seed in range(10):
        rng = np.random.default_rng(seed)
        out, shown = augment(image, mask, (16, 16, 16), params, rng, spacing_mm=0.5)
        assert shown[8, 8].sum() == 8 and shown.sum() == 8  # one slice of 8 voxels
        bends = np.abs(np.diff(out, n=2, axis=2)) > 1e-4  # linear between slice centres
        assert bends.any(axis=(0, 1)).sum() <= 4


def test_the_margin_holds_all_slices_that_a_patch_depends_on():
    """Whatever lies beyond the margin cannot matter: the same patch from a larger region."""
    params = Augmentation(**ONLY_SLICES, thick_slices_mm=[6, 6])
    border = margin((12, 12, 12), params, 0.75)
    image = np.random.default_rng(0).normal(size=[12 + 2 * border + 10] * 3).astype(np.float32)
    mask = (image > 2.5).astype(np.uint8)
    inner = (slice(5, -5),) * 3
    for seed in range(6):
        large, small = (
            augment(*pair, (12, 12, 12), params, np.random.default_rng(seed), spacing_mm=0.75)[0]
            for pair in ((image, mask), (image[inner], mask[inner]))
        )
        np.testing.assert_allclose(large, small, atol=1e-5)


def test_off_changes_nothing_and_thin_slices_neither():
    image = np.random.default_rng(0).normal(size=[40] * 3).astype(np.float32)
    mask = (image > 2).astype(np.uint8)
    thin = Augmentation(**ONLY_SLICES, thick_slices_mm=[0.3, 0.5])
    for params in (Augmentation(**{**ONLY_SLICES, "thick_slices": 0}), thin):
        out = augment(image, mask, (12, 12, 12), params, np.random.default_rng(0))
        np.testing.assert_array_equal(out[0], image[14:-14, 14:-14, 14:-14])
