"""Radius of a ball by hand."""

import numpy as np
import pytest

from cmbkit.ball import ball_radius


def test_the_radius_of_a_ball_inverts_its_volume():
    assert ball_radius(4 / 3 * np.pi * 125) == pytest.approx(5)
    assert ball_radius(1) == pytest.approx(0.6203505)  # (3 / 4 pi)^(1/3)
