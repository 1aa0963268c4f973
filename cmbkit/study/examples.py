"""Which scans and microbleeds the notebooks show: chosen by rule from the tables, not by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cmbkit.boxes import bounding_box
from cmbkit.plotting.cuts import crop_around
from cmbkit.records import StandardScan
from cmbkit.study.scan_results import predicted_file
from cmbkit.volume import Volume


def patch_rows(study, uid: str, centre, models, size_mm: float = 30.0) -> list:
    """Rows of `orthogonal_cuts`: raw, ground truth and each model's prediction at a place."""
    standard = study.cohort.by_uid[uid]
    size = round(size_mm / study.params.preprocessing.spacing_mm)
    box = (size, size, size)
    image = standard.image().data
    raw = crop_around(image, centre, box, image.min())
    truth = crop_around(standard.lesions().data, centre, box)
    rows = [("Raw", raw, None), ("Annotated", raw, truth)]
    for model in models:
        file = _prediction_file(study, model, standard)
        predicted = crop_around(Volume.read(file, "uint16").data, centre, box)
        rows.append((model, raw, predicted))
    return rows


def _prediction_file(study, model: str, standard: StandardScan) -> Path:
    folder = study.results.predict(model, standard)
    return predicted_file(folder, standard, "desc-cmbpred_dseg.nii.gz")


def centre_of_call(study, call) -> tuple[int, int, int]:
    """Standard-grid voxel of a call's annotated CMB, or of the candidate of a false positive."""
    standard = study.cohort.by_uid[call.uid]
    if np.isfinite(call.gt_id):
        labels, label = standard.lesions().data, int(call.gt_id)
    else:
        file = _prediction_file(study, call.model, standard)
        labels, label = Volume.read(file, "uint16").data, int(call.pred_id)
    return tuple(np.rint(np.argwhere(labels == label).mean(axis=0)).astype(int))


def model_comparison(study, models=("scratch", "tl")):
    """The CMB that both models found with the largest difference in Dice (Figure 7.5)."""
    calls = study.results.calls
    found = calls[(calls["call"] == "TP") & calls["model"].isin(models)]
    wide = found.pivot_table(index=["uid", "gt_id"], columns="model", values="dice").dropna()
    if len(wide) == 0 or len(wide.columns) < 2:
        return None
    uid, gt_id = (wide[models[0]] - wide[models[1]]).abs().idxmax()
    return next(found[(found["uid"] == uid) & (found["gt_id"] == gt_id)].itertuples())


def call_examples(study, call: str, model: str, dataset: str, count: int = 2) -> list:
    """Calls of one kind to look at: the surest false positives, the most elongated missed CMBs.

    Annotated CMBs come with their ``inv_elongation`` (1 for a ball).
    """
    calls, shapes = study.results.calls, study.cohort.features
    chosen = calls[(calls["call"] == call) & (calls["model"] == model)]
    preferred = chosen[chosen["dataset"] == dataset]
    chosen = preferred if len(preferred) else chosen
    shapes = shapes[["uid", "id", "inv_elongation"]].rename(columns={"id": "gt_id"})
    chosen = chosen.merge(shapes, on=["uid", "gt_id"], how="left")
    chosen = chosen.sort_values(
        ["score", "inv_elongation", "uid", "gt_id"], ascending=[False, True, True, True]
    )
    return list(chosen.head(count).itertuples())


def paired_shapes(study, model: str, dataset: str, count: int = 16) -> list:
    """(annotated, predicted or None, spacing, radius): found and missed CMBs (Figure 8.3).

    As many found as missed, each half spread over size; where there are too few of one kind,
    all of them and as many of the other.
    """
    calls = study.results.calls
    wanted = calls[(calls["model"] == model) & calls["gt_id"].notna()]
    wanted = wanted[wanted["dataset"] == dataset]
    table = study.cohort.microbleeds[["uid", "id", "radius_mm"]]
    lesions = wanted.merge(table, left_on=["uid", "gt_id"], right_on=["uid", "id"])
    if len(lesions) == 0:
        return []
    chosen = balanced(lesions["radius_mm"].to_numpy(), lesions["call"] == "TP", count)
    return [_pair(study, row) for row in lesions.iloc[chosen].itertuples()]


def balanced(radii, found, count: int) -> list[int]:
    """Positions of equally many found and missed CMBs, each half spread over size.

    Parameters
    ----------
    radii : array-like of float, shape (n,)
    found : array-like of bool, shape (n,)
    count : int
        At most so many in all. Where no CMB is of one kind, all are of the other.

    Returns
    -------
    list of int
        By increasing radius.
    """
    from cmbkit.plotting.render_panels import evenly_by_size

    radii, found = np.asarray(radii, float), np.asarray(found, bool)
    kinds = [where for where in (np.flatnonzero(found), np.flatnonzero(~found)) if len(where)]
    each = min(count // len(kinds), *(len(where) for where in kinds)) if kinds else 0
    chosen = [int(w[i]) for w in kinds for i in evenly_by_size(radii[w], each)]
    return sorted(chosen, key=lambda i: (radii[i], i))


def _pair(study, row):
    standard = study.cohort.by_uid[row.uid]
    truth = standard.lesions().data == row.gt_id
    predicted = np.zeros_like(truth)
    if row.call == "TP":
        file = _prediction_file(study, row.model, standard)
        predicted = Volume.read(file, "uint16").data == row.pred_id
    box = bounding_box(truth | predicted)
    masks = [np.pad(mask[box], 1) for mask in (truth, predicted)]
    spacing = study.params.preprocessing.spacing_mm
    return masks[0], masks[1] if row.call == "TP" else None, spacing, row.radius_mm
