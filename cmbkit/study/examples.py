"""Which scans and microbleeds the notebooks show: chosen by rule from the tables, not by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from cmbkit.features.intensity import SHELL_MM, intensity_features
from cmbkit.plotting.cuts import crop_around
from cmbkit.records import Scan, StandardScan
from cmbkit.study.scan_results import predicted_file
from cmbkit.volume import Volume

PLACE = ["x_mm", "y_mm", "z_mm"]
TYPICAL_RADIUS_MM = 2.0


def raw_image(scan: Scan) -> Volume:
    """The image as delivered, flipped to RAS for display; NaN shown as the lowest value."""
    volume = Volume.read(scan.image).reoriented("RAS")
    return volume.with_data(np.nan_to_num(volume.data, nan=np.nanmin(volume.data)))


def axial_slice(volume: Volume, mm) -> tuple[np.ndarray, tuple[float, float], np.ndarray]:
    """Slice through a place: pixels (i, j), extent in mm, and the place's voxel."""
    voxel = np.clip(np.rint(volume.to_voxels(mm)).astype(int), 0, np.array(volume.shape) - 1)
    extent = np.array(volume.shape[:2]) * volume.spacing[:2]
    return volume.data[:, :, voxel[2]], tuple(extent), voxel


def axial_crop(volume: Volume, mm, size_mm: float = 30.0):
    """Square crop of an axial slice around a place: pixels and extent in mm."""
    slice2d, _, voxel = axial_slice(volume, mm)
    half = np.ceil(size_mm / 2 / volume.spacing[:2]).astype(int)
    low = np.clip(voxel[:2] - half, 0, None)
    crop = slice2d[low[0] : voxel[0] + half[0] + 1, low[1] : voxel[1] + half[1] + 1]
    return crop, tuple(np.array(crop.shape) * volume.spacing[:2])


def largest_microbleed(standard: StandardScan) -> pd.Series | None:
    """Row of the scan's largest annotated CMB; None for a scan without."""
    table = standard.microbleeds().sort_values(["n_voxels", "id"], ascending=[False, True])
    return table.iloc[0] if len(table) else None


def typical_microbleed(
    standard: StandardScan, radius_mm: float = TYPICAL_RADIUS_MM
) -> pd.Series | None:
    """Row of the annotated CMB whose radius is nearest to ``radius_mm``; None for a scan without.

    The largest is often one that region growing let leak; a typical one shows what a CMB is.
    """
    table = standard.microbleeds()
    if not len(table):
        return None
    order = (table["radius_mm"] - radius_mm).abs().sort_values(kind="stable").index
    return table.loc[order[0]]


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


def raw_panels(study) -> list[tuple[str, np.ndarray, tuple[float, float]]]:
    """One raw axial slice per dataset, through the largest CMB of its fullest scan."""
    panels = []
    table = study.cohort.table.sort_values(["n_cmb", "uid"], ascending=[False, True])
    for dataset, rows in table.groupby("dataset", sort=True):
        standard = study.cohort.by_uid[rows["uid"].iloc[0]]
        volume = raw_image(standard.scan)
        lesion = largest_microbleed(standard)
        place = volume.to_mm(np.array(volume.shape) / 2) if lesion is None else lesion[PLACE]
        slice2d, extent, _ = axial_slice(volume, np.asarray(place, float))
        a = standard.scan.acquisition
        title = (
            f"{dataset}, {standard.scan.sequence}\n"
            f"{min(a.in_plane_mm):.2f} mm pixels, {a.slice_thickness_mm:.2g} mm slices"
        )
        panels.append((title, slice2d, extent))
    return panels


def mimic_crops(study, mimics: int = 4) -> list[tuple[str, np.ndarray, tuple[float, float]]]:
    """Crops of one CMB per sequence and of the mimics that raters marked (Figure 2.1)."""
    panels = []
    real = [s for s in study.cohort.standard if s.scan.dataset != "sMOMENI"]
    annotated = sorted(real, key=lambda s: -len(s.microbleeds()))
    for sequence in ("SWI", "T2S"):
        found = [s for s in annotated if s.scan.sequence == sequence and len(s.microbleeds())]
        if found:
            lesion = typical_microbleed(found[0])
            volume = raw_image(found[0].scan)
            crop = axial_crop(volume, lesion[PLACE].to_numpy(float))
            panels.append((f"CMB on {sequence}\n{found[0].scan.uid}", *crop))
    seen = set()
    for scan in study.cohort.scans:
        for mimic in scan.annotation.mimics:
            if len(seen) < mimics and (mimic.kind, scan.sequence) not in seen:
                seen.add((mimic.kind, scan.sequence))
                place = Volume.read(scan.image).to_mm(mimic.voxel)
                crop = axial_crop(raw_image(scan), place)
                panels.append((f"{mimic.kind} on {scan.sequence}\n{scan.uid}", *crop))
    return panels


def annotation_example(study) -> dict:
    """Arguments of `annotation_overlay`: a scribble of CRB, else any annotated scan."""
    scans = [s for s in study.cohort.standard if len(s.microbleeds())]
    scans.sort(key=lambda s: (s.scan.annotation.kind != "scribbles", s.scan.uid))
    scan = scans[0].scan
    image = Volume.read(scan.image)
    marks = np.zeros(image.shape, np.uint8)
    if scan.annotation.mask_path:
        marks = Volume.read(scan.annotation.mask_path, "uint16").data
    for point in scan.annotation.points:
        marks[point] = 1
    finding = scan.annotation.findings[0] if scan.annotation.findings else None
    label = finding.segment if finding else int(marks[marks > 0].min())
    volume, scribble = image.reoriented("RAS"), image.with_data(marks).reoriented("RAS")
    places = np.argwhere(scribble.data == label)
    k = int(np.bincount(places[:, 2]).argmax())
    metadata = {"scan": scan.uid, "sequence": scan.sequence, "annotation": scan.annotation.kind}
    if finding:
        told = ("certainty", "cause", "size", "location")
        metadata |= {name: getattr(finding, name) or "not noted" for name in told}
    mimics = []
    for mimic in scan.annotation.mimics:
        voxel = volume.to_voxels(image.to_mm(mimic.voxel))
        if abs(voxel[2] - k) <= 1:
            x, y = (voxel[:2] + 0.5) * volume.spacing[:2]
            mimics.append((x, y, mimic.kind))
    return {
        "slice2d": volume.data[:, :, k],
        "scribble2d": (scribble.data[:, :, k] == label).astype(np.uint8),
        "extent_mm": tuple(np.array(volume.shape[:2]) * volume.spacing[:2]),
        "metadata": metadata,
        "mimics": mimics,
    }


def lesion_box(labels: np.ndarray, label: int, margin: int = 1) -> np.ndarray:
    """Mask of one instance in its bounding box with a margin of empty voxels."""
    box = ndimage.find_objects((labels == label).view(np.uint8))[0]
    return np.pad(labels[box] == label, margin)


def shapes_by_dataset(study, columns: int = 10) -> dict[str, list]:
    """(mask, spacing, radius) of CMBs spread evenly over size, by dataset (Figure 5.1)."""
    from cmbkit.plotting.render_panels import evenly_by_size

    spacing = study.params.preprocessing.spacing_mm
    table = study.cohort.microbleeds
    rows = {}
    for dataset, lesions in table[table["dataset"] != "sMOMENI"].groupby("dataset"):
        chosen = lesions.iloc[evenly_by_size(lesions["radius_mm"].to_numpy(), columns)]
        loaded = {uid: study.cohort.by_uid[uid].lesions().data for uid in set(chosen["uid"])}
        rows[dataset] = [
            (lesion_box(loaded[row.uid], row.id), spacing, row.radius_mm)
            for row in chosen.itertuples()
        ]
    return rows


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
    places = np.argwhere(truth | predicted)
    low, high = places.min(axis=0), places.max(axis=0) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    masks = [np.pad(mask[box], 1) for mask in (truth, predicted)]
    spacing = study.params.preprocessing.spacing_mm
    return masks[0], masks[1] if row.call == "TP" else None, spacing, row.radius_mm
