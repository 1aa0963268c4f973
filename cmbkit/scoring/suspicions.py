"""What somebody else may have been meant than what two files say: masks that are none, mirrors."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import cc3d
import numpy as np
from scipy.spatial.distance import cdist, pdist
from scipy.stats import binom

from cmbkit.boxes import bounding_box
from cmbkit.evaluation.instances import Instances, from_labels, from_points
from cmbkit.evaluation.matching import match_instances
from cmbkit.params import Evaluation
from cmbkit.volume import Volume

LARGEST_MM = 10.0  # of a microbleed, by definition
LARGE_ML = 4.2  # a ball of 20 mm
HUGE_ML = 100.0
MOST_OF_IMAGE = 0.2
BRAIN_MM3 = 1.2e6
BY_CHANCE = 1e-3
FARTHEST_MM = 1000.0  # from the isocentre
DIRECTIONS = {"LR": "left to right", "AP": "front to back", "IS": "top to bottom"}


class AnnotationError(ValueError):
    """A file of microbleeds cannot be used; the message names it."""


def require_mask(volume: Volume, name: str) -> None:
    """Raise where most of an image is not 0, as of the scan or a tissue mask, or some is below."""
    share = np.count_nonzero(volume.data) / volume.data.size
    if share > MOST_OF_IMAGE:
        raise AnnotationError(
            f"{name}: expected a mask of microbleeds, found {share:.0%} of the image other than 0; "
            "is it the scan itself, or a tissue mask?"
        )
    below = np.count_nonzero(volume.data < 0)
    if below:
        raise AnnotationError(
            f"{name}: expected 0 and whole numbers above, found {volume.data.min()} as the least, "
            f"{below} voxels below 0; is -1 what was not rated?"
        )


def size_remarks(found: Instances, volume: Volume, name: str) -> list[str]:
    """Say it where one microbleed is far larger than any; raise where it is a part of a brain."""
    largest = found.sizes.max(initial=0) * volume.voxel_volume_mm3 / 1000
    if largest > HUGE_ML:
        raise AnnotationError(
            f"{name}: expected microbleeds, of up to {LARGEST_MM:g} mm, found one of "
            f"{largest:.0f} ml; is it a brain or a tissue mask?"
        )
    if largest > LARGE_ML:
        return [f"{name}: one microbleed has {largest:.1f} ml, more than a ball of 20 mm"]
    return []


def require_labels(volume: Volume, name: str) -> list[str]:
    """Look whether each integer is one microbleed.

    Returns
    -------
    list of str
        A line where a few have pieces further apart than a microbleed is wide.

    Raises
    ------
    AnnotationError
        If this is so of half of them or more, as in a binary mask, or if one lies around another,
        as after linear interpolation.
    """
    if not volume.data.any():
        return []
    pieces, owner = _pieces(volume)
    around = _around_another(pieces, owner, volume)
    ids = np.unique(owner)
    apart = [i for i in ids if pdist(pieces.centres_mm[owner == i]).max(initial=0) > LARGEST_MM]
    if around or 2 * len(apart) >= len(ids):
        if len(ids) == 1 and not apart:
            return []
        seen = f"{around[0]} around {around[1]}" if around else _far(apart, owner)
        remedy = (
            "resample labels to the nearest neighbour"
            if around or len(ids) > 1
            else "--labelled none (or that of the other side alone) counts pieces"
        )
        raise AnnotationError(
            f"{name}: expected one integer per microbleed, found {seen}; {remedy}"
        )
    return [f"{name}: {_far(apart, owner)}, over {LARGEST_MM:g} mm apart"] if apart else []


def _far(apart: list, owner: np.ndarray) -> str:
    return f"{apart[0]} in all of {(owner == apart[0]).sum()} pieces"


def _pieces(volume: Volume) -> tuple[Instances, np.ndarray]:
    """Connected parts of one value each, and the value of each."""
    box = bounding_box(volume.data != 0)
    cut = np.ascontiguousarray(volume.data[box], np.int64)
    corner = np.eye(4)
    corner[:3, 3] = [part.start for part in box]
    found = from_labels(cc3d.connected_components(cut, connectivity=26), volume.affine @ corner)
    owner = np.zeros(len(found), np.int64)
    owner[found.owner] = cut.reshape(-1)[found.voxels]
    return found, owner


def _around_another(pieces: Instances, owner: np.ndarray, volume: Volume) -> tuple | None:
    """Two values whose pieces have one centre; two that lie beside each other have two."""
    close = np.triu(cdist(pieces.centres_mm, pieces.centres_mm) < volume.spacing.min(), 1)
    for one, other in np.argwhere(close & (owner[:, None] != owner[None])):
        return tuple(int(v) for v in np.sort(owner[[one, other]]))
    return None


def merged_remarks(volume: Volume, found: Instances, name: str) -> list[str]:
    """Say it where connected parts are counted, and one holds several integers."""
    values = volume.data.reshape(-1)[found.voxels]
    pairs = np.unique(np.stack([found.owner, values.astype(np.int64)]), axis=1)
    several = np.flatnonzero(np.bincount(pairs[0], minlength=len(found)) > 1)
    if not several.size:
        return []
    ids = len(np.unique(values))
    return [
        f"{name}: {len(found)} pieces counted, which hold {ids} integers ({len(several)} of them "
        "more than one); --labelled counts integers"
    ]


def require_place(points: np.ndarray, grid: Volume | None, name: str) -> None:
    """Raise unless points, shape (n, 3) in mm, can lie in a head and in the other side's image."""
    if np.abs(points).max(initial=0) > FARTHEST_MM:
        far = points[np.abs(points).max(axis=1).argmax()].tolist()
        raise AnnotationError(f"{name}: expected millimetres, found {far}; in microns?")
    if len(np.unique(points, axis=0)) > 1 and np.abs(points).max() < 1:
        raise AnnotationError(f"{name}: expected millimetres, found all within 1 mm; in metres?")
    outside = _outside_mm(points, grid) if grid is not None else np.zeros(0)
    if outside.max(initial=0) <= LARGEST_MM:
        return
    worst = outside.argmax()
    mirrored = _outside_mm(points * [-1, -1, 1], grid).max() <= LARGEST_MM
    hint = "; with x and y negated (LPS) all lie inside" if mirrored else ""
    raise AnnotationError(
        f"{name}: expected points inside the image of {grid.path or 'the other side'}, found "
        f"{points[worst].tolist()}, {outside[worst]:.0f} mm outside{hint}"
    )


def _outside_mm(points: np.ndarray, grid: Volume) -> np.ndarray:
    voxels = grid.to_voxels(points)
    beyond = np.maximum(-0.5 - voxels, voxels - (np.array(grid.shape) - 0.5))
    return np.linalg.norm(np.maximum(beyond, 0) * grid.spacing, axis=-1)


def mirrored_matches(
    reference: Instances, predicted: Instances, grid: Volume | None, params: Evaluation
) -> dict[str, int]:
    """Number of matches if the predicted side were mirrored, or two axes swapped, by how.

    Nothing where at least half of what can match does.
    """
    least = min(len(reference), len(predicted))
    if least == 0 or 2 * _matches(reference, predicted.centres_mm, params) >= least:
        return {}
    in_mm = grid is None or predicted.shape is None or reference.shape is None
    moved = [*(_in_space(predicted.centres_mm) if in_mm else ())]
    moved += [*(_in_array(predicted.centres_mm, grid) if grid is not None else ())]
    found: dict[str, int] = {}
    for how, centres in moved:
        found[how] = max(found.get(how, 0), _matches(reference, centres, params))
    return found


def _matches(reference: Instances, centres: np.ndarray, params: Evaluation) -> int:
    found = match_instances(
        reference, from_points(centres), max_distance_mm=params.max_distance_mm, assignment="greedy"
    )
    return int((found["match"] == "TP").sum())


def _in_array(centres: np.ndarray, grid: Volume) -> Iterator[tuple[str, np.ndarray]]:
    voxels, size = grid.to_voxels(centres), np.array(grid.shape)
    letters = grid.orientation
    names = [next(said for ends, said in DIRECTIONS.items() if axis in ends) for axis in letters]
    for flips in product((False, True), repeat=3):
        if any(flips):
            how = " and ".join(name for name, flip in zip(names, flips, strict=True) if flip)
            yield f"mirrored {how}", grid.to_mm(np.where(flips, size - 1 - voxels, voxels))
    for one, two in combinations(range(3), 2):
        if size[one] == size[two]:
            order = np.arange(3)
            order[[one, two]] = two, one
            yield f"with array axes {one} and {two} swapped", grid.to_mm(voxels[:, order])


def _in_space(centres: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield "with x and y negated (LPS)", centres * [-1, -1, 1]
    yield "with x negated", centres * [-1, 1, 1]
    yield "with y negated", centres * [1, -1, 1]


def is_no_chance(would: int, pairs: list[tuple[int, int]], params: Evaluation) -> bool:
    """Whether so many matches are more than random places in a brain give.

    ``pairs``: numbers of annotated and of predicted microbleeds of each scan.
    """
    ball = 4 / 3 * np.pi * params.max_distance_mm**3 / BRAIN_MM3
    n = sum(reference for reference, _ in pairs)
    expected = sum(r * min(1.0, p * ball) for r, p in pairs)
    return would > 1 and bool(binom.sf(would - 1, n, expected / n) < BY_CHANCE)


def mirror_remarks(scans: list[tuple[int, int, int, dict[str, int]]], params) -> dict[int, str]:
    """Lines about scans whose sides match when one is mirrored, by their position.

    Each scan has its matches, annotated and predicted microbleeds, and `mirrored_matches`. One
    scan speaks for itself where that is no chance, else all of them together.
    """
    lines: dict[int, str] = {}
    for index, (tp, n_gt, n_pred, found) in enumerate(scans):
        how = max(found, key=lambda name: found[name], default="")
        if found and found[how] > 2 * tp and is_no_chance(found[how], [(n_gt, n_pred)], params):
            lines[index] = f"{how}, {found[how]} of {min(n_gt, n_pred)} would match, {tp} do"
    pairs = [(n_gt, n_pred) for _, n_gt, n_pred, _ in scans if n_gt]
    as_given = sum(tp for tp, *_ in scans)
    ways = {how for *_, found in scans for how in found}
    total = {how: sum(found.get(how, 0) for *_, found in scans) for how in sorted(ways)}
    best = max(total, key=lambda name: total[name], default="")
    if (
        not lines
        and best
        and total[best] > 2 * as_given
        and is_no_chance(total[best], pairs, params)
    ):
        for index, (tp, n_gt, n_pred, found) in enumerate(scans):
            if found.get(best, 0) > tp:
                lines[index] = f"{best}, {found[best]} of {min(n_gt, n_pred)} would match, {tp} do"
    return lines
