"""Tidying microbleeds after resampling: pruning, hole filling, closing (section 5.2, step 5)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cmbkit.boxes import widened
from cmbkit.preprocessing.changes import Change
from cmbkit.preprocessing.grid import label_boxes
from cmbkit.preprocessing.region_growing import SIX, largest_component


def prune(labels: np.ndarray, centres: dict[int, np.ndarray], tolerance: float) -> list[Change]:
    """Keep of each label the components that hold its centre.

    Parameters
    ----------
    labels : ndarray of int, shape (i, j, k)
        Changed in place.
    centres : dict
        Label to expected centre of mass, in voxels.
    tolerance : float
        A component holds the centre if one of its voxels is at most this many voxels away.

    Returns
    -------
    list of Change
        One for each label that changed. Where no component holds the centre, the nearest is
        kept, so the count stays.
    """
    changes = []
    for label, box in label_boxes(labels):
        parts, count = ndimage.label(labels[box] == label, SIX)
        voxels = np.argwhere(parts)
        owner = parts[tuple(voxels.T)]
        centre = centres[label] - [s.start for s in box]
        away = np.linalg.norm(voxels - centre, axis=1)
        nearest = np.array([away[owner == part].min() for part in range(1, count + 1)])
        keep = np.flatnonzero(nearest <= tolerance) + 1
        if not len(keep):
            keep = [nearest.argmin() + 1]
            changes.append(Change("pruning", label, "nearest", count, 1))
        elif len(keep) < count:
            changes.append(Change("pruning", label, "pruned", count, len(keep)))
        labels[box][(parts > 0) & ~np.isin(parts, keep)] = 0
    return changes


def close(labels: np.ndarray, iterations: int) -> list[Change]:
    """Fill holes, close gaps, keep the largest component of each label.

    ``iterations`` 6-connected dilations are followed by as many erosions. Voxels of other
    labels stay theirs. Changes ``labels`` in place; returns what was done to which label.
    """
    changes = []
    for label, box in label_boxes(labels):
        view = labels[widened(box, iterations, labels.shape)]
        before = view == label
        mask = ndimage.binary_fill_holes(np.pad(before, iterations + 1))
        if iterations:
            mask = ndimage.binary_dilation(mask, SIX, iterations)
            mask = ndimage.binary_erosion(mask, SIX, iterations)
        inner = slice(iterations + 1, -(iterations + 1))
        mask = largest_component(mask[inner, inner, inner] & ((view == 0) | before))
        if (mask == before).all():
            continue
        size, more = int(before.sum()), int((mask | before).sum())
        if more > size:
            changes.append(Change("closing", label, "added", size, more))
        if more > mask.sum():
            changes.append(Change("closing", label, "removed", more, int(mask.sum())))
        view[before] = 0
        view[mask] = label
    return changes
