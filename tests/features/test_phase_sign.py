"""Sign of a source by its closed form, and nothing where there is nothing."""

import numpy as np
import pytest

from cmbkit.features.phase_sign import susceptibility_sign
from cmbkit.volume import Volume

AFFINE = np.diag([-0.6, 0.6, 1.5, 1.0])  # x to the left: mm count, not voxels


@pytest.mark.parametrize(("chi", "expected"), [(1.0, 1.0), (-1.0, -1.0)])
def test_blood_and_calcium_of_equal_size_have_opposite_signs(chi, expected):
    steps = (np.indices((41, 41, 21)).reshape(3, -1).T - [20, 20, 10]) * AFFINE.diagonal()[:3]
    away = np.maximum(np.linalg.norm(steps, axis=1), 0.5)
    field = chi / 3 * (0.5 / away) ** 3 * (3 * (steps[:, 2] / away) ** 2 - 1)
    phase = Volume(-field.reshape(41, 41, 21), AFFINE)
    place = phase.to_mm(np.array([20, 20, 10]))
    assert susceptibility_sign(phase, place) == pytest.approx(expected)


def test_no_phase_no_sign():
    assert np.isnan(susceptibility_sign(Volume(np.zeros((9, 9, 9)), np.eye(4)), [4, 4, 4]))
