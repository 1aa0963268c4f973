"""The field of a map and of small sources against the closed forms, written out here.

A map needs edges that are soft over a sample; it is therefore drawn at half of the voxel size.
"""

import numpy as np
import pytest
from scipy import ndimage

from cmbkit.phantom.field import cylinder_at, dipole_field, phase_per_ppm, sphere_at

DIRECTIONS = [(0, 0, 1), (0, 0.6, 0.8), tuple(np.ones(3) / np.sqrt(3))]
RADIUS, CHI, N = 7.0, 2.0, 49
VOXEL = 2  # samples


def offsets(n=N):
    axis = np.arange(n) - n // 2
    return np.meshgrid(axis, axis, axis, indexing="ij")


def filled(distance_of, n=N, parts=5):
    """Share of each voxel within `RADIUS`, from parts^3 points."""
    inside = np.zeros((n, n, n), np.float32)
    shifts = (np.arange(parts) + 0.5) / parts - 0.5
    x, y, z = offsets(n)
    for a in shifts:
        for b in shifts:
            for c in shifts:
                inside += distance_of(x + a, y + b, z + c) <= RADIUS
    return ndimage.gaussian_filter(inside / parts**3, 0.7)


@pytest.mark.parametrize("b", DIRECTIONS)
def test_sphere(b):
    x, y, z = offsets()
    r = np.sqrt(x**2 + y**2 + z**2)
    cos = (x * b[0] + y * b[1] + z * b[2]) / np.maximum(r, 1e-9)
    expected = np.where(
        r > RADIUS, CHI / 3 * (RADIUS / np.maximum(r, 1)) ** 3 * (3 * cos**2 - 1), 0
    )
    away = np.abs(r - RADIUS) > VOXEL
    peak = 2 * CHI / 3
    closed = CHI * np.vectorize(sphere_at)(x, y, z, RADIUS, *map(float, b))
    np.testing.assert_allclose(closed[away], expected[away], atol=1e-12 * peak)
    ball = filled(lambda x, y, z: np.sqrt(x**2 + y**2 + z**2))
    field = dipole_field(CHI * ball, (1, 1, 1), b, pad=100)
    assert field.dtype == np.float32
    assert np.abs(field - expected)[away].max() < 0.01 * peak


@pytest.mark.parametrize("b", DIRECTIONS)
def test_infinite_cylinder_along_the_first_axis(b):
    x, y, z = offsets()
    r = np.hypot(y, z)
    across = (y * b[1] + z * b[2]) / np.maximum(r, 1e-9)  # sin t cos f
    sin2 = b[1] ** 2 + b[2] ** 2
    outside = CHI / 2 * (RADIUS / np.maximum(r, 1)) ** 2 * (2 * across**2 - sin2)
    expected = np.where(r > RADIUS, outside, CHI / 6 * (3 * (1 - sin2) - 1))
    away = np.abs(r - RADIUS) > VOXEL
    closed = CHI * np.vectorize(cylinder_at)(x, y, z, 1, 0, 0, RADIUS, *map(float, b))
    np.testing.assert_allclose(closed[away], expected[away], atol=1e-12)
    rod = filled(lambda x, y, z: np.hypot(y, z))
    field = dipole_field(CHI * rod, (1, 1, 1), b, pad=(0, 200, 200))  # periodic along its axis
    assert np.abs(field - expected)[away].max() < 0.01 * CHI / 2


def test_a_rotated_field_is_the_field_of_the_rotated_source():
    rng = np.random.default_rng(0)
    chi = np.pad(rng.standard_normal((12, 14, 16)).astype(np.float32), 6)
    chi = ndimage.gaussian_filter(chi, 1.5)
    turned = dipole_field(chi.transpose(2, 1, 0), (3, 1, 2), (0.8, 0.6, 0), 16)
    np.testing.assert_allclose(
        dipole_field(chi, (2, 1, 3), (0, 0.6, 0.8), 16), turned.transpose(2, 1, 0), atol=2e-6
    )


def test_one_ppm_at_3_t_and_20_ms_is_two_and_a_half_turns():
    assert phase_per_ppm(20, 3) == pytest.approx(2 * np.pi * 2.5546, rel=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_map_has_the_mirrored_field(axis):
    """Sharp edges, oblique: mirror map and direction along an axis, and the field is mirrored."""
    chi = np.random.default_rng(5).normal(size=(12, 10, 14)).astype(np.float32)
    direction = np.array([0.48, 0.36, 0.8])
    field = dipole_field(chi, (1, 0.8, 1.5), direction, 16)
    direction[axis] *= -1
    mirrored = dipole_field(np.flip(chi, axis), (1, 0.8, 1.5), direction, 16)
    np.testing.assert_allclose(np.flip(mirrored, axis), field, atol=2e-6)
