"""Which scans and microbleeds the notebooks show: chosen by rule from the tables, not by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage

from cmbkit.features.intensity import SHELL_MM, intensity_features
from cmbkit.plotting.cuts import crop_around
from cmbkit.records import StandardScan
from cmbkit.study.scan_results import predicted_file
from cmbkit.volume import Volume


def clearest_microbleed(standard: StandardScan) -> tuple[int, float] | None:
    """The annotated CMB that stands out most from its surroundings; None for a scan without.

    Returns
    -------
    id : int
    contrast : float
        See `cmbkit.features.intensity.intensity_features`.
    """
    image, lesions = standard.image(), standard.lesions().data
    outside, reach = standard.brain().data == 0, np.ceil(SHELL_MM / image.spacing).astype(int)
    found = []
    for id, box in enumerate(ndimage.find_objects(lesions), 1):
        if box is None:
            continue
        pairs = zip(box, reach, strict=True)
        near = tuple(slice(max(0, part.start - n), part.stop + n) for part, n in pairs)
        others = outside[near] | (lesions[near] > 0)
        of_one = intensity_features(image.data[near], lesions[near] == id, others, image.spacing)
        if np.isfinite(of_one["contrast"]):
            found.append((id, of_one["contrast"]))
    return max(found, key=lambda one: one[1], default=None)


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


def centre_of_match(study, match) -> tuple[int, int, int]:
    """Standard-grid voxel of a match's annotated CMB, or of the candidate of a false positive."""
    standard = study.cohort.by_uid[match.uid]
    if np.isfinite(match.gt_id):
        labels, label = standard.lesions().data, int(match.gt_id)
    else:
        file = _prediction_file(study, match.model, standard)
        labels, label = Volume.read(file, "uint16").data, int(match.pred_id)
    return tuple(np.rint(np.argwhere(labels == label).mean(axis=0)).astype(int))


def model_comparison(study, models=("scratch", "tl")):
    """The CMB that both models found with the largest difference in Dice (Figure 7.5)."""
    matches = study.results.matches
    found = matches[(matches["match"] == "TP") & matches["model"].isin(models)]
    wide = found.pivot_table(index=["uid", "gt_id"], columns="model", values="dice").dropna()
    if len(wide) == 0 or len(wide.columns) < 2:
        return None
    uid, gt_id = (wide[models[0]] - wide[models[1]]).abs().idxmax()
    return next(found[(found["uid"] == uid) & (found["gt_id"] == gt_id)].itertuples())


def match_examples(study, match: str, model: str, dataset: str, count: int = 2) -> list:
    """Calls of one kind to look at: the surest false positives, the most elongated missed CMBs.

    Annotated CMBs come with their ``inv_elongation`` (1 for a ball).
    """
    matches, shapes = study.results.matches, study.cohort.features
    chosen = matches[(matches["match"] == match) & (matches["model"] == model)]
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
    matches = study.results.matches
    wanted = matches[(matches["model"] == model) & matches["gt_id"].notna()]
    wanted = wanted[wanted["dataset"] == dataset]
    table = study.cohort.microbleeds[["uid", "id", "radius_mm"]]
    lesions = wanted.merge(table, left_on=["uid", "gt_id"], right_on=["uid", "id"])
    if len(lesions) == 0:
        return []
    chosen = balanced(lesions["radius_mm"].to_numpy(), lesions["match"] == "TP", count)
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
    if row.match == "TP":
        file = _prediction_file(study, row.model, standard)
        predicted = Volume.read(file, "uint16").data == row.pred_id
    places = np.argwhere(truth | predicted)
    low, high = places.min(axis=0), places.max(axis=0) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    masks = [np.pad(mask[box], 1) for mask in (truth, predicted)]
    spacing = study.params.preprocessing.spacing_mm
    return masks[0], masks[1] if row.match == "TP" else None, spacing, row.radius_mm
