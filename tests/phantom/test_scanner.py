"""The synthetic scanner: voxels hold the average over their extent."""

from math import erf, sqrt

import numpy as np
import pytest

from cmbkit.phantom.scanner import (
    Grid,
    add_gaussians,
    averaging_weights,
    magnitude_noise,
    sample,
    stamp,
)


def grid(spacing, shape, start=(0.0, 0.0, 0.0), width=None):
    spacing = np.array(spacing, float)
    return Grid(np.array(start, float), spacing, spacing if width is None else width, shape)


def mean_of_gaussian(centre, width, s):
    """Mean over [centre - width/2, centre + width/2] of a unit-mass 1D Gaussian of sd s at 0."""
    ends = [(centre + sign * width / 2) / (s * sqrt(2)) for sign in (1, -1)]
    return (erf(ends[0]) - erf(ends[1])) / (2 * width)


def test_a_constant_stays_and_a_ramp_is_exact():
    weights = averaging_weights(np.array([3.3, 5.0, 7.1]), 2.0, 0.0, 1.0, 12)
    assert weights.sum(axis=1) == pytest.approx(1)
    assert weights @ np.arange(12.0) == pytest.approx([3.3, 5.0, 7.1], abs=1e-5)


def test_gaussian_beads_are_integrated_exactly_over_the_slice():
    g = grid((0.5, 0.5, 4.0), (21, 21, 5), (-5.0, -5.0, -8.0))
    loss = np.zeros(g.shape, np.float32)
    add_gaussians(loss, g, np.zeros((1, 3)), np.array([0.8]), np.array([2.0]))
    middle = 2 * mean_of_gaussian(0, 0.5, 0.8) ** 2 * mean_of_gaussian(0, 4, 0.8)
    aside = 2 * mean_of_gaussian(1, 0.5, 0.8) * mean_of_gaussian(0, 0.5, 0.8)
    aside *= mean_of_gaussian(0, 4, 0.8)
    assert loss[10, 10, 2] == pytest.approx(middle, rel=1e-4)
    assert loss[12, 10, 2] == pytest.approx(aside, rel=1e-4)


def test_a_stamped_blob_is_averaged_over_overlapping_thick_slices():
    # 2 mm thick slices every 1 mm, as in DOU
    g = grid((0.5, 0.5, 1.0), (21, 21, 13), (-5.0, -5.0, -6.0), np.array([0.5, 0.5, 2.0]))
    s = 1.0
    box, values = stamp(
        lambda x, y, z: np.exp(-(x * x + y * y + z * z) / (2 * s * s)), np.zeros(3), 4.0, g
    )
    full = np.zeros(g.shape)
    full[box] = values
    norm = s * sqrt(2 * np.pi)
    expected = norm**3 * mean_of_gaussian(0, 0.5, s) ** 2 * mean_of_gaussian(0, 2, s)
    assert full[10, 10, 6] == pytest.approx(expected, rel=5e-3)
    beside = norm**3 * mean_of_gaussian(0, 0.5, s) ** 2 * mean_of_gaussian(1, 2, s)
    assert full[10, 10, 7] == pytest.approx(beside, rel=5e-3)


def test_a_blob_outside_the_grid_is_left_out():
    g = grid((1, 1, 1), (5, 5, 5))
    assert stamp(lambda x, y, z: x + y + z, np.array([50.0, 0, 0]), 2.0, g) is None


def test_sampling_keeps_the_place_of_things():
    field = np.zeros((20, 24, 16), np.float32)
    field[7, 11, 5] = 1
    out = sample(
        field, np.array([100.0, 0, -50]), 1.0, grid((1, 1, 1), (20, 24, 16), (100, 0, -50))
    )
    assert np.unravel_index(out.argmax(), out.shape) == (7, 11, 5)


def test_noise_is_rician():
    noisy = magnitude_noise(np.zeros((40, 50, 50), np.float32), 3.0, np.random.default_rng(0))
    assert noisy.mean() == pytest.approx(3 * sqrt(np.pi / 2), rel=0.02)  # Rayleigh's mean
