"""One scan from raw files to the standard grid (chapter 5, steps 0 to 6)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.anatomy.brain_mask import brain_mask
from cmbkit.anatomy.parcellation import parcellate
from cmbkit.params import Preprocessing
from cmbkit.preprocessing import cleaning, grid
from cmbkit.preprocessing.labels import refine, sphere_radius
from cmbkit.preprocessing.region_growing import size_cap
from cmbkit.records import Scan, StandardScan
from cmbkit.volume import Volume, VolumeError

VERSION = 1
CORNER_VOXELS = 10
FULL_SHARE = 0.9
GROWING_COLUMNS = ["connectivity", "reference", "difference", "tolerance", "elbow", "grown_voxels"]
COLUMNS = [
    *("id", "source", "x_vox", "y_vox", "z_vox", "x_mm", "y_mm", "z_mm"),
    *("n_voxels", "volume_mm3", "radius_mm", "native_radius_mm"),
    *GROWING_COLUMNS,
]


def fill_nan(image: Volume) -> tuple[Volume, int]:
    """Replace values that are not finite by the median of the corner patches (step 0).

    Returns the image and how many voxels were replaced. Corner patches have 10 voxels along
    each axis; where they hold no finite value the median of the image's lowest percent serves.
    """
    bad = ~np.isfinite(image.data)
    count = int(bad.sum())
    if not count:
        return image, 0
    if bad.all():
        raise VolumeError(f"{image.path}: expected finite values, found none")
    ends = (slice(None, CORNER_VOXELS), slice(-CORNER_VOXELS, None))
    corners = [image.data[a, b, c].ravel() for a in ends for b in ends for c in ends]
    corners = np.concatenate(corners)
    corners = corners[np.isfinite(corners)]
    if not len(corners):
        finite = image.data[~bad]
        corners = finite[finite <= np.percentile(finite, 1)]
    data = image.data.copy()
    data[bad] = np.median(corners)
    return image.with_data(data), count


def padded_moments(data: np.ndarray, pad_voxels: int) -> tuple[float, float]:
    """Mean and standard deviation as if padded with zeros to a cube of ``pad_voxels``.

    An axis longer than the cube is not cut.
    """
    count = float(np.prod(np.maximum(data.shape, pad_voxels)))
    total = data.sum(dtype=np.float64)
    squares = sum(float(np.vdot(plane, plane)) for plane in data.astype(np.float32, copy=False))
    mean = total / count
    return float(mean), float(np.sqrt(max(squares / count - mean**2, 0)))


def _moments(image: Volume, brain: Volume, params: Preprocessing) -> tuple[float, float]:
    if params.zscore == "padded":
        mean, sd = padded_moments(image.data, params.pad_voxels)
    else:
        inside = image.data[brain.data > 0]
        mean, sd = float(inside.mean(dtype=np.float64)), float(inside.std(dtype=np.float64))
    if not sd > 0:
        raise VolumeError(f"{image.path}: expected varying intensities, found a constant image")
    return mean, sd


def _count(labels: np.ndarray) -> dict[str, int]:
    return {
        "microbleeds": sum(1 for _ in grid.label_boxes(labels)),
        "voxels": int(np.count_nonzero(labels)),
    }


def _standard_labels(native: Volume, found: pd.DataFrame, shape, affine, log: dict):
    """Labels on the standard grid, those that fell between voxels marked at their centre.

    Also returns the count before the marking.
    """
    labels = grid.resample_labels(native, shape, affine)
    count = _count(labels.data)
    present = {label for label, _ in grid.label_boxes(labels.data)}
    for row in found.itertuples():
        if row.id not in present:
            grid.mark_voxel(labels.data, labels.to_voxels(row.centre_mm), row.id)
            log.setdefault(row.id, []).append("lost at resampling; its centre voxel marked")
    return labels, count


def _first_remarks(labels, brain, found, native: Volume, params: Preprocessing) -> dict:
    """Microbleeds outside the brain mask, and regions that nearly filled the size cap."""
    within = set(np.unique(labels[(labels > 0) & (brain > 0)]).tolist())
    cap = size_cap(native.voxel_volume_mm3, params.growing_max_radius_mm)
    log: dict[int, list[str]] = {}
    for row in found.itertuples():
        if row.id not in within:
            log[row.id] = ["outside the brain mask"]
        if not pd.isna(row.grown_voxels) and row.grown_voxels > FULL_SHARE * cap:
            log.setdefault(row.id, []).append(f"grown to {row.grown_voxels} of {cap} voxels")
    return log


def _clean(labels: Volume, found: pd.DataFrame, scan: Scan, params: Preprocessing, log: dict):
    """Prune and close in place; returns the counts after each step."""
    counts, steps = {}, []
    if scan.dataset in params.prune_datasets:
        tolerance = params.prune_tolerance_voxels.get(scan.dataset, 2.0)
        centres = {row.id: labels.to_voxels(row.centre_mm) for row in found.itertuples()}
        steps.append(cleaning.prune(labels.data, centres, tolerance))
    counts["pruned"] = _count(labels.data)
    steps.append(cleaning.close(labels.data, params.closing_iterations))
    counts["final"] = _count(labels.data)
    for changes in steps:
        for label, change in changes.items():
            log.setdefault(label, []).append(change)
    return counts


def _table(labels: Volume, found: pd.DataFrame) -> pd.DataFrame:
    rows = []
    boxes = dict(grid.label_boxes(labels.data))
    for row in found.to_dict("records"):
        box = boxes[row["id"]]
        voxels = np.argwhere(labels.data[box] == row["id"]) + [s.start for s in box]
        centre = voxels.mean(axis=0)
        place = dict(zip(("x_vox", "y_vox", "z_vox"), centre, strict=True))
        place |= dict(zip(("x_mm", "y_mm", "z_mm"), labels.to_mm(centre), strict=True))
        size = {
            "n_voxels": len(voxels),
            "volume_mm3": len(voxels) * labels.voxel_volume_mm3,
            "radius_mm": sphere_radius(len(voxels), labels.voxel_volume_mm3),
            "native_radius_mm": row["radius_mm"],
        }
        rows.append({**row, **place, **size})
    return pd.DataFrame(rows, columns=COLUMNS)


def preprocess(scan: Scan, params: Preprocessing, folder: Path) -> None:
    """Bring one scan and its annotation to the standard grid and write it.

    Steps: values that are not finite become background; label refinement on the native grid;
    brain mask, everything outside set to 0; crop to the brain (and to microbleeds that reach
    beyond it); RAS and isotropic resampling; pruning and closing of the microbleeds; z-score;
    parcellation.

    Parameters
    ----------
    scan : Scan
    params : Preprocessing
    folder : Path
        Receives the files that `StandardScan` names: image (scaled int16), microbleeds
        (uint16), brain and parcellation (uint8), table (TSV, ``COLUMNS``), record (JSON).
    """
    target = StandardScan(scan, Path(folder))
    native, replaced = fill_nan(Volume.read(scan.image))
    refined, found = refine(scan, native, params)
    found["centre_mm"] = list(native.to_mm(found[["i", "j", "k"]].to_numpy(float).reshape(-1, 3)))
    brain, mask_name = brain_mask(native, params.brain_mask)
    box = grid.bounding_box(brain.data, refined.data)
    part, brain, refined = (grid.crop(v, box).reoriented("RAS") for v in (native, brain, refined))
    part = part.with_data(part.data * brain.data)
    shape, affine = grid.standard_grid(part, params.spacing_mm)
    image = grid.resample_linear(part, shape, affine, fill=float(part.data.min()))
    log = _first_remarks(refined.data, brain.data, found, native, params)
    brain = grid.resample_nearest(brain, shape, affine)

    counts = {"refined": {"microbleeds": len(found), "voxels": int(found["n_voxels"].sum())}}
    lesions, counts["resampled"] = _standard_labels(refined, found, shape, affine, log)
    counts |= _clean(lesions, found, scan, params, log)
    table = _table(lesions, found)
    mean, sd = _moments(image, brain, params)
    image = image.with_data((image.data - np.float32(mean)) / np.float32(sd))
    labels, parcellation_name = parcellate(image, brain, params.parcellation)

    image.write(target.image_path, dtype=np.int16)
    lesions.write(target.lesions_path)
    brain.write(target.brain_path)
    labels.write(target.labels_path)
    table.to_csv(target.table_path, sep="\t", index=False, float_format="%.6g")
    record = {
        "uid": scan.uid,
        "dataset": scan.dataset,
        "synthetic": scan.synthetic,
        "slice_thickness_mm": scan.acquisition.slice_thickness_mm,
        "methods": {"brain_mask": mask_name, "parcellation": parcellation_name},
        "native": {"shape": list(native.shape), "affine": native.affine.tolist()},
        "crop": [[s.start, s.stop] for s in box],
        "standard": {"shape": list(shape), "affine": affine.tolist()},
        "replaced_voxels": replaced,
        "zscore": params.zscore,
        "mean": mean,
        "sd": sd,
        "background_value": -mean / sd,
        "counts": {step: count["microbleeds"] for step, count in counts.items()},
        "voxels": {step: count["voxels"] for step, count in counts.items()},
        "changes": {str(label): log[label] for label in sorted(log)},
    }
    target.record_path.write_text(json.dumps(record, indent=1))
