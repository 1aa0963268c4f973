"""From a map of logits to microbleeds: threshold, components, anatomy (section 6.6)."""

import cc3d
import numpy as np
import pandas as pd
from scipy.special import logit

from cmbkit.anatomy.rating_scales import BRAIN_LABELS
from cmbkit.params import Inference

COLUMNS = ["id", "n_voxels", "volume_mm3", "score", "kept", "reason"]
TOP_MM = 2.5
"""A candidate's score is the mean logit of its highest voxels, as many as fill a ball of this
diameter (or of all it has).

On the demo's validation scans, average precision over both networks (candidates of 20 voxels and
more from a softmax of 0.1 on): 0.258; the highest logit 0.243, the mean of all 0.226; the mean
softmax, the score before, 0.193.
"""


LOWEST_SOFTMAX = 0.1
"""Voxels of candidates for curves, calibration and the range of the number have it or more."""


def lowered(params: Inference) -> Inference:
    """The same with `LOWEST_SOFTMAX` as threshold."""
    return Inference.model_validate({**params.model_dump(), "threshold": LOWEST_SOFTMAX})


def candidates(
    logits: np.ndarray, labels: np.ndarray | None, spacing, params: Inference
) -> tuple[np.ndarray, pd.DataFrame]:
    """Find microbleeds in a map of logits.

    Parameters
    ----------
    logits : ndarray (x, y, z)
        log(p / (1 - p)) of the network's softmax p for a microbleed.
    labels : ndarray (x, y, z) or None
        SynthSeg label numbers; None leaves the anatomical filter (`BRAIN_LABELS`) out.
    spacing : 3 float or float
        Voxel size in mm.
    params : Inference

    Returns
    -------
    instances : ndarray (x, y, z), uint16
        One integer per kept candidate.
    table : DataFrame
        One row per component: ``id`` (0 where dropped), ``n_voxels``, ``volume_mm3``, ``score``
        (mean logit of the highest, see `TOP_MM`), ``kept``, ``reason`` ("" where kept, else
        "smaller than minimum_voxels" or "no voxel in a brain label").
    """
    if labels is not None and labels.shape != logits.shape:
        raise ValueError(f"labels: expected shape {logits.shape}, found {labels.shape}")
    above = logits >= logit(params.threshold)
    parts = cc3d.connected_components(above, connectivity=params.connectivity)
    where = true_places(parts)
    numbers, values = parts[where].astype(int), logits[where].astype(np.float64)
    n = int(numbers.max(initial=0))
    size = np.bincount(numbers, minlength=n + 1)[1:]
    kept, reasons = np.ones(n, bool), np.full(n, "", object)

    def drop(which: np.ndarray, reason: str) -> None:
        reasons[which & kept] = reason
        kept[which] = False

    drop(size < params.minimum_voxels, "smaller than minimum_voxels")
    if labels is not None and params.drop_outside_brain_labels:
        tissue = np.isin(labels[where], list(BRAIN_LABELS))
        in_brain = np.bincount(numbers, tissue, minlength=n + 1)[1:] > 0
        drop(~in_brain, "no voxel in a brain label")
    voxel = float(np.prod(np.broadcast_to(spacing, 3)))
    columns = [size, size * voxel, _top_mean(numbers, values, size, top_voxels(spacing))]
    ids = np.where(kept, np.cumsum(kept), 0)
    instances = np.zeros(logits.shape, np.uint16)
    instances[where] = np.concatenate([[0], ids])[numbers]
    columns = dict(zip(COLUMNS, [ids, *columns, kept, reasons.astype(str)], strict=True))
    return instances, pd.DataFrame(columns)


def top_voxels(spacing) -> int:
    """How many voxels fill a ball of `TOP_MM`; ``spacing`` in mm, one number or three."""
    voxel = float(np.prod(np.broadcast_to(spacing, 3)))
    return max(1, round(np.pi / 6 * TOP_MM**3 / voxel))


def _top_mean(numbers, values, size, top: int) -> np.ndarray:
    """Mean of the ``top`` highest values of each component 1, 2, ... of ``size`` voxels."""
    chosen = highest(numbers, values, size, top)
    total = np.bincount(numbers[chosen], values[chosen], minlength=len(size) + 1)[1:]
    return total / np.minimum(size, top)


def highest(numbers, values, size, top: int) -> np.ndarray:
    """Where the ``top`` highest values of each component stand in ``numbers`` and ``values``."""
    order = np.lexsort((-values, numbers))
    rank = np.arange(len(order)) - (np.cumsum(size) - size)[numbers[order] - 1]
    return order[rank < top]


def true_places(array: np.ndarray) -> tuple[np.ndarray, ...]:
    """As `numpy.nonzero`, several times as fast, in the order of the array's memory."""
    order = "F" if array.flags.f_contiguous else "C"
    return np.unravel_index(np.flatnonzero(array.ravel(order) != 0), array.shape, order=order)
