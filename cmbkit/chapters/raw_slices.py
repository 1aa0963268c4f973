"""Slices of scans as delivered, and the microbleeds to show in them."""

import numpy as np
import pandas as pd

from cmbkit.records import Annotation, Scan, StandardScan
from cmbkit.volume import Volume

PLACE = ["x_mm", "y_mm", "z_mm"]


def raw_image(scan: Scan) -> Volume:
    """The image as delivered, flipped to RAS for display; NaN shown as the lowest value."""
    volume = Volume.read(scan.image).reoriented("RAS")
    return volume.with_data(np.nan_to_num(volume.data, nan=np.nanmin(volume.data)))


def raw_phase(scan: Scan) -> Volume | None:
    """Filtered phase in rad that comes with a scan of CRB's layout, in RAS; None where none does.

    ``<study>/phase/<study>_PHASE.nii.gz``, in 1/1000 rad.
    """
    study = scan.image.parents[2] if len(scan.image.parents) > 2 else scan.image.parent
    path = study / "phase" / f"{study.name}_PHASE.nii.gz"
    if scan.sequence != "SWI" or not path.is_file():
        return None
    volume = Volume.read(path).reoriented("RAS")
    return volume.with_data(volume.data / np.float32(1000))


def raw_marks(annotation: Annotation, image: Volume) -> Volume:
    """Voxels that raters marked, on the image's own grid: mask or scribbles as drawn, or points."""
    if annotation.mask_path:
        return Volume.read(annotation.mask_path, "uint16")
    marks = np.zeros(image.shape, np.uint16)
    for number, point in enumerate(annotation.points, 1):
        marks[point] = number
    return image.with_data(marks)


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


def conspicuity(crop: np.ndarray, extent_mm: tuple[float, float]) -> float:
    """How dark the middle of a crop is, in standard deviations of the ring 3 to 8 mm around it.

    Noise lowers it, and so do vessels and edges within the ring.
    """
    cells = np.indices(crop.shape) + 0.5
    pixel = (np.asarray(extent_mm) / crop.shape)[:, None, None]
    away = np.hypot(*(cells * pixel - np.asarray(extent_mm)[:, None, None] / 2))
    ring = crop[(away > 3) & (away < 8)]
    return float((ring.mean() - crop[away < 1].mean()) / max(ring.std(), 1e-9))


def most_conspicuous(scan: Scan, places) -> tuple[float, np.ndarray | None]:
    """`conspicuity` of a scan's most conspicuous place in mm, and the place; -inf, None of none."""
    image = raw_image(scan)
    rated = [(conspicuity(*axial_crop(image, place)), place) for place in places]
    return max(rated, key=lambda row: row[0], default=(-np.inf, None))


def largest_microbleed(standard: StandardScan) -> pd.Series | None:
    """Row of the scan's largest annotated CMB; None for a scan without."""
    table = standard.microbleeds().sort_values(["n_voxels", "id"], ascending=[False, True])
    return table.iloc[0] if len(table) else None
