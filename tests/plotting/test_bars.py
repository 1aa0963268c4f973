"""Counts, percentages and lengths of bars."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.anatomy.rating_scales import REGIONS
from cmbkit.plotting import bars


def test_location_counts_follow_the_form_and_sum_to_the_total():
    table = pd.DataFrame(
        {
            "dataset": ["DOU"] * 4 + ["CRB"],
            "region": ["thalamus", "Brainstem", "Brainstem", "Cerebellum", "Somewhere"],
        }
    )
    counts = bars.location_counts(table)
    dou = counts[counts["dataset"] == "DOU"].set_index("region")
    assert list(dou.index) == [*REGIONS, "Somewhere"]
    assert dou.loc["Brainstem", ["n", "percent"]].tolist() == [2, 50.0]
    assert dou.loc["Thalamus", "n"] == 1
    everything = counts[counts["dataset"] == "All"]
    assert everything["n"].sum() == 5 and everything["percent"].sum() == pytest.approx(100)


@pytest.fixture
def features():
    rows = []
    for dataset, n in (("VALDO", 12), ("CRB", 8), ("sMOMENI", 5)):
        rows += [(dataset, ("Thalamus", "Subcortical White Matter")[i % 2]) for i in range(n)]
    return pd.DataFrame(rows, columns=["dataset", "region"])


def test_percent_axis_agrees_with_the_counts_axis(features, readable):
    figure = readable(bars.location_bars(features))
    shown = [axes for axes in figure.axes if axes.patches]
    titles = [axes.get_title() for axes in shown]
    assert titles == ["CRB (n = 8)", "VALDO (n = 12)", "sMOMENI (n = 5)", "All (n = 25)"]
    percents = [axes for axes in figure.axes if axes.xaxis.get_ticks_position() == "top"]
    for axes, percent, total in zip(shown, percents, (8, 12, 5, 25), strict=True):
        assert percent.get_xlim()[1] == pytest.approx(100 * axes.get_xlim()[1] / total)
        assert sum(bar.get_width() for bar in axes.patches) == total


def test_split_bars_stand_beside_the_thesis(readable, words):
    table = pd.DataFrame(
        {
            "split": ["train", "train", "valid"],
            "column": "seq_type",
            "value": ["SWI", "T2S", "SWI"],
            "proportion_pct": [80.0, 20.0, 100.0],
            "proportion_pct_thesis": [86.6, 13.4, np.nan],
        }
    )
    figure = readable(bars.split_bars(table, {"seq_type": "Sequence"}, "Strata"))
    widths = [[bar.get_width() for bar in group] for group in figure.axes[0].containers]
    np.testing.assert_array_equal(widths[0], [80, 20])
    np.testing.assert_array_equal(widths[1], [86.6, 13.4])
    assert widths[2][0] == 100 and np.nan_to_num(widths[3]).max(initial=0) == 0
    hatched = [bool(group[0].get_hatch()) for group in figure.axes[0].containers[:3]]
    assert hatched == [False, False, True]  # hatched: validation
    assert "validation, thesis" in words(figure)


def test_comparison_says_what_was_not_reported(readable, words):
    table = pd.DataFrame(
        {
            "method": ["Dou 2016", "Scratch"],
            "data": ["own test set", None],
            "precision": [np.nan, 0.836],
            "recall": [0.932, 0.689],
            "f1": [np.nan, 0.756],
            "fp_scan": [2.74, 0.5],
            "own": [False, True],
        }
    )
    figure = readable(bars.comparison_bars(table))
    assert words(figure).count("not reported") == 2
    assert sorted(bar.get_width() for bar in figure.axes[3].patches) == [0.5, 2.74]
    assert "Dou 2016 (own test set)" in words(figure)
    ticks = [tick.get_text() for tick in figure.axes[3].get_xticklabels()]
    assert {"0", "1", "10"} <= {*ticks} and not any("$" in tick for tick in ticks)
