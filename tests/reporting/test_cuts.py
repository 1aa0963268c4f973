"""Outlines, crops and cuts on masks small enough to check by hand."""

import numpy as np
import pytest

from cmbkit.plotting import cuts
from cmbkit.plotting.style import CALL_COLOURS


def test_outline_of_one_pixel_is_its_four_edges_in_mm():
    mask = np.zeros((3, 3), bool)
    mask[1, 2] = True
    segments = cuts.outline_segments(mask, (0.5, 2.0))
    edges = {tuple(sorted(map(tuple, segment.tolist()))) for segment in segments}
    a, b, c, d = (0.5, 4.0), (1.0, 4.0), (0.5, 6.0), (1.0, 6.0)
    assert edges == {(a, b), (c, d), (a, c), (b, d)}


def test_outline_length_is_the_perimeter_also_at_the_border_and_around_a_hole():
    ring = np.ones((4, 4), bool)
    ring[1:3, 1:3] = False
    segments = cuts.outline_segments(ring, (1, 1))
    assert np.abs(np.diff(segments, axis=1)).sum() == 16 + 8
    assert len(cuts.outline_segments(np.zeros((4, 4)), (1, 1))) == 0


def test_crop_keeps_the_centre_in_the_middle_and_fills_outside():
    volume = np.arange(27).reshape(3, 3, 3)
    crop = cuts.crop_around(volume, (0, 1, 2), 3, fill=-1)
    assert crop[1, 1, 1] == volume[0, 1, 2]
    assert (crop[0] == -1).all() and (crop[:, :, 2] == -1).all()
    assert crop[2, 0, 0] == volume[1, 0, 1]


def test_centre_is_a_voxel_of_the_mask_even_for_a_bent_one():
    bent = np.zeros((5, 5, 1))
    bent[0, :], bent[:, 0] = 1, 1
    assert bent[cuts.centre_of(bent, bent.shape)] == 1
    assert cuts.centre_of(None, (4, 6, 8)) == (2, 3, 4)


def test_cuts_show_the_named_planes():
    volume = np.arange(24).reshape(2, 3, 4)
    assert cuts.take_cut(volume, "axial", 1).shape == (2, 3)
    np.testing.assert_array_equal(cuts.take_cut(volume, "sagittal", 1), volume[1])
    np.testing.assert_array_equal(cuts.take_cut(volume, "coronal", 2), volume[:, 2])


@pytest.fixture
def lesion():
    volume = np.ones((20, 20, 20))
    mask = np.zeros(volume.shape, bool)
    mask[5:8, 10:13, 15:17] = True
    volume[mask] = 0
    return volume, mask


def test_orthogonal_cuts_go_through_the_lesion_and_outline_it(lesion, readable):
    volume, mask = lesion
    rows = [("Raw", volume, None), ("Ground truth", volume, mask), ("scratch", volume, mask)]
    figure = readable(cuts.orthogonal_cuts(rows, (0.5, 0.5, 2.0), synthetic=True))
    axes = np.array(figure.axes).reshape(3, 3)
    assert [a.get_title() for a in axes[0]] == ["Axial", "Coronal", "Sagittal"]
    assert [a.get_ylabel() for a in axes[:, 0]] == ["Raw", "Ground truth", "Scratch"]
    assert [len(a.collections) for a in axes.ravel()] == [0] * 3 + [2] * 6
    coronal = axes[1, 1]
    assert coronal.get_xlim() == (0, 10) and coronal.get_ylim() == (0, 40)
    segments = np.concatenate(coronal.collections[1].get_segments())
    assert segments.min(axis=0).tolist() == [2.5, 30] and segments.max(axis=0).tolist() == [4, 34]
    assert coronal.images[0].get_array().shape == (20, 20)  # rows are z, columns x
    assert coronal.images[0].get_array()[15, 5] == 0
    colour = coronal.collections[1].get_colors()[0][:3]
    expected = [int(CALL_COLOURS["GT"][i : i + 2], 16) / 255 for i in (1, 3, 5)]
    np.testing.assert_allclose(colour, expected)


def test_evolution_has_a_column_per_snapshot_and_thresholds_probabilities(lesion, readable):
    volume, mask = lesion
    snapshots = {1: mask * 0.4, 13: mask * 0.9}
    figure = readable(cuts.prediction_evolution(volume, mask, snapshots, 0.5, size=2.0))
    axes = np.array(figure.axes).reshape(3, 4)
    titles = [a.get_title() for a in axes[0]]
    assert titles == ["Raw", "Ground truth", "Epoch 1", "Epoch 13"]
    assert [len(a.collections) for a in axes[2]] == [0, 2, 0, 2]


def test_examples_stand_side_by_side_with_their_titles(lesion, readable, words):
    volume, mask = lesion
    rows = [("Raw", volume, None), ("Annotated", volume, mask)]
    figure = readable(cuts.cut_examples([("one", rows), ("two", rows, (0, 0, 0))], 0.5))
    assert len(figure.axes) == 12
    assert "one" in words(figure) and "two" in words(figure)
    outlined = [len(a.collections) for a in figure.axes]
    assert outlined == [0] * 3 + [2] * 3 + [0] * 6
