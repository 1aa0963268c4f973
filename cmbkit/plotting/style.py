"""Colours and matplotlib settings that all figures share (Okabe-Ito, safe for colour blindness)."""

from __future__ import annotations

OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "grey": "#7F7F7F",
}

DATASET_COLOURS = {
    "CRB": OKABE_ITO["vermilion"],
    "CRBneg": OKABE_ITO["grey"],
    "DOU": OKABE_ITO["blue"],
    "MOMENI": OKABE_ITO["orange"],
    "RODEJA": OKABE_ITO["green"],
    "VALDO": OKABE_ITO["purple"],
    "sMOMENI": OKABE_ITO["yellow"],
    "Valid": OKABE_ITO["sky"],
    "All": OKABE_ITO["black"],
}
MODEL_COLOURS = {
    "scratch": OKABE_ITO["blue"],
    "tl": OKABE_ITO["orange"],
    "dark blobs": OKABE_ITO["grey"],
}
MODEL_NAMES = {"scratch": "Scratch", "tl": "TL", "dark blobs": "Dark blobs (untrained)"}
CALL_COLOURS = {
    "TP": OKABE_ITO["green"],
    "FP": OKABE_ITO["vermilion"],
    "FN": OKABE_ITO["blue"],
    "GT": OKABE_ITO["yellow"],
    "Pred": OKABE_ITO["sky"],
}


def apply() -> None:
    """Set matplotlib's defaults: fonts of 8 points and more, thin frames, light grid."""
    import matplotlib as mpl

    mpl.rcParams.update(
        {
            "font.size": 9,
            "axes.titlesize": 10,
            "axes.labelsize": 9,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "legend.fontsize": 8,
            "legend.frameon": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": False,
            "grid.color": "#DDDDDD",
            "grid.linewidth": 0.6,
            "axes.linewidth": 0.8,
            "lines.linewidth": 1.4,
            "figure.dpi": 110,
            "savefig.dpi": 110,
            "figure.facecolor": "white",
            "svg.hashsalt": "cmbkit",
        }
    )
