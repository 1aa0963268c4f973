"""Evaluation of paired files: matches, scan rows and the features of every microbleed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
from scipy import ndimage

from cmbkit.evaluation.scan import MATCH_COLUMNS, evaluate_instances
from cmbkit.features.location import location_features
from cmbkit.features.shape import shape_features
from cmbkit.params import Evaluation
from cmbkit.running.map_scans import map_scans
from cmbkit.scoring.annotations import Marks, read_pair
from cmbkit.scoring.pairing import Pairs
from cmbkit.volume import Volume

FILE_COLUMNS = ("reference", "predicted", "probability", "labels")


@dataclass(frozen=True)
class Settings:
    """How a result is computed and named.

    Attributes
    ----------
    params : Evaluation
    labelled, connectivity
        See `marks.read_mask`.
    by : tuple of str
        Columns of the scan table that make further subgroups.
    name, other : str
        Of the detector and of the one it is compared with.
    seed, workers : int
    """

    params: Evaluation = field(default_factory=Evaluation)
    labelled: bool = False
    connectivity: int = 6
    by: tuple[str, ...] = ()
    name: str = "this detector"
    other: str = "the other"
    seed: int = 2024
    workers: int = 1


@dataclass(frozen=True)
class Result:
    """Calls, scan rows and features of one detector."""

    matches: pd.DataFrame
    scans: pd.DataFrame
    features: pd.DataFrame


def outline_features(marks: Marks, parcellation: Volume | None, kind: str) -> list[dict]:
    """Size, shape and region of every microbleed of a mask; no rows for points.

    Parameters
    ----------
    marks : Marks
    parcellation : Volume or None
        SynthSeg labels on the same grid.
    kind : {"GT", "Pred"}
    """
    volume = marks.volume
    if volume is None:
        return []
    rows = []
    for label, box in enumerate(ndimage.find_objects(volume.data), 1):
        if box is None:
            continue
        mask = volume.data[box] == label
        row = {"type": kind, "id": label, "n_voxels": int(mask.sum())}
        row["volume_mm3"] = row["n_voxels"] * volume.voxel_volume_mm3
        row |= shape_features(np.pad(mask, 1), volume.spacing)
        if parcellation is not None:
            row |= location_features(parcellation.data[box][mask])
        rows.append(row)
    return rows


def _evaluate(row: dict, params: Evaluation, labelled: bool, connectivity: int):
    reference, predicted, scores = read_pair(
        row["reference"],
        row["predicted"],
        row.get("probability"),
        labelled=labelled,
        connectivity=connectivity,
    )
    grid = reference.volume or predicted.volume
    parcellation = None
    if row.get("labels") is not None:
        parcellation = Volume.read(row["labels"], "int32")
        if grid is not None:
            grid.require_same_grid(parcellation)
    matches, found = evaluate_instances(
        reference.instances,
        predicted.instances,
        **{name: row[name] for name in ("uid", "dataset", "patient")},
        scores=scores,
        params=params,
        affine=grid.affine if grid else None,
    )
    about = {}
    if grid is not None:
        sizes = np.sort(grid.spacing)
        about = {"in_plane_mm": float(sizes[0]), "slice_thickness_mm": float(sizes[2])}
    about |= {n: value for n, value in row.items() if n not in FILE_COLUMNS and value is not None}
    found = about | found
    features = outline_features(reference, parcellation, "GT")
    features += outline_features(predicted, parcellation, "Pred")
    return matches, found, pd.DataFrame(features).assign(uid=row["uid"], dataset=row["dataset"])


def evaluate_pairs(
    listing: pd.DataFrame,
    *,
    params: Evaluation | None = None,
    labelled: bool = False,
    connectivity: int = 6,
    workers: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Evaluate every pair of a listing.

    Parameters
    ----------
    listing : DataFrame
        From `pairing.pair_files`.
    params : Evaluation, optional
    labelled, connectivity
        See `marks.read_mask`.
    workers : int
        Processes.

    Returns
    -------
    matches, scans, features : DataFrame
        As from `evaluate.evaluate_scan`; scans with the columns of the listing and, where these
        do not say, voxel sizes of the mask's grid; one row of features per microbleed of a mask.

    Raises
    ------
    cmbkit.running.map_scans.ScanFailures
        One line per scan that could not be evaluated, e.g. for an affine that differs.
    """
    rows = listing.astype(object).where(listing.notna(), None).to_dict("records")
    results = map_scans(
        partial(
            _evaluate,
            params=params or Evaluation(),
            labelled=labelled,
            connectivity=connectivity,
        ),
        rows,
        step="evaluation",
        workers=workers,
        name=lambda row: row["uid"],
    )
    filled = [matches for matches, _, _ in results if len(matches)]
    matches = (
        pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=MATCH_COLUMNS)
    )
    scans = pd.DataFrame([row for _, row, _ in results])
    features = pd.concat([table for _, _, table in results], ignore_index=True)
    return matches, scans, features


def compute(pairs: Pairs, settings: Settings) -> Result:
    """Evaluate all pairs (see `evaluate_pairs`)."""
    return Result(
        *evaluate_pairs(
            pairs.listing,
            params=settings.params,
            labelled=settings.labelled,
            connectivity=settings.connectivity,
            workers=settings.workers,
        )
    )
