"""Panels of slices: size in mm, titles, marks."""

import numpy as np
import pytest
from matplotlib.text import Annotation

from cmbkit.plotting.slices import annotation_overlay, contact_sheet, mimic_panels
from cmbkit.plotting.style import ROLE_COLOURS


@pytest.fixture
def slice2d():
    return np.random.default_rng(0).normal(size=(40, 30))


def test_contact_sheet_shows_each_slice_in_mm(slice2d, readable, words, drawn):
    panels = [(f"Set {n}\n0.45 mm", slice2d, (200, 150)) for n in range(5)]
    figure = readable(contact_sheet(panels))
    shown = drawn(figure)
    assert len(shown) == 5
    assert shown[0].get_xlim() == (0, 200) and shown[0].get_ylim() == (0, 150)
    picture = np.asarray(shown[0].images[-1].get_array())
    np.testing.assert_allclose(picture[::-1], slice2d.T)  # i to the right, j upwards
    assert {"L", "R", "50mm"} <= set(words(figure).split())


def test_mimics_have_an_arrow_each_and_long_titles_are_broken(slice2d, readable, drawn):
    title = "basal ganglia calcification on SWI\nCRB-study0001-SWI"
    figure = readable(mimic_panels([(title, slice2d, (20, 15))] * 6))
    arrows = [[t.xy for t in axes.texts if isinstance(t, Annotation)] for axes in drawn(figure)]
    assert len(arrows) == 6
    # the tip is 0.7 mm along each axis from the middle (10, 7.5): about the edge of a finding
    np.testing.assert_allclose(arrows, [[(10.7, 8.2)]] * 6)


def test_slice_with_nan_is_shown(slice2d, drawn):
    slice2d[0, 0] = np.nan
    low, high = drawn(contact_sheet([("x", slice2d, (1, 1))]))[0].images[-1].get_clim()
    assert low < high


def test_annotation_shows_scribble_metadata_and_mimic(slice2d, readable, words, drawn, outlines):
    scribble = np.zeros_like(slice2d)
    scribble[10:12, 20] = 2
    metadata = {"cause": "CAA", "location": "subcortical white matter"}
    figure = readable(
        annotation_overlay(slice2d, scribble, (200, 150), metadata, [(50, 60, "calcification")])
    )
    whole, close = drawn(figure)
    for axes in (whole, close):
        ((colour, corners),) = outlines(axes)
        assert colour == ROLE_COLOURS["marked"]
        np.testing.assert_allclose(corners, [50, 100, 60, 105], atol=1e-6)
        assert [50, 60] in [line.get_xydata()[0].tolist() for line in axes.lines]
    # voxels 10 and 11 of 5 mm: centre at (10 + 11) / 2 + 0.5 = 11 voxels
    assert np.mean(close.get_xlim()) == pytest.approx(55)
    assert "cause: CAA" in words(figure) and "calcification" in words(figure)


def test_annotation_without_scribble_is_an_error(slice2d):
    with pytest.raises(ValueError, match="found none"):
        annotation_overlay(slice2d, np.zeros_like(slice2d), (1, 1), {})
