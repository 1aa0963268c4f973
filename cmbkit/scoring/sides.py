"""What several raters or detectors marked in one scan, on one grid."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, get_args

from cmbkit.datasets.bids import is_annotation
from cmbkit.scoring import layouts
from cmbkit.scoring.annotations import Annotated, peak_scores, read_mask
from cmbkit.scoring.points import is_points, read_points
from cmbkit.scoring.suspicions import AnnotationError

Labelled = Literal["by name", "predictions", "reference", "both", "none"]
"""Whose masks hold one integer per microbleed. "by name": those whose names say so, as
``..._desc-cmb_dseg.nii.gz`` of `cmbkit.datasets.bids` and of ``cmbkit predict``, and tools' labels
(`cmbkit.scoring.layouts`)."""


def labelled_sides(word: Labelled, reference, predicted) -> tuple[bool, bool]:
    """Whether the mask of each side is labelled (see `Labelled`).

    Raises
    ------
    AnnotationError
        If the word is not known.
    """
    if word not in get_args(Labelled):
        expected = ", ".join(get_args(Labelled))
        raise AnnotationError(f"labelled: expected one of {expected}, found {word!r}")
    if word == "by name":
        return _named_labels(reference), _named_labels(predicted)
    return word in ("reference", "both"), word in ("predictions", "both")


def _named_labels(given) -> bool:
    if layouts.tool_layout(given).holds == "labels":
        return True
    named = isinstance(given, str | os.PathLike) and is_annotation(Path(given))
    return named and "_dseg." in Path(given).name


def read_sides(sides, labels, connectivity: int = 6, rated=None) -> list[Annotated]:
    """Read what several raters or detectors marked in one scan: masks first, then points.

    Parameters
    ----------
    sides : sequence of path-like, nibabel image or Volume
    labels, rated : sequence of bool
        Whose masks are labelled, and rated (see `annotations.read_mask`; none by default).
    """
    rated = rated or [False] * len(sides)
    found: list[Annotated | None] = []
    grid = None
    for side, labelled, words in zip(sides, labels, rated, strict=True):
        mask = None
        if not is_points(side):
            how = {"labelled": labelled, "connectivity": connectivity, "rated": words}
            mask = read_mask(side, grid=grid, **how)
            grid = grid or mask.volume
        found.append(mask)
    return [mask or read_points(side, grid) for mask, side in zip(found, sides, strict=True)]


def read_pair(
    reference,
    predicted,
    probability=None,
    *,
    labelled: Labelled = "by name",
    connectivity: int = 6,
    rated: bool = False,
) -> tuple[Annotated, Annotated, dict[int, float]]:
    """Read both sides of one scan, each a mask or points, and the scores of the predicted.

    Parameters
    ----------
    reference, predicted : path-like, nibabel image or Volume
    probability : path-like, nibabel image or Volume, optional
        The detector's map on the same grid; the score of a predicted microbleed is the
        highest value inside it.
    labelled : Labelled
    connectivity, rated
        See `annotations.read_mask`; only the reference can be rated.

    Raises
    ------
    VolumeError
        If two grids differ (shape, or affine by more than a tenth of a voxel); the array order
        may differ.
    """
    sides = reference, predicted
    labels = labelled_sides(labelled, *sides)
    first, second = read_sides(sides, labels, connectivity, (rated, False))
    scores = second.scores
    if probability is not None:
        scores = peak_scores(second, probability)
    return first, second, scores
