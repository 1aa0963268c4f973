import numpy as np
import pytest
from scipy import ndimage

from cmbkit.boxes import cut_box as cut
from cmbkit.detector.patches.augmentation import (
    affine_matrix,
    augment,
    change_intensity,
    margin,
    warp_region,
)
from cmbkit.detector.patches.elastic import displacements
from cmbkit.params import Augmentation

NOTHING = dict(spatial=0.0, intensity=0.0, blur=0.0)


def region(size, border, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=[size + 2 * border] * 3).astype(np.float32)


def test_without_transformations_it_is_the_central_crop():
    image = region(8, 3)
    mask = (image > 1).astype(np.uint8)
    for params in (None, Augmentation(**NOTHING)):
        out = augment(image, mask, (8, 8, 8), params, np.random.default_rng(0))
        np.testing.assert_array_equal(out[0], image[3:-3, 3:-3, 3:-3])
        np.testing.assert_array_equal(out[1], mask[3:-3, 3:-3, 3:-3])


def test_the_margin_holds_every_affine_patch():
    params, size = Augmentation(rotate90=False), [48, 48, 48]
    border, rng = margin(size, params), np.random.default_rng(0)
    corners = np.array(np.meshgrid(*[(-23.5, 23.5)] * 3)).reshape(3, -1)
    reach = max(np.abs(affine_matrix(params, rng, size) @ corners).max() for _ in range(300))
    assert reach <= 23.5 + border


def test_image_and_mask_move_together():
    """A mask that marks the bright ball still marks it after deformation."""
    params = Augmentation(spatial=1.0, affine=1.0, elastic=1.0, intensity=0.0, blur=0.0)
    border = margin((24, 24, 24), params)
    side = 24 + 2 * border
    axes = np.ogrid[:side, :side, :side]
    mask = sum((x - side / 2 - 2) ** 2 for x in axes) <= 25
    image, mask = mask.astype(np.float32), mask.astype(np.uint8)
    for seed in range(5):
        out, marked = augment(image, mask, (24, 24, 24), params, np.random.default_rng(seed))
        assert marked.sum() > 300
        assert 2 * ((out > 0.5) & (marked > 0)).sum() / ((out > 0.5).sum() + marked.sum()) > 0.93


def test_a_patch_is_the_crop_of_the_volume_deformed_as_a_whole():
    """scipy deforms the volume about the patch's centre, nodes interpolated by scipy as well."""
    volume = ndimage.gaussian_filter(region(52, 0), 1)
    marks = (volume > 0.1).astype(np.uint8)
    patch, start = np.array([16, 16, 16]), np.array([20, 15, 18])
    params = Augmentation(elastic=1.0)
    plain = Augmentation(elastic_nodes=4, elastic_sd_voxels=2.0)
    border = margin(patch, params)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        matrix, nodes = affine_matrix(params, rng, patch), displacements(plain, patch, rng)
        pair = (cut(x, start - border, patch + 2 * border, 0) for x in (volume, marks))
        found, mask = warp_region(*pair, patch, matrix, nodes)
        middle = start + (patch - 1) / 2
        voxels = np.indices(volume.shape).reshape(3, -1)
        places = (matrix @ (voxels - middle[:, None]) + middle[:, None]).reshape(3, *volume.shape)
        window = tuple(slice(s, s + n) for s, n in zip(start, patch, strict=True))
        among_nodes = np.indices(patch) * (3 / 15)
        for k in range(3):
            places[k][window] += ndimage.map_coordinates(nodes[k], among_nodes, order=1)
        whole = ndimage.map_coordinates(volume, places, order=1)
        np.testing.assert_allclose(found, whole[window], atol=1e-4)
        whole = ndimage.map_coordinates(marks, places, order=0)
        assert (mask != whole[window]).mean() < 1e-3  # halves may round either way


@pytest.mark.parametrize("step", ["gamma", "inversion"])
def test_a_patch_is_the_crop_of_the_volume_changed_as_a_whole(step):
    """The volume's extremes lie outside the patch; the steps without chance per voxel agree."""
    volume = region(40, 0)
    volume[0, 0, 0], volume[-1, -1, -1] = -9, 14
    steps = dict(noise=0, salt_pepper=0, gamma=0, inversion=0) | {step: 1}
    params, window = Augmentation(**steps), (slice(10, 26), slice(5, 21), slice(12, 28))
    for seed in range(4):
        whole = change_intensity(volume, params, np.random.default_rng(seed))
        pair = np.random.default_rng(seed), (-9.0, 14.0)
        patch = change_intensity(volume[window], params, *pair)
        np.testing.assert_allclose(patch, whole[window], atol=1e-5)
        alone = change_intensity(volume[window], params, np.random.default_rng(seed))
        assert not np.allclose(alone, whole[window], atol=0.1)


def test_salt_and_pepper_are_the_extremes_of_the_scan():
    """On average every second of 0 to 15 % of the voxels, drawn with replacement, each way:
    the mean of 1 - exp(-share) over the shares is 7.1 % of the voxels."""
    params = Augmentation(noise=0, salt_pepper=1, gamma=0, inversion=0)
    patch, rng = region(16, 0), np.random.default_rng(0)
    salt, pepper = [], []
    for _ in range(300):
        out = change_intensity(patch, params, rng, (-9.0, 14.0))
        changed = out != patch
        assert set(np.unique(out[changed])) <= {-9, 14}
        salt.append((out == 14).mean())
        pepper.append((out == -9).mean())
    assert np.mean(salt) == pytest.approx(0.0356, abs=0.005)
    assert np.mean(pepper) == pytest.approx(0.0356, abs=0.005)


def test_noise_beyond_the_range_of_the_scan_stays_finite():
    params = Augmentation(noise=1, noise_sd_max=3, salt_pepper=0, gamma=1, inversion=1)
    patch = np.clip(region(12, 0), -1, 1)
    for seed in range(10):
        out = change_intensity(patch, params, np.random.default_rng(seed), (-1.0, 1.0))
        assert np.isfinite(out).all()


def test_the_stages_come_as_often_as_published():
    """Section 6.3: spatial 0.4 of affine 0.6 or elastic 0.3, that is 0.4 (1 - 0.4 x 0.7) = 0.288
    of the masks move; intensity 0.6 (at least one of four: 1 - 0.75^3 x 0.5 = 0.789) or blur
    0.25: 1 - (1 - 0.6 x 0.789)(1 - 0.25) = 0.605 of the values change beyond the deformation."""
    params, rng = Augmentation(), np.random.default_rng(0)
    assert (params.spatial, params.intensity, params.blur) == (0.4, 0.6, 0.25)
    border = margin((8, 8, 8), params)
    image = region(8, border)
    names = (np.arange(image.size) % 251).astype(np.uint8).reshape(image.shape)
    inner = (slice(border, -border),) * 3
    moved, changed, n = 0, 0, 1500
    for _ in range(n):
        out, marks = augment(image, names, (8, 8, 8), params, rng)
        still = np.array_equal(marks, names[inner])
        moved += not still
        changed += still and not np.allclose(out, image[inner], atol=1e-3)
    assert moved / n == pytest.approx(0.288, abs=0.04)
    assert changed / (n - moved) == pytest.approx(0.605, abs=0.05)


def test_quarter_turns_spare_patches_with_unequal_sides():
    params = Augmentation(rotation_rad=0.0, scaling=0.0, shear=0.0)
    for seed in range(20):
        matrix = affine_matrix(params, np.random.default_rng(seed), (16, 16, 32))
        assert abs(matrix[2, 2]) == pytest.approx(1)


def test_quarter_turns_and_flips_take_voxels_as_they_are():
    """Beside numpy's own; voxel (i, j, k) comes from ``matrix`` @ (i, j, k)."""
    image, marks = region(4, 2), region(4, 2, seed=1) > 0
    shape, inner = (4, 4, 4), (slice(2, -2),) * 3
    turn = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    for matrix, expected in (
        (turn, lambda x: np.rot90(x, 1, axes=(0, 1))),
        (turn @ turn, lambda x: np.flip(x, (0, 1))),
        (np.diag([1.0, 1, -1]), lambda x: np.flip(x, 2)),
        (np.eye(3)[[2, 0, 1]], lambda x: x.transpose(1, 2, 0)),
    ):
        found, mask = warp_region(image, marks, shape, matrix)
        np.testing.assert_array_equal(found, expected(image[inner]))
        np.testing.assert_array_equal(mask, expected(marks[inner]))
        assert found.flags.c_contiguous and mask.dtype == np.uint8
        nearly, _ = warp_region(image, marks, shape, matrix + 1e-9)  # interpolated
        np.testing.assert_allclose(nearly, found, atol=1e-5)


def test_what_the_scan_holds_in_float16_is_augmented_as_in_float32():
    """Values computed anew become float32; a mere crop (20 % of the patches) stays float16."""
    params = Augmentation(spatial=0.5, intensity=0.3, blur=0.3, thick_slices=0.2)
    size = (12, 12, 12)
    image = region(12, margin(size, params)).astype(np.float16)
    mask, types = (image > 1).astype(np.uint16), set()
    for seed in range(40):
        half = augment(image, mask, size, params, np.random.default_rng(seed))
        full = augment(image.astype(np.float32), mask, size, params, np.random.default_rng(seed))
        np.testing.assert_array_equal(half[0].astype(np.float32), full[0])
        np.testing.assert_array_equal(half[1], full[1])
        types.add(half[0].dtype.name)
    assert types == {"float16", "float32"}


def test_intensity_and_blur_keep_mean_and_spread_and_leave_the_mask():
    params = Augmentation(
        spatial=0, intensity=1, noise=1, salt_pepper=1, gamma=1, inversion=1, blur=1
    )
    image = region(16, 0)
    mask = (image > 2).astype(np.uint8)
    out, same = augment(image, mask, (16, 16, 16), params, np.random.default_rng(3))
    assert not np.allclose(out, image)
    np.testing.assert_array_equal(same, mask)
    assert out.mean() == pytest.approx(image.mean(), abs=1e-3)
    assert out.std() == pytest.approx(image.std(), abs=1e-3)


def test_inversion_turns_dark_into_bright():
    params = Augmentation(
        spatial=0, blur=0, intensity=1, noise=0, salt_pepper=0, gamma=0, inversion=1
    )
    image = region(12, 0)
    out, _ = augment(image, image > 9, (12, 12, 12), params, np.random.default_rng(0))
    assert np.corrcoef(out.ravel(), image.ravel())[0, 1] == pytest.approx(-1, abs=1e-4)


def test_a_constant_patch_stays_finite_and_seeds_repeat():
    flat = np.full((12, 12, 12), -1.5, np.float32)
    image = region(12, 0)
    params = Augmentation(spatial=1, intensity=1, blur=1)
    for seed in range(10):
        out, _ = augment(flat, flat > 0, (12, 12, 12), params, np.random.default_rng(seed))
        assert np.isfinite(out).all()
        twice = [
            augment(image, image > 1, (12, 12, 12), params, np.random.default_rng(seed))
            for _ in range(2)
        ]
        np.testing.assert_array_equal(twice[0][0], twice[1][0])
