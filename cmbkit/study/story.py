"""The way of one microbleed per dataset from the raw slice to the standard grid (chapter 5)."""

from __future__ import annotations

import numpy as np

from cmbkit.plotting.cuts import crop_around
from cmbkit.plotting.stages_of_a_scan import StoryRow
from cmbkit.preprocessing.grid import resample_labels
from cmbkit.preprocessing.intensities import fill_nan
from cmbkit.preprocessing.labels import refine
from cmbkit.records import Scan, StandardScan
from cmbkit.study.examples import PLACE
from cmbkit.volume import Volume


def typical_microbleeds(study) -> dict[str, tuple[StandardScan, object]]:
    """Per dataset a scan and the row of its CMB whose radius is nearest the dataset's median.

    The first by uid and id where several are equally near; a dataset without CMBs has its first
    scan and None.
    """
    table = study.cohort.microbleeds
    chosen = {}
    for dataset, scans in study.cohort.table.groupby("dataset", sort=True):
        lesions = table[table["dataset"] == dataset].sort_values(["uid", "id"])
        if not len(lesions):
            chosen[dataset] = (study.cohort.by_uid[min(scans["uid"])], None)
            continue
        away = (lesions["radius_mm"] - lesions["radius_mm"].median()).abs()
        lesion = lesions.loc[away.round(6).idxmin()]
        chosen[dataset] = (study.cohort.by_uid[lesion["uid"]], lesion)
    return chosen


def raw_marks(scan: Scan, image: Volume) -> Volume:
    """Voxels that raters marked, on the image's own grid: mask or scribbles as drawn, or points."""
    annotation = scan.annotation
    if annotation.mask_path:
        return Volume.read(annotation.mask_path, "uint16")
    marks = np.zeros(image.shape, np.uint16)
    for number, point in enumerate(annotation.points, 1):
        marks[point] = number
    return image.with_data(marks)


def refined_marks(study, standard: StandardScan, image: Volume) -> Volume:
    """Microbleeds after label refinement on the image's own grid.

    Where spheres were drawn on the standard grid (``refinement_grid``), they are brought back to
    the image's grid.
    """
    params = study.params.preprocessing
    drawn_later = standard.scan.annotation.kind in ("points", "scribbles")
    if params.refinement_grid == "standard" and drawn_later:
        return resample_labels(standard.lesions(), image.shape, image.affine)
    return refine(standard.scan, image, params)[0]


def story_rows(study, size_mm: float = 24.0) -> list[StoryRow]:
    """One row per dataset for Figure S3 (see `cmbkit.plotting.stages_of_a_scan`)."""
    return [_row(study, *chosen, size_mm) for chosen in typical_microbleeds(study).values()]


def _row(study, standard: StandardScan, lesion, size_mm: float) -> StoryRow:
    scan, grid = standard.scan, standard.image()
    native, _ = fill_nan(Volume.read(scan.image))
    marks = raw_marks(scan, native).reoriented("RAS")
    refined = refined_marks(study, standard, native).reoriented("RAS")
    raw = native.reoriented("RAS")
    if lesion is None:
        place = grid.to_mm(np.argwhere(standard.brain().data).mean(axis=0))
    else:
        place = lesion[PLACE].to_numpy(float)
    voxel = np.clip(np.rint(raw.to_voxels(place)).astype(int), 0, np.array(raw.shape) - 1)
    k = _marked_slice(marks, place, voxel[2])
    size = round(size_mm / grid.spacing[0]) // 2 * 2 + 1
    centre = np.rint(grid.to_voxels(place)).astype(int)
    return StoryRow(
        title=_title(scan, raw, lesion),
        raw=raw.data[:, :, k],
        marks=marks.data[:, :, k] > 0,
        refined=refined.data[:, :, k] > 0,
        pixel_mm=tuple(raw.spacing[:2]),
        centre_mm=tuple((raw.to_voxels(place)[:2] + 0.5) * raw.spacing[:2]),
        standard=crop_around(grid.data, centre, size, grid.data.min()),
        lesions=crop_around(standard.lesions().data, centre, size),
        spacing_mm=float(grid.spacing[0]),
        window=tuple(np.percentile(grid.data[standard.brain().data > 0], [1, 99])),
    )


def _marked_slice(marks: Volume, place, otherwise: int) -> int:
    """Slice of the marked voxel nearest to a place: a mark need not lie in the middle one."""
    voxels = np.argwhere(marks.data)
    if not len(voxels):
        return int(otherwise)
    nearest = np.linalg.norm(marks.to_mm(voxels) - place, axis=1).argmin()
    return int(voxels[nearest, 2])


def _title(scan: Scan, raw: Volume, lesion) -> str:
    lines = [scan.dataset, f"{scan.sequence}, {scan.annotation.kind}"]
    lines += [" x ".join(f"{mm:.2g}" for mm in raw.spacing) + " mm"]
    if lesion is None:
        return "\n".join([*lines, "no CMB"])
    return "\n".join([*lines, f"radius {lesion['radius_mm']:.2f} mm"])
