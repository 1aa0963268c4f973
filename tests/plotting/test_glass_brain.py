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


def test_matches_are_drawn_where_they_are_in_a_row_per_model(points, readable, words):
    points["model"] = ["tl", "scratch", "tl", "scratch"]
    figure = readable(glass_brain.microbleeds_by_match(points))
    views = [axes for axes in figure.axes if markers(axes)]
    assert markers(views[-1]) == {(ROLE_COLOURS["tp"], -30, -50), (ROLE_COLOURS["fp"], 40, 0)}
    assert (ROLE_COLOURS["fn"], 20, 10) in markers(views[len(views) // 2 - 1]) | markers(views[1])
    said = words(figure)
    assert said.index("Scratch") != said.index("TL")
    for n in (0, 1):  # Scratch: one FN, its TP has no place; TL: one TP, one FP
        for text in ("True positive", "False negative", "False positive"):
            assert f"{text} (n = {n})" in said
    assert "1 without a place are left out" in said


def test_datasets_have_their_colours_and_n(points, readable, words):
    figure = readable(glass_brain.microbleeds_by_dataset(points))
    colours = {colour for colour, *_ in markers(view(figure))}
    assert colours == {DATASET_COLOURS["CRB"], DATASET_COLOURS["DOU"]}
    assert "CRB (n = 2)" in words(figure) and "DOU (n = 1)" in words(figure)
