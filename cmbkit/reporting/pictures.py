"""Figures as bytes, the same on every run: PNG and PDF without date or software name."""

import io

import matplotlib as mpl
from matplotlib.figure import Figure

from cmbkit.plotting.canvas import drawn_area, settle

PRINT_DPI = 300
SCREEN_DPI = 100
PNG_LIMIT_BYTES = 150_000


def png_bytes(fig: Figure, dpi: int = PRINT_DPI) -> bytes:
    """Encode a figure without software name or date; 256 colours where it would be large.

    They are those that cover the range, so that a small patch of a rare colour keeps it.
    """
    from PIL import Image

    settle(fig)
    raw = io.BytesIO()
    unpacked = {"compress_level": 0}
    fig.savefig(raw, format="png", dpi=dpi, pil_kwargs=unpacked, bbox_inches=drawn_area(fig))
    return _packed(Image.open(raw).convert("RGB"), dpi)


def on_screen(png: bytes) -> bytes:
    """A picture in print resolution as it is shown in a page: pixels averaged, three by three."""
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGB").reduce(PRINT_DPI // SCREEN_DPI)
    return _packed(picture, SCREEN_DPI)


class _TooLarge(Exception):
    """A picture has more than `PNG_LIMIT_BYTES`."""


class _Small(io.BytesIO):
    """Ends a picture's compression as soon as it is too large: the rest would take a second."""

    def write(self, part) -> int:
        if self.tell() + len(part) > PNG_LIMIT_BYTES:
            raise _TooLarge
        return super().write(part)


def _packed(image, dpi: int) -> bytes:
    from PIL import Image

    try:
        packed = _Small()
        image.save(packed, format="PNG", optimize=True, dpi=(dpi, dpi))
    except _TooLarge:
        packed = io.BytesIO()
        few = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(packed, format="PNG", optimize=True, dpi=(dpi, dpi))
    return packed.getvalue()


def pdf_bytes(fig: Figure) -> bytes:
    """Encode a figure as vectors without date or software name; text stays text, fonts within."""
    settle(fig)
    raw = io.BytesIO()
    with mpl.rc_context({"pdf.fonttype": 42, "pdf.compression": 9}):
        about = {"Creator": None, "Producer": None, "CreationDate": None}
        area = drawn_area(fig)
        fig.savefig(raw, format="pdf", dpi=PRINT_DPI, metadata=about, bbox_inches=area)
    return raw.getvalue()
