"""From a probability map to microbleeds: threshold, components, anatomy (section 6.6).

Beyond the thesis, by parameter: hysteresis, components near each other taken as one (Figure 8.1
shows two candidates in one lesion, of which one becomes a false positive), tubes dropped.
"""

from __future__ import annotations

import cc3d
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cmbkit.detector.inference.curvature import tubeness
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
    image: np.ndarray | None = None,
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
        whether components with no voxel in brain tissue are dropped. ``low_threshold``: voxels
        from this probability on count too where connected with one of ``threshold`` (which on
        logits is the same). ``merge_mm``: components with voxels this near are one candidate.
        ``maximum_tubeness``: a candidate that is more of a tube is dropped as a vessel.
    brain_labels : frozenset of int
        Labels that count as brain tissue.
    threshold : float, optional
        Instead of ``params.threshold``.
    image : ndarray (x, y, z), optional
        z-scored; adds the column ``tubeness`` (see `curvature.tubeness`, at the voxel
        nearest to each kept candidate's centre). Needed for ``maximum_tubeness``.

    Returns
    -------
    instances : ndarray (x, y, z), uint16
        One integer per kept candidate.
    table : DataFrame
        One row per component: ``id`` (0 where dropped), ``n_voxels``, ``volume_mm3``, ``score``
        (greatest probability), ``mean_probability``, ``kept``, ``reason`` ("" where kept, else
        "smaller than minimum_voxels", "no voxel in a brain label" or "a tube").
    """
    for name, other in (("labels", labels), ("image", image)):
        if other is not None and other.shape != probability.shape:
            raise ValueError(f"{name}: expected shape {probability.shape}, found {other.shape}")
    if params.maximum_tubeness is not None and image is None:
        raise ValueError("maximum_tubeness: expected the image, found none")
    limit = params.threshold if threshold is None else threshold
    spacing = np.broadcast_to(np.asarray(spacing, float), 3)
    where, numbers, values = _components(probability, limit, params, spacing)
    n = int(numbers.max(initial=0))
    size = np.bincount(numbers, minlength=n + 1)[1:]
    score = np.zeros(n + 1)
    np.maximum.at(score, numbers, values)
    mean = np.bincount(numbers, values, minlength=n + 1)[1:] / np.maximum(size, 1)
    kept, reasons = np.ones(n, bool), np.full(n, "", object)

    def drop(which: np.ndarray, reason: str) -> None:
        reasons[which & kept] = reason
        kept[which] = False

    drop(size < params.minimum_voxels, "smaller than minimum_voxels")
    if labels is not None and params.drop_outside_brain_labels:
        tissue = np.isin(labels[where], list(brain_labels))
        in_brain = np.bincount(numbers, tissue, minlength=n + 1)[1:] > 0
        drop(~in_brain, "no voxel in a brain label")
    columns = [size, size * float(np.prod(spacing)), score[1:], mean]
    tube = np.full(n, np.nan)
    if image is not None:
        tube[kept] = _tubeness(image, where, numbers, kept, spacing)
        if params.maximum_tubeness is not None:
            drop(tube > params.maximum_tubeness, "a tube")
    ids = np.where(kept, np.cumsum(kept), 0)
    instances = np.zeros(probability.shape, np.uint16)
    instances[where] = np.concatenate([[0], ids])[numbers]
    columns = dict(zip(COLUMNS, [ids, *columns, kept, reasons.astype(str)], strict=True))
    if image is not None:
        columns["tubeness"] = tube
    return instances, pd.DataFrame(columns)


def true_places(array: np.ndarray) -> tuple[np.ndarray, ...]:
    """As `numpy.nonzero`, several times as fast, in the order of the array's memory."""
    order = "F" if array.flags.f_contiguous else "C"
    return np.unravel_index(np.flatnonzero(array.ravel(order)), array.shape, order=order)


def _components(probability, limit, params: Inference, spacing):
    """Voxels of all components: indices (three arrays), component numbers from 1, values."""
    low = min(limit, params.low_threshold or limit)
    parts = cc3d.connected_components(probability >= low, connectivity=params.connectivity)
    where = true_places(parts)
    numbers, values = parts[where].astype(int), probability[where].astype(np.float64)
    if low < limit:
        strong = np.zeros(int(numbers.max(initial=0)) + 1, bool)
        strong[numbers[values >= limit]] = True
        chosen = strong[numbers]
        where, numbers, values = tuple(x[chosen] for x in where), numbers[chosen], values[chosen]
    if params.merge_mm > 0 and len(numbers):
        numbers = _merged(np.stack(where, axis=1) * spacing, numbers, params.merge_mm)
    return where, np.unique(numbers, return_inverse=True)[1] + 1, values


def _merged(places_mm: np.ndarray, numbers: np.ndarray, reach_mm: float) -> np.ndarray:
    """Component numbers after joining those with voxel centres within ``reach_mm``."""
    pairs = cKDTree(places_mm).query_pairs(reach_mm, output_type="ndarray")
    one, other = numbers[pairs[:, 0]], numbers[pairs[:, 1]]
    n = int(numbers.max()) + 1
    links = coo_array((np.ones(len(pairs), bool), (one, other)), shape=(n, n))
    return connected_components(links, directed=False)[1][numbers]


def _tubeness(image, where, numbers, kept, spacing) -> np.ndarray:
    """Tubeness at each kept component's voxel nearest to its centre, in order of numbers."""
    places = np.stack(where, axis=1)
    size = np.maximum(np.bincount(numbers), 1)
    centres = np.stack([np.bincount(numbers, axis) for axis in where], axis=1) / size[:, None]
    away = np.linalg.norm((places - centres[numbers]) * spacing, axis=1)
    order = np.lexsort((away, numbers))
    _, first = np.unique(numbers[order], return_index=True)
    return tubeness(image, places[order[first]][kept], spacing)
