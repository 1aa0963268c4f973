"""One scan from raw files to the standard grid (chapter 5, steps 0 to 6)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.anatomy.brain_mask import brain_mask
from cmbkit.anatomy.parcellation import fit_to_mni, parcellate
from cmbkit.ball import ball_radius
from cmbkit.boxes import bounding_box
from cmbkit.params import Preprocessing
from cmbkit.preprocessing import cleaning, grid
from cmbkit.preprocessing.census import Ledger
from cmbkit.preprocessing.changes import Change, change_table
from cmbkit.preprocessing.intensities import fill_nan, moments, tissue
from cmbkit.preprocessing.labels import grow_spheres, refine, with_ratings
from cmbkit.preprocessing.region_growing import size_cap
from cmbkit.preprocessing.seeds import read_marks
from cmbkit.preprocessing.sidecars import write_sidecars
from cmbkit.records import Scan, StandardScan
from cmbkit.volume import Volume

FULL_SHARE = 0.9
GROWING_COLUMNS = ["connectivity", "reference", "difference", "tolerance", "elbow", "leap"]
GROWING_COLUMNS += ["grown_voxels"]
COLUMNS = [
    *("id", "source", "x_vox", "y_vox", "z_vox", "x_mm", "y_mm", "z_mm"),
    *("n_voxels", "volume_mm3", "radius_mm", "native_radius_mm"),
    *GROWING_COLUMNS,
    *("certainty", "rater_location"),
]


def _resampled(native: Volume, found: pd.DataFrame, shape, affine, ledger: Ledger) -> Volume:
    """Labels on the standard grid, those that fell between voxels marked at their centre."""
    labels = grid.resample_labels(native, shape, affine)
    here = ledger.enter("resampled", _around(labels.data))
    for row in found.itertuples():
        if row.id not in here.pieces:
            grid.mark_voxel(labels.data, labels.to_voxels(row.centre_mm), row.id)
            ledger.changes.append(Change("resampling", row.id, "marked", 0, 1))
    return labels


def _around(labels: np.ndarray) -> np.ndarray:
    """View of the part of a label image that holds labels."""
    return labels[grid.labels_box(labels, 1)]


def _note_refinement(labels: Volume, brain: Volume, found, params, ledger: Ledger) -> None:
    """Note split scribbles, microbleeds outside the brain, and regions near the size cap."""
    within = set(np.unique(labels.data[(labels.data > 0) & (brain.data > 0)]).tolist())
    cap = size_cap(labels.voxel_volume_mm3, params.growing_max_radius_mm)
    parts = found["mark"].value_counts()
    for row in found.itertuples():
        pieces = parts[row.mark]
        if pieces > 1:
            ledger.changes.append(Change("refinement", row.id, "split", 1, pieces, row.mark))
        if row.id not in within:
            ledger.changes.append(Change("refinement", row.id, "outside", row.n_voxels, 0))
        if not pd.isna(row.grown_voxels) and row.grown_voxels > FULL_SHARE * cap:
            ledger.changes.append(Change("refinement", row.id, "full", cap, row.grown_voxels))


def _clean(labels: Volume, found: pd.DataFrame, scan: Scan, params: Preprocessing, ledger: Ledger):
    """Prune and close in place, counting after each step; returns the table of what is left."""
    box = grid.labels_box(labels.data, params.closing_iterations + 1)
    part = grid.crop(labels, box)
    if scan.dataset in params.prune_datasets:
        tolerance = params.prune_tolerance_voxels.get(scan.dataset, 2.0)
        centres = {r.id: part.to_voxels(r.centre_mm) for r in found.itertuples()}
        ledger.changes += cleaning.prune(part.data, centres, tolerance)
    ledger.enter("pruned", part.data)
    ledger.require(found["id"], "pruned")
    ledger.changes += cleaning.close(part.data, params.closing_iterations)
    ledger.enter("final", part.data)
    ledger.require(found["id"], "final")
    return _table(part, found, [s.start for s in box])


def _table(labels: Volume, found: pd.DataFrame, start) -> pd.DataFrame:
    """One row per microbleed; ``start`` is the labels' first voxel on the standard grid."""
    rows = []
    boxes = dict(grid.label_boxes(labels.data))
    for row in found.to_dict("records"):
        box = boxes[row["id"]]
        voxels = np.argwhere(labels.data[box] == row["id"]) + [s.start for s in box]
        centre = voxels.mean(axis=0)
        row |= dict(zip(("x_vox", "y_vox", "z_vox"), centre + start, strict=True))
        row |= dict(zip(("x_mm", "y_mm", "z_mm"), labels.to_mm(centre), strict=True))
        volume = len(voxels) * labels.voxel_volume_mm3
        row |= {"n_voxels": len(voxels), "volume_mm3": volume, "native_radius_mm": row["radius_mm"]}
        rows.append(row | {"radius_mm": ball_radius(volume)})
    return pd.DataFrame(rows, columns=COLUMNS)


def _centres(grid_of_table: Volume, found: pd.DataFrame) -> list[np.ndarray]:
    return list(grid_of_table.to_mm(found[["i", "j", "k"]].to_numpy(float).reshape(-1, 3)))


def _annotated(scan: Scan, native: Volume, params: Preprocessing):
    """Labels on the native grid and their table; seeds instead if they grow on the standard one.

    Returns labels (the seeds painted, if they are to grow later), table or None, marks or None.
    """
    if params.refinement_grid == "standard" and scan.annotation.kind in ("points", "scribbles"):
        marks = read_marks(scan, native, params)
        return marks.painted(native), None, marks
    drawn, found = refine(scan, native, params)
    found["centre_mm"] = _centres(native, found)
    return drawn, found, None


@dataclass(frozen=True)
class Prepared:
    """A scan on the standard grid: z-scored image, microbleeds, brain; tables and record."""

    image: Volume
    lesions: Volume
    brain: Volume
    table: pd.DataFrame
    changes: pd.DataFrame
    record: dict


def prepare(scan: Scan, params: Preprocessing) -> Prepared:
    """Bring one scan and its annotation to the standard grid (steps 0 to 6).

    Values that are not finite become background; label refinement on the native grid; brain
    mask, everything outside set to 0 (`tissue`); crop to the brain (and to microbleeds that
    reach beyond it); RAS and isotropic resampling (with ``refinement_grid`` "standard", points
    and scribbles are grown and drawn now, on the image with its skull); pruning and closing of
    the microbleeds; z-score.

    Raises
    ------
    CountError
        If a step lost a microbleed for good.
    """
    ledger = Ledger(scan.uid)
    native, replaced = fill_nan(Volume.read(scan.image))
    if replaced:
        ledger.changes.append(Change("intensities", None, "replaced", replaced, 0))
    drawn, found, marks = _annotated(scan, native, params)
    brain, mask_name = brain_mask(native, params.brain_mask, params.synthstrip, scan.uid)
    box = bounding_box(brain.data, drawn.data)
    part, brain, drawn = (grid.crop(v, box).reoriented("RAS") for v in (native, brain, drawn))
    shape, affine = grid.standard_grid(part, params.spacing_mm, params.grid_alignment)
    if params.padding == "image":
        shape, affine = grid.padded_grid(shape, affine, params.pad_voxels)
    rim = 0.5 if params.grid_alignment == "edges" else 0.0
    standard_brain = grid.resample_nearest(brain, shape, affine)
    if marks is None:
        around = grid.labels_box(drawn.data, 1)
        drawn = grid.crop(drawn, around)
        ledger.enter("refined", drawn.data)
        ledger.require(found["id"], "refined")
        _note_refinement(drawn, grid.crop(brain, around), found, params, ledger)
        lesions = _resampled(drawn, found, shape, affine, ledger)
    else:
        whole = grid.resample_linear(part, shape, affine, fill=float(part.data.min()), rim=rim)
        lesions, found = grow_spheres(whole, marks.moved(native, whole), params)
        found["centre_mm"] = _centres(whole, found)
        for step in ("refined", "resampled"):
            ledger.enter(step, _around(lesions.data))
        ledger.require(range(1, len(marks.voxels) + 1), "refined")
        _note_refinement(lesions, standard_brain, found, params, ledger)
    part = tissue(part, brain, params)
    image = grid.resample_linear(part, shape, affine, fill=float(part.data.min()), rim=rim)
    found = with_ratings(found, scan.annotation.findings)
    table = _clean(lesions, found, scan, params, ledger)
    mean, sd = moments(image, standard_brain, params)
    np.subtract(image.data, np.float32(mean), out=image.data)
    np.divide(image.data, np.float32(sd), out=image.data)
    record = {
        "uid": scan.uid,
        "dataset": scan.dataset,
        "synthetic": scan.synthetic,
        "slice_thickness_mm": scan.acquisition.slice_thickness_mm,
        "methods": {"brain_mask": mask_name},
        "refinement_grid": params.refinement_grid,
        "native": {"shape": list(native.shape), "affine": native.affine.tolist()},
        "crop": [[s.start, s.stop] for s in box],
        "standard": {"shape": list(shape), "affine": affine.tolist()},
        "standard_to_native": (np.linalg.inv(native.affine) @ affine).tolist(),
        "zscore": params.zscore,
        "mean": mean,
        "sd": sd,
        "background_value": -mean / sd,
        "annotated": int(found["mark"].nunique()),
        **ledger.record(),
    }
    changes = change_table(ledger.changes)
    return Prepared(image, lesions, standard_brain, table, changes, record)


def preprocess(scan: Scan, params: Preprocessing, folder: Path) -> None:
    """Bring one scan to the standard grid (`prepare`), parcellate the brain, write it all.

    Parameters
    ----------
    scan : Scan
    params : Preprocessing
    folder : Path
        Receives the files that `StandardScan` names: image (scaled int16), microbleeds
        (uint16), brain and parcellation (uint8), each with its JSON sidecar; table (TSV,
        ``COLUMNS``), changes (TSV), record (JSON; ``scan_to_mni``: affine to MNI mm).
    """
    target = StandardScan(scan, Path(folder))
    done = prepare(scan, params)
    scan_to_mni = fit_to_mni(done.brain)
    labels, parcellation_name = parcellate(
        done.image,
        done.brain,
        params.parcellation,
        params.synthseg,
        scan.uid,
        params.atlas_registration,
        scan_to_mni,
    )
    done.record["scan_to_mni"] = scan_to_mni.tolist()
    done.record["methods"]["parcellation"] = parcellation_name
    done.image.write(target.image_path, dtype=np.int16)
    done.lesions.write(target.lesions_path)
    done.brain.write(target.brain_path)
    labels.write(target.labels_path)
    done.table.to_csv(target.table_path, sep="\t", index=False, float_format="%.6g")
    done.changes.to_csv(target.changes_path, sep="\t", index=False, float_format="%.6g")
    target.record_path.write_text(json.dumps(done.record, indent=1))
    write_sidecars(target, params, done.record["methods"])
