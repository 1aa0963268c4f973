"""What an image itself says about its fitness: values of the file, then tissue in the brain mask.

Where the limits come from and what they do: benchmarks/gate.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cmbkit.datasets.sources import stem
from cmbkit.prediction.fitness import Fitness
from cmbkit.prediction.fitness_header import PROJECTION, fields_beside, judge_header
from cmbkit.volume import Volume, VolumeError

CORNER_VOXELS = 10
FEW_VALUES = 12
MARGIN = 0.05  # of the range of intensities
BELOW_BACKGROUND = 0.25
NOISY_BACKGROUND = 0.2
SAME_AS_NEXT = 0.1
PLANES = 12
SMALL_ML, LARGE_ML = 5.0, 5000.0
BRAIN_ML = (700.0, 2500.0)
LONG, SOLID = 1.85, 0.74
THIN_MM = 5.0
NO_STRUCTURE, BRIGHT = 0.2, 1.9
ALIKE = 0.06
GREY_TO_WHITE = (0.9, 1.6)
FLUID_TO_WHITE = (0.42, 2.4)
PALLIDUM_TO_WHITE = 1.1
GREY, WHITE, FLUID, PALLIDUM = (3, 42), (2, 41), (4, 43), (13, 52)
"""SynthSeg's labels of cortex, white matter, lateral ventricles and pallidum."""
LEAST_VOXELS = 100


def judge_file(path: Path) -> Fitness:
    """What sidecars, name and values of a NIfTI file say; nothing of one that cannot be read."""
    try:
        image = Volume.read(path)
    except VolumeError:
        return Fitness()
    return judge_header(fields_beside(path), stem(path), image.spacing) + judge_values(image)


def judge_values(image: Volume) -> Fitness:
    """Rules on the values as the file has them; no brain mask is needed.

    Parameters
    ----------
    image : Volume of float
        Values that are not finite are left out; of an image that is all corners nothing is said.
    """
    data = image.data
    if sorted(data.shape)[1] < 2 * CORNER_VOXELS:
        return Fitness()
    thin = data[tuple(slice(None, None, max(1, n // 128)) for n in data.shape)]
    thin = thin[np.isfinite(thin)]
    if not len(thin):
        return Fitness(("no value that is finite",))
    if len(np.unique(thin)) < FEW_VALUES:
        return Fitness((f"{len(np.unique(thin))} different values, as in a mask",))
    low, high = np.percentile(thin, [0.1, 99.5])
    if high <= low:
        return Fitness(("hardly any voxel that differs from the others",))
    ends = (slice(None, CORNER_VOXELS), slice(-CORNER_VOXELS, None))
    corners = [data[a, b, c] for a in ends for b in ends for c in ends]
    corners = [c[np.isfinite(c)] for c in corners]
    corners = [c for c in corners if len(c)]
    against, doubts = [], []
    if corners:
        background = min(float(np.median(c)) for c in corners)
        noise = float(np.median([c.std() for c in corners])) / (high - low)
        if noise > NOISY_BACKGROUND:
            against.append("a background as noisy as what it surrounds, as a phase image has")
        away = (thin - background) / (high - low)
        below = np.count_nonzero(away < -MARGIN) / max(np.count_nonzero(np.abs(away) > MARGIN), 1)
        if below > BELOW_BACKGROUND:
            doubts.append(
                f"{100 * below:.0f} % of the values darker than the background (phase, "
                "susceptibility, inverted, standardised, or a part of a head)"
            )
    if _projected(data, low, high):
        doubts.append(f"{PROJECTION}: neighbouring slices share values")
    return Fitness(tuple(against), tuple(doubts))


def _projected(data: np.ndarray, low: float, high: float) -> bool:
    """Whether voxels often equal their neighbour along one axis, but not along the others.

    The minimum over a window that moves on by a slice is often that of the window before: with
    the darkest voxel in both, in (n - 1) of (n + 1) places for n slices of noise.
    """
    shares = []
    for axis in range(3):
        planes = np.moveaxis(data, axis, 0)
        pairs = np.unique(np.linspace(0, len(planes) - 2, PLANES).astype(int).clip(0))
        here, after = planes[pairs], planes[np.minimum(pairs + 1, len(planes) - 1)]
        shown = here > low + 0.2 * (high - low)
        shares.append(float((here == after)[shown].mean()) if shown.any() else 0.0)
    others, most = sorted(shares)[1], max(shares)
    return most > SAME_AS_NEXT and most > 4 * others


def judge_brain(image: Volume, brain: Volume, labels: Volume, background: float) -> Fitness:
    """Rules on the size and shape of the brain mask, and on the contrast of tissues in it.

    Parameters
    ----------
    image : Volume of float32
        On the standard grid, z-scored.
    brain, labels : Volume of int
        Its mask and SynthSeg labels.
    background : float
        Value of 0 before the z-score.
    """
    inside = brain.data > 0
    millilitres = np.count_nonzero(inside) * brain.voxel_volume_mm3 / 1000
    against, doubts = [], []
    size = f"a brain mask of {millilitres:.0f} ml"
    if not SMALL_ML <= millilitres <= LARGE_ML:
        against.append(f"{size} (expected {BRAIN_ML[0]:.0f} to {BRAIN_ML[1]:.0f})")
    elif not BRAIN_ML[0] <= millilitres <= BRAIN_ML[1]:
        doubts.append(
            f"{size} (expected {BRAIN_ML[0]:.0f} to {BRAIN_ML[1]:.0f}): part of the brain may be "
            "missing, or the mask be wrong"
        )
    length, solidity = _shape(brain)
    if length > LONG or solidity < SOLID:
        doubts.append(
            f"a brain mask of another shape than a brain's ({length:.1f} times as long as wide, "
            f"{100 * solidity:.0f} % of its hull)"
        )
    doubts += _contrast(image.data[inside] - background, labels.data[inside])
    return Fitness(tuple(against), tuple(doubts))


def _shape(brain: Volume) -> tuple[float, float]:
    """Spread along the longest principal axis over the shortest's; share of the convex hull.

    Of every nth voxel, `THIN_MM` apart; (1, 1) where these are too few to tell.
    """
    from scipy.spatial import ConvexHull, QhullError

    steps = np.maximum(1, np.round(THIN_MM / brain.spacing)).astype(int)
    points = np.argwhere(brain.data[tuple(slice(None, None, n) for n in steps)] > 0)
    points = points * (brain.spacing * steps)
    if len(points) < LEAST_VOXELS:
        return 1.0, 1.0
    spread = np.sqrt(np.linalg.eigvalsh(np.cov(points.T)))
    corners = points[:, None] + (np.indices((2, 2, 2)).reshape(3, -1).T - 0.5) * THIN_MM
    try:
        hull = ConvexHull(corners.reshape(-1, 3)).volume
    except QhullError:
        return 1.0, 1.0
    return float(spread[-1] / spread[0]), len(points) * float(np.prod(brain.spacing * steps)) / hull


def _contrast(values: np.ndarray, labels: np.ndarray) -> list[str]:
    """Doubts about grey matter, fluid and pallidum relative to white matter."""

    def level(numbers) -> float:
        own = values[np.isin(labels, numbers)]
        return float(np.median(own)) / white if len(own) >= LEAST_VOXELS else np.nan

    white = 1.0
    white = level(WHITE)
    if not white > 0:
        return ["no white matter that is brighter than the background"]
    grey, fluid, pallidum = level(GREY), level(FLUID), level(PALLIDUM)
    doubts = []
    low, high = np.percentile(values, [5, 95]) / white
    if high - low < NO_STRUCTURE:
        doubts.append("no structure of a brain: all of it is about as bright")
    elif not any(abs(tissue - 1) > ALIKE for tissue in (grey, fluid, pallidum)):
        doubts.append("no contrast between fluid, grey matter, pallidum and white matter")
    if high > BRIGHT:
        doubts.append(f"parts that are {high:.1f} times as bright as white matter")
    if grey < GREY_TO_WHITE[0]:
        doubts.append(
            f"grey matter darker than white ({grey:.2f}), as on T1-weighted or inverted images"
        )
    if grey > GREY_TO_WHITE[1]:
        doubts.append(f"grey matter much brighter than white ({grey:.2f})")
    if fluid < FLUID_TO_WHITE[0]:
        doubts.append(
            f"fluid much darker than white matter ({fluid:.2f}), as on T1-weighted and FLAIR images"
        )
    if fluid > FLUID_TO_WHITE[1]:
        doubts.append(
            f"fluid much brighter than white matter ({fluid:.2f}), as on T2-weighted spin echoes"
        )
    if pallidum > PALLIDUM_TO_WHITE:
        doubts.append(f"a pallidum brighter than white matter ({pallidum:.2f}): its iron is dark")
    return doubts
