"""Evaluation of paired files: matches, scan rows and the features of every microbleed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage

from cmbkit.evaluation.scan import evaluate_scan, join_results
from cmbkit.features.location import location_features
from cmbkit.features.shape import shape_features
from cmbkit.params import Evaluation
from cmbkit.running.map_scans import map_scans
from cmbkit.scoring.annotations import Annotated
from cmbkit.scoring.sides import Labelled, read_pair
from cmbkit.scoring.suspicions import mirror_remarks, mirrored_matches
from cmbkit.scoring.uncertain import without_uncertain
from cmbkit.volume import Volume

LISTING_COLUMNS = ["uid", "dataset", "patient", "reference", "predicted"]
FILE_COLUMNS = ("reference", "predicted", "probability", "labels")


@dataclass(frozen=True)
class EvaluateOptions:
    """How a result is computed and named.

    Attributes
    ----------
    params : Evaluation
    labelled, connectivity
        See `sides.read_pair`.
    by : tuple of str
        Columns of the scan table that make further subgroups.
    name, other : str
        Of the detector and of the one it is compared with.
    uncertain : str
        One of `uncertain.WORDS`.
    seed : int
    """

    params: Evaluation = field(default_factory=Evaluation)
    labelled: Labelled = "by name"
    connectivity: int = 6
    by: tuple[str, ...] = ()
    name: str = "this detector"
    other: str = "the other"
    uncertain: str = "counted"
    seed: int = 2024


class Result(NamedTuple):
    """Matches, scan rows and features of one detector."""

    matches: pd.DataFrame
    scans: pd.DataFrame
    features: pd.DataFrame


def evaluate_files(
    listing: pd.DataFrame,
    *,
    params: Evaluation | None = None,
    labelled: Labelled = "by name",
    connectivity: int = 6,
    ignore_uncertain: bool = False,
    workers: int = 1,
) -> Result:
    """Evaluate any detector's masks or points, given as files or images.

    Parameters
    ----------
    listing : DataFrame
        One row per scan, for instance from `pairing.pair_files`: uid, dataset, patient,
        reference and predicted (masks on the same grid, each a path, a nibabel image or a
        `Volume`, or paths of lists of points, see `points.read_points`); optionally
        probability and labels (images on that grid) and whatever else is known of the scan.
    params : Evaluation, optional
        The thesis's by default.
    labelled : {"by name", "predictions", "reference", "both", "none"}
        Whose masks hold one integer per microbleed (see `sides.Labelled`); in the others
        any non-zero voxel is microbleed and components are counted.
    connectivity : {6, 18, 26}
        Of the components.
    ignore_uncertain : bool
        Whether annotated microbleeds that are called uncertain count neither as found nor as
        missed (`uncertain.without_uncertain`); masks say it by 2, certain ones by 1.
    workers : int
        Processes.

    Returns
    -------
    Result
        matches and scans as from `scan.evaluate_scan`, one after the other; scans with the
        listing's other columns and, where these do not say, voxel sizes of the mask's grid;
        features with one row per microbleed of a mask. ``remarks`` of a scan say what makes one
        doubt that its files are meant so (see `cmbkit.scoring.suspicions`); empty as a rule.

    Raises
    ------
    ValueError
        If a column is missing or a uid comes twice.
    cmbkit.running.map_scans.ScanFailures
        One line per scan that could not be evaluated, e.g. for an affine that differs.

    Examples
    --------
    A scan with two microbleeds of 1 mm, one of which was found:

    >>> truth, said = (np.zeros((40, 40, 40), np.uint8) for _ in range(2))
    >>> truth[10:12, 10:12, 10:12] = truth[30:32, 30:32, 30:32] = said[10:12, 10:12, 11:13] = 1
    >>> grid = np.diag([0.5, 0.5, 0.5, 1.0])
    >>> one = {"uid": "a", "dataset": "mine", "patient": "p1"}
    >>> one |= {"reference": Volume(truth, grid), "predicted": Volume(said, grid)}
    >>> matches, scans, features = evaluate_files(pd.DataFrame([one]))
    >>> scans[["uid", "tp", "fp", "fn"]]
      uid  tp  fp  fn
    0   a   1   0   1
    """
    missing = [name for name in LISTING_COLUMNS if name not in listing]
    if missing:
        raise ValueError(f"listing: expected columns {LISTING_COLUMNS}, missing {missing}")
    if listing["uid"].duplicated().any():
        twice = listing.loc[listing["uid"].duplicated(), "uid"].iloc[0]
        raise ValueError(f"listing: expected every uid once, found {twice!r} again")
    results = map_scans(
        partial(
            _evaluate,
            params=params or Evaluation(),
            labelled=labelled,
            connectivity=connectivity,
            ignore_uncertain=ignore_uncertain,
        ),
        listing.astype(object).where(listing.notna(), None).to_dict("records"),
        step="evaluation",
        workers=workers,
        name=lambda row: row["uid"],
    )
    features = pd.concat([result[2] for result in results], ignore_index=True)
    matches, scans = join_results(result[:2] for result in results)
    scored = [(row["tp"], row["n_gt"], row["n_pred"], moved) for _, row, _, moved in results]
    for index, line in mirror_remarks(scored, params or Evaluation()).items():
        said = scans.loc[index, "remarks"]
        scans.loc[index, "remarks"] = "; ".join(filter(None, [said, line]))
    return Result(matches, scans, features)


def _evaluate(
    row: dict, params: Evaluation, labelled: Labelled, connectivity: int, ignore_uncertain: bool
):
    reference, predicted, scores = read_pair(
        row["reference"],
        row["predicted"],
        row.get("probability"),
        labelled=labelled,
        connectivity=connectivity,
        rated=ignore_uncertain,
    )
    grid = reference.volume or predicted.volume
    affine = grid.affine if grid else None
    if ignore_uncertain:
        reference, predicted = without_uncertain(reference, predicted, params, affine)
    parcellation = None
    if row.get("labels") is not None:
        parcellation = Volume.of(row["labels"], np.int32)
        if grid is not None:
            parcellation = parcellation.in_order_of(grid)
    matches, found = evaluate_scan(
        reference.instances,
        predicted.instances,
        **{name: row[name] for name in ("uid", "dataset", "patient")},
        scores=scores,
        params=params,
        affine=affine,
    )
    about = {}
    if grid is not None:
        sizes = np.sort(grid.spacing)
        about = {"in_plane_mm": float(sizes[0]), "slice_thickness_mm": float(sizes[2])}
    about |= {n: value for n, value in row.items() if n not in FILE_COLUMNS and value is not None}
    features = outline_features(reference, parcellation, "GT")
    features += outline_features(predicted, parcellation, "Pred")
    features = pd.DataFrame(features).assign(uid=row["uid"], dataset=row["dataset"])
    moved = mirrored_matches(reference.instances, predicted.instances, grid, params)
    said = {"remarks": "; ".join((*reference.remarks, *predicted.remarks))}
    return matches, about | found | said, features, moved


def outline_features(annotated: Annotated, parcellation: Volume | None, kind: str) -> list[dict]:
    """Size, shape and region of every microbleed of a mask; no rows for points.

    Parameters
    ----------
    annotated : Annotated
    parcellation : Volume or None
        SynthSeg labels on the same grid.
    kind : {"GT", "Pred"}
    """
    volume = annotated.volume
    if volume is None:
        return []
    rows, voxels = [], np.flatnonzero(volume.data)
    ids, order = np.unique(volume.data.reshape(-1)[voxels], return_inverse=True)
    numbered = np.zeros(volume.shape, np.int32)
    numbered.reshape(-1)[voxels] = order + 1
    for label, box in zip(ids, ndimage.find_objects(numbered), strict=True):
        mask = volume.data[box] == label
        n_voxels = int(mask.sum())
        row = {"type": kind, "id": int(label), "n_voxels": n_voxels}
        row["volume_mm3"] = n_voxels * volume.voxel_volume_mm3
        row |= shape_features(np.pad(mask, 1), volume.spacing)
        if parcellation is not None:
            row |= location_features(parcellation.data[box][mask])
        rows.append(row)
    return rows
