"""What somebody marked in one scan, read from an image: a mask, instance labels or a map."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cmbkit.evaluation.instances import Instances, from_labels, from_mask, from_points
from cmbkit.image_file import load_header
from cmbkit.scoring import layouts
from cmbkit.scoring.suspicions import (
    AnnotationError,
    merged_remarks,
    require_labels,
    require_mask,
    require_place,
    size_remarks,
)
from cmbkit.volume import Volume, VolumeError


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
    uncertain : tuple of int
        Ids of the microbleeds of which the rater was not certain.
    """

    instances: Instances
    volume: Volume | None
    scores: dict[int, float]
    remarks: tuple[str, ...] = ()
    uncertain: tuple[int, ...] = ()


def read_mask(
    given,
    *,
    labelled: bool = False,
    connectivity: int = 6,
    grid: Volume | None = None,
    rated: bool = False,
) -> Annotated:
    """Read a mask (non-zero is microbleed) or, when ``labelled``, instance labels.

    Parameters
    ----------
    given : path-like, nibabel image or Volume
        A file of a tool is read as `cmbkit.scoring.layouts` says.
    labelled : bool
        False: connected components are counted. True: one integer is one microbleed.
    connectivity : {6, 18, 26}
        Of the components.
    grid : Volume, optional
        Of the other side; a mask of the same space in another array order is brought into its.
    rated : bool
        Whether 1 stands for certain and 2 for uncertain microbleeds.

    Raises
    ------
    AnnotationError
        If the image is no mask of microbleeds, a labelled one holds no label for each, or a rated
        one other values.
    VolumeError
        If it cannot be read, or is not on the grid.
    """
    layout = layouts.tool_layout(given)
    volume, soft = _mask_and_map(given, layout)
    alone = grid is not None and layout.own_grid and not _fits(volume, grid)
    if grid is not None and not alone:
        volume = volume.in_order_of(grid)
    name = str(volume.path or "volume")
    require_mask(volume, name)
    remarks = [f"{name}: {doubt}" for doubt in (*volume.doubts, *_no_numbers(given))]
    uncertain: tuple[int, ...] = ()
    if labelled and rated:
        raise AnnotationError(
            f"{name}: expected 0, 1 (certain) and 2 (uncertain) to ignore what is uncertain, found "
            "one integer per microbleed; --labelled none, or points with a column certainty"
        )
    if labelled:
        instances = from_labels(volume.data, volume.affine, name)
        remarks += [*require_labels(volume, name), *layouts.beside_remarks(name, instances)]
        labels = volume.data
    else:
        instances = from_mask(volume.data, volume.affine, layout.connectivity or connectivity)
        if rated:
            uncertain = _rated_uncertain(volume, instances, name)
        else:
            remarks += merged_remarks(volume, instances, name)
        labels = np.zeros(volume.shape, np.int32)
        labels.reshape(-1)[instances.voxels] = instances.ids[instances.owner]
    remarks += size_remarks(instances, volume, name)
    scores = layouts.box_scores(name)
    found = Annotated(instances, volume.with_data(labels), scores, tuple(remarks), uncertain)
    if soft is not None:
        found = replace(found, scores=peak_scores(found, soft))
    return _centres_alone(found, grid, name) if alone else found


def _mask_and_map(given, layout: layouts.ToolLayout) -> tuple[Volume, Volume | Path | None]:
    """The mask that a file holds, and what its microbleeds' scores are read from."""
    in_file = isinstance(given, str | os.PathLike)
    try:
        return Volume.of(given, np.integer if in_file else np.int32), layouts.scores_beside(given)
    except VolumeError:
        if layout.holds != "map":
            raise
    soft = Volume.of(given)
    if soft.data.min() < 0 or soft.data.max() > 1:
        raise AnnotationError(
            f"{given}: expected a map from 0 to 1, found {soft.data.min():g} to {soft.data.max():g}"
        )
    return soft.with_data((soft.data > layouts.LEAST_SCORE).astype(np.uint8)), soft


def _no_numbers(given) -> list[str]:
    """What is said of voxels that are no number, which `Volume.of` takes for 0 in a mask."""
    if isinstance(given, str | os.PathLike):
        stored = load_header(Path(given)).get_data_dtype()
        if not np.issubdtype(stored, np.inexact):
            return []
    data = Volume.of(given).data
    n = int(np.isnan(data).sum()) if np.issubdtype(data.dtype, np.inexact) else 0
    return [f"not a number in {n} of {data.size} voxels, which count as 0"] if n else []


def _fits(volume: Volume, grid: Volume) -> bool:
    try:
        volume.in_order_of(grid)
    except VolumeError:
        return False
    return True


def _centres_alone(found: Annotated, grid: Volume | None, name: str) -> Annotated:
    """Centres of a mask that its tool wrote on a grid of its own."""
    require_place(found.instances.centres_mm, grid, name)
    points = from_points(found.instances.centres_mm)
    new = dict(zip(found.instances.ids.tolist(), points.ids.tolist(), strict=True))
    said = f"{name}: on a grid of its own: centres in mm are compared, no outlines"
    scores = {new[number]: score for number, score in found.scores.items()}
    return Annotated(points, None, scores, (*found.remarks, said))


def _rated_uncertain(volume: Volume, found: Instances, name: str) -> tuple[int, ...]:
    """Microbleeds of which more than half of the voxels are 2."""
    values = volume.data.reshape(-1)[found.voxels]
    if not np.isin(values, (1, 2)).all():
        other = values[~np.isin(values, (1, 2))][0]
        raise AnnotationError(
            f"{name}: expected 0, 1 (certain) and 2 (uncertain) to ignore what is uncertain, "
            f"found {other}"
        )
    share = np.bincount(found.owner, values == 2, len(found)) / np.maximum(found.sizes, 1)
    return tuple(found.ids[share > 0.5].tolist())


def peak_scores(annotated: Annotated, probability) -> dict[int, float]:
    """Highest value of a map inside each microbleed of a mask, by id.

    ``probability``, path-like, nibabel image or Volume: on the mask's grid.
    """
    if annotated.volume is None:
        name = probability if isinstance(probability, str | os.PathLike) else "probability"
        raise AnnotationError(f"{name}: expected masks beside probabilities, found points")
    image = Volume.of(probability).in_order_of(annotated.volume)
    found = annotated.instances
    peaks = np.full(len(found), -np.inf)
    np.maximum.at(peaks, found.owner, image.data[np.unravel_index(found.voxels, image.shape)])
    return dict(zip(found.ids.tolist(), peaks.tolist(), strict=True))
