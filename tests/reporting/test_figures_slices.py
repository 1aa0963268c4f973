"""Panels of slices: size in mm, titles, marks."""

import numpy as np
import pytest

from cmbkit.plotting.slices import annotation_overlay, contact_sheet, mimic_panels


@pytest.fixture
def slice2d():
    return np.random.default_rng(0).normal(size=(40, 30))


def test_contact_sheet_shows_each_slice_in_mm(slice2d, readable):
    panels = [(f"Set {n}\n0.45 mm", slice2d, (200, 150)) for n in range(5)]
    figure = readable(contact_sheet(panels, synthetic=True))
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 5
    assert shown[0].get_xlim() == (0, 200) and shown[0].get_ylim() == (0, 150)
    assert shown[0].images[0].get_array().shape == (30, 40)  # i to the right
    assert "50 mm" in [text.get_text() for text in shown[0].texts]


def test_mimics_have_an_arrow_each_and_long_titles_are_broken(slice2d, readable):
    title = "basal ganglia calcification on SWI\nCRB-study0001-SWI"
    figure = readable(mimic_panels([(title, slice2d, (20, 15))] * 6, synthetic=True))
    assert len(figure.axes) == 6
    assert all(any(t.get_text() == "" for t in axes.texts) for axes in figure.axes)


def test_slice_with_nan_is_shown(slice2d):
    slice2d[0, 0] = np.nan
    low, high = contact_sheet([("x", slice2d, (1, 1))]).axes[0].images[0].get_clim()
    assert low < high


def test_annotation_shows_scribble_metadata_and_mimic(slice2d, readable, words):
    scribble = np.zeros_like(slice2d)
    scribble[10:12, 20] = 2
    metadata = {"cause": "CAA", "location": "subcortical white matter"}
    figure = readable(
        annotation_overlay(slice2d, scribble, (200, 150), metadata, [(50, 60, "calcification")])
    )
    whole, close, _ = figure.axes
    assert len(whole.collections) == len(close.collections) == 2
    # voxels 10 and 11 of 5 mm: centre at (10 + 11) / 2 + 0.5 = 11 voxels
    assert np.mean(close.get_xlim()) == pytest.approx(55)
    assert "cause: CAA" in words(figure) and "calcification" in words(figure)


def test_annotation_without_scribble_is_an_error(slice2d):
    with pytest.raises(ValueError, match="found none"):
        annotation_overlay(slice2d, np.zeros_like(slice2d), (1, 1), {})
