"""Figures of one detector on anybody's scans: scores of the scans, counts against counts."""

from __future__ import annotations

import numpy as np

from cmbkit.plotting.canvas import new_figure
from cmbkit.plotting.style import OKABE_ITO
from cmbkit.plotting.violins import draw_violin

SCORES = {"precision": "Precision", "recall": "Recall", "f1": "F1", "dice_tp": "Dice of TPs"}


def scan_scores(scans, synthetic: bool = False):
    """Precision, recall, F1 and Dice of the scans, one violin per data set.

    Parameters
    ----------
    scans : DataFrame
        dataset, precision, recall, f1, dice_tp; NaN values are left out, n says how many remain.
    """
    names = list(dict.fromkeys(scans["dataset"]))
    shown = [key for key in SCORES if key in scans and scans[key].notna().any()]
    figure = new_figure(10, 3.8, synthetic=synthetic)
    panels = figure.subplots(1, max(len(shown), 1), sharey=True, squeeze=False)[0]
    for axes, key in zip(panels, shown, strict=False):
        labels = []
        for position, name in enumerate(names, 1):
            values = scans.loc[scans["dataset"] == name, key].dropna().to_numpy(float)
            draw_violin(axes, values, position, OKABE_ITO["blue"], width=0.8, points=True)
            labels.append(f"{name}\nn = {values.size}")
        axes.set_title(SCORES[key])
        axes.set_xticks(range(1, len(names) + 1), labels)
        axes.set_xlim(0.4, len(names) + 0.6)
        axes.set_ylim(-0.03, 1.03)
    panels[0].set_ylabel("Score of a scan (0 to 1)")
    return figure


def counts_against_counts(scans, limits, synthetic: bool = False):
    """Predicted against annotated CMBs, and their difference against their mean.

    Parameters
    ----------
    scans : DataFrame
        n_gt, n_pred.
    limits : dict
        bias, lower, upper (CMBs per scan), see `cmbkit.evaluation.agreement.bland_altman`.

    Notes
    -----
    Scans with the same counts share a dot; its area grows with their number.
    """
    figure = new_figure(10, 4.2, synthetic=synthetic)
    left, right = figure.subplots(1, 2)
    truth, said = scans["n_gt"].to_numpy(float), scans["n_pred"].to_numpy(float)
    top = max(truth.max(initial=1), said.max(initial=1)) * 1.06 + 0.5
    left.plot([0, top], [0, top], color=OKABE_ITO["grey"], lw=1)
    _dots(left, truth, said)
    left.set_xlim(-0.5, top)
    left.set_ylim(-0.5, top)
    left.set_aspect("equal")
    left.set_xlabel("Annotated CMBs in a scan")
    left.set_ylabel("Predicted CMBs in a scan")
    _dots(right, (truth + said) / 2, said - truth)
    for key, style, text in (
        ("upper", "--", "upper limit"),
        ("bias", "-", "bias"),
        ("lower", "--", "lower limit"),
    ):
        if np.isfinite(limits[key]):
            right.axhline(limits[key], ls=style, color=OKABE_ITO["vermilion"], lw=1.2)
            right.annotate(
                f"{text} {limits[key]:+.2f}", (1, limits[key]), xycoords=("axes fraction", "data"),
                xytext=(-2, 3), textcoords="offset points", ha="right", fontsize=8,
            )  # fmt: skip
    right.set_xlabel("Mean of annotated and predicted CMBs")
    right.set_ylabel("Predicted - annotated CMBs")
    return figure


def _dots(axes, x, y) -> None:
    places, counts = np.unique(np.stack([x, y], axis=1), axis=0, return_counts=True)
    axes.scatter(
        *places.T, s=22 * counts, color=OKABE_ITO["blue"], alpha=0.7, edgecolor="black", lw=0.5
    )
