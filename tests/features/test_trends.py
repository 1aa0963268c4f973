"""Correlations and trends with values known beforehand."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.features.trends import correlations, linear_trend


def test_rank_correlation_by_hand_and_without_missing_values():
    # ranks 1 2 3 4 against 2 1 4 3: 1 - 6 * 4 / (4 * 15) = 0.6
    table = pd.DataFrame({"a": [1.0, 5, 7, 90, 3], "b": [20.0, 10, 40, 30, np.nan], "c": 1.0})
    found = correlations(table, ("a", "b", "c")).set_index(["first", "second"])
    assert found.loc[("a", "b"), "rho"] == pytest.approx(0.6)
    assert found.loc[("a", "b"), "n"] == 4 and found.loc[("a", "a"), "n"] == 5
    assert np.isnan(found.loc[("a", "c"), "rho"])


def test_line_through_points_on_a_line_has_no_band():
    x = np.array([1.0, 2, 2, 4, 6])
    found = linear_trend(x, 0.9 - 0.1 * x, ["a", "b", "b", "c", "d"], [0, 5], draws=50, seed=1)
    assert found["fit"].tolist() == pytest.approx([0.9, 0.4])
    assert (found["high"] - found["low"]).max() < 1e-12
    assert found.attrs["slope"] == pytest.approx(-0.1)
    assert (found.attrs["n"], found.attrs["groups"]) == (5, 4)


def test_values_of_one_scan_count_together():
    # ten copies of each value in one scan tell no more than one of them
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 5, 30)
    y = 0.5 + 0.05 * x + rng.normal(0, 0.1, 30)
    scans = np.arange(30)
    once = linear_trend(x, y, scans, [3.0], seed=1)
    many = linear_trend(*(np.repeat(v, 10) for v in (x, y, scans)), [3.0], seed=1)
    pretended = linear_trend(np.repeat(x, 10), np.repeat(y, 10), np.arange(300), [3.0], seed=1)
    width = [float((t["high"] - t["low"]).iloc[0]) for t in (once, many, pretended)]
    assert width[1] == pytest.approx(width[0]) and width[2] < 0.5 * width[0]
    # the band of the mean line at the middle is about 2 * 1.96 standard errors wide
    assert width[0] == pytest.approx(2 * 1.96 * 0.1 / np.sqrt(30), rel=0.35)


def test_one_thickness_has_no_slope():
    with pytest.raises(ValueError, match="at least two values of x, found 1"):
        linear_trend([2, 2], [0.1, 0.2], ["a", "b"], [2], seed=1)
