"""From a probability map to microbleeds: threshold, components, anatomy (section 6.6)."""

from __future__ import annotations

import cc3d
import numpy as np
import pandas as pd

from cmbkit.params import Inference

# SynthSeg labels of brain tissue. Not among them: background 0, ventricles 4, 5, 14, 15, 43,
# 44, CSF 24 and ventral DC 28, 60.
BRAIN_LABELS = frozenset(
    [2, 3, 7, 8, 10, 11, 12, 13, 16, 17, 18, 26, 41, 42, 46, 47, 49, 50, 51, 52, 53, 54, 58]
)
COLUMNS = ["id", "n_voxels", "volume_mm3", "score", "mean_probability", "kept", "reason"]


def candidates(
    probability: np.ndarray,
    labels: np.ndarray | None,
    spacing,
    params: Inference,
    *,
    brain_labels: frozenset[int] = BRAIN_LABELS,
    threshold: float | None = None,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Find microbleeds in a probability map.

    Parameters
    ----------
    probability : ndarray (x, y, z)
        In [0, 1].
    labels : ndarray (x, y, z) or None
        SynthSeg label numbers; None leaves the anatomical filter out.
    spacing : 3 float or float
        Voxel size in mm.
    params : Inference
        Threshold (a voxel counts from this probability on), connectivity, smallest size, and
        whether components with no voxel in brain tissue are dropped.
    brain_labels : frozenset of int
        Labels that count as brain tissue.
    threshold : float, optional
        Instead of ``params.threshold``.

    Returns
    -------
    instances : ndarray (x, y, z), uint16
        One integer per kept candidate.
    table : DataFrame
        One row per component: ``id`` (0 where dropped), ``n_voxels``, ``volume_mm3``, ``score``
        (greatest probability), ``mean_probability``, ``kept``, ``reason`` ("" where kept, else
        "smaller than minimum_voxels" or "no voxel in a brain label").
    """
    if labels is not None and labels.shape != probability.shape:
        raise ValueError(f"labels: expected shape {probability.shape}, found {labels.shape}")
    limit = params.threshold if threshold is None else threshold
    components, n = cc3d.connected_components(
        probability >= limit, connectivity=params.connectivity, return_N=True
    )
    volume = float(np.prod(np.broadcast_to(spacing, 3)))
    where = np.nonzero(components)
    numbers = components[where]
    values = probability[where].astype(np.float64)
    size = np.bincount(numbers, minlength=n + 1)[1:]
    score = np.zeros(n + 1)
    np.maximum.at(score, numbers, values)
    mean = np.bincount(numbers, values, minlength=n + 1)[1:] / np.maximum(size, 1)
    in_brain = np.ones(n, bool)
    if labels is not None and params.drop_outside_brain_labels:
        tissue = np.isin(labels[where], list(brain_labels))
        in_brain = np.bincount(numbers, tissue, minlength=n + 1)[1:] > 0
    big = size >= params.minimum_voxels
    kept = big & in_brain
    ids = np.where(kept, np.cumsum(kept), 0)
    instances = np.concatenate([[0], ids]).astype(np.uint16)[components]
    reasons = np.where(
        kept, "", np.where(big, "no voxel in a brain label", "smaller than minimum_voxels")
    )
    columns = [ids, size, size * volume, score[1:], mean, kept, reasons]
    return instances, pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
