"""Curves: losses and scores over epochs, FROC, and detection against slice thickness."""

import numpy as np

from cmbkit.plotting.canvas import lettered, new_figure
from cmbkit.plotting.style import MODEL_COLOURS, MODEL_NAMES, SERIES

LOSSES = {"train_loss": "Training", "val_loss": "Validation"}
LOSSES_BY_STEP = {"train_loss": "Training, mean of an epoch", "val_loss": "Validation"}
THICKNESS_ROWS = {"recall": "Recall (share of CMBs found)", "fp_scan": "False positives per scan"}
LEVELS = {"complex": "complex sum", "magnitude": "magnitudes averaged"}
MARKS = "os^Dv"
SHIFT_MM = 0.08
MOST_FP = 8.0
RAW = {"estimator": None, "errorbar": None, "legend": False}
"""For seaborn's lines: every value as it is, the legend drawn later."""
FEW = 30
"""Lines with fewer points show each as a dot."""


def loss_curves(runs):
    """Training and validation loss by gradient step, a panel for each run (Figures A.1 to A.4).

    ``runs``: by title, two tables: a row per epoch (epoch, step at its end, train_loss, val_loss)
    and a row per gradient step (step, train_loss; none where they were not kept); None for a run
    that was not trained, whose panel says so.
    """
    import seaborn as sns

    figure = new_figure(9, 6.4)
    grid = figure.subplots(-(-len(runs) // 2), 2, sharey=True, squeeze=False)
    for axes, (title, run) in zip(grid.flat, runs.items(), strict=False):
        axes.grid(axis="y")
        if run is None:
            axes.set_title(title)
            axes.text(0.5, 0.5, "not trained in this run", ha="center", transform=axes.transAxes)
            continue
        history, steps = run
        if len(steps):
            sns.lineplot(steps, x="step", y="train_loss", color=SERIES[0], lw=0.5, alpha=0.45,
                         label="Training, each step", **RAW, ax=axes)  # fmt: skip
        _lines(axes, history, LOSSES_BY_STEP, "step")
        _mark_best(axes, history, "val_loss", lowest=True, at="step")
        axes.set_xlabel("Gradient step")
        axes.set_title(f"{title} (n = {len(history)} epochs, {history['step'].max()} steps)")
        axes.legend(loc="upper right", frameon=True, framealpha=0.85, edgecolor="none")
    for axes in grid.flat:
        axes.set_ylabel("Loss" if axes in grid[:, 0] else "")
    grid[0, 0].set_ylim(bottom=0)
    return figure


def training_record(history, title: str):
    """Four panels that were watched during training (Figure 7.3).

    ``history`` (DataFrame): a row per epoch: epoch, train_loss, val_loss, count_f1,
    count_precision, segmentation_f1, dice (a column of NaN is left out), learning_rate, seconds
    (validation included).
    """
    figure = new_figure(9, 6)
    figure.suptitle(title, fontsize=10)
    (detection, segmentation), (losses, speed) = lettered(figure.subplots(2, 2))
    _lines(detection, history, {"count_f1": "F1", "count_precision": "Precision"})
    _mark_best(detection, history, "count_f1", lowest=False)
    detection.set_title("Detection (counts), validation")
    _lines(segmentation, history, {"segmentation_f1": "F1", "dice": "Dice, whole image"})
    _mark_best(segmentation, history, "segmentation_f1", lowest=False)
    segmentation.set_title("Segmentation, validation")
    for axes in (detection, segmentation):
        axes.set_ylim(-0.02, 1.02)
        axes.set_ylabel("Score (0 to 1)")
    _lines(losses, history, LOSSES)
    _mark_best(losses, history, "val_loss", lowest=True)
    losses.set_title("Loss")
    losses.set_ylabel("Loss")
    losses.set_ylim(bottom=0)
    _speed(speed, history)
    for axes in (detection, segmentation, losses, speed):
        _epochs(axes)
        handles, _ = axes.get_legend_handles_labels()
        if handles:
            axes.legend(loc="best")
    return figure


def froc_curves(curves):
    """Sensitivity against false positives per scan, up to `MOST_FP`.

    ``curves`` by label: DataFrames with columns fp_per_scan and sensitivity.
    """
    figure, axes = _of_candidates("False positives per scan", "Sensitivity (share of CMBs found)")
    reach = max(float(curve["fp_per_scan"].max()) for curve in curves.values())
    right = min(MOST_FP, 1.05 * reach) if reach > 0 else MOST_FP
    styles = ("-", "--", ":", "-.")
    for index, (label, curve) in enumerate(curves.items()):
        colour = MODEL_COLOURS.get(label, SERIES[index % len(SERIES)])
        curve = curve.sort_values(["fp_per_scan", "sensitivity"])
        x = np.append(curve["fp_per_scan"].to_numpy(float), max(right, reach))
        y = np.append(curve["sensitivity"], curve["sensitivity"].max())
        style = styles[index // len(SERIES) % len(styles)]
        axes.plot(
            x, y, style, color=colour, drawstyle="steps-post", label=MODEL_NAMES.get(label, label)
        )
    axes.set_xlim(0, right)
    figure.legend(loc="outside right upper")
    return figure


def precision_recall_curves(curves):
    """Precision against recall; a curve ends where its candidates end.

    ``curves`` by label: DataFrames with columns sensitivity and precision.
    """
    figure, axes = _of_candidates("Recall (share of CMBs found)", "Precision")
    for index, (label, curve) in enumerate(curves.items()):
        colour = MODEL_COLOURS.get(label, SERIES[index % len(SERIES)])
        known = curve.dropna(subset="precision")
        axes.plot(known["sensitivity"], known["precision"], ".-", color=colour,
                  label=MODEL_NAMES.get(label, label))  # fmt: skip
    axes.set_xlim(0, 1.02)
    figure.legend(loc="outside right upper")
    return figure


def _of_candidates(along: str, up: str) -> tuple:
    figure = new_figure(7.5, 4.6)
    axes = figure.subplots()
    axes.set(xlabel=along, ylabel=up, ylim=(0, 1.02))
    axes.grid(True)
    return figure, axes


def thickness_curves(curves, titles: dict[str, str]):
    """Recall above, false positives per scan below, against slice thickness (Figure S62).

    Parameters
    ----------
    curves : DataFrame
        factor, level, thickness_mm, and recall and fp_scan, each with _low and _high. The
        first level of a factor is the base: its line is solid, those of the others dashed.
    titles : dict of factor to text
        The factors to draw, in this order, and the head of each legend, with its unit.
    """
    width = max(7, 3.3 * len(titles))
    figure = new_figure(width, 5.6)
    panels = figure.subplots(2, len(titles), sharex=True, sharey="row", squeeze=False)
    for column, (factor, title) in zip(panels.T, titles.items(), strict=True):
        rows = curves[curves["factor"] == factor]
        for axes, name in zip(column, THICKNESS_ROWS, strict=True):
            _intervals(axes, rows, name)
            axes.grid(axis="y")
            axes.set_ylabel("")
        handles, labels = column[0].get_legend_handles_labels()
        column[0].legend(handles, labels, title=title, loc="lower center",
                         bbox_to_anchor=(0.5, 1.0))  # fmt: skip
        column[1].set_xlabel("Slice thickness (mm)")
        column[1].set_xticks(sorted(set(curves["thickness_mm"])))
    for axes, text in zip(lettered(panels[:, 0]), THICKNESS_ROWS.values(), strict=True):
        axes.set_ylabel(text)
    panels[0, 0].set_ylim(-0.03, 1.03)
    panels[1, 0].set_ylim(bottom=-0.02 * max(curves["fp_scan_high"]))
    return figure


def _intervals(axes, rows, name: str) -> None:
    """A line per level with its intervals, a little apart from the others'."""
    import seaborn as sns

    levels = list(dict.fromkeys(rows["level"]))
    told = {x: LEVELS.get(x) or f"{x:g}" for x in levels}
    words = {x: told[x] + ("" if i else " (base)") for i, x in enumerate(levels)}
    shift = {x: SHIFT_MM * (i - (len(levels) - 1) / 2) for i, x in enumerate(levels)}
    shown = rows.assign(at=rows["thickness_mm"] + rows["level"].map(shift),
                        said=rows["level"].map(words))  # fmt: skip
    order = list(words.values())
    sns.lineplot(
        shown, x="at", y=name, hue="said", style="said", hue_order=order, style_order=order,
        palette=SERIES[: len(levels)], markers=list(MARKS[: len(levels)]), markersize=6,
        dashes=["", *[(4, 2)] * (len(levels) - 1)], mec="black", mew=0.4, errorbar=None, ax=axes,
    )  # fmt: skip
    axes.get_legend().remove()
    for level, colour in zip(levels, SERIES, strict=False):
        part = shown[shown["level"] == level]
        axes.vlines(part["at"], part[f"{name}_low"], part[f"{name}_high"], color=colour, lw=1.2)


def _epochs(axes) -> None:
    axes.set_xlabel("Epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="y")


def _lines(axes, history, names: dict, along: str = "epoch"):
    import seaborn as sns

    for (column, label), colour in zip(names.items(), SERIES, strict=False):
        shown = history[[along, column]].dropna()
        if shown.empty:
            continue
        sns.lineplot(
            shown, x=along, y=column, color=colour, label=label, mec=colour, mew=1, ms=3,
            marker="o" if len(shown) < FEW else None, **RAW, ax=axes,
        )  # fmt: skip


def _mark_best(axes, history, column: str, *, lowest: bool, at: str = "epoch"):
    values = history[column].dropna()
    if values.empty:
        return
    best = values.idxmin() if lowest else values.idxmax()
    place, epoch, value = history.loc[best, at], history.loc[best, "epoch"], values.loc[best]
    word = "lowest" if lowest else "best"
    axes.plot(
        place, value, "*", color="black", ms=10, zorder=6, ls="none",
        label=f"{word}: {value:.3g} at epoch {epoch:g}",
    )  # fmt: skip


def _speed(axes, history):
    """Seconds per epoch, validation included; the learning rate beside."""
    import seaborn as sns

    axes.set_title("Time and learning rate")
    sns.lineplot(history, x="epoch", y="seconds", color=SERIES[0], **RAW, ax=axes)
    axes.set_ylabel("Seconds per epoch, with validation", color=SERIES[0])
    axes.set_ylim(bottom=0)
    rate = axes.twinx()
    sns.lineplot(history, x="epoch", y="learning_rate", ls="--", color=SERIES[3], **RAW, ax=rate)
    rate.set_xlabel("")
    rate.set_ylabel("Learning rate (dashed)", color=SERIES[3])
    rate.spines["right"].set_visible(True)
    rate.set_ylim(bottom=0)
    rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))


def peak_loss_curves(table):
    """Peak loss of one bleed against slice thickness, one panel per field strength.

    Parameters
    ----------
    table : DataFrame
        tesla, te_ms, thickness_mm, complex_sum, averaged.
    """
    import seaborn as sns

    ways = {"complex_sum": "Complex sum", "averaged": "Averaged magnitudes"}
    long = table.rename(columns=ways).melt(
        ["tesla", "te_ms", "thickness_mm"], list(ways.values()), "Summed by", "lost"
    )
    long["TE (ms)"] = long["te_ms"].map("{:g}".format)
    fields = sorted(set(table["tesla"]))
    figure = new_figure(7, 3.6)
    panels = lettered(figure.subplots(1, len(fields), sharey=True, squeeze=False)[0])
    for axes, tesla in zip(panels, fields, strict=True):
        sns.lineplot(
            long[long["tesla"] == tesla], x="thickness_mm", y="lost", hue="Summed by",
            style="TE (ms)", markers=["o", "s"], palette=SERIES[:2], errorbar=None, ax=axes,
            legend=axes is panels[-1],
        )  # fmt: skip
        axes.set_title(f"{tesla:g} T")
        axes.set_xlabel("Slice thickness (mm)")
        axes.set_ylabel("Peak share of signal lost")
        axes.set_ylim(0, 1.02)
        axes.grid(axis="y")
    sns.move_legend(panels[-1], "center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def reliability_curves(curves):
    """Share of real candidates against their probability, a panel for each model.

    ``curves`` by (model, way of making the probability): DataFrames of one row per bin with
    probability, share, share_low and share_high (`evaluation.calibration.reliability`).
    """
    models = list(dict.fromkeys(model for model, _ in curves)) or [""]
    figure = new_figure(3.4 * len(models) + 1, 3.8)
    panels = lettered(figure.subplots(1, len(models), sharey=True, squeeze=False)[0])
    for axes, model in zip(panels, models, strict=True):
        axes.plot([0, 1], [0, 1], color="black", lw=0.8, ls=":")
        own = {way: bins for (name, way), bins in curves.items() if name == model}
        for (way, bins), colour, mark in zip(own.items(), SERIES[1::-1], "so", strict=False):
            reach = bins["share"] - bins["share_low"], bins["share_high"] - bins["share"]
            axes.errorbar(bins["probability"], bins["share"], np.clip(reach, 0, None), fmt=mark,
                          ms=4, lw=1, color=colour, label=way)  # fmt: skip
        axes.set_title(MODEL_NAMES.get(model, model))
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("Probability")
        axes.grid(True)
    panels[0].set_ylabel("Share of candidates that are real")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper")
    return figure
