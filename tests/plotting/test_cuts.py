"""Outlines, crops and cuts on masks small enough to check by hand."""

from pathlib import Path

import numpy as np
import pytest

from cmbkit.plotting import cuts
from cmbkit.plotting.canvas import new_figure
from cmbkit.plotting.style import ROLE_COLOURS
from cmbkit.volume import Volume


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
    assert cuts.centre_of(np.zeros((4, 6, 8)), (4, 6, 8)) == (2, 3, 4)


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


def test_cut_lies_where_its_voxels_are_in_mm_and_shows_a_voxel_as_a_square(outlines):
    affine = np.diag([0.5, 0.5, 2.0, 1.0])
    affine[:3, 3] = -10, -20, -30
    image = Volume(np.arange(10 * 12 * 14.0).reshape(10, 12, 14), affine)
    mask = np.zeros(image.shape)
    mask[4, 5, 6] = 1
    figure = new_figure(7, 7)
    shown = cuts.show_cut(
        figure.subplots(), image, {"fn": mask}, "coronal", (4, 5, 6), window=(0, 9), bar_mm=2
    )
    # voxel (4, 6) of the plane covers -8.25..-7.75 by -19..-17 mm
    ((colour, corners),) = outlines(shown)
    assert colour == ROLE_COLOURS["fn"]
    np.testing.assert_allclose(corners, [-8.25, -19, -7.75, -17], atol=1e-6)
    picture = shown.images[-1]
    assert picture.get_extent() == [-10.25, -5.25, -31, -3]
    np.testing.assert_array_equal(np.asarray(picture.get_array())[::-1], image.data[:, 5].T)
    assert {"L", "R"} <= {text.get_text() for text in shown.texts}


def test_orthogonal_cuts_go_through_the_lesion_and_outline_it_by_role(
    lesion, readable, hosts, drawn, outlines
):
    volume, mask = lesion
    rows = [
        ("Raw", volume, {}),
        ("Annotated", volume, {"annotated": mask}),
        ("scratch", volume, {"predicted": mask}),
    ]
    figure = readable(cuts.orthogonal_cuts(rows, (0.5, 0.5, 2.0), centre=(6, 11, 15), title="A\nB"))
    above = np.array(hosts(figure)).reshape(3, 3)
    assert [axes.get_title() for axes in above[0]] == ["Axial", "A\nB\nCoronal", "Sagittal"]
    assert [axes.get_ylabel() for axes in above[:, 0]] == ["Raw", "Annotated", "Scratch"]
    axes = np.array(drawn(figure)).reshape(3, 3)
    for column in range(3):
        found = [outlines(one) for one in axes[:, column]]
        assert [[colour for colour, _ in one] for one in found] == [
            [],
            [ROLE_COLOURS["annotated"]],
            [ROLE_COLOURS["predicted"]],
        ]
    # the mask's voxels 5..7 and 15..16 of 0.5 and 2 mm, seen from the front
    ((_, corners),) = outlines(axes[1, 1])
    np.testing.assert_allclose(corners, [2.25, 29, 3.75, 33], atol=1e-6)
    letters = {text.get_text() for text in axes[0, 2].texts}
    assert {"P", "A"} <= letters and not {"L", "R"} & letters


def test_evolution_has_a_column_per_snapshot(lesion, readable, hosts, drawn, outlines):
    volume, mask = lesion
    found = {1: mask & False, 5: mask & False, 9: mask, 13: mask}
    snapshots = [(f"Epoch {epoch}", voxels) for epoch, voxels in found.items()]
    figure = readable(cuts.prediction_evolution(volume, mask, snapshots, 0.5))
    titles = [axes.get_title() for axes in hosts(figure)[:6]]
    assert titles == ["Raw", "Annotated", "Epoch 1", "Epoch 5", "Epoch 9", "Epoch 13"]
    assert [len(outlines(axes)) for axes in drawn(figure)] == [0, 1, 0, 0, 1, 1] * 3


def test_examples_stand_side_by_side_with_their_titles(lesion, readable, words, drawn, outlines):
    volume, mask = lesion
    rows = [("Raw", volume, {}), ("Annotated", volume, {"annotated": mask})]
    figure = readable(
        cuts.cut_examples([("one", rows, (6, 11, 15)), ("two", rows, (0, 0, 0))], 0.5)
    )
    assert "one" in words(figure) and "two" in words(figure)
    assert [len(outlines(axes)) for axes in drawn(figure)] == [0] * 3 + [1] * 3 + [0] * 6


def test_axial_panels_show_each_place(lesion, readable, drawn, outlines):
    volume, mask = lesion
    scan = Volume(volume, np.diag([0.5, 0.5, 2.0, 1.0]))
    panels = [(f"radius {k} mm", scan, {"annotated": mask}, (6, 11, k)) for k in (3, 15, 16, 19)]
    figure = readable(cuts.axial_panels(panels, (0, 1), "Yellow: implanted."))
    assert [len(outlines(axes)) for axes in drawn(figure)] == [0, 1, 1, 0]


def test_the_window_of_grey_values_stands_once():
    """0 to 1000 but for what is no number: 5 to 995; of a constant one step, of nothing 0 to 1."""
    assert cuts.window_of(np.arange(501.0), [np.nan, *range(501, 1001)]) == (5, 995)
    assert cuts.window_of([7, 7]) == (7, 8) and cuts.window_of([np.nan]) == (0, 1)
    package = Path(cuts.__file__).parents[1]
    texts = {path.name: path.read_text() for path in package.rglob("*.py")}
    assert [name for name, text in texts.items() if "[0.5, 99.5]" in text] == ["cuts.py"]
