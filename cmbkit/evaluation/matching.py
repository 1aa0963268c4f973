"""Pairing predicted with annotated microbleeds: who is a TP, an FP, an FN (section 6.7.1)."""

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from cmbkit.evaluation.instances import (
    Instances,
    MatchingError,
    from_labels,
    on_grid,
    on_its_grid,
)
from cmbkit.volume import is_image

COLUMNS = ["match", "gt_id", "pred_id", "distance_mm", "overlap_voxels", "dice"]


def overlaps(reference: Instances, predicted: Instances) -> np.ndarray:
    """Shared voxels of every pair, shape (n reference, n predicted)."""
    counts = np.zeros((len(reference), len(predicted)), int)
    # Every voxel of one list that the other holds too; points may hold a voxel twice.
    low = np.searchsorted(predicted.voxels, reference.voxels, "left")
    high = np.searchsorted(predicted.voxels, reference.voxels, "right")
    for extra in range(int((high - low).max(initial=0))):
        at = np.flatnonzero(low + extra < high)
        np.add.at(counts, (reference.owner[at], predicted.owner[low[at] + extra]), 1)
    return counts


def distances_mm(reference: Instances, predicted: Instances) -> np.ndarray:
    """Between centres of mass, to 1e-6 mm, shape (n reference, n predicted)."""
    gaps = reference.centres_mm[:, None, :] - predicted.centres_mm[None, :, :]
    return np.round(np.linalg.norm(gaps, axis=2), 6)


def greedy(cost, admissible) -> list[tuple[int, int]]:
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
    """As many pairs as possible, then the lowest total cost; ties by lower ids, then in order."""
    if not admissible.any():
        return []
    # In steps of 1e-6 mm, so that what decides between equal totals adds up to less than one.
    steps = np.rint(cost * 1e6)
    row, column = np.indices(cost.shape)
    preference = (row + column) * float(cost.size) - row * column
    steps += preference / ((preference.max() + 1) * (min(cost.shape) + 1))
    forbidden = (steps[admissible].max() + 1) * (min(cost.shape) + 1)
    rows, columns = linear_sum_assignment(np.where(admissible, steps, forbidden))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if admissible[r, c]]


def _adding(cost, admissible, scores, pair) -> np.ndarray:
    """Whether each column adds a pair when the threshold falls to its score.

    One more column makes a matching one larger or leaves its size, so running sums of this are
    the sizes of the matchings made anew at every threshold.
    """
    adding, size = np.zeros(len(scores), bool), 0
    kept: list[int] = []
    for column in np.argsort(-scores, kind="stable"):
        if admissible[:, column].any():
            kept = sorted([*kept, int(column)])
            found = len(pair(cost[:, kept], admissible[:, kept]))
            adding[column], size = found > size, found
    return adding


def match(
    reference,
    predicted,
    affine_or_spacing=None,
    *,
    rule: str = "distance",
    max_distance_mm: float = 5.0,
    assignment: str = "greedy",
) -> pd.DataFrame:
    """Pair predicted with annotated microbleeds, one to one.

    Parameters
    ----------
    reference, predicted : ndarray of int, shape (i, j, k); path-like; nibabel image or Volume
        Instance labels on one grid: 0 is background, every microbleed has its own integer.
    affine_or_spacing : array-like, shape (4, 4), (3,) or ()
        Voxel-to-mm affine, or the voxel size in mm: of arrays; images have their own.
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
        total overlap); between equal totals lower ids are taken first, and of the same ids
        the lower reference goes with the lower predicted one.

    Returns
    -------
    DataFrame
        One row per TP, FN and FP, in this order, by id: match, gt_id (NaN for FP), pred_id
        (NaN for FN), distance_mm, overlap_voxels and dice of the pair (NaN without one).

    Notes
    -----
    Thesis, section 6.7.1. Its text matches by distance, its released code by overlap.

    Examples
    --------
    One microbleed is found 1 mm away, one is missed; something else is called:

    >>> import numpy as np
    >>> reference, predicted = np.zeros((2, 40, 40, 40), int)
    >>> reference[10, 10, 10], reference[30, 30, 30] = 1, 2
    >>> predicted[12, 10, 10], predicted[5, 30, 30] = 1, 2
    >>> match(reference, predicted, 0.5)[["match", "gt_id", "pred_id", "distance_mm"]]
      match  gt_id  pred_id  distance_mm
    0    TP    1.0      1.0          1.0
    1    FN    2.0      NaN          NaN
    2    FP    NaN      2.0          NaN
    """
    sides = [
        on_its_grid(reference, affine_or_spacing, "reference"),
        on_its_grid(predicted, affine_or_spacing, "predicted"),
    ]
    if sides[0].shape != sides[1].shape:
        raise MatchingError(f"predicted: expected shape {sides[0].shape}, found {sides[1].shape}")
    if is_image(reference):
        sides[0].require_same_grid(sides[1])
    found = [
        from_labels(side.data, side.affine, name)
        for side, name in zip(sides, ("reference", "predicted"), strict=True)
    ]
    return match_instances(
        *found, rule=rule, max_distance_mm=max_distance_mm, assignment=assignment
    )


def match_instances(
    reference: Instances,
    predicted: Instances,
    *,
    rule: str = "distance",
    max_distance_mm: float = 5.0,
    assignment: str = "greedy",
    affine=None,
    scores=None,
) -> pd.DataFrame:
    """Pair microbleeds that are already listed; else as `match`.

    Parameters
    ----------
    reference, predicted : Instances
        Each from labels, a mask or points. Two grids must be the same grid.
    rule, max_distance_mm, assignment
        See `match`. By overlap, a point matches the microbleed whose voxel it lies in, and
        two lists of points cannot be matched.
    affine : ndarray, shape (4, 4), optional
        Of the grid of the side that has one; needed to match points by overlap.
    scores : array-like, shape (n predicted,), optional
        How sure the detector is of each.

    Returns
    -------
    DataFrame
        See `match`; overlap_voxels and dice are NaN where one side is points. With scores also
        score, and adds: "TP" or "FP", what a candidate adds when the threshold falls to its score
        and all is matched anew.
    """
    if assignment not in ("greedy", "optimal"):
        raise MatchingError(f"assignment: expected 'greedy' or 'optimal', found {assignment!r}")
    if rule not in ("distance", "overlap"):
        raise MatchingError(f"rule: expected 'distance' or 'overlap', found {rule!r}")
    grids = [side.shape for side in (reference, predicted) if side.shape is not None]
    if len(grids) == 2 and grids[0] != grids[1]:
        raise MatchingError(f"predicted: expected shape {grids[0]}, found {grids[1]}")
    outlined = len(grids) == 2
    if rule == "overlap" and not outlined:
        if not grids or affine is None:
            raise MatchingError("rule 'overlap': expected a mask on one side, found points")
        reference, predicted = (
            side if side.shape is not None else on_grid(side, grids[0], affine)
            for side in (reference, predicted)
        )
    distance, overlap = distances_mm(reference, predicted), overlaps(reference, predicted)
    if rule == "distance":
        admissible, cost = distance < max_distance_mm, distance
    else:
        admissible, cost = overlap > 0, (overlap.max(initial=0) - overlap).astype(float)
    pair = greedy if assignment == "greedy" else _optimal
    pairs = sorted(pair(cost, admissible))
    table = _table(reference, predicted, pairs, distance, overlap if outlined else None)
    if scores is None:
        return table
    scores = np.asarray(scores, float)
    adds = np.where(_adding(cost, admissible, scores, pair), "TP", "FP")
    own = pd.DataFrame({"pred_id": predicted.ids.astype(float), "score": scores, "adds": adds})
    return table.merge(own, on="pred_id", how="left")


def _table(reference, predicted, pairs, distance, overlap) -> pd.DataFrame:
    hit = {row for row, _ in pairs}
    explained = {column for _, column in pairs}
    nothing = (np.nan, np.nan, np.nan)
    rows = []
    for r, c in pairs:
        shared = (np.nan, np.nan)
        if overlap is not None:
            dice = 2 * overlap[r, c] / (reference.sizes[r] + predicted.sizes[c])
            shared = (overlap[r, c], dice)
        rows.append(("TP", reference.ids[r], predicted.ids[c], distance[r, c], *shared))
    rows += [("FN", i, np.nan, *nothing) for r, i in enumerate(reference.ids) if r not in hit]
    rows += [("FP", np.nan, i, *nothing) for c, i in enumerate(predicted.ids) if c not in explained]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.astype({"match": "str", **dict.fromkeys(COLUMNS[1:], float)})
