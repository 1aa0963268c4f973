"""The one palette: every colour of a figure that means something, each with one meaning.

What is drawn on a scan has Okabe and Ito's colours, datasets have Paul Tol's muted ones, models a
dark grey, Okabe and Ito's orange and a brown, and the thesis a light grey. All else is drawn in
`SERIES`, shades of one slate that mean nothing by themselves. No other module holds a colour but
black, white and shades of grey.
"""

SERIES = ["#3A5A7D", "#9CB9D6", "#16283C", "#6A8CB0", "#C9D6E3"]
"""Lines and bars that are neither a dataset nor a model nor a role, in this order."""
THESIS_COLOUR = "#A6A6A6"
"""What the thesis or another publication prints."""

DATASET_COLOURS = {
    "CRB": "#CC6677",
    "CRBneg": "#E9BFC5",
    "DOU": "#332288",
    "MOMENI": "#DDCC77",
    "RODEJA": "#117733",
    "VALDO": "#882255",
    "sMOMENI": "#999933",
    "Valid": "#44AA99",
    "All": "#777777",
}
DATASET_ORDER = ("CRB", "DOU", "MOMENI", "RODEJA", "VALDO", "sMOMENI", "Valid")
MODEL_COLOURS = {"scratch": "#4D4D4D", "tl": "#E69F00", "dark blobs": "#8C6D46"}
MODEL_NAMES = {"scratch": "Scratch", "tl": "TL", "dark blobs": "Dark blobs (untrained)"}
ROLE_COLOURS = {
    "annotated": "#F0E442",
    "predicted": "#56B4E9",
    "marked": "#CC79A7",
    "tp": "#009E73",
    "fp": "#D55E00",
    "fn": "#0072B2",
    "brain": "#A6D854",
}
"""What an outline or a marker stands for; ``marked``: as the raters drew it, not refined."""


def dataset_palette(names) -> dict[str, str]:
    """Colour of each dataset; that of "All" for one that is none of the seven."""
    return {name: DATASET_COLOURS.get(name, DATASET_COLOURS["All"]) for name in names}


def lighter(colour: str, share: float) -> tuple[float, float, float]:
    """A colour with ``share`` of itself and the rest white: a tint that keeps its meaning."""
    from matplotlib.colors import to_rgb

    return tuple(1 - share * (1 - part) for part in to_rgb(colour))


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
            "grid.color": "0.87",
            "grid.linewidth": 0.6,
            "axes.linewidth": 0.8,
            "lines.linewidth": 1.4,
            "figure.dpi": 300,  # that of print: a layout differs a little with resolution
            "figure.facecolor": "white",
            "text.parse_math": False,  # a name with two dollar signs is no formula
        },
    )
