"""Loss curves and the record of a run."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.plotting.training import loss_curves, training_record


@pytest.fixture
def history():
    epoch = np.arange(1, 7)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "step": 100 * epoch,
            "train_loss": 1 / epoch,
            "val_loss": [1, 0.6, 0.4, 0.5, 0.7, np.nan],
            "count_f1": [0, 0.1, 0.5, 0.4, 0.3, np.nan],
            "count_precision": [np.nan] * 6,
            "segmentation_f1": epoch / 10,
            "dice": epoch / 12,
            "learning_rate": 5e-5,
            "seconds": 60.0,
        }
    )


def test_loss_curves_mark_the_lowest_validation_loss(history, readable, words):
    figure = readable(loss_curves(history, "Pre-training", synthetic=True))
    assert "lowest: 0.4 at epoch 3" in words(figure)
    assert "n = 6 epochs" in words(figure)
    assert len(figure.axes[0].lines) == 3


def test_parts_have_their_own_colours(history):
    axes = loss_curves(history.assign(part=[1, 1, 1, 2, 2, 2]), "Pre-training").axes[0]
    colours = [line.get_color() for line in axes.lines[:4]]
    assert colours[0] == colours[1] != colours[2] == colours[3]


def test_record_has_four_panels_and_a_learning_rate(history, readable, words):
    figure = readable(training_record(history, "Scratch", synthetic=True))
    assert len(figure.axes) == 5
    assert "best: 0.5 at epoch 3" in words(figure)
    assert "Precision" not in words(figure)  # never measured here
    assert "Learning rate (dashed)" in words(figure)
