import numpy as np
import pytest

from cmbkit.detector.inference.tiles import (
    axis_starts,
    brain_starts,
    covering_starts,
    gaussian_weights,
    holds_any,
    spread_starts,
    tile_starts,
)


@pytest.mark.parametrize(("overlap", "count"), [(0.4, 343), (0.0, 125)])
def test_counts_of_the_thesis(overlap, count):
    assert len(tile_starts((400,) * 3, (96,) * 3, overlap)) == count


def test_tiles_cover_everything_stay_inside_and_overlap_enough():
    for size in range(16, 70):
        starts = np.array(axis_starts(size, 16, 0.25))
        assert starts[0] == 0 and starts[-1] + 16 == size
        assert (np.diff(starts) <= 12).all() and (np.diff(starts) > 0).all()


def test_a_short_axis_has_one_tile():
    assert tile_starts((10, 16, 17), (16, 16, 16), 0).tolist() == [[0, 0, 0], [0, 0, 1]]


def test_overlap_out_of_range_is_named():
    with pytest.raises(ValueError, match="found 1"):
        axis_starts(20, 10, 1.0)


def test_which_tiles_hold_brain():
    brain = np.zeros((8, 4, 4))
    brain[5, 1, 1] = 1
    starts = tile_starts(brain.shape, (4, 4, 4), 0)
    assert holds_any(brain, starts, (4, 4, 4)).tolist() == [False, True]


def test_tiles_fitted_to_a_brain_cover_it_with_fewer_than_its_box():
    """An octahedron of radius 20: its corner columns are shorter than its bounding box."""
    x, y, z = np.ogrid[:50, :50, :50]
    brain = abs(x - 25) + abs(y - 25) + abs(z - 25) <= 20
    starts = brain_starts(brain, (10, 10, 10), 0.2)
    covered = np.zeros(brain.shape, bool)
    for a, b, c in starts:
        covered[a : a + 10, b : b + 10, c : c + 10] = True
    assert covered[brain].all() and (starts >= 0).all() and (starts <= 40).all()
    assert len(starts) < len(tile_starts((41,) * 3, (10,) * 3, 0.2)) == 125


def test_spread_starts_by_hand():
    """28 voxels from 3 on, tiles of 10, at most 8 apart: 4 tiles, 6 apart."""
    assert spread_starts(3, 31, 40, 10, 0.2) == [3, 9, 15, 21]
    assert spread_starts(0, 4, 40, 10, 0.2) == [0]  # centred on 2, kept inside
    assert spread_starts(17, 21, 40, 10, 0.2) == [14]


def test_nothing_in_the_brain_mask_is_no_tile():
    assert len(brain_starts(np.zeros((12, 12, 12)), (4, 4, 4), 0)) == 0


def test_points_are_covered_by_few_tiles_with_room_around_them():
    """Two points 6 apart fit one tile of 16 with a margin of 4, the third has its own."""
    points = np.array([(30, 30, 30), (60, 20, 40), (36, 30, 30)])
    starts = covering_starts(points, (80, 80, 80), (16, 16, 16), margin=4)
    assert len(starts) == 2
    assert starts[0].tolist() == [26, 22, 22]  # centred on (33.5, 30.5, 30.5) as edges
    for point in points:
        room = np.minimum(point - starts, starts + 15 - point).min(1)
        assert room.max() >= 4


def test_gaussian_weights_are_even_and_greatest_in_the_middle():
    weights = gaussian_weights((8, 8, 8))
    np.testing.assert_allclose(weights, weights[::-1, ::-1, ::-1])
    assert weights.max() == weights[3, 3, 3] and weights.min() == np.float32(1e-3)
    ratio = weights[3, 3, 1] / weights[3, 3, 3]  # 2.5 and 0.5 voxels away, sigma 1 voxel
    assert ratio == pytest.approx(np.exp(-(2.5**2 - 0.5**2) / 2), rel=1e-5)
