import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmbkit.detector.inference.tiles import (
    axis_starts,
    gaussian_weights,
    holds_any,
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


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.tuples(*[st.integers(1, 20)] * 3), st.tuples(*[st.integers(1, 9)] * 3), st.floats(0, 0.99)
)
def test_any_tiles_see_every_voxel_and_share_what_was_asked(shape, tile, overlap):
    """As few as it takes: two steps along an axis are longer than one may be."""
    starts = tile_starts(shape, tile, overlap)
    seen = np.zeros(shape, bool)
    for i, j, k in starts:
        seen[i : i + tile[0], j : j + tile[1], k : k + tile[2]] = True
    assert seen.all() and len(np.unique(starts, axis=0)) == len(starts)
    for along, n, t in zip(starts.T, shape, tile, strict=True):
        places = np.unique(along)
        step = max(1, np.floor(t * (1 - overlap)))
        assert places[0] == 0 and places[-1] == max(0, n - t)
        assert (np.diff(places) <= step).all() and (places[2:] - places[:-2] > step).all()


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
    assert holds_any(brain, starts, (4, 4, 4), margin=1).tolist() == [False, True]
    assert holds_any(brain, starts, (4, 4, 4), margin=2).tolist() == [True, True]
    next_to_it = np.roll(brain, -1, axis=0)  # in voxel 4
    assert holds_any(next_to_it, starts, (4, 4, 4)).tolist() == [False, True]
    first = np.roll(brain, -4, axis=0)  # in voxel 1
    assert holds_any(first, starts, (4, 4, 4), margin=2).tolist() == [True, False]
    assert holds_any(first, starts, (4, 4, 4), margin=3).tolist() == [True, True]


def test_gaussian_weights_are_even_and_greatest_in_the_middle():
    weights = gaussian_weights((8, 8, 8))
    np.testing.assert_allclose(weights, weights[::-1, ::-1, ::-1])
    assert weights.max() == weights[3, 3, 3] and weights.min() == np.float32(1e-3)
    ratio = weights[3, 3, 1] / weights[3, 3, 3]  # 2.5 and 0.5 voxels away, sigma 1 voxel
    assert ratio == pytest.approx(np.exp(-(2.5**2 - 0.5**2) / 2), rel=1e-5)
    longer = gaussian_weights((8, 16, 24))  # sigma 1, 2 and 3 voxels
    assert longer.shape == (8, 16, 24)
    for axis, sigma in enumerate((1, 2, 3)):
        line = np.moveaxis(longer, axis, 0)[4 * sigma - 1 : 4 * sigma + 2]
        away = line.reshape(3, -1).max(axis=1)  # half a voxel twice, then one and a half
        assert away[0] == away[1]
        assert away[2] / away[1] == pytest.approx(np.exp(-(1.5**2 - 0.5**2) / 2 / sigma**2))
