"""Implanted microbleeds: depth, size and partial volume follow the Gaussian's integrals."""

from math import erf, log, sqrt

import numpy as np
import pytest

from cmbkit.phantom.implant import gaussian_loss, implant
from cmbkit.volume import Volume


def test_thick_slices_dilute_as_the_integral_of_a_gaussian_says():
    # mean of exp(-t^2 / 2s^2) over |t| <= w/2 is s*sqrt(2 pi)/w * erf(w / (2 s sqrt 2))
    spacing, radius = np.array([0.5, 0.5, 4.0]), 1.5
    s = radius / sqrt(2 * log(2))
    expected = np.prod([s * sqrt(2 * np.pi) / w * erf(w / (2 * s * sqrt(2))) for w in spacing])
    loss = gaussian_loss(spacing, np.zeros(3), np.array([8, 8, 2]), [radius] * 3, np.eye(3))
    assert loss[8, 8, 2] == pytest.approx(expected, rel=2e-3)
    total = loss.sum() * spacing.prod()
    assert total == pytest.approx((s * sqrt(2 * np.pi)) ** 3, rel=0.02)


def test_a_full_void_of_fine_voxels_takes_the_signal_at_its_centre_and_half_at_its_radius():
    image = Volume(np.full((41, 41, 41), 200.0, np.float32), np.diag([0.25, 0.25, 0.25, 1]))
    out = implant(image, [[20, 20, 20]], [2.0], np.random.default_rng(0), depth=(1, 1)).data
    assert out[20, 20, 20] < 4
    at_radius = [out[28, 20, 20], out[12, 20, 20], out[20, 28, 20], out[20, 20, 28]]
    assert np.mean(at_radius) == pytest.approx(100, abs=25)  # axes differ by up to 20 %
    assert out[0, 0, 0] == pytest.approx(200, rel=1e-3)
    assert (image.data == 200).all()


def test_near_the_border_the_rest_is_cut_off():
    image = Volume(np.ones((6, 6, 6), np.float32), np.eye(4))
    out = implant(image, [[0, 5, 0]], [1.5], np.random.default_rng(1))
    assert out.shape == (6, 6, 6)
    assert out.data[0, 5, 0] == out.data.min() < 0.7


@pytest.mark.parametrize(
    ("centres", "radii", "words"),
    [
        ([[9, 0, 0]], [1.0], "inside"),
        ([[1, 1, 1]], [1.0, 2.0], "as many"),
        ([[1, 1, 1]], [0.0], "over 0"),
    ],
)
def test_bad_input_is_named(centres, radii, words):
    image = Volume(np.ones((6, 6, 6), np.float32), np.eye(4))
    with pytest.raises(ValueError, match=words):
        implant(image, centres, radii, np.random.default_rng(0))
