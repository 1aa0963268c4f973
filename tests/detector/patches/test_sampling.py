from dataclasses import replace

import numpy as np
import pytest

from cmbkit.detector.patches import sampling
from cmbkit.detector.patches.augmentation import augment
from cmbkit.detector.patches.sampling import (
    SampledScan,
    cut_patch,
    dark_spots,
    patch_start,
    start_around,
)
from cmbkit.params import Augmentation


def drawn_patch(scan, patch, share, augmentation, rng, dark=0.0):
    start = patch_start(scan, patch, share, rng, [(dark, scan.dark)])
    return cut_patch(scan, start, patch, augmentation, rng)


def test_the_shifted_centre_stays_in_the_patch_and_moves():
    rng = np.random.default_rng(0)
    offsets = np.array(
        [[20, 30, 40] - start_around((20, 30, 40), (16, 16, 16), rng) for _ in range(200)]
    )
    assert offsets.min() >= 1 and offsets.max() <= 15
    assert (offsets.std(axis=0) > 2).all()


def test_class_proportions_decide_how_often_a_patch_holds_a_microbleed(
    standard_scan, small_training
):
    """One CMB in a corner: patches at random places rarely reach it, chosen ones always do."""
    scan = SampledScan.load(standard_scan("corner", dark=[(4, 4, 4)]))
    rng = np.random.default_rng(0)
    for share, low, high in (([0.0, 1.0], 1.0, 1.0), ([0.5, 0.5], 0.4, 0.7)):
        masks = [drawn_patch(scan, (8, 8, 8), share, None, rng)[1] for _ in range(100)]
        assert low <= np.mean([mask.any() for mask in masks]) <= high


def test_up_to_z_scoring_a_patch_is_the_crop_of_its_scan_augmented_as_a_whole(standard_scan):
    """The balls, which hold the scan's extremes, lie outside the patch; z-scoring is linear."""
    scan = SampledScan.load(standard_scan("whole", dark=[(8, 8, 8)], bright=[(24, 8, 8)]))
    assert scan.intensity_range == (scan.image.min(), scan.image.max())
    params = Augmentation(spatial=0, intensity=1, noise=0, salt_pepper=0, gamma=1, blur=0)
    window = (slice(10, 18), slice(18, 26), slice(18, 26))
    for seed in range(4):
        whole, _ = augment(
            scan.image, scan.lesions, scan.image.shape, params, np.random.default_rng(seed)
        )
        rng = np.random.default_rng(seed)
        patch, _ = cut_patch(scan, (10, 18, 18), (8, 8, 8), params, rng)
        pair = whole[window].ravel(), patch.ravel()
        assert np.corrcoef(*pair)[0, 1] == pytest.approx(1, abs=1e-6)


def test_the_range_of_a_scan_holds_its_background(standard_scan):
    made = standard_scan("background", dark=[(8, 8, 8)])
    made.record_path.write_text('{"background_value": -50.0}')
    assert SampledScan.load(made).intensity_range[0] == -50


def test_dark_spots_are_minima_that_are_no_microbleed(monkeypatch):
    """Three dark balls in noise-free tissue: a CMB, a mimic, and one outside the brain."""
    shape, brain = (40, 40, 40), np.zeros((40, 40, 40), np.uint8)
    brain[4:-4, 4:-4, 4:-4] = 1
    image = np.zeros(shape, np.float32)
    axes = np.ogrid[:40, :40, :40]
    for centre in ((10, 10, 10), (28, 20, 12), (2, 20, 20)):
        away = np.sqrt(sum((x - c) ** 2 for x, c in zip(axes, centre, strict=True)))
        image -= np.clip(3 - away, 0, None)
    monkeypatch.setattr(sampling, "MOST_SPOTS", 1)
    found = dark_spots(image, brain, np.array([[10.0, 10, 10]]), 0.75)
    np.testing.assert_array_equal(found, [[28, 20, 12]])
    assert dark_spots(image, brain * 0, np.empty((0, 3)), 0.75).shape == (0, 3)


def test_background_patches_seek_dark_spots_as_often_as_asked(standard_scan):
    """A spot in the corner: patches around it nearly always reach the brain's border (2 voxels);
    of patches anywhere, 1 - (21/25)^3 = 41 % do (25 starts per axis, 4 of them at a border)."""
    scan = SampledScan.load(standard_scan("spot", dark=[]), dark=True)
    scan = replace(scan, dark=np.array([[4.0, 4, 4]]))
    rng = np.random.default_rng(0)
    for share, low, high in ((1.0, 0.9, 1.0), (0.0, 0.3, 0.52)):
        drawn = [drawn_patch(scan, (8, 8, 8), [1, 0], None, rng, share)[0] for _ in range(200)]
        assert low <= np.mean([(image == scan.background).any() for image in drawn]) <= high


def test_a_healthy_scan_gives_background_patches(standard_scan):
    scan = SampledScan.load(standard_scan("healthy", dark=[]))
    image, mask = drawn_patch(scan, (8, 8, 8), [0.1, 0.9], None, np.random.default_rng(0))
    assert image.shape == (8, 8, 8) and not mask.any()


def test_an_image_smaller_than_the_patch_is_padded_with_its_background(standard_scan):
    scan = SampledScan.load(standard_scan("small", dark=[(8, 8, 8)], side=16))
    image, mask = drawn_patch(scan, (32, 32, 32), [1.0, 0.0], None, np.random.default_rng(0))
    assert (image[:8] == -3).all() and (image[24:] == -3).all()
    assert mask.sum() == 33  # lattice points within 2 of the origin: 1 + 6 + 12 + 8 + 6
