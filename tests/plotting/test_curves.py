"""Losses, records of a run, FROC and slice thickness."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.plotting.curves import froc_curves, loss_curves, thickness_curves, training_record


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
    steps = pd.DataFrame({"step": [1, 2, 600], "train_loss": [3.0, 2.0, 0.1]})
    runs = {"Pre-training": (history, steps), "Fine-tuning": (history, steps[:0]), "TL": None}
    figure = readable(loss_curves(runs))
    assert "lowest: 0.4 at epoch 3" in words(figure)
    assert "Pre-training (n = 6 epochs, 600 steps)" in words(figure)
    assert "not trained in this run" in words(figure)
    each, training, validation, star = figure.axes[0].lines
    np.testing.assert_allclose(each.get_xydata(), steps)
    np.testing.assert_allclose(training.get_xydata(), history[["step", "train_loss"]])
    np.testing.assert_allclose(validation.get_ydata(), history["val_loss"].dropna())
    assert star.get_xydata().tolist() == [[300, 0.4]]
    assert len(figure.axes[1].lines) == 3, "no losses of single steps"


def test_record_has_four_panels_and_a_learning_rate(history, readable, words):
    figure = readable(training_record(history, "Scratch"))
    assert len(figure.axes) == 5
    assert "best: 0.5 at epoch 3" in words(figure)
    assert "Precision" not in words(figure)  # never measured here
    assert "Learning rate (dashed)" in words(figure)


def test_froc_keeps_its_height_to_the_right_edge(readable):
    curve = pd.DataFrame({"fp_per_scan": [0, 0.5, 2], "sensitivity": [0.2, 0.6, 0.8]})
    figure = readable(froc_curves({"scratch": curve, "tl": curve / 2}))
    axes = figure.axes[0]
    assert axes.get_xlim() == (0, pytest.approx(2.1))
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.2, 0.6, 0.8, 0.8])
    assert axes.get_xlabel() == "False positives per scan"


def test_each_factor_has_its_column_and_each_level_its_line(readable, words):
    rows = [
        {"factor": factor, "level": level, "thickness_mm": mm, "recall": 0.5, "recall_low": 0.3,
         "recall_high": 0.7, "fp_scan": 1.0, "fp_scan_low": 0.2, "fp_scan_high": 2.0}
        for factor, levels in {"radius": (2.0, 1.5), "count": (24.0,)}.items()
        for level in levels
        for mm in (1.0, 3.0, 6.0)
    ]  # fmt: skip
    titles = {"radius": "Radius (mm)", "count": "CMBs per brain"}
    figure = readable(thickness_curves(pd.DataFrame(rows), titles))
    assert len(figure.axes) == 4
    lines = [[line for line in axes.lines if len(line.get_xdata())] for axes in figure.axes]
    assert [len(of_one) for of_one in lines] == [2, 1, 2, 1]
    base, other = lines[0]
    assert base.get_ls() == "-" and other.get_ls() == "--"
    np.testing.assert_allclose(base.get_xdata(), [0.96, 2.96, 5.96])
    ends = figure.axes[0].collections[0].get_segments()
    np.testing.assert_allclose([[y for _, y in end] for end in ends], [[0.3, 0.7]] * 3)
    for text in ("2 (base)", "1.5", "24 (base)", "Slice thickness (mm)", "Radius (mm)"):
        assert text in words(figure)
