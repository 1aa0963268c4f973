"""A second look at what a network finds: each candidate as a whole, with what lies around it."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np
from scipy.special import logit

from cmbkit.boxes import cut_box
from cmbkit.detector.inference.candidates import LOWEST_SOFTMAX, highest, top_voxels, true_places
from cmbkit.detector.inference.engines import Engine
from cmbkit.detector.inference.tiles import MIRRORS

FEWEST = 5
"""Voxels of a candidate that is looked at; smaller ones are none."""
CLIP = -15.0, 25.0
"""Logits that the second network tells apart."""
SCALE = 10.0


@dataclass(frozen=True)
class Components:
    """What a map of logits holds at `LOWEST_SOFTMAX`, of `FEWEST` voxels and more.

    Attributes
    ----------
    where : tuple of ndarray
        Voxels of all components, also of smaller ones.
    numbers : ndarray
        Row of ``places`` of each such voxel; -1 in smaller components.
    places : ndarray (n, 3)
        Mean place of the highest voxels, as many as make a score (see `candidates`), in voxels.
    """

    where: tuple[np.ndarray, ...]
    numbers: np.ndarray
    places: np.ndarray


def components(logits: np.ndarray, spacing) -> Components:
    """Find what is looked at; ``spacing`` in mm."""
    parts = cc3d.connected_components(logits >= logit(LOWEST_SOFTMAX), connectivity=26)
    where = true_places(parts)
    numbers, values = parts[where].astype(int), logits[where].astype(np.float64)
    size = np.bincount(numbers, minlength=1)[1:]
    chosen = highest(numbers, values, size, top_voxels(spacing))
    count = np.minimum(size, top_voxels(spacing))
    total = [np.bincount(numbers[chosen], axis[chosen], len(size) + 1)[1:] for axis in where]
    large = size >= FEWEST
    rows = np.where(large, np.cumsum(large) - 1, -1)
    return Components(where, rows[numbers - 1], (np.stack(total, axis=-1) / count[:, None])[large])


def patches_at(
    places: np.ndarray, image: np.ndarray, logits: np.ndarray, background: float, side: int
) -> np.ndarray:
    """Cubes of ``side`` voxels of z-scores and logits around places.

    Returns
    -------
    ndarray (n, side, side, side, 2), float32
        Beyond the image: ``background`` and the lowest logit of `CLIP`.
    """
    found = np.empty((len(places), side, side, side, 2), np.float32)
    starts = np.round(places).astype(int) - side // 2
    for i, start in enumerate(starts):
        found[i, ..., 0] = cut_box(image, start, (side,) * 3, background)
        found[i, ..., 1] = cut_box(logits, start, (side,) * 3, CLIP[0])
    np.clip(found[..., 1], *CLIP, out=found[..., 1])
    found[..., 1] /= SCALE
    return found


class SecondLook:
    """The second network, ready to run.

    Parameters
    ----------
    engine : Engine
        Of `cmbkit.detector.network.look.build_look`.
    batch_size : int
        How many candidates are cut out at once.
    spacing : float
        Of the standard grid, in mm.
    """

    def __init__(self, engine: Engine, batch_size: int, spacing: float):
        self.engine, self.batch_size, self.spacing = engine, batch_size, spacing

    def __call__(self, logits: np.ndarray, image: np.ndarray, background: float) -> np.ndarray:
        """Logits of which none is higher than the second look's logit of its component.

        What touches at `LOWEST_SOFTMAX` is one, and is looked at where it is highest. Shapes and
        ``background`` as in `cmbkit.detector.inference.tiled.predict_logits`.
        """
        found = components(logits, self.spacing)
        side, most = self.engine.input_shape[0], np.full(len(found.places) + 1, -np.inf)
        for first in range(0, len(found.places), self.batch_size):
            some = found.places[first : first + self.batch_size]
            patches = patches_at(some, image, logits, background, side)
            most[first : first + len(some)] = self.said_of(patches)
        capped = logits.copy()
        # the last of most is that of row -1: too small
        capped[found.where] = np.minimum(logits[found.where], most[found.numbers])
        return capped

    def said_of(self, patches: np.ndarray) -> np.ndarray:
        """Logit of each patch (n, x, y, z, 2), the mean over its eight mirror images."""
        total = np.zeros(len(patches), np.float32)
        for axes in MIRRORS:
            total += self.engine.run(np.flip(patches, axes))[:, 0]
        return total / len(MIRRORS)
