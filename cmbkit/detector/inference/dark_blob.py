"""A detector without training: dark blobs by the curvature of the smoothed image.

It is the yardstick of the cohort: where it does well, the cohort is trivial and what the
network reaches there says little.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numba import njit
from scipy import ndimage
from scipy.special import logit

from cmbkit.boxes import bounding_box
from cmbkit.detector.inference.candidates import candidates
from cmbkit.detector.inference.files import map_file, write_candidates, write_logits
from cmbkit.params import DarkBlobs, Inference
from cmbkit.records import StandardScan

RADII_MM = (1.0, 1.5, 2.2)
LOOKED_AT = 1.5
EVEN = 4.0
"""Blobness at which confidence is 0.5."""

EDGE_MM = 2.0
MAXIMUM_RADIUS_MM = 5.0


def second_derivatives(smooth: np.ndarray, spacing) -> tuple[np.ndarray, np.ndarray]:
    """Laplacian in 1/mm^2, float32, and where the image curves upwards along all three axes.

    Both have the shape of ``smooth``; beyond its faces the outermost value goes on.
    """
    squares = np.asarray(spacing, float) ** 2
    return _second_derivatives(np.asarray(smooth, np.float32), squares.astype(np.float32))


@njit(cache=True, nogil=True)
def _second_derivatives(smooth, squares):
    total, upwards = np.empty(smooth.shape, np.float32), np.empty(smooth.shape, np.bool_)
    n0, n1, n2 = smooth.shape
    for i in range(n0):
        for j in range(n1):
            for k in range(n2):
                here = smooth[i, j, k]
                x = smooth[min(i + 1, n0 - 1), j, k] - here
                x = (x - (here - smooth[max(i - 1, 0), j, k])) / squares[0]
                y = smooth[i, min(j + 1, n1 - 1), k] - here
                y = (y - (here - smooth[i, max(j - 1, 0), k])) / squares[1]
                z = smooth[i, j, min(k + 1, n2 - 1)] - here
                z = (z - (here - smooth[i, j, max(k - 1, 0)])) / squares[2]
                total[i, j, k] = x + y + z
                upwards[i, j, k] = x > 0 and y > 0 and z > 0
    return total, upwards


def curvatures(smooth: np.ndarray, places: np.ndarray, spacing) -> np.ndarray:
    """Eigenvalues of the Hessian (1/mm^2, rising), shape (n, 3), at n voxels ``places``.

    All three are positive in a dark blob, two in a dark tube, one in a dark sheet. ``spacing`` is
    the voxel size in mm.
    """
    limit = np.array(smooth.shape) - 1

    def value(shift):
        return smooth[tuple(np.clip(places + shift, 0, limit).T)]

    unit = np.eye(3, dtype=int)
    hessian = np.empty((len(places), 3, 3))
    for i in range(3):
        second = value(unit[i]) - 2 * value(0 * unit[i]) + value(-unit[i])
        hessian[:, i, i] = second / spacing[i] ** 2
        for j in range(i):
            plus, minus = unit[i] + unit[j], unit[i] - unit[j]
            mixed = value(plus) - value(minus) - value(-minus) + value(-plus)
            hessian[:, i, j] = hessian[:, j, i] = mixed / (4 * spacing[i] * spacing[j])
    return np.linalg.eigvalsh(hessian) if len(places) else np.zeros((0, 3))


def confidence(image: np.ndarray, brain: np.ndarray, spacing) -> np.ndarray:
    """Blobness as a number in [0, 1) that is 0.5 at `EVEN`; not a probability.

    The image is smoothed so that a ball of radius r answers most (sigma = r / sqrt(3)). Where
    the Laplacian stands out and no second derivative along an axis is negative (then the smallest
    eigenvalue is not either), blobness z is three times the smallest eigenvalue of the Hessian
    (for a ball that is the Laplacian itself), in robust standard deviations of the Laplacian
    inside the brain (1.4826 times the median absolute deviation); the largest over `RADII_MM`
    counts. The result is 1 - 2^(-z / EVEN), and 0 nearer than `EDGE_MM` to the outside of the
    brain mask. ``spacing`` is the voxel size in mm.
    """
    if brain.shape != image.shape:
        raise ValueError(f"brain mask: expected shape {image.shape}, found {brain.shape}")
    spacing = np.broadcast_to(np.asarray(spacing, float), 3)
    found = np.zeros(image.shape, np.float32)
    if brain.any():
        # around the brain everything has one value, so one voxel of it will do
        box = bounding_box(brain, margin=1)
        found[box] = _blobness(image[box], brain[box] > 0, spacing)
    return 1 - np.float32(2) ** (-found / np.float32(EVEN))


def logits_of(sure: np.ndarray) -> np.ndarray:
    """Logit of `confidence`, minus infinity where that is 0."""
    with np.errstate(divide="ignore"):
        return logit(sure)


def deeper(inside: np.ndarray, mm: float, spacing) -> np.ndarray:
    """Voxels of a mask whose distance to the nearest voxel outside of it is more than ``mm``.

    What lies beyond the image is outside. Erosion is faster than a distance transform.
    """
    steps = np.ogrid[tuple(slice(-int(mm // side), int(mm // side) + 1) for side in spacing)]
    ball = sum((step * side) ** 2 for step, side in zip(steps, spacing, strict=True)) <= mm**2
    return ndimage.binary_erosion(inside, ball)


def _blobness(image, inside, spacing) -> np.ndarray:
    inner = deeper(inside, EDGE_MM, spacing)
    blobness = np.zeros(image.shape, np.float32)
    if not inner.any():
        return blobness
    filled = np.where(inside, image, np.median(image[inside])).astype(np.float32)
    for radius in RADII_MM:
        smooth = ndimage.gaussian_filter(filled, radius / np.sqrt(3) / spacing, truncate=3)
        total, upwards = second_derivatives(smooth, spacing)
        values = total[inner]
        middle = np.median(values)
        sd = max(1.4826 * np.median(np.abs(values - middle)), 1e-6)
        where = inner & upwards & (total > middle + LOOKED_AT * sd)
        z = 3 * curvatures(smooth, np.argwhere(where), spacing)[:, 0] / sd
        blobness[where] = np.maximum(blobness[where], z)
    return blobness


def dark_blob_candidates(
    sure: np.ndarray, labels: np.ndarray | None, spacing, point: DarkBlobs
) -> tuple[np.ndarray, pd.DataFrame]:
    """Compact dark blobs: components of `confidence`, as `candidates.candidates` gives them.

    The logit of confidence makes their score; those over `MAXIMUM_RADIUS_MM` are dropped.
    """
    instances, table = candidates(logits_of(sure), labels, spacing, Inference(**point.model_dump()))
    large = table["kept"] & (table["volume_mm3"] > 4 / 3 * np.pi * MAXIMUM_RADIUS_MM**3)
    table.loc[large, ["kept", "reason"]] = [False, f"larger than {MAXIMUM_RADIUS_MM:g} mm radius"]
    new = np.zeros(int(table["id"].max() if len(table) else 0) + 1, np.uint16)
    new[table.loc[table["kept"], "id"]] = np.arange(1, table["kept"].sum() + 1)
    table["id"] = np.where(table["kept"], new[table["id"]], 0)
    return new[instances], table


def predict_scan(scan: StandardScan, point: DarkBlobs, folder: Path) -> None:
    """Find dark blobs in a standardised scan; writes the files that `files` describes."""
    image, brain, labels = scan.image(), scan.brain(), scan.labels()
    sure = confidence(image.data, brain.data, image.spacing)
    instances, table = dark_blob_candidates(sure, labels.data, image.spacing, point)
    write_logits(map_file(folder, scan), image, logits_of(sure))
    write_candidates(folder, scan, image, instances, table)
