"""Simulated cohorts of patients with microbleeds, found and missed (`interval_coverage.py`)."""

from typing import NamedTuple

import numpy as np

WITHOUT_CMB, MORE_CMBS, SHAPE = 0.2, 4.0, 0.65


class World(NamedTuple):
    """What patients are like."""

    alike: float = 0.15
    """Correlation of a patient's microbleeds, found or not."""
    shape: float = SHAPE
    """Of the negative binomial of false positives: the smaller, the fewer patients have most."""
    without: float = WITHOUT_CMB
    """Share of patients without a microbleed."""
    with_40: float = 0.0
    """Share of patients with 40 microbleeds, where the others have one or two."""


WORLDS = {
    "usual": World(),
    "alike": World(alike=0.4),
    "half_healthy": World(without=0.5),
    "uneven_fp": World(shape=0.15),
    "all_or_none": World(alike=0.98),
    "a_few_with_40": World(with_40=0.15),
}


def microbleeds(rng, shape, without: float = WITHOUT_CMB) -> np.ndarray:
    """Number of each patient."""
    more = rng.negative_binomial(SHAPE, SHAPE / (SHAPE + MORE_CMBS), shape)
    return np.where(rng.random(shape) < without, 0, 1 + more)


def cohorts(rng, shape, recall: float, fp_scan: float, world=WORLDS["usual"]) -> list[np.ndarray]:
    """TP, FP and FN of each patient, ``shape``, one scan each, of two detectors of one kind."""
    n, spread = microbleeds(rng, shape, world.without), 1 / world.alike - 1
    if world.with_40:
        n = np.where(rng.random(shape) < world.with_40, 40, 1 + rng.poisson(0.5, shape))
    chance = rng.beta(recall * spread, (1 - recall) * spread, shape)
    sides = []
    half = world.shape, world.shape / (world.shape + fp_scan / 2)
    shared = rng.negative_binomial(*half, shape)
    for easier in (0.0, 0.05):
        own = rng.negative_binomial(*half, shape)
        tp = rng.binomial(n, np.clip(chance - easier, 0, 1))
        sides.append(np.stack([tp, shared + own, n - tp]).astype(float))
    return sides
