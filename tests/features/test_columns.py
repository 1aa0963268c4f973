"""Titles of features and their means by group."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.features.columns import SHAPES, TITLES, axis_label, mean_sd, mean_shapes
from cmbkit.features.describe import COLUMNS


def test_every_title_belongs_to_a_column_of_the_features_table():
    assert set(SHAPES) <= set(TITLES) <= set(COLUMNS)


def test_axes_tell_a_unit_or_a_range():
    assert axis_label("sphericity") == "Sphericity (0 to 1)"
    assert axis_label("max_diameter_mm") == "Max. diameter (mm)"


def test_mean_and_sd_pass_over_missing_values_and_count_the_others():
    table = pd.DataFrame({"group": [*"aaab"], "x": [1.0, 3.0, np.nan, 7.0]})
    found = mean_sd(table, "group", ["x"])
    assert found["x"].tolist() == [2, 7] and found["x_n"].tolist() == [2, 1]
    assert found.loc["a", "x_sd"] == pytest.approx(np.sqrt(2)) and np.isnan(found.loc["b", "x_sd"])


def test_shapes_of_groups_in_the_order_asked_for_and_of_an_empty_one():
    """Volumes 2 and 4 of one kind: mean 3, variance 2; a lone one has no spread."""
    table = pd.DataFrame({name: [2.0, 4, 7] for name in SHAPES})
    outlines = table.assign(match=["TP", "TP", "FN"], type="GT")
    rows = [("FN", "GT"), ("FP", "Pred"), ("TP", "GT")]
    found = mean_shapes(outlines, ["match", "type"], rows).set_index("match")
    assert found["n"].to_dict() == {"FN": 1, "FP": 0, "TP": 2}
    assert found["volume_mm3"].tolist() == pytest.approx([7, np.nan, 3], nan_ok=True)
    assert found["volume_mm3_sd"].tolist() == pytest.approx([np.nan, np.nan, 2**0.5], nan_ok=True)
