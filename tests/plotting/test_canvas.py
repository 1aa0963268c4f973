"""A run without microbleeds is drawn as a line that says so; lines below cover nothing above."""

import io
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cmbkit.features.trends import correlations
from cmbkit.plotting import associations, bars, distributions, forest, glass_brain, renders
from cmbkit.plotting.canvas import label_synthetic, new_figure, write_below
from cmbkit.plotting.diagrams import patch_sampling
from cmbkit.reporting.pictures import png_bytes

NONE = pd.DataFrame(columns=["dataset", "radius_mm"])


@pytest.mark.parametrize(
    "draw",
    [
        lambda: distributions.radius_and_counts(NONE, pd.DataFrame()),
        lambda: distributions.shape_violins(NONE),
        lambda: associations.correlation_matrix(
            correlations(pd.DataFrame(columns=["n_voxels", "radius_mm"]), ("n_voxels", "radius_mm"))
        ),
        lambda: associations.thickness_effect(NONE, {}),
        lambda: associations.discretisation_floor(NONE, pd.DataFrame()),
        lambda: bars.location_bars(NONE),
        lambda: glass_brain.microbleeds_by_dataset(NONE),
        lambda: glass_brain.microbleeds_by_match(NONE),
        lambda: renders.render_grid({}),
        lambda: forest.subgroup_forest(NONE),
    ],
)
def test_without_microbleeds_a_line_says_so(draw):
    (text,) = draw().texts
    assert text.get_text() == "No microbleed in the scans of this run."


@pytest.mark.parametrize("models", [["compact"], ["a", "b", "c"]])
def test_scores_are_drawn_of_one_network_or_of_three(models):
    rows = [
        {"dataset": "MINE", "model": model, "precision": p, "recall": 0.5, "f1": None}
        for model in models
        for p in (0.2, 0.4, 0.9)
    ]
    figure = distributions.half_violins(pd.DataFrame(rows), models)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == models


def sampling():
    """Figure 6.2 of an empty volume of 64 x 64 x 64 voxels."""
    boxes = [((10, 20, 30), True), ((0, 32, 16), False)]
    starts = [(x, y, 0) for x in (0, 24) for y in (0, 24)]
    empty = np.zeros((64,) * 3, np.float32)
    return label_synthetic(patch_sampling(empty, 1.0, (32,) * 3, boxes, starts, [(26, 36, 46)]))


def anchored():
    """A legend where its figure put it by a share of its height."""
    figure = new_figure(4, 2)
    figure.subplots().plot([0, 1], label="a line")
    figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0.3))
    return figure


@pytest.mark.parametrize("draw", [sampling, anchored])
def test_lines_below_a_figure_move_nothing_in_it(draw):
    bare, told = draw(), draw()
    write_below(told, "Settings: grid 0.75 mm.")
    above, both = (np.asarray(Image.open(io.BytesIO(png_bytes(f)))) for f in (bare, told))
    assert both.shape[0] > above.shape[0] and (both[: len(above)] == above).all()


def test_no_two_texts_or_legends_of_figure_6_2_lie_on_each_other():
    figure = sampling()
    write_below(figure, "Settings: grid 0.75 mm.")
    figure.draw_without_rendering()
    axes = [text for panel in figure.axes for text in (panel.title, panel.xaxis.label)]
    placed = [a.get_window_extent() for a in (*figure.texts, *figure.legends, *axes)]
    assert len(placed) == 7
    assert not [pair for pair in combinations(placed, 2) if pair[0].overlaps(pair[1])]
