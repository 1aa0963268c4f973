"""A run without microbleeds: what is drawn of them says so in a line instead of stopping."""

import pandas as pd
import pytest

from cmbkit.features.trends import correlations
from cmbkit.plotting import associations, bars, distributions, forest, glass_brain, renders

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
