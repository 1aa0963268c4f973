"""Figures of training: loss curves (A.1-A.4) and the record of a run (7.3)."""

from __future__ import annotations

from cmbkit.plotting.canvas import new_figure
from cmbkit.plotting.style import OKABE_ITO

LOSSES = (("train_loss", "-", "Training"), ("val_loss", "--", "Validation"))
PART_COLOURS = [OKABE_ITO[name] for name in ("blue", "vermilion", "green", "purple", "orange")]


def loss_curves(history, title: str, synthetic: bool = False):
    """Training and validation loss by epoch (Figures A.1 to A.4).

    Parameters
    ----------
    history : DataFrame
        Columns epoch, train_loss, val_loss and (optional) part: runs that carried on from one
        another, each in its own colour.
    """
    figure = new_figure(8, 3.8, synthetic=synthetic)
    axes = figure.subplots()
    parts = history.groupby("part", sort=True) if "part" in history.columns else [(1, history)]
    parts = list(parts)
    for index, (part, rows) in enumerate(parts):
        colour = PART_COLOURS[index % len(PART_COLOURS)]
        named = f" (part {part})" if len(parts) > 1 else ""
        for column, style, name in (
            ("train_loss", "-", "Training"),
            ("val_loss", "--", "Validation"),
        ):
            shown = rows[["epoch", column]].dropna()
            axes.plot(
                shown["epoch"], shown[column], style, color=colour, label=name + named,
                marker="o" if len(shown) < 30 else None, ms=3,
            )  # fmt: skip
    _mark_best(axes, history, "val_loss", lowest=True)
    axes.set_xlabel("Epoch")
    axes.set_ylabel("Loss")
    axes.set_ylim(bottom=0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_title(f"{title} (n = {history['epoch'].nunique()} epochs)")
    axes.grid(axis="y")
    figure.legend(loc="outside right upper")
    return figure


def training_record(history, title: str = "", synthetic: bool = False):
    """Four panels that were watched during training (Figure 7.3).

    Parameters
    ----------
    history : DataFrame
        Columns epoch, train_loss, val_loss, count_f1, segmentation_f1, and as far as there are:
        count_precision, dice, learning_rate, seconds (per epoch, validation included).
    """
    figure = new_figure(9, 6, synthetic=synthetic)
    if title:
        figure.suptitle(title, fontsize=10)
    (detection, segmentation), (losses, speed) = figure.subplots(2, 2)
    _lines(detection, history, {"count_f1": "F1", "count_precision": "Precision"})
    _mark_best(detection, history, "count_f1", lowest=False)
    detection.set_title("Detection (counts), validation")
    _lines(segmentation, history, {"segmentation_f1": "F1", "dice": "Dice, whole image"})
    _mark_best(segmentation, history, "segmentation_f1", lowest=False)
    segmentation.set_title("Segmentation, validation")
    for axes in (detection, segmentation):
        axes.set_ylim(-0.02, 1.02)
        axes.set_ylabel("Score (0 to 1)")
    _lines(losses, history, {"train_loss": "Training", "val_loss": "Validation"})
    _mark_best(losses, history, "val_loss", lowest=True)
    losses.set_title("Loss")
    losses.set_ylabel("Loss")
    losses.set_ylim(bottom=0)
    _speed(speed, history)
    for axes in (detection, segmentation, losses, speed):
        axes.set_xlabel("Epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(axis="y")
        handles, _ = axes.get_legend_handles_labels()
        if handles:
            axes.legend(loc="best")
    return figure


def _lines(axes, history, names: dict):
    for index, (column, label) in enumerate(names.items()):
        if column not in history.columns or history[column].notna().sum() == 0:
            continue
        shown = history[["epoch", column]].dropna()
        axes.plot(
            shown["epoch"], shown[column], color=PART_COLOURS[index], label=label,
            marker="o" if len(shown) < 30 else None, ms=3,
        )  # fmt: skip


def _mark_best(axes, history, column: str, *, lowest: bool):
    values = history[column].dropna()
    if values.empty:
        return
    at = values.idxmin() if lowest else values.idxmax()
    epoch, value = history.loc[at, "epoch"], values.loc[at]
    word = "lowest" if lowest else "best"
    axes.plot(
        epoch, value, "*", color="black", ms=10, zorder=6, ls="none",
        label=f"{word}: {value:.3g} at epoch {epoch:g}",
    )  # fmt: skip


def _speed(axes, history):
    """Seconds per epoch, validation included; the learning rate beside."""
    axes.set_title("Time")
    if "seconds" in history.columns:
        axes.plot(history["epoch"], history["seconds"], color=OKABE_ITO["blue"])
        axes.set_ylabel("Seconds per epoch, with validation", color=OKABE_ITO["blue"])
        axes.set_ylim(bottom=0)
    if "learning_rate" in history.columns:
        axes.set_title("Time and learning rate")
        rate = axes.twinx()
        rate.plot(history["epoch"], history["learning_rate"], "--", color=OKABE_ITO["vermilion"])
        rate.set_ylabel("Learning rate (dashed)", color=OKABE_ITO["vermilion"])
        rate.spines["right"].set_visible(True)
        rate.set_ylim(bottom=0)
        rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
