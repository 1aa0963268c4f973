"""Colours and settings that all figures share: safe for colour blindness, one meaning each.

What is drawn on a scan has Okabe and Ito's colours, datasets have Paul Tol's muted ones, other
series his bright ones, and the models are a dark grey, an orange and a brown.
"""

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
SERIES = ["#4477AA", "#EE6677", "#228833", "#AA3377", "#66CCEE", "#BBBBBB"]
"""Lines and bars that are neither a dataset nor a model nor a role, in this order."""

DATASET_COLOURS = {
    "CRB": "#CC6677",
    "CRBneg": "#BBBBBB",
    "DOU": "#332288",
    "MOMENI": "#DDCC77",
    "RODEJA": "#117733",
    "VALDO": "#882255",
    "sMOMENI": "#999933",
    "Valid": "#44AA99",
    "All": "#777777",
}
DATASET_ORDER = ("CRB", "DOU", "MOMENI", "RODEJA", "VALDO", "sMOMENI", "Valid")
MODEL_COLOURS = {"scratch": "#4D4D4D", "tl": OKABE_ITO["orange"], "dark blobs": "#8C6D46"}
MODEL_NAMES = {"scratch": "Scratch", "tl": "TL", "dark blobs": "Dark blobs (untrained)"}
ROLE_COLOURS = {
    "annotated": OKABE_ITO["yellow"],
    "predicted": OKABE_ITO["sky"],
    "marked": OKABE_ITO["purple"],
    "tp": OKABE_ITO["green"],
    "fp": OKABE_ITO["vermilion"],
    "fn": OKABE_ITO["blue"],
}
"""What an outline or a marker stands for; ``marked``: as the raters drew it, not refined."""
ROLE_NAMES = {
    "annotated": "annotated",
    "predicted": "predicted",
    "marked": "raters' mark",
    "tp": "true positive",
    "fp": "false positive",
    "fn": "false negative",
}


def dataset_palette(names) -> dict[str, str]:
    """Colour of each dataset; that of "All" for one that is none of the seven."""
    return {name: DATASET_COLOURS.get(name, DATASET_COLOURS["All"]) for name in names}


def apply() -> None:
    """Set seaborn's theme: fonts of 8 points and more, thin frames, light grid."""
    import seaborn as sns

    sns.set_theme(
        context="paper",
        style="ticks",
        font="DejaVu Sans",
        palette=SERIES,
        rc={
            "font.size": 9,
            "axes.titlesize": 10,
            "axes.labelsize": 9,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "legend.fontsize": 8,
            "legend.title_fontsize": 9,
            "legend.frameon": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "grid.color": "#DDDDDD",
            "grid.linewidth": 0.6,
            "axes.linewidth": 0.8,
            "lines.linewidth": 1.4,
            "figure.dpi": 110,
            "savefig.dpi": 110,
            "figure.facecolor": "white",
            "svg.hashsalt": "cmbkit",
            "text.parse_math": False,  # a name with two dollar signs is no formula
        },
    )
