"""Grey pictures of a scan: its window, a strip of three cuts through one microbleed, its mask."""

from __future__ import annotations

import io

import numpy as np

from cmbkit.boxes import bounding_box
from cmbkit.plotting.cuts import (
    CUTS,
    centre_of,
    crop_around,
    outline_segments,
    take_cut,
    window_of,
)
from cmbkit.plotting.style import ROLE_COLOURS
from cmbkit.preprocessing.grid import resample_linear, resample_nearest, standard_grid
from cmbkit.volume import Volume

SIDE_MM = 30.0
OVERVIEW_MM = 1.5
PANEL = 150
GAP = 4
JPEG_QUALITY = 85


def window(image: Volume) -> tuple[float, float]:
    """Intensities that become black and white: percentiles 0.5 and 99.5 of the brain.

    The brain is what differs from the lowest number, which stands around it.
    """
    values = image.data[np.isfinite(image.data)]
    values = values[values != values.min()] if values.size else values
    return window_of(values[:: max(1, values.size // 200_000)])


def to_grey(data: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """8-bit grey values of intensities, uint8, same shape; what is no number is black."""
    low, high = limits
    numbers = np.nan_to_num(np.asarray(data, np.float32), nan=low)
    scaled = (numbers - low) * np.float32(255 / (high - low))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def strip(image: Volume, instances: Volume, number: int, limits: tuple[float, float]) -> bytes:
    """JPEG of one microbleed: axial, coronal and sagittal cut, then the same with its outline.

    Parameters
    ----------
    image, instances : Volume
        On one RAS isotropic grid.
    number : int
        The microbleed's label.
    limits : (float, float)
        See `window`.

    Returns
    -------
    bytes
        Six panels of 30 mm; left is left, up is anterior or superior.
    """
    size = int(np.ceil(SIDE_MM / float(image.spacing[0])))
    box = bounding_box(instances.data == number)
    mask = instances.data[box] == number
    centre = np.add([side.start for side in box], centre_of(mask, mask.shape))
    grey = to_grey(crop_around(image.data, centre, size, fill=limits[0]), limits)
    mask = crop_around(instances.data, centre, size) == number
    colour = ROLE_COLOURS["predicted"]
    pairs = [_panels(grey, mask, cut, size // 2, PANEL / size, colour) for cut in CUTS]
    plain, outlined = zip(*pairs, strict=True)
    return _side_by_side([*plain, *outlined])


def _panels(grey: np.ndarray, mask: np.ndarray, cut: str, index: int, scale: float, colour: str):
    """Picture of one cut, enlarged, and the same with the outline of a mask."""
    from PIL import Image, ImageDraw

    flat = np.ascontiguousarray(take_cut(grey, cut, index).T[::-1])
    size = tuple(round(scale * n) for n in flat.shape[::-1])
    plain = Image.fromarray(flat).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    outlined = plain.copy()
    pen, last = ImageDraw.Draw(outlined), plain.height - 1
    for (x0, y0), (x1, y1) in outline_segments(take_cut(mask, cut, index), (scale, scale)):
        pen.line((x0, last - y0, x1, last - y1), fill=colour, width=1)
    return plain, outlined


def _side_by_side(panels) -> bytes:
    from PIL import Image

    width = sum(panel.width + GAP for panel in panels) - GAP
    sheet = Image.new("RGB", (width, max(panel.height for panel in panels)), "white")
    left = 0
    for panel in panels:
        sheet.paste(panel, (left, 0))
        left += panel.width + GAP
    return jpeg(sheet)


def overview(scan: Volume, brain: Volume) -> tuple[Volume, Volume]:
    """Whole scan, skull and all, and its brain mask on a grid of `OVERVIEW_MM`, RAS.

    Parameters
    ----------
    scan : Volume
        As it was read, any orientation.
    brain : Volume
        0 or 1, on a RAS grid of its own.
    """
    grid = standard_grid(scan, OVERVIEW_MM)
    axes = scan.reoriented("RAS")
    whole = resample_linear(axes, *grid, fill=float(np.nanmin(scan.data)))
    return whole, resample_nearest(brain, *grid)


def mask_cuts(scan: Volume, brain: Volume) -> bytes:
    """JPEG of an axial, a coronal and a sagittal cut through the brain, its mask outlined.

    Takes what `overview` gives. Left is left, up is anterior or superior.
    """
    limits = window(scan.with_data(np.where(brain.data > 0, scan.data, np.nan)))
    grey, centre = to_grey(scan.data, limits), centre_of(brain.data, brain.shape)
    colour = ROLE_COLOURS["brain"]
    return _side_by_side(
        [
            _panels(grey, brain.data, cut, centre[axis], 2, colour)[1]
            for cut, (axis, _) in CUTS.items()
        ]
    )


def jpeg(picture) -> bytes:
    """JPEG file of a PIL image."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()
