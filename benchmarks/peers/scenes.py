"""Random pairs of masks: lesions found, missed, shifted, broken in two, merged, invented."""

import numpy as np


def ball(mask, centre, radius):
    """Set the voxels within ``radius`` voxels of ``centre``; parts outside the grid are cut."""
    low = [max(0, int(c - radius)) for c in centre]
    high = [min(n, int(c + radius) + 1) for c, n in zip(centre, mask.shape, strict=True)]
    if any(a >= b for a, b in zip(low, high, strict=True)):
        return
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    axes = np.ogrid[box]
    away = sum((axis - c) ** 2 for axis, c in zip(axes, centre, strict=True))
    mask[box][away <= radius**2] = 1


def small_pair(seed, shape=(40, 44, 32)):
    """One pair of masks with up to eight lesions that may touch or reach over the border."""
    rng = np.random.default_rng(seed)
    truth, said = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for _ in range(rng.integers(0, 9)):
        centre, radius = rng.integers(0, shape), rng.uniform(1, 3.5)
        ball(truth, centre, radius)
        kind = rng.random()
        if kind < 0.6:
            ball(said, centre + rng.integers(-2, 3, 3), radius * rng.uniform(0.6, 1.3))
        elif kind < 0.75:
            for step in (-2, 2):
                ball(said, np.add(centre, (step, 0, 0)), radius * 0.4)
        elif kind < 0.85:
            ball(said, np.add(centre, (4, 0, 0)), radius * 1.6)
    for _ in range(rng.poisson(1.2)):
        ball(said, rng.integers(0, shape), rng.uniform(0.5, 2.5))
    return truth, said


def large_pair(seed=1, size=400, lesions=20):
    """A pair on a ``size``-cube with 20 lesions, each found a little aside."""
    rng = np.random.default_rng(seed)
    truth, said = (np.zeros((size,) * 3, np.uint8) for _ in range(2))
    for centre in rng.integers(20, size - 20, (lesions, 3)):
        ball(truth, centre, 4.0)
        ball(said, centre + rng.integers(-2, 3, 3), 3.5)
    return truth, said
