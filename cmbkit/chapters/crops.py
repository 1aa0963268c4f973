"""Pieces of scans around a microbleed, on the standard grid, for Figures 7.5, 8.1 and 8.2."""

from collections.abc import Mapping

import numpy as np

from cmbkit.plotting.cuts import crop_around
from cmbkit.records import Scan, StandardScan
from cmbkit.volume import Volume


def rows_around(
    standard: StandardScan, centre, predicted: Mapping[str, Volume], size_mm: float = 30.0
) -> list:
    """Rows of `cuts.orthogonal_cuts`: raw, annotated and each model's outlines at a place.

    Parameters
    ----------
    centre : (3,) int
        Voxel of the standard grid.
    predicted : mapping of model to Volume
        Instance labels.
    size_mm : float
        Side of the cube that is shown.
    """
    image = standard.image()
    box = (round(size_mm / float(image.spacing[0])),) * 3
    raw = crop_around(image.data, centre, box, image.data.min())
    truth = crop_around(standard.lesions().data, centre, box)
    rows = [("Raw", raw, {}), ("Annotated", raw, {"annotated": truth})]
    for model, volume in predicted.items():
        rows.append((model, raw, {"predicted": crop_around(volume.data, centre, box)}))
    return rows


def centre_of_label(labels: Volume, label: int) -> tuple[int, int, int]:
    """Voxel nearest to the centre of mass of one instance."""
    return tuple(np.rint(np.argwhere(labels.data == label).mean(axis=0)).astype(int))


def middle(rows: list) -> tuple[int, int, int]:
    """Middle voxel of the pieces of `rows_around`."""
    return tuple(size // 2 for size in rows[0][1].shape)


def acquired(scan: Scan) -> str:
    """Sequence and voxel size of a scan as delivered."""
    size = " x ".join(f"{mm:.2g}" for mm in scan.acquisition.in_plane_mm)
    return f"{scan.sequence}, {size} mm pixels, {scan.acquisition.slice_thickness_mm:.2g} mm slices"
