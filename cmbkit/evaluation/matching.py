"""Pairing predicted with annotated microbleeds: who is a TP, an FP, an FN (section 6.7.1)."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pandas as pd
from scipy.ndimage import generate_binary_structure
from scipy.ndimage import label as label_components
from scipy.optimize import linear_sum_assignment

CONNECTIVITY_RANK = {6: 1, 18: 2, 26: 3}
COLUMNS = ["call", "gt_id", "pred_id", "distance_mm", "overlap_voxels", "dice"]


class MatchingError(ValueError):
    """The label arrays cannot be matched; one line says why."""


def label_instances(mask, connectivity: int = 6) -> np.ndarray:
    """Number the connected components of a mask.

    Parameters
    ----------
    mask : ndarray, shape (i, j, k)
        Non-zero is microbleed.
    connectivity : {6, 18, 26}
        Neighbours of a voxel; 6 in the thesis.

    Returns
    -------
    ndarray of int32, shape (i, j, k)
        0 is background, components are 1, 2, ...
    """
    if connectivity not in CONNECTIVITY_RANK:
        raise MatchingError(f"connectivity: expected 6, 18 or 26, found {connectivity!r}")
    structure = generate_binary_structure(3, CONNECTIVITY_RANK[connectivity])
    return label_components(np.asarray(mask) != 0, structure, output=np.int32)[0]


def _affine(affine_or_spacing) -> np.ndarray:
    given = np.asarray(affine_or_spacing, float)
    if given.shape == (4, 4):
        return given
    if given.shape in ((), (3,)) and (given > 0).all():
        return np.diag([*np.broadcast_to(given, 3), 1.0])
    raise MatchingError(
        f"affine_or_spacing: expected a 4x4 affine, 3 sizes or 1 size in mm, found {given}"
    )


def _check_labels(labels, name: str) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim != 3 or not (labels.dtype == bool or np.issubdtype(labels.dtype, np.integer)):
        raise MatchingError(
            f"{name}: expected a 3D array of integer labels, "
            f"found {labels.ndim}D of {labels.dtype} (see label_instances for a mask)"
        )
    return labels


def _instances(labels: np.ndarray, affine) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids (ascending), voxel counts, and centres of mass in mm, shape (n, 3)."""
    voxels = np.nonzero(labels)
    ids, index, sizes = np.unique(labels[voxels], return_inverse=True, return_counts=True)
    if ids.size and ids[0] < 0:
        raise MatchingError(f"labels: expected 0 and positive integers, found {ids[0]}")
    sums = np.stack([np.bincount(index, axis, ids.size) for axis in voxels], axis=1)
    centres = nib.affines.apply_affine(affine, sums / sizes[:, None]) if ids.size else sums
    return ids.astype(int), sizes, centres


def _overlaps(reference, predicted, ref_ids, pred_ids) -> np.ndarray:
    """Shared voxels of every pair, shape (n reference, n predicted)."""
    both = np.nonzero((reference != 0) & (predicted != 0))
    counts = np.zeros((ref_ids.size, pred_ids.size), int)
    rows = np.searchsorted(ref_ids, reference[both])
    columns = np.searchsorted(pred_ids, predicted[both])
    np.add.at(counts, (rows, columns), 1)
    return counts


def _greedy(cost, admissible) -> list[tuple[int, int]]:
    """Best pair of all first, then the best of what is left; ties by lower row, then column."""
    rows, columns = np.nonzero(admissible)
    pairs, used_rows, used_columns = [], set(), set()
    for which in np.lexsort((columns, rows, cost[rows, columns])):
        row, column = int(rows[which]), int(columns[which])
        if row not in used_rows and column not in used_columns:
            pairs.append((row, column))
            used_rows.add(row)
            used_columns.add(column)
    return pairs


def _optimal(cost, admissible) -> list[tuple[int, int]]:
    """As many pairs as possible, and among those the lowest total cost."""
    if not admissible.any():
        return []
    forbidden = (cost[admissible].max() + 1) * (min(cost.shape) + 1)
    rows, columns = linear_sum_assignment(np.where(admissible, cost, forbidden))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if admissible[r, c]]


def match(
    reference,
    predicted,
    affine_or_spacing,
    *,
    rule: str = "distance",
    max_distance_mm: float = 5.0,
    assignment: str = "greedy",
) -> pd.DataFrame:
    """Pair predicted with annotated microbleeds, one to one.

    Parameters
    ----------
    reference, predicted : ndarray of int, shape (i, j, k)
        Instance labels on one grid: 0 is background, every microbleed has its own integer.
    affine_or_spacing : array-like, shape (4, 4), (3,) or ()
        Voxel-to-mm affine, or the voxel size in mm.
    rule : {"distance", "overlap"}
        Which pairs may match: centres of mass strictly closer than ``max_distance_mm``, or
        at least one voxel shared. Distances are taken to 1e-6 mm, so a pair at exactly the
        limit never matches, whatever the affine's rounding.
    max_distance_mm : float
        Only for ``rule="distance"``.
    assignment : {"greedy", "optimal"}
        ``greedy``: the best pair of all (smallest distance, or largest overlap) first, then
        the best of the rest; ties go to the lower reference id, then the lower predicted id.
        ``optimal``: as many pairs as possible, then the smallest total distance (or largest
        total overlap).

    Returns
    -------
    DataFrame
        One row per TP, FN and FP, in this order, by id: call, gt_id (NaN for FP), pred_id
        (NaN for FN), distance_mm, overlap_voxels and dice of the pair (NaN without one).

    Notes
    -----
    Thesis, section 6.7.1. Its text matches by distance, its released code by overlap.
    """
    reference = _check_labels(reference, "reference")
    predicted = _check_labels(predicted, "predicted")
    if reference.shape != predicted.shape:
        raise MatchingError(f"predicted: expected shape {reference.shape}, found {predicted.shape}")
    affine = _affine(affine_or_spacing)
    ref_ids, ref_sizes, ref_centres = _instances(reference, affine)
    pred_ids, pred_sizes, pred_centres = _instances(predicted, affine)

    gaps = ref_centres[:, None, :] - pred_centres[None, :, :]
    distance = np.round(np.linalg.norm(gaps, axis=2), 6)
    overlap = _overlaps(reference, predicted, ref_ids, pred_ids)
    if rule == "distance":
        admissible, cost = distance < max_distance_mm, distance
    elif rule == "overlap":
        admissible, cost = overlap > 0, (overlap.max(initial=0) - overlap).astype(float)
    else:
        raise MatchingError(f"rule: expected 'distance' or 'overlap', found {rule!r}")
    if assignment not in ("greedy", "optimal"):
        raise MatchingError(f"assignment: expected 'greedy' or 'optimal', found {assignment!r}")
    pairs = sorted((_greedy if assignment == "greedy" else _optimal)(cost, admissible))

    hit = {row for row, _ in pairs}
    explained = {column for _, column in pairs}
    nothing = (np.nan, np.nan, np.nan)
    rows = [
        (
            "TP",
            ref_ids[r],
            pred_ids[c],
            distance[r, c],
            overlap[r, c],
            2 * overlap[r, c] / (ref_sizes[r] + pred_sizes[c]),
        )
        for r, c in pairs
    ]
    rows += [("FN", i, np.nan, *nothing) for r, i in enumerate(ref_ids) if r not in hit]
    rows += [("FP", np.nan, i, *nothing) for c, i in enumerate(pred_ids) if c not in explained]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.astype({"call": "str", **dict.fromkeys(COLUMNS[1:], float)})
