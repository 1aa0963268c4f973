"""Intensities of a scan: values that are not finite (step 0) and the z-score (step 6)."""

from __future__ import annotations

import numpy as np

from cmbkit.params import Preprocessing
from cmbkit.volume import Volume, VolumeError

CORNER_VOXELS = 10
TAIL = 0.1
BEYOND = 1 / 8
BRIGHTEST = 4.0


def fill_nan(image: Volume) -> tuple[Volume, int]:
    """Replace values that are not finite by the median of the corner patches (step 0).

    Returns the image and how many voxels were replaced. Corner patches have 10 voxels along
    each axis; where they hold no finite value the image's lowest serves.
    """
    bad = ~np.isfinite(image.data)
    count = int(bad.sum())
    if not count:
        return image, 0
    if bad.all():
        raise VolumeError(f"{image.path}: expected finite values, found none")
    ends = (slice(None, CORNER_VOXELS), slice(-CORNER_VOXELS, None))
    corners = [image.data[a, b, c].ravel() for a in ends for b in ends for c in ends]
    corners = np.concatenate(corners)
    corners = corners[np.isfinite(corners)]
    if not len(corners):
        corners = image.data[~bad].min()
    data = image.data.copy()
    data[bad] = np.median(corners)
    return image.with_data(data), count


def padded_moments(data: np.ndarray, pad_voxels: int) -> tuple[float, float]:
    """Mean and standard deviation as if padded with zeros to a cube of ``pad_voxels``.

    An axis longer than the cube is not cut.
    """
    count = float(np.prod(np.maximum(data.shape, pad_voxels)))
    total = data.sum(dtype=np.float64)
    planes = data.T if data.flags.f_contiguous else data
    squares = sum(float(np.vdot(plane, plane)) for plane in planes.astype(np.float32, copy=False))
    mean = total / count
    return float(mean), float(np.sqrt(max(squares / count - mean**2, 0)))


def shared_moments(inside: np.ndarray, share: float) -> tuple[float, float]:
    """Mean and standard deviation as if these voxels filled ``share`` of a cube of zeros."""
    mean = share * float(inside.mean(dtype=np.float64))
    square = share * float(np.square(inside, dtype=np.float64).mean())
    return mean, float(np.sqrt(max(square - mean**2, 0)))


def tissue(image: Volume, brain: Volume, params: Preprocessing) -> Volume:
    """Image with 0 outside the brain.

    With ``zscore`` "brain" intensities count from a zero that the brain itself tells, as files
    may add any number to them: an eighth of the way from the median to percentile 0.1 beyond
    that percentile, where 0 lies in the synthetic cohort. Nothing remains below it, or beyond
    four times the distance to percentile 99.9, so that no single voxel counts. As published
    ("padded") intensities stay as they are.

    Parameters
    ----------
    image, brain : Volume
        On one grid; mask 0 or 1.
    params : Preprocessing
    """
    if params.zscore == "padded":
        return image.with_data(image.data * brain.data)
    inside = brain.data > 0
    low, middle, high = np.percentile(image.data[inside], [TAIL, 50, 100 - TAIL])
    zero = low - BEYOND * (middle - low)
    data = np.clip(image.data - np.float32(zero), 0, np.float32(BRIGHTEST * (high - zero)))
    return image.with_data(np.where(inside, data, np.float32(0)))


def moments(image: Volume, brain: Volume, params: Preprocessing) -> tuple[float, float]:
    """Mean and standard deviation for the z-score of what `tissue` left, on its grid.

    ``zscore`` "padded" takes those of a cube of zeros around the image, as published: the z-score
    of tissue then depends on how much brain there is (1.8 in a whole one, 6 in a slab of 28 mm).
    "brain" takes those that the brain would have if it filled ``brain_share`` of the cube.
    """
    if params.zscore == "padded":
        mean, sd = padded_moments(image.data, params.pad_voxels)
    else:
        mean, sd = shared_moments(image.data[brain.data > 0], params.brain_share)
    if not sd > 0:
        raise VolumeError(f"{image.path}: expected varying intensities, found a constant image")
    return mean, sd
