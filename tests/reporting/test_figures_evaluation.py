"""Half violins, FROC, subgroups and the comparison."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection, PolyCollection

from cmbkit.plotting import evaluation as figures


def test_half_violins_count_the_scans_that_have_a_value(readable):
    rows = [
        {"dataset": d, "model": m, "precision": p, "recall": 0.1 * i, "f1": 0.1 * i}
        for d in ("Valid", "CRB", "DOU")
        for m in ("scratch", "tl", "dark blobs")
        for i, p in enumerate([0.5, 0.7, np.nan if m == "tl" else 0.9])
    ]
    figure = readable(figures.half_violins(pd.DataFrame(rows), synthetic=True))
    precision, recall, _ = figure.axes
    ticks = [[tick.get_text() for tick in axes.get_xticklabels()] for axes in (precision, recall)]
    assert ticks[0] == ["CRB\nn = 3 | 2", "DOU\nn = 3 | 2", "Valid\nn = 3 | 2"]
    assert ticks[1][0] == "CRB\nn = 3 | 3"
    limits = [line.get_ydata()[0] for line in precision.lines if line.get_ls() == "--"]
    assert {0, 1} <= set(limits)


def test_half_violins_draw_nothing_outside_0_and_1():
    scores = {"precision": [0, 1, 1, 0.2], "recall": [0, 0, 0, 1], "f1": [0.9, 1, 1, 1]}
    rows = pd.concat(
        [pd.DataFrame(scores).assign(dataset="DOU", model=m) for m in ("scratch", "tl")]
    )
    for axes in figures.half_violins(rows).axes:
        dots, bodies = (
            [c for c in axes.collections if isinstance(c, kind)]
            for kind in (PathCollection, PolyCollection)
        )
        places = [np.asarray(c.get_offsets())[:, 1] for c in dots]
        places += [c.get_paths()[0].vertices[:, 1] for c in bodies]
        assert len(bodies) == 2
        drawn = np.concatenate([*places, *(line.get_ydata() for line in axes.lines)])
        assert drawn.min() == 0 and drawn.max() == 1


def test_froc_keeps_its_height_to_the_right_edge(readable):
    curve = pd.DataFrame({"fp_per_scan": [0, 0.5, 2], "sensitivity": [0.2, 0.6, 0.8]})
    figure = readable(
        figures.froc({"scratch": curve, "tl": curve / 2}, {"scratch": (0.5, 0.6)}, synthetic=True)
    )
    axes = figure.axes[0]
    assert axes.get_xlim() == (0, pytest.approx(2.1))
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.2, 0.6, 0.8, 0.8])
    assert axes.lines[1].get_xydata().tolist() == [[0.5, 0.6]]
    assert axes.get_xlabel() == "False positives per scan"


def test_forest_draws_each_value_with_its_interval_and_n(readable, words):
    table = pd.DataFrame(
        [
            ("Sequence", "SWI", "DOU", 74, 0.75, 0.65, 0.84),
            ("Sequence", "SWI", "CRB", 60, 0.45, 0.30, 0.60),
            ("Sequence", "T2S", "CRB", 67, np.nan, np.nan, np.nan),
        ],
        columns=["factor", "subgroup", "dataset", "n", "f1", "f1_low", "f1_high"],
    )
    figure = readable(figures.subgroup_forest(table, synthetic=True))
    axes = figure.axes[0]
    intervals = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2]
    np.testing.assert_allclose(intervals, [[0.30, 0.60], [0.65, 0.84]])
    assert "60, 74" in words(figure) and "67, -" in words(figure)


def test_comparison_says_what_was_not_reported(readable, words):
    table = pd.DataFrame(
        {
            "method": ["Dou 2016", "Scratch"],
            "data": ["own test set", None],
            "precision": [np.nan, 0.836],
            "recall": [0.932, 0.689],
            "f1": [np.nan, 0.756],
            "fp_per_scan": [2.74, 0.5],
            "own": [False, True],
        }
    )
    figure = readable(figures.comparison_bars(table))
    assert words(figure).count("not reported") == 2
    assert [bar.get_width() for bar in figure.axes[3].patches] == [2.74, 0.5]
    assert "Dou 2016 (own test set)" in words(figure)
