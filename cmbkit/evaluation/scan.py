"""From annotated and predicted microbleeds to matches and one row of metrics (section 6.7.5)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cmbkit.evaluation.instances import Instances, from_labels
from cmbkit.evaluation.matching import COLUMNS, match_instances
from cmbkit.evaluation.metrics import divide, harmonic_mean
from cmbkit.params import Evaluation
from cmbkit.volume import Volume

MATCH_COLUMNS = ["uid", "dataset", "patient", *COLUMNS, "score", "adds"]


def evaluate_scan(
    reference: Volume | Instances,
    predicted: Volume | Instances,
    *,
    uid: str,
    dataset: str,
    patient: str,
    scores: Mapping[int, float] | None = None,
    params: Evaluation | None = None,
    affine: np.ndarray | None = None,
) -> tuple[pd.DataFrame, dict]:
    """Compare the annotated with the predicted microbleeds of one scan.

    Parameters
    ----------
    reference, predicted : Volume or Instances
        Instance labels (integers, 0 is background) on the same grid, or microbleeds that are
        already listed: from labels, from a mask, or from points (`cmbkit.evaluation.instances`).
    uid, dataset, patient : str
        Carried into both results.
    scores : mapping of predicted label to float, optional
        How sure the detector is of each predicted CMB; needed only for FROC curves.
    params : Evaluation, optional
        Matching rule, distance, assignment, NaN rule; the thesis's by default.
    affine : ndarray, shape (4, 4), optional
        Voxel to mm of the side that is a mask; needed only to match points by overlap.

    Returns
    -------
    matches : DataFrame
        One row per TP, FN, FP: uid, dataset, patient, match, gt_id, pred_id, distance_mm,
        overlap_voxels, dice, score, adds (see `matching.match_instances`).
    row : dict
        uid, dataset, patient, n_gt, n_pred, tp, fp, fn, precision, recall, f1, dice_tp (mean
        over TPs) and dice_scan (all voxels); NaN where a denominator is 0, and every Dice where
        one side is points.
    """
    params = params or Evaluation()
    if isinstance(reference, Volume) and isinstance(predicted, Volume):
        reference.require_same_grid(predicted)
    reference, predicted = _listed(reference, "reference"), _listed(predicted, "predicted")
    given = {int(label): float(score) for label, score in (scores or {}).items()}
    known = [given.get(int(label), np.nan) for label in predicted.ids] if given else None
    matches = match_instances(
        reference,
        predicted,
        rule=params.matching,
        max_distance_mm=params.max_distance_mm,
        assignment=params.assignment,
        affine=affine,
        scores=known,
    )
    who = {"uid": uid, "dataset": dataset, "patient": patient}
    matches = matches.assign(**who)
    if known is None:
        matches = matches.assign(score=np.nan, adds=None)
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


def join_results(results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Put the results of `evaluate_scan` for many scans into one table of matches and of scans."""
    results = list(results)
    filled = [matches for matches, _ in results if len(matches)]
    empty = pd.DataFrame(columns=MATCH_COLUMNS)
    matches = pd.concat(filled, ignore_index=True) if filled else empty
    return matches, pd.DataFrame([row for _, row in results])


def _listed(side: Volume | Instances, name: str) -> Instances:
    return from_labels(side.data, side.affine, name) if isinstance(side, Volume) else side


def _scan_dice(reference: Instances, predicted: Instances) -> float:
    """Dice of everything against everything; NaN when both are empty, and for points."""
    if reference.shape is None or predicted.shape is None:
        return float("nan")
    shared = np.intersect1d(reference.voxels, predicted.voxels, assume_unique=True).size
    return float(divide(2 * shared, reference.voxels.size + predicted.voxels.size))
