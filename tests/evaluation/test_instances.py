import numpy as np
import pytest
from scipy.ndimage import center_of_mass, generate_binary_structure, label

from cmbkit.evaluation import instances
from cmbkit.evaluation.instances import MatchingError
from cmbkit.evaluation.matching import match_instances

RANK = {6: 1, 18: 2, 26: 3}


@pytest.mark.parametrize("connectivity", [6, 18, 26])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int32, np.int64, np.float32])
def test_components_agree_with_scipy_whatever_the_type_and_memory_order(connectivity, dtype):
    """Same components, numbered in the same order, in sparse and in dense masks."""
    rng = np.random.default_rng(connectivity)
    for share in (0.0, 0.01, 0.2):
        mask = (rng.random((11, 13, 17)) < share).astype(dtype)
        expected = label(mask, generate_binary_structure(3, RANK[connectivity]))[0]
        for ordered in (mask, np.asfortranarray(mask), mask[::-1][::-1], mask[:, :, ::-1]):
            truth = expected if ordered.strides[2] > 0 else None
            found = np.zeros(ordered.shape, int)
            voxels, number = instances.components(ordered, connectivity)
            found[np.unravel_index(voxels, ordered.shape)] = number
            if truth is None:
                truth = label(ordered, generate_binary_structure(3, RANK[connectivity]))[0]
            np.testing.assert_array_equal(found, truth)


def test_centres_and_sizes_agree_with_scipy():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, (6, 7, 8))
    affine = np.array([[0, 2, 0, 5], [-1, 0, 0, 6], [0, 0, 3, -7], [0, 0, 0, 1]], float)
    found = instances.from_labels(np.asfortranarray(labels), affine)
    assert found.ids.tolist() == [1, 2, 3]
    assert found.sizes.tolist() == np.bincount(labels.ravel())[1:].tolist()
    voxel = np.array(center_of_mass(labels > 0, labels, [1, 2, 3]))
    np.testing.assert_allclose(found.centres_mm, voxel @ affine[:3, :3].T + affine[:3, 3])


def test_points_match_by_distance_in_mm():
    """Two points 4.9 and 5.0 mm from the only lesion at (10, 4, 4) mm."""
    mask = np.zeros((20, 9, 9), bool)
    mask[10, 4, 4] = True
    lesion = instances.from_mask(mask, 1.0)
    for gap, hits in ((4.9, 1), (5.0, 0)):
        matches = match_instances(lesion, instances.from_points([[10 + gap, 4, 4]]))
        assert (matches["match"] == "TP").sum() == hits
        assert matches["dice"].isna().all()


def test_points_match_by_overlap_where_they_lie():
    """On a 2 mm grid the lesion fills 8-12 mm; points at 9.2, 9.4 (one voxel) and 14 mm."""
    mask = np.zeros((20, 9, 9), bool)
    mask[4:7, 4, 4] = True
    affine = np.diag([2.0, 2, 2, 1])
    lesion = instances.from_mask(mask, affine)
    points = instances.from_points([[9.2, 8, 8], [9.4, 8, 8], [14, 8, 8], [-500, 8, 8]])
    matches = match_instances(lesion, points, rule="overlap", affine=affine)
    assert matches["match"].tolist() == ["TP", "FP", "FP", "FP"]
    assert matches["pred_id"].tolist() == [1, 2, 3, 4]
    swapped = match_instances(points, lesion, rule="overlap", affine=affine)
    assert swapped["match"].tolist() == ["TP", "FN", "FN", "FN"]


def test_points_on_both_sides_have_no_overlap():
    points = instances.from_points([[0, 0, 0]])
    assert match_instances(points, points)["match"].tolist() == ["TP"]
    with pytest.raises(MatchingError, match="expected a mask on one side"):
        match_instances(points, points, rule="overlap", affine=np.eye(4))


def test_errors():
    with pytest.raises(MatchingError, match="connectivity: expected 6, 18 or 26, found 8"):
        instances.components(np.zeros((2, 2, 2)), 8)
    with pytest.raises(MatchingError, match="expected a 3D array"):
        instances.components(np.zeros((2, 2)))
    with pytest.raises(MatchingError, match="expected finite coordinates"):
        instances.from_points([[0, np.nan, 0]])
