"""The microbleeds of a preprocessed scan described on the standard or on the scan's own grid."""

import pandas as pd

from cmbkit.features.describe import describe_lesions
from cmbkit.preprocessing.grid import to_native
from cmbkit.preprocessing.intensities import fill_nan
from cmbkit.records import StandardScan
from cmbkit.volume import Volume

GRIDS = ("standard", "native")


def describe_scan(
    standard: StandardScan,
    lesions: Volume | None = None,
    *,
    grid: str = "standard",
    type: str = "GT",
) -> pd.DataFrame:
    """Describe annotated or predicted microbleeds of one scan (chapter 4.9).

    Parameters
    ----------
    lesions : Volume of int, optional
        On the standard grid; the annotated microbleeds by default. Predicted ones go in here.
    grid : {"standard", "native"}
        ``standard``: the isotropic grid, z-scored image. ``native``: microbleeds, brain and
        parcellation are brought back to the raw image's grid; intensities are in its units.
    type : {"GT", "Pred"}

    Returns
    -------
    DataFrame
        As `describe_lesions`, with x_mni to z_mni by the registration that the scan's record
        holds; ids, and positions in mm up to half a native voxel, are the same on both grids.
    """
    if grid not in GRIDS:
        raise ValueError(f"grid: expected one of {GRIDS}, found {grid!r}")
    if lesions is None:
        lesions = standard.lesions()
    volumes = {"lesions": lesions, "labels": standard.labels(), "brain": standard.brain()}
    record = standard.record()
    if grid == "standard":
        image = standard.image()
    else:
        image, _ = fill_nan(Volume.read(standard.scan.image))
        volumes = {name: to_native(volume, record) for name, volume in volumes.items()}
    return describe_lesions(
        image,
        **volumes,
        uid=standard.scan.uid,
        dataset=standard.scan.dataset,
        type=type,
        grid=grid,
        scan_to_mni=record.get("scan_to_mni"),
    )
