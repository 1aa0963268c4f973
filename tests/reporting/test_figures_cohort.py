"""Counts, percentages and group sizes in the figures of the cohorts."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.plotting import cohort as figures_cohort


@pytest.fixture
def features():
    rng = np.random.default_rng(1)
    rows = []
    for dataset, n in (("VALDO", 12), ("CRB", 8), ("sMOMENI", 5)):
        for _ in range(n):
            rows.append(
                {
                    "dataset": dataset,
                    "type": "GT",
                    "radius_mm": 1.41 if dataset == "sMOMENI" else rng.uniform(0.8, 3),
                    "sphericity": rng.uniform(0.4, 0.9),
                    "max_diameter_mm": rng.uniform(2, 8),
                    "inv_flatness": rng.uniform(0.2, 0.9),
                    "inv_elongation": rng.uniform(0.2, 0.9),
                    "region": rng.choice(["Thalamus", "Subcortical White Matter"]),
                }
            )
    predicted = {**rows[0], "type": "Pred", "dataset": "DOU"}
    return pd.DataFrame([*rows, predicted])


@pytest.fixture
def scans():
    counts = {"VALDO": [0, 1, 2, 9], "CRB": [3, 5], "sMOMENI": [10, 10], "CRBneg": [0, 0]}
    return pd.DataFrame([{"dataset": d, "n_cmb": n} for d, ns in counts.items() for n in ns])


def labels(axes):
    return [tick.get_text() for tick in axes.get_xticklabels()]


def test_radius_and_counts_names_groups_with_their_n(features, scans, readable):
    figure = readable(figures_cohort.radius_and_counts(features, scans, synthetic=True))
    radius, counts = figure.axes[:2]
    assert labels(radius) == ["CRB\nn = 8", "VALDO\nn = 12", "sMOMENI\nn = 5"]
    assert labels(counts) == ["CRB\nn = 2", "VALDO\nn = 3", "sMOMENI\nn = 2"]
    assert radius.get_ylabel() == "Radius (mm)"


def test_shape_violins_use_annotated_microbleeds_only(features, readable):
    figure = readable(figures_cohort.shape_violins(features))
    assert len(figure.axes) == 4
    for axes in figure.axes:
        assert labels(axes) == ["CRB\nn = 8", "VALDO\nn = 12", "sMOMENI\nn = 5"]
        assert len(axes.collections) == 3
    assert figure.axes[1].get_ylabel() == "Maximum 3D diameter (mm)"


def test_location_counts_follow_the_form_and_sum_to_the_total():
    table = pd.DataFrame(
        {
            "dataset": ["DOU"] * 4 + ["CRB"],
            "region": ["thalamus", "Brainstem", "Brainstem", "Cerebellum", "Somewhere"],
        }
    )
    counts = figures_cohort.location_counts(table)
    dou = counts[counts["dataset"] == "DOU"].set_index("region")
    assert list(dou.index) == [*figures_cohort.TABLE_4_2, "Somewhere"]
    assert dou.loc["Brainstem", ["n", "percent"]].tolist() == [2, 50.0]
    assert dou.loc["Thalamus", "n"] == 1
    everything = counts[counts["dataset"] == "All"]
    assert everything["n"].sum() == 5 and everything["percent"].sum() == pytest.approx(100)


def test_percent_axis_agrees_with_the_counts_axis(features, readable):
    figure = readable(figures_cohort.location_bars(features, synthetic=True))
    shown = [axes for axes in figure.axes if axes.patches]
    titles = [axes.get_title() for axes in shown]
    assert titles == ["CRB (n = 8)", "VALDO (n = 12)", "sMOMENI (n = 5)", "All (n = 25)"]
    twins = [axes for axes in figure.axes if not axes.patches and axes.get_shared_x_axes()]
    percents = [axes for axes in twins if axes.yaxis.get_ticks_position() == "right"]
    for axes, percent, total in zip(shown, percents, (8, 12, 5, 25), strict=True):
        assert percent.get_ylim()[1] == pytest.approx(100 * axes.get_ylim()[1] / total)
        assert sum(bar.get_height() for bar in axes.patches) == total
