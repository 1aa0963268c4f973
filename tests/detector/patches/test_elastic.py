"""Displacements: the published node distance and spread, and that nothing folds."""

import numpy as np
import pytest
from scipy import ndimage

from cmbkit.detector.patches import elastic
from cmbkit.params import Augmentation


def jacobian(field):
    """Determinant of the deformation's derivative at every voxel."""
    slopes = np.stack([np.stack(np.gradient(part)) for part in field])
    return np.linalg.det(np.moveaxis(slopes, (0, 1), (-2, -1)) + np.eye(3))


def test_a_constant_velocity_moves_everything_by_itself():
    velocity = np.ones((3, 8, 9, 10)) * np.array([1.5, -0.5, 2.0])[:, None, None, None]
    np.testing.assert_allclose(elastic.integrated(velocity), velocity, rtol=1e-5)


def test_a_linear_velocity_grows_as_e():
    """dx/dt = a x takes x to x exp(a); with a = 0.2 about the middle of 41 voxels."""
    x = np.indices((41, 5, 5))[0] - 20.0
    velocity = np.stack([0.2 * x, 0 * x, 0 * x])
    moved = elastic.integrated(velocity)[0]
    inner = slice(10, 31)  # what comes from beyond the border stays away from here
    np.testing.assert_allclose(moved[inner], x[inner] * (np.exp(0.2) - 1), rtol=0.02, atol=0.01)


def test_there_and_back_is_where_it_was_and_nothing_folds():
    rng = np.random.default_rng(3)
    nodes = rng.normal(0, 4, (3, 6, 6, 6))
    velocity = np.stack([ndimage.zoom(part, 8, order=1) for part in nodes])
    there, back = elastic.integrated(velocity), elastic.integrated(-velocity)
    here = np.indices(there.shape[1:]) + there
    total = there + np.stack(
        [ndimage.map_coordinates(part, here, order=1, mode="nearest") for part in back]
    )
    inner = (slice(None), *[slice(12, -12)] * 3)
    assert np.abs(total[inner]).mean() < 0.1 < np.abs(there[inner]).mean()
    assert jacobian(there).min() > 0
    assert jacobian(velocity).min() < 0  # the same velocities, added instead, fold


def test_published_defaults_are_nodes_16_voxels_apart_with_a_spread_up_to_4():
    """A patch of 96 has 6 nodes a side on a field of 48; the drawn spread is 2 on average."""
    params = Augmentation()
    assert (params.elastic_nodes, params.elastic_sd_voxels) == (None, 4.0)
    fields = [
        elastic.displacements(params, (96, 96, 96), np.random.default_rng(n)) for n in range(8)
    ]
    assert fields[0].shape == (3, 48, 48, 48) and fields[0].dtype == np.float32
    corners = [field[:, 0, 0, 0].std() for field in fields]
    assert 0.3 < np.mean(corners) < 4
    assert elastic.reach(params) == 12


def test_plain_nodes_by_parameter():
    params = Augmentation(elastic_nodes=4, elastic_sd_voxels=2.0)
    rng, same = np.random.default_rng(1), np.random.default_rng(1)
    found = elastic.displacements(params, (32, 32, 32), rng)
    expected = same.normal(0, same.uniform(0, 2.0), (3, 4, 4, 4)).astype(np.float32)
    assert np.array_equal(found, expected) and elastic.reach(params) == 0


@pytest.mark.parametrize("sd", [0.0])
def test_no_spread_no_displacement(sd):
    params = Augmentation(elastic_sd_voxels=sd)
    assert not elastic.displacements(params, (32, 32, 32), np.random.default_rng(0)).any()
