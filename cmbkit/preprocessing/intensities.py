"""Intensities of a scan: values that are not finite (step 0) and the z-score (step 6)."""

from __future__ import annotations

import numpy as np

from cmbkit.params import Preprocessing
from cmbkit.volume import Volume, VolumeError

CORNER_VOXELS = 10


def fill_nan(image: Volume) -> tuple[Volume, int]:
    """Replace values that are not finite by the median of the corner patches (step 0).

    Returns the image and how many voxels were replaced. Corner patches have 10 voxels along
    each axis; where they hold no finite value the median of the image's lowest percent serves.
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
        finite = image.data[~bad]
        corners = finite[finite <= np.percentile(finite, 1)]
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


def moments(image: Volume, brain: Volume, params: Preprocessing) -> tuple[float, float]:
    """Mean and standard deviation for the z-score: of the padded cube or within the brain."""
    if params.zscore == "padded":
        mean, sd = padded_moments(image.data, params.pad_voxels)
    else:
        inside = image.data[brain.data > 0]
        mean, sd = float(inside.mean(dtype=np.float64)), float(inside.std(dtype=np.float64))
    if not sd > 0:
        raise VolumeError(f"{image.path}: expected varying intensities, found a constant image")
    return mean, sd
