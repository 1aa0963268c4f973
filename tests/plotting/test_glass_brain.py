"""Markers of a glass brain: their places in MNI mm, colours and counts."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from cmbkit.plotting import glass_brain
from cmbkit.plotting.style import DATASET_COLOURS, ROLE_COLOURS


@pytest.fixture
def points():
    return pd.DataFrame(
        {
            "dataset": ["CRB", "CRB", "DOU", "DOU"],
            "match": ["TP", "FN", "FP", "TP"],
            "x_mni": [-30.0, 20, 40, np.nan],
            "y_mni": [-50.0, 10, 0, np.nan],
            "z_mni": [20.0, 30, -10, np.nan],
        }
    )


def markers(axes):
    """(colour, x, y) of the markers of one view."""
    return {
        (to_hex(cloud.get_facecolor()[0]).upper(), *place)
        for cloud in axes.collections
        if hasattr(cloud, "get_sizes")
        for place in np.asarray(cloud.get_offsets()).tolist()
    }


def view(figure):
    """The axial view is the last of left, coronal, right and axial."""
    return figure.axes[-1]


def test_matches_are_drawn_where_they_are_in_their_colours(points, readable, words):
    figure = readable(glass_brain.microbleeds_by_match(points))
    assert markers(view(figure)) == {
        (ROLE_COLOURS["tp"], -30, -50),
        (ROLE_COLOURS["fn"], 20, 10),
        (ROLE_COLOURS["fp"], 40, 0),
    }
    for text in ("True positive (n = 1)", "False negative (n = 1)", "False positive (n = 1)"):
        assert text in words(figure)
    assert "1 without a place are left out" in words(figure)


def test_datasets_have_their_colours_and_n(points, readable, words):
    figure = readable(glass_brain.microbleeds_by_dataset(points))
    colours = {colour for colour, *_ in markers(view(figure))}
    assert colours == {DATASET_COLOURS["CRB"], DATASET_COLOURS["DOU"]}
    assert "CRB (n = 2)" in words(figure) and "DOU (n = 1)" in words(figure)
