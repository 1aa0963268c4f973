"""Values, intervals and n of a forest."""

import numpy as np
import pandas as pd

from cmbkit.plotting.forest import odds_forest, subgroup_forest


def test_forest_draws_each_value_with_its_interval_and_n(readable, words):
    table = pd.DataFrame(
        [
            ("Sequence", "SWI", "DOU", 74, 0.75, 0.65, 0.84),
            ("Sequence", "SWI", "CRB", 60, 0.45, 0.30, 0.60),
            ("Sequence", "T2S", "CRB", 67, np.nan, np.nan, np.nan),
        ],
        columns=["factor", "subgroup", "dataset", "n", "f1", "f1_low", "f1_high"],
    )
    figure = readable(subgroup_forest(table))
    axes = figure.axes[0]
    intervals, values = axes.collections
    ends = [[x for x, _ in path.vertices] for path in intervals.get_paths()]
    np.testing.assert_allclose(sorted(ends), [[0.30, 0.60], [0.65, 0.84]])
    np.testing.assert_allclose(sorted(x for x, _ in values.get_offsets()), [0.45, 0.75])
    assert "60, 74" in words(figure) and "67, -" in words(figure)


def test_odds_stand_adjusted_and_alone_and_a_separated_level_says_so(readable, words):
    table = pd.DataFrame(
        [
            ("Size", "per mm", 90, 60, 2.0, 1.2, 3.1, 2.5, 1.5, 4.0, ""),
            ("Region", "Deep against Lobar", 4, 0, *[np.nan] * 6, "none of 4 found"),
        ],
        columns=["variable", "scale", "n", "n_found", "odds", "odds_low", "odds_high", "alone",
                 "alone_low", "alone_high", "remark"],
    )  # fmt: skip
    figure = readable(odds_forest(table))
    ends = [bar.get_segments()[0][:, 0] for bar in figure.axes[0].collections]
    np.testing.assert_allclose(ends, [[1.2, 3.1], [1.5, 4.0]])
    assert "none of 4 found" in words(figure) and "60 of 90" in words(figure)
