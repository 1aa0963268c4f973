"""Counts, percentages and group sizes in the figures of the cohorts."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection, PolyCollection

from cmbkit.plotting import distributions


@pytest.fixture
def features():
    rng = np.random.default_rng(1)
    rows = []
    for dataset, n in (("VALDO", 12), ("CRB", 8), ("sMOMENI", 5)):
        for _ in range(n):
            rows.append(
                {
                    "dataset": dataset,
                    "radius_mm": 1.41 if dataset == "sMOMENI" else rng.uniform(0.8, 3),
                    "sphericity": rng.uniform(0.4, 0.9),
                    "max_diameter_mm": rng.uniform(2, 8),
                    "inv_flatness": rng.uniform(0.2, 0.9),
                    "inv_elongation": rng.uniform(0.2, 0.9),
                    "region": rng.choice(["Thalamus", "Subcortical White Matter"]),
                }
            )
    return pd.DataFrame(rows)


@pytest.fixture
def scans():
    counts = {"VALDO": [0, 1, 2, 9], "CRB": [3, 5], "sMOMENI": [10, 10], "CRBneg": [0, 0]}
    return pd.DataFrame([{"dataset": d, "n_cmb": n} for d, ns in counts.items() for n in ns])


def labels(axes):
    return [tick.get_text() for tick in axes.get_xticklabels()]


def test_radius_and_counts_names_groups_with_their_n(features, scans, readable):
    figure = readable(distributions.radius_and_counts(features, scans))
    radius, counts = figure.axes[:2]
    assert labels(radius) == ["CRB\nn = 8", "VALDO\nn = 12", "sMOMENI\nn = 5"]
    assert labels(counts) == ["CRB\nn = 2", "VALDO\nn = 3", "sMOMENI\nn = 2"]
    assert radius.get_ylabel() == "Radius (mm), log scale"


def test_shape_violins_have_a_body_per_dataset_and_a_dot_per_microbleed(features, readable):
    figure = readable(distributions.shape_violins(features))
    assert len(figure.axes) == 4
    for axes in figure.axes:
        assert labels(axes) == ["CRB\nn = 8", "VALDO\nn = 12", "sMOMENI\nn = 5"]
        bodies = [c for c in axes.collections if not isinstance(c, PathCollection)]
        dots = [c for c in axes.collections if isinstance(c, PathCollection)]
        assert len(bodies) == 3
        assert [len(c.get_offsets()) for c in dots] == [8, 12, 5]
    assert figure.axes[1].get_ylabel() == "Max. diameter (mm)"


def test_half_violins_count_the_scans_that_have_a_value(readable):
    rows = [
        {"dataset": d, "model": m, "precision": p, "recall": 0.1 * i, "f1": 0.1 * i}
        for d in ("Valid", "CRB", "DOU")
        for m in ("scratch", "tl", "dark blobs")
        for i, p in enumerate([0.5, 0.7, np.nan if m == "tl" else 0.9])
    ]
    figure = readable(distributions.half_violins(pd.DataFrame(rows), ("scratch", "tl")))
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
    figure = distributions.half_violins(rows, ("scratch", "tl"))
    FigureCanvasAgg(figure).draw()  # seaborn places the dots while drawing
    for axes, metric in zip(figure.axes, scores, strict=True):
        dots = [c for c in axes.collections if isinstance(c, PathCollection)]
        bodies = [c for c in axes.collections if isinstance(c, PolyCollection)]
        assert len(bodies) == 2
        for half, cloud, sign in zip(bodies, dots, (-1, 1), strict=True):
            shape, places = half.get_paths()[0].vertices, np.asarray(cloud.get_offsets())
            assert (sign * shape[:, 0]).min() >= 0 and (sign * places[:, 0]).min() > 0
            assert (shape[:, 1].min(), shape[:, 1].max()) == (min(scores[metric]), 1)
            assert sorted(places[:, 1]) == sorted(scores[metric])


def test_quartiles_are_drawn_where_they_are():
    rows = pd.DataFrame({"dataset": "DOU", "precision": [0.1, 0.2, 0.4, 0.8, 0.9]})
    axes = distributions.scan_scores(rows).axes[0]
    assert sorted(line.get_ydata()[0] for line in axes.lines) == pytest.approx([0.2, 0.4, 0.8])


@pytest.mark.parametrize("sample", [[1.0], [0.5, 0.5, 0.5], [np.nan, 1.0]])
def test_groups_without_spread_are_drawn(sample, readable):
    rows = pd.DataFrame({"dataset": "DOU", "recall": sample})
    axes = readable(distributions.scan_scores(rows)).axes[0]
    assert labels(axes) == [f"DOU\nn = {np.isfinite(sample).sum()}"]
    (dots,) = [c for c in axes.collections if isinstance(c, PathCollection)]
    assert set(np.asarray(dots.get_offsets())[:, 1]) == {sample[-1]}


def test_values_behind_figure_4_2_mark_outliers():
    # quartiles of 1..11 with 100: 3.75 and 9.25, so that 100 alone lies beyond 17.5
    radius = [*range(1, 12), 100]
    features = pd.DataFrame({"uid": "s", "dataset": "DOU", "type": "GT", "radius_mm": radius})
    scans = pd.DataFrame({"uid": ["s", "t"], "dataset": "DOU", "n_cmb": [12, 0]})
    data = distributions.radius_and_counts_data(features, scans)
    assert data[data["outlier"]]["value"].tolist() == [100]
    assert data[data["quantity"] == "n_cmb"]["value"].tolist() == [12]
