"""What somebody marked in one scan, read from a file: a mask, or a list of points."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from cmbkit.evaluation.instances import Instances, from_labels, from_mask, from_points
from cmbkit.volume import Volume, VolumeError

MASK_ENDINGS = (".nii.gz", ".nii")
POINT_ENDINGS = (".csv", ".tsv")
IN_MM, IN_VOXELS = ["x_mm", "y_mm", "z_mm"], ["i", "j", "k"]


class AnnotationError(ValueError):
    """A file of microbleeds cannot be used; the message names it."""


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
    """

    instances: Instances
    volume: Volume | None
    scores: dict[int, float]


def is_points(given) -> bool:
    """Whether a file is a list of points, by its ending; an image in memory is none."""
    return isinstance(given, str | os.PathLike) and str(given).lower().endswith(POINT_ENDINGS)


def read_mask(given, *, labelled: bool = False, connectivity: int = 6) -> Annotated:
    """Read a mask (non-zero is microbleed) or, when ``labelled``, instance labels.

    Parameters
    ----------
    given : path-like, nibabel image or Volume
    labelled : bool
        False: connected components are counted. True: one integer is one microbleed.
    connectivity : {6, 18, 26}
        Of the components.
    """
    in_file = isinstance(given, str | os.PathLike)
    volume = Volume.of(given, _stored_integer(Path(given)) if in_file else np.int32)
    if labelled:
        name = str(volume.path or "volume")
        return Annotated(from_labels(volume.data, volume.affine, name), volume, {})
    instances = from_mask(volume.data, volume.affine, connectivity)
    labels = np.zeros(volume.shape, np.int32)
    labels.reshape(-1)[instances.voxels] = instances.ids[instances.owner]
    return Annotated(instances, volume.with_data(labels), {})


def _stored_integer(path: Path) -> np.dtype:
    """Integer type in which to read a mask: the file's own, where it is one without scaling."""
    if not path.is_file():
        raise VolumeError(f"{path}: expected a NIfTI file, found nothing")
    try:
        proxy = nib.load(path).dataobj
    except Exception as error:
        raise VolumeError(f"{path}: expected a readable NIfTI file, found: {error}") from error
    stored = np.dtype(proxy.dtype)
    plain = (proxy.slope, proxy.inter) == (1, 0)
    return stored if plain and np.issubdtype(stored, np.integer) else np.dtype(np.int32)


def read_points(path, grid: Volume | None = None) -> Annotated:
    """Read a list of points: one row per microbleed, none for a scan without any.

    Parameters
    ----------
    path : path-like
        CSV (or TSV) with columns x_mm, y_mm, z_mm (RAS millimetres), or i, j, k (0-based
        voxel indices in the array order of the other side's mask), and optionally score.
    grid : Volume, optional
        The other side's mask; needed for i, j, k.
    """
    path = Path(path)
    if not path.is_file():
        raise AnnotationError(f"{path}: expected a list of points, found nothing")
    try:
        table = pd.read_csv(path, sep="\t" if path.name.lower().endswith(".tsv") else ",")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise AnnotationError(f"{path}: expected a table of points, found: {error}") from None
    in_mm = set(IN_MM) <= set(table)
    columns = IN_MM if in_mm else IN_VOXELS
    if not set(columns) <= set(table):
        raise AnnotationError(
            f"{path}: expected columns x_mm, y_mm, z_mm or i, j, k, found {', '.join(table)}"
        )
    numbers = table.reindex(columns=[*columns, *({"score"} & set(table))])
    numbers = numbers.apply(pd.to_numeric, errors="coerce")
    if not np.isfinite(numbers.to_numpy(float)).all():
        row = int(np.flatnonzero(~np.isfinite(numbers.to_numpy(float)).all(axis=1))[0])
        raise AnnotationError(f"{path}: expected numbers, found {table.iloc[row].to_dict()}")
    points = numbers[columns].to_numpy(float)
    if not in_mm:
        if grid is None:
            raise AnnotationError(f"{path}: expected x_mm, y_mm, z_mm where neither side is a mask")
        outside = ((points < -0.5) | (points > np.array(grid.shape) - 0.5)).any(axis=1)
        if outside.any():
            where = points[np.flatnonzero(outside)[0]].tolist()
            raise AnnotationError(f"{path}: expected voxels inside {grid.shape}, found {where}")
        points = grid.to_mm(points)
    instances = from_points(points)
    scores = {}
    if "score" in numbers:
        scores = dict(zip(instances.ids.tolist(), numbers["score"].tolist(), strict=True))
    return Annotated(instances, None, scores)


def read_pair(
    reference, predicted, probability=None, *, labelled: bool = False, connectivity: int = 6
) -> tuple[Annotated, Annotated, dict[int, float]]:
    """Read both sides of one scan, each a mask or points, and the scores of the predicted.

    Parameters
    ----------
    reference, predicted : path-like, nibabel image or Volume
    probability : path-like, nibabel image or Volume, optional
        The detector's map on the same grid; the score of a predicted microbleed is the
        highest value inside it.
    labelled, connectivity
        See `read_mask`.

    Raises
    ------
    VolumeError
        If two grids differ (shape, or affine by more than 1e-3 mm).
    """
    sides = reference, predicted
    masks = [
        None if is_points(side) else read_mask(side, labelled=labelled, connectivity=connectivity)
        for side in sides
    ]
    grid = next((mask.volume for mask in masks if mask), None)
    first, second = (
        mask or read_points(side, grid) for mask, side in zip(masks, sides, strict=True)
    )
    if first.volume and second.volume:
        first.volume.require_same_grid(second.volume)
    scores = second.scores
    if probability is not None:
        scores = _peak_scores(second, probability)
    return first, second, scores


def _peak_scores(annotated: Annotated, probability) -> dict[int, float]:
    if annotated.volume is None:
        name = probability if isinstance(probability, str | os.PathLike) else "probability"
        raise AnnotationError(f"{name}: expected masks beside probabilities, found points")
    image = Volume.of(probability)
    annotated.volume.require_same_grid(image)
    found = annotated.instances
    peaks = np.full(len(found), -np.inf)
    np.maximum.at(peaks, found.owner, image.data[np.unravel_index(found.voxels, image.shape)])
    return dict(zip(found.ids.tolist(), peaks.tolist(), strict=True))
