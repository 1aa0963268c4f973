"""Figures as bytes, the same on every run: PNG and SVG without date or software name."""

import io
import re

import matplotlib as mpl
from matplotlib.figure import Figure

from cmbkit.plotting.canvas import drawn_area

SCREEN_DPI = 110
PNG_LIMIT_BYTES = 150_000
_CLIP = re.compile(rb"\bp[0-9a-f]{10}\b")
_NO_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_PATH = re.compile(rb'\b(?:d|x|y)="[^"]*"')
_DECIMALS = re.compile(rb"(\d+\.\d\d)\d+")


def png_bytes(fig: Figure, dpi: int = SCREEN_DPI) -> bytes:
    """Encode a figure without software name or date; 256 colours where it would be large.

    They are those that cover the range, so that a small patch of a rare colour keeps it.
    """
    from PIL import Image

    raw = io.BytesIO()
    fig.savefig(
        raw, format="png", dpi=dpi, metadata={"Software": None}, bbox_inches=drawn_area(fig)
    )
    image = Image.open(raw).convert("RGB")
    packed = io.BytesIO()
    image.save(packed, format="PNG", optimize=True)
    if packed.tell() > PNG_LIMIT_BYTES:
        packed = io.BytesIO()
        few = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(packed, format="PNG", optimize=True)
    return packed.getvalue()


def svg_bytes(fig: Figure) -> bytes:
    """Encode a figure as vectors without date or software name; text stays text.

    Paths are rounded to a hundredth of a point, and clipping areas are numbered in the order in
    which they come: their names are made from coordinates that differ in the last digit from
    run to run. Characters that XML does not have become blanks.
    """
    raw = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "cmbkit"}):
        about = {"Date": None, "Creator": None}
        fig.savefig(raw, format="svg", metadata=about, bbox_inches=drawn_area(fig))
    text = _NO_XML.sub(b" ", raw.getvalue())
    text = _PATH.sub(lambda path: _DECIMALS.sub(rb"\1", path[0]), text)
    order = {name: b"clip%d" % n for n, name in enumerate(dict.fromkeys(_CLIP.findall(text)))}
    return _CLIP.sub(lambda name: order[name[0]], text)
