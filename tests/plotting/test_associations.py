"""Figures beyond the thesis: what they print and that all of it can be read."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.features.columns import TITLES
from cmbkit.features.trends import correlations, linear_trend
from cmbkit.plotting import associations


@pytest.fixture
def features():
    rng = np.random.default_rng(4)
    table = pd.DataFrame({name: rng.uniform(0.2, 1, 24) for name in TITLES})
    table["n_voxels"] = rng.integers(1, 900, 24)
    table["slice_thickness_mm"] = rng.choice([0.8, 2.0, 6.0], 24)
    table["dataset"] = ["CRB"] * 10 + ["DOU"] * 14
    return table.assign(uid=[f"s{n // 3}" for n in range(24)])


def test_correlations_are_printed_once_each_with_their_n(features, readable, words):
    features.loc[0, "contrast"] = np.nan
    table = correlations(features)
    figure = readable(associations.correlation_matrix(table))
    assert "n = 23 to 24 CMBs" in words(figure)
    numbers = [t for t in figure.axes[0].texts if t.get_text()]
    assert len(numbers) == 8 * 7 / 2
    rho = table[(table["first"] == "radius_mm") & (table["second"] == "n_voxels")]["rho"].item()
    assert numbers[0].get_text().replace("−", "-") == f"{rho:.2f}"


def test_thickness_names_slope_interval_and_groups(features, readable, words):
    at = np.linspace(0.8, 6, 5)
    lines = {
        feature: linear_trend(
            features["slice_thickness_mm"], features[feature], features["uid"], at, draws=50, seed=1
        )
        for feature in associations.RATIOS
    }
    figure = readable(associations.thickness_effect(features, lines))
    text = words(figure)
    assert "n = 24 CMBs in 8 scans" in text and "Slice thickness (mm)" in text
    assert "CRB (n = 10)" in text and "DOU (n = 14)" in text


def test_floor_has_bands_of_balls_and_every_microbleed(features, readable):
    floor = pd.DataFrame(
        {"n_voxels": [1, 8, 8, 8], "sphericity": [0.8, 0.9, 0.94, 0.95], "inv_flatness": 1.0}
    )
    floor.loc[0, "inv_flatness"] = np.nan
    bands = associations.floor_bands(floor)
    sphericity = bands[bands["feature"] == "sphericity"]
    assert sphericity["n_voxels"].tolist() == pytest.approx([1, 8])
    assert sphericity["median"].tolist() == pytest.approx([0.8, 0.94])
    assert bands[bands["feature"] == "inv_flatness"]["balls"].tolist() == [3]
    figure = readable(associations.discretisation_floor(features, floor))
    dots = figure.axes[0].collections[1:]
    assert sum(len(d.get_offsets()) for d in dots) == 24
