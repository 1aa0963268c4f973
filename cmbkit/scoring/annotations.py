"""What somebody marked in one scan, read from a file: a mask, or a list of points."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd

from cmbkit.datasets.bids import is_annotation
from cmbkit.datasets.dou import read_centres
from cmbkit.datasets.text_table import TableError, as_numbers, read_text_table
from cmbkit.evaluation.instances import Instances, from_labels, from_mask, from_points
from cmbkit.scoring import slicer_points
from cmbkit.scoring.suspicions import (
    AnnotationError,
    merged_remarks,
    require_labels,
    require_mask,
    require_place,
    size_remarks,
)
from cmbkit.volume import Volume

POINT_ENDINGS = (".csv", ".tsv", ".mat", ".xlsx", *slicer_points.ENDINGS)
IN_MM, IN_VOXELS = slicer_points.IN_MM, ["i", "j", "k"]
IN_BIDS = dict(zip("xyz", IN_MM, strict=True))
Labelled = Literal["by name", "predictions", "reference", "both", "none"]
"""Whose masks hold one integer per microbleed. "by name": those whose names say so, as
``..._desc-cmb_dseg.nii.gz`` of `cmbkit.datasets.bids` and of ``cmbkit predict``."""


@dataclass(frozen=True)
class Annotated:
    """Microbleeds of one scan as a file holds them.

    Attributes
    ----------
    instances : Instances
    volume : Volume or None
        Instance labels on their grid; None for points.
    scores : dict of int to float
        Of each microbleed, where the file has them.
    remarks : tuple of str
        What makes one doubt that the file is meant so.
    """

    instances: Instances
    volume: Volume | None
    scores: dict[int, float]
    remarks: tuple[str, ...] = ()


def is_points(given) -> bool:
    """Whether a file is a list of points, by its ending; an image in memory is none."""
    return isinstance(given, str | os.PathLike) and str(given).lower().endswith(POINT_ENDINGS)


def read_mask(
    given, *, labelled: bool = False, connectivity: int = 6, grid: Volume | None = None
) -> Annotated:
    """Read a mask (non-zero is microbleed) or, when ``labelled``, instance labels.

    Parameters
    ----------
    given : path-like, nibabel image or Volume
    labelled : bool
        False: connected components are counted. True: one integer is one microbleed.
    connectivity : {6, 18, 26}
        Of the components.
    grid : Volume, optional
        Of the other side; a mask of the same space in another array order is brought into its.

    Raises
    ------
    AnnotationError
        If the image is no mask of microbleeds, or a labelled one holds no label for each.
    VolumeError
        If it cannot be read, or is not on the grid.
    """
    in_file = isinstance(given, str | os.PathLike)
    volume = Volume.of(given, np.integer if in_file else np.int32)
    if grid is not None:
        volume = volume.in_order_of(grid)
    name = str(volume.path or "volume")
    require_mask(volume, name)
    remarks = [f"{name}: {doubt}" for doubt in volume.doubts]
    if labelled:
        instances = from_labels(volume.data, volume.affine, name)
        remarks += require_labels(volume, name)
        labels = volume.data
    else:
        instances = from_mask(volume.data, volume.affine, connectivity)
        remarks += merged_remarks(volume, instances, name)
        labels = np.zeros(volume.shape, np.int32)
        labels.reshape(-1)[instances.voxels] = instances.ids[instances.owner]
    remarks += size_remarks(instances, volume, name)
    return Annotated(instances, volume.with_data(labels), {}, tuple(remarks))


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
    named = isinstance(given, str | os.PathLike) and is_annotation(Path(given))
    return named and "_dseg." in Path(given).name


def read_points(path, grid: Volume | None = None) -> Annotated:
    """Read a list of points: one row per microbleed, none for a scan without any.

    Parameters
    ----------
    path : path-like
        CSV, TSV or first sheet of an XLSX with columns x_mm, y_mm, z_mm (RAS millimetres), or
        i, j, k (0-based voxel indices in the array order of the other side's mask), and
        optionally score; in
        ``..._desc-cmb_points.tsv`` (`cmbkit.datasets.bids`) x, y, z are RAS millimetres, too.
        Or DOU's ``.mat`` (`cmbkit.datasets.dou`), 1-based voxels in the same array order; or a
        list of 3D Slicer (`cmbkit.scoring.slicer_points`).
    grid : Volume, optional
        The other side's mask; needed for voxels.
    """
    path = Path(path)
    if not path.is_file():
        raise AnnotationError(f"{path}: expected a list of points, found nothing")
    table = _table_of(path)
    in_mm = set(IN_MM) <= set(table)
    columns = IN_MM if in_mm else IN_VOXELS
    if not set(columns) <= set(table):
        hint = (
            "; name them x_mm, y_mm, z_mm if they are RAS millimetres"
            if set("xyz") <= set(table)
            else ""
        )
        raise AnnotationError(
            f"{path}: expected columns x_mm, y_mm, z_mm or i, j, k, found {', '.join(table)}{hint}"
        )
    columns = [*columns, *({"score"} & set(table))]
    lost = table[columns].isna().any(axis=1)
    if lost.any():
        row = table.index[lost][0]
        raise AnnotationError(f"{path}: expected numbers, found an empty cell in line {row}")
    try:
        numbers = as_numbers(table, columns, path)
    except TableError as error:
        raise AnnotationError(str(error)) from None
    points = numbers[columns[:3]].to_numpy(float)
    if not np.isfinite(points).all():
        raise AnnotationError(f"{path}: expected numbers, found infinity")
    if not in_mm:
        if grid is None:
            raise AnnotationError(f"{path}: expected x_mm, y_mm, z_mm where neither side is a mask")
        outside = ((points < -0.5) | (points > np.array(grid.shape) - 0.5)).any(axis=1)
        if outside.any():
            where = points[np.flatnonzero(outside)[0]].tolist()
            raise AnnotationError(f"{path}: expected voxels inside {grid.shape}, found {where}")
        points = grid.to_mm(points)
    require_place(points, grid, str(path))
    instances = from_points(points)
    scores = {}
    if "score" in numbers:
        scores = dict(zip(instances.ids.tolist(), numbers["score"].tolist(), strict=True))
    return Annotated(instances, None, scores)


def _table_of(path: Path) -> pd.DataFrame:
    """Rows of a list of points, in columns as `read_points` expects them."""
    if path.name.lower().endswith(".mat"):
        table = pd.DataFrame(read_centres(path) - 1, columns=IN_VOXELS).astype("str")
        table.attrs["separator"] = ","
        return table
    try:
        if path.name.lower().endswith(slicer_points.ENDINGS):
            table = slicer_points.read_slicer(path).astype("str")
            table.attrs["separator"] = ","
            return table
        table = read_text_table(path)
    except ValueError as error:
        raise AnnotationError(str(error)) from None
    table = table.rename(columns=str.lower)
    return table.rename(columns=IN_BIDS) if is_annotation(path) else table


def read_pair(
    reference,
    predicted,
    probability=None,
    *,
    labelled: Labelled = "by name",
    connectivity: int = 6,
) -> tuple[Annotated, Annotated, dict[int, float]]:
    """Read both sides of one scan, each a mask or points, and the scores of the predicted.

    Parameters
    ----------
    reference, predicted : path-like, nibabel image or Volume
    probability : path-like, nibabel image or Volume, optional
        The detector's map on the same grid; the score of a predicted microbleed is the
        highest value inside it.
    labelled : Labelled
    connectivity
        See `read_mask`.

    Raises
    ------
    VolumeError
        If two grids differ (shape, or affine by more than a tenth of a voxel); the array order
        may differ.
    """
    sides = reference, predicted
    masks: list[Annotated | None] = []
    grid = None
    for side, labels in zip(sides, labelled_sides(labelled, *sides), strict=True):
        found = None
        if not is_points(side):
            found = read_mask(side, labelled=labels, connectivity=connectivity, grid=grid)
            grid = grid or found.volume
        masks.append(found)
    first, second = (
        mask or read_points(side, grid) for mask, side in zip(masks, sides, strict=True)
    )
    scores = second.scores
    if probability is not None:
        scores = _peak_scores(second, probability)
    return first, second, scores


def _peak_scores(annotated: Annotated, probability) -> dict[int, float]:
    if annotated.volume is None:
        name = probability if isinstance(probability, str | os.PathLike) else "probability"
        raise AnnotationError(f"{name}: expected masks beside probabilities, found points")
    image = Volume.of(probability).in_order_of(annotated.volume)
    found = annotated.instances
    peaks = np.full(len(found), -np.inf)
    np.maximum.at(peaks, found.owner, image.data[np.unravel_index(found.voxels, image.shape)])
    return dict(zip(found.ids.tolist(), peaks.tolist(), strict=True))
