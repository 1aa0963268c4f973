"""One meaning per colour, and one place where colours stand."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from skimage.color import rgb2lab

import cmbkit
from cmbkit.plotting import style

SOURCES = Path(cmbkit.__file__).parent
COLOURS = {
    **style.DATASET_COLOURS,
    **style.MODEL_COLOURS,
    **style.ROLE_COLOURS,
    "thesis": style.THESIS_COLOUR,
    **{f"series {i}": colour for i, colour in enumerate(style.SERIES)},
}


def test_no_two_meanings_share_a_colour_or_nearly_do():
    """CIE 1976: 2.3 can just be told apart; 13 is plain to see."""
    assert len(COLOURS) == len(style.SERIES) + 9 + 3 + 7 + 1  # datasets, models, roles, thesis
    lab = {name: rgb2lab(np.array([to_rgb(c)]))[0] for name, c in COLOURS.items()}
    close = [(a, b) for a, b in combinations(lab, 2) if np.linalg.norm(lab[a] - lab[b]) < 13]
    assert close == []


def test_no_other_module_names_a_colour():
    """Black, white and shades of grey ("0.6") mean nothing and may stand anywhere."""
    allowed = r"black|white|none|dataset|[\d.]"  # "dataset": a column that seaborn colours by
    hue = rf"#[0-9A-Fa-f]{{6}}|tab:\w+|\b(?:colou?r|m?[fe]c)s?=[\"'](?!{allowed})"
    others = [p for end in ("py", "js") for p in SOURCES.rglob(f"*.{end}") if p.stem != "style"]
    found = {p.name: re.findall(hue, p.read_text(encoding="utf-8")) for p in others}
    assert {name: hues for name, hues in found.items() if hues} == {}
