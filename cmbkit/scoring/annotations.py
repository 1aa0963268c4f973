"""What somebody marked in one scan, read from a file: a mask, or a list of points."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import nibabel as nib
import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial.distance import pdist

from cmbkit.datasets.bids import is_annotation
from cmbkit.datasets.dou import read_centres
from cmbkit.evaluation.instances import Instances, from_labels, from_mask, from_points
from cmbkit.volume import Volume, VolumeError

MASK_ENDINGS = (".nii.gz", ".nii")
POINT_ENDINGS = (".csv", ".tsv", ".mat")
IN_MM, IN_VOXELS = ["x_mm", "y_mm", "z_mm"], ["i", "j", "k"]
IN_BIDS = dict(zip("xyz", IN_MM, strict=True))
LARGEST_MM = 10.0  # of a microbleed, by definition
Labelled = Literal["by name", "predictions", "reference", "both", "none"]
"""Whose masks hold one integer per microbleed. "by name": those whose names say so, as
``..._desc-cmb_dseg.nii.gz`` of `cmbkit.datasets.bids` and of ``cmbkit predict``."""


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

    Raises
    ------
    AnnotationError
        If a labelled mask has one value for what lies further apart than a microbleed is wide.
    """
    in_file = isinstance(given, str | os.PathLike)
    volume = Volume.of(given, _stored_integer(Path(given)) if in_file else np.int32)
    if labelled:
        name = str(volume.path or "volume")
        _require_labels(volume, name)
        return Annotated(from_labels(volume.data, volume.affine, name), volume, {})
    instances = from_mask(volume.data, volume.affine, connectivity)
    labels = np.zeros(volume.shape, np.int32)
    labels.reshape(-1)[instances.voxels] = instances.ids[instances.owner]
    return Annotated(instances, volume.with_data(labels), {})


def _require_labels(volume: Volume, name: str) -> None:
    """Raise for a binary mask of several microbleeds, which would count as one."""
    values = np.unique(volume.data[volume.data > 0])
    if len(values) != 1:
        return
    pieces, count = ndimage.label(volume.data > 0, np.ones((3, 3, 3)))
    centres = volume.to_mm(ndimage.center_of_mass(pieces > 0, pieces, range(1, count + 1)))
    if count > 1 and pdist(centres).max() > LARGEST_MM:
        raise AnnotationError(
            f"{name}: expected one integer per microbleed, found {values[0]} in all of {count} "
            "pieces; --labelled none (or that of the other side alone) counts pieces"
        )


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
        voxel indices in the array order of the other side's mask), and optionally score; in
        ``..._desc-cmb_points.tsv`` (`cmbkit.datasets.bids`) x, y, z are RAS millimetres, too.
        Or DOU's ``.mat`` (`cmbkit.datasets.dou`), 1-based voxels in the same array order.
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


def _table_of(path: Path) -> pd.DataFrame:
    """Rows of a list of points, in columns as `read_points` expects them."""
    if path.name.lower().endswith(".mat"):
        return pd.DataFrame(read_centres(path) - 1, columns=IN_VOXELS)
    try:
        table = pd.read_csv(path, sep="\t" if path.name.lower().endswith(".tsv") else ",")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise AnnotationError(f"{path}: expected a table of points, found: {error}") from None
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
        If two grids differ (shape, or affine by more than 1e-3 mm).
    """
    sides = reference, predicted
    masks = [
        None if is_points(side) else read_mask(side, labelled=labels, connectivity=connectivity)
        for side, labels in zip(sides, labelled_sides(labelled, *sides), strict=True)
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
