"""From an annotated and a predicted mask to matches and one row of metrics (section 6.7.5)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from cmbkit.evaluation.instances import Instances, from_labels, label_instances
from cmbkit.evaluation.matching import match_instances
from cmbkit.evaluation.metrics import divide, harmonic_mean
from cmbkit.params import Evaluation
from cmbkit.running.map_scans import map_scans
from cmbkit.scoring.annotations import read_pair
from cmbkit.volume import Volume

MATCH_COLUMNS = [
    "uid",
    "dataset",
    "patient",
    "match",
    "gt_id",
    "pred_id",
    "distance_mm",
    "overlap_voxels",
    "dice",
    "score",
]
VERSION = 2  # of what evaluate_scan returns; results cached under another number are redone
LISTING_COLUMNS = ["uid", "dataset", "patient", "reference", "predicted"]


def _scan_dice(reference: Instances, predicted: Instances) -> float:
    """Dice of everything against everything; NaN when both are empty, and for points."""
    if reference.shape is None or predicted.shape is None:
        return float("nan")
    shared = np.intersect1d(reference.voxels, predicted.voxels, assume_unique=True).size
    return float(divide(2 * shared, reference.voxels.size + predicted.voxels.size))


def evaluate_scan(
    reference: Volume,
    predicted: Volume,
    *,
    uid: str,
    dataset: str,
    patient: str,
    scores: Mapping[int, float] | None = None,
    params: Evaluation | None = None,
) -> tuple[pd.DataFrame, dict]:
    """Compare the annotated with the predicted microbleeds of one scan.

    Parameters
    ----------
    reference, predicted : Volume
        Instance labels (integers, 0 is background) on the same grid; for masks without
        instances see `label_mask`.
    uid, dataset, patient : str
        Carried into both results.
    scores : mapping of predicted label to float, optional
        How sure the detector is of each predicted CMB; needed only for FROC curves.
    params : Evaluation, optional
        Matching rule, distance, assignment, NaN rule; the thesis's by default.

    Returns
    -------
    matches : DataFrame
        One row per TP, FN, FP: uid, dataset, patient, match, gt_id, pred_id, distance_mm,
        overlap_voxels, dice, score.
    row : dict
        uid, dataset, patient, n_gt, n_pred, tp, fp, fn, precision, recall, f1, dice_tp (mean
        over TPs) and dice_scan (all voxels); NaN where a denominator is 0.
    """
    reference.require_same_grid(predicted)
    sides = (
        from_labels(reference.data, reference.affine, "reference"),
        from_labels(predicted.data, predicted.affine, "predicted"),
    )
    who = {"uid": uid, "dataset": dataset, "patient": patient}
    return evaluate_instances(*sides, **who, scores=scores, params=params)


def evaluate_instances(
    reference: Instances,
    predicted: Instances,
    *,
    uid: str,
    dataset: str,
    patient: str,
    scores: Mapping[int, float] | None = None,
    params: Evaluation | None = None,
    affine: np.ndarray | None = None,
) -> tuple[pd.DataFrame, dict]:
    """Compare microbleeds that are already listed (masks or points); else as `evaluate_scan`.

    ``affine`` belongs to the side that is a mask; see `matching.match_instances`. Where one
    side is points, every Dice is NaN.
    """
    params = params or Evaluation()
    matches = match_instances(
        reference,
        predicted,
        rule=params.matching,
        max_distance_mm=params.max_distance_mm,
        assignment=params.assignment,
        affine=affine,
    )
    who = {"uid": uid, "dataset": dataset, "patient": patient}
    known = {int(label): float(score) for label, score in (scores or {}).items()}
    matches = matches.assign(**who, score=matches["pred_id"].map(known).astype(float))
    tp, fp, fn = (int((matches["match"] == name).sum()) for name in ("TP", "FP", "FN"))
    precision, recall = divide(tp, tp + fp), divide(tp, tp + fn)
    row = {
        **who,
        "n_gt": tp + fn,
        "n_pred": tp + fp,
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(harmonic_mean(precision, recall, params.nan_rule)),
        "dice_tp": float(matches["dice"].mean()),
        "dice_scan": _scan_dice(reference, predicted),
    }
    return matches[MATCH_COLUMNS], row


def label_mask(mask: Volume, connectivity: int = 6) -> Volume:
    """Give every connected component of a mask its own integer (6-connected in the thesis)."""
    return mask.with_data(label_instances(mask.data, connectivity))


def _evaluate_files(
    row: dict, params: Evaluation, labelled: bool, connectivity: int
) -> tuple[pd.DataFrame, dict]:
    reference, predicted, scores = read_pair(
        row["reference"], row["predicted"], labelled=labelled, connectivity=connectivity
    )
    grid = reference.volume or predicted.volume
    return evaluate_instances(
        reference.instances,
        predicted.instances,
        **{name: row[name] for name in ("uid", "dataset", "patient")},
        scores=scores,
        params=params,
        affine=grid.affine if grid else None,
    )


def evaluate_files(
    listing: pd.DataFrame,
    *,
    params: Evaluation | None = None,
    labelled: bool = False,
    connectivity: int = 6,
    workers: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Evaluate masks from any detector, given as files.

    Parameters
    ----------
    listing : DataFrame
        One row per scan: uid, dataset, patient, reference and predicted (paths of NIfTI files
        on the same grid, or of point lists, see `marks.read_points`).
    params : Evaluation, optional
    labelled : bool
        False: any non-zero voxel is microbleed and components are counted. True: the files
        hold one integer per microbleed.
    connectivity : {6, 18, 26}
        Of the components, when ``labelled`` is False.
    workers : int
        Processes.

    Returns
    -------
    matches, scans : DataFrame
        As from `evaluate_scan`, one after the other.
    """
    missing = [name for name in LISTING_COLUMNS if name not in listing]
    if missing:
        raise ValueError(f"listing: expected columns {LISTING_COLUMNS}, missing {missing}")
    if listing["uid"].duplicated().any():
        twice = listing.loc[listing["uid"].duplicated(), "uid"].iloc[0]
        raise ValueError(f"listing: expected every uid once, found {twice!r} again")
    results = map_scans(
        partial(
            _evaluate_files,
            params=params or Evaluation(),
            labelled=labelled,
            connectivity=connectivity,
        ),
        listing[LISTING_COLUMNS].to_dict("records"),
        step="evaluation",
        workers=workers,
        name=lambda row: row["uid"],
    )
    return join_results(results)


def join_results(results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Put the results of `evaluate_scan` for many scans into one matches and one scan table."""
    results = list(results)
    filled = [matches for matches, _ in results if len(matches)]
    matches = (
        pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=MATCH_COLUMNS)
    )
    return matches, pd.DataFrame([row for _, row in results])
