"""How an image curves: the eigenvalues of the Hessian."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def curvatures(smooth: np.ndarray, places: np.ndarray, spacing) -> np.ndarray:
    """Eigenvalues of the Hessian (1/mm^2, rising) at ``places``.

    Parameters
    ----------
    smooth : ndarray (x, y, z)
    places : ndarray of int (n, 3)
        Voxels.
    spacing : 3 float
        Voxel size in mm.

    Returns
    -------
    ndarray (n, 3)
        All three are positive in a dark blob, two in a dark tube, one in a dark sheet.
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


def tubeness(image: np.ndarray, places: np.ndarray, spacing, *, sigma_mm: float = 1.0):
    """How much a dark structure is a tube and not a ball, in [0, 1], at each of ``places``.

    1 minus the ratio of the smallest to the middle eigenvalue of the Hessian of the image
    smoothed by ``sigma_mm``: 0 in a ball, 1 in a straight tube, NaN where the image does not
    curve upwards in two directions (no dark structure). Arguments as in `curvatures`; each place
    is smoothed in a box of its own, so that few places cost little.
    """
    spacing = np.broadcast_to(np.asarray(spacing, float), 3)
    reach = np.ceil(3 * sigma_mm / spacing).astype(int) + 1
    found = np.full(len(places), np.nan)
    for row, place in enumerate(np.asarray(places, int).reshape(-1, 3)):
        low = np.maximum(place - reach, 0)
        box = image[tuple(slice(a, b) for a, b in zip(low, place + reach + 1, strict=True))]
        smooth = ndimage.gaussian_filter(
            box.astype(np.float32), sigma_mm / spacing, mode="nearest", truncate=3
        )
        smallest, middle, _ = curvatures(smooth, (place - low)[None], spacing)[0]
        if middle > 0:
            found[row] = np.clip(1 - smallest / middle, 0, 1)
    return found
