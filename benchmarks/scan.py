"""A scan of DOU's size with dark balls at known voxels, the same at every call."""

import numpy as np
from scipy import ndimage

from cmbkit.volume import Volume

SHAPE = (512, 512, 150)
AFFINE = np.diag([-0.449, -0.449, 1.0, 1.0])
POINTS = ((256, 230, 80), (180, 300, 70), (330, 260, 95), (200, 200, 60), (300, 330, 50))


def dou_scan(noise=12.0, seed=0) -> Volume:
    """Brain-sized ellipsoid (400) with texture and noise, balls of 1.5 to 3 mm at POINTS (120)."""
    rng = np.random.default_rng(seed)
    mm = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    mm = [m * s for m, s in zip(mm, (0.449, 0.449, 1.0), strict=True)]
    middle, half = (115, 115, 75), (68, 85, 66)
    brain = sum(((m - c) / h) ** 2 for m, c, h in zip(mm, middle, half, strict=True)) <= 1
    coarse = ndimage.gaussian_filter(rng.normal(size=(64, 64, 38)), 1.5)
    texture = ndimage.zoom(coarse / coarse.std() * 25, (8, 8, 150 / 38), order=1)
    data = (400 + texture).astype(np.float32)
    for point, radius in zip(POINTS, np.linspace(1.5, 3, len(POINTS)), strict=True):
        centre = np.multiply(point, (0.449, 0.449, 1.0))
        away = sum((m - c) ** 2 for m, c in zip(mm, centre, strict=True))
        data -= 280 * np.clip((radius + 0.5 - np.sqrt(away)) / 1.0, 0, 1).astype(np.float32)
    data += rng.normal(0, noise, SHAPE).astype(np.float32)
    return Volume(np.where(brain, np.maximum(data, 1), 0).astype(np.float32), AFFINE)


def sharp_ball():
    """A scan, a point and a tolerance for which the three region growers agree.

    The ball of 3 mm around the point has values 100 to 140, everything else is above 300; the
    tolerance is 60.
    """
    scan = dou_scan(noise=0.0)
    rng = np.random.default_rng(2)
    data = np.where(scan.data > 0, np.maximum(scan.data, 320), 320).astype(np.float32)
    point = POINTS[0]
    away = sum(
        ((np.arange(n) - p) * s).reshape([-1 if a == axis else 1 for a in range(3)]) ** 2
        for axis, (n, p, s) in enumerate(zip(SHAPE, point, scan.spacing, strict=True))
    )
    inside = away <= 9
    data[inside] = rng.uniform(100, 140, int(inside.sum()))
    return scan.with_data(data), point, 60.0
