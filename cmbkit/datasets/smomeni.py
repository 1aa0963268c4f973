"""sMOMENI (section 4.5): MOMENI scans with about ten synthetic microbleeds added to each.

Layout: ``sCMB_DefiniteSubject/*_rsCMB_Vn*.nii.gz`` with ``sCMBInformationInfo.xlsx`` (made from
scans that had CMBs) and ``sCMB_NoCMBSubject/*_sCMB_Vn*.nii.gz`` with
``sCMBLocationInformationInfoNocmb.xlsx``; a workbook lies in its folder or one above. The
workbooks look like MOMENI's. A centre that is listed twice, or one voxel beside another
(L1 distance 1), is one microbleed.
"""

from __future__ import annotations

import re
from pathlib import Path

from cmbkit.datasets.momeni import (
    PUBLISHED,
    patient_and_time,
    read_workbook,
    require_all_listed_exist,
    share_folder,
)
from cmbkit.datasets.sources import (
    DatasetError,
    acquisition,
    images_in,
    is_synthetic,
    read_each,
    read_header,
    zero_based,
)
from cmbkit.records import Annotation, Scan

WORKBOOKS = {
    "sCMB_DefiniteSubject": "sCMBInformationInfo.xlsx",
    "sCMB_NoCMBSubject": "sCMBLocationInformationInfoNocmb.xlsx",
}
_VARIANT = re.compile(r"_(?P<kind>r?s)CMB_(?P<version>V\d+)")

Point = tuple[int, int, int]


def without_neighbours(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Drop points at L1 distance 0 or 1 from one that is kept; the first of a pair stays."""
    kept: list[Point] = []
    for point in points:
        if all(sum(abs(a - b) for a, b in zip(point, k, strict=True)) > 1 for k in kept):
            kept.append(point)
    return tuple(kept)


def _variant(image: Path) -> str:
    match = _VARIANT.search(image.name)
    if not match:
        raise DatasetError(f"{image}: expected a name with _rsCMB_Vn or _sCMB_Vn, found none")
    return f"{match['kind']}{match['version']}"


def _workbook(folder: Path, name: str) -> Path:
    inside, above = folder / name, folder.parent / name
    return above if above.is_file() and not inside.is_file() else inside


def read(root: Path) -> list[Scan]:
    """Read all scans below ``root``.

    Parameters
    ----------
    root : Path
        Folder that holds the two ``sCMB_*`` folders (or ``PublicDataShare_2020`` above them).

    Returns
    -------
    list of Scan
        Kind "points"; ``patient`` is the MOMENI patient that the scan was made from.

    Raises
    ------
    DatasetError
        One line per image without a row, row without an image, coordinate outside its image.
    """
    synthetic = is_synthetic(Path(root))
    folder = share_folder(root)
    groups = [folder / name for name in WORKBOOKS if (folder / name).is_dir()]
    if not groups:
        raise DatasetError(f"{folder}: expected {' or '.join(WORKBOOKS)}, found neither")
    per_group = read_each(lambda group: _read_group(group, synthetic), groups)
    return [scan for scans in per_group for scan in scans]


def _read_group(group: Path, synthetic: bool) -> list[Scan]:
    images = images_in(group)
    if not images:
        raise DatasetError(f"{group}: expected images, found none")
    workbook = _workbook(group, WORKBOOKS[group.name])
    centres = read_workbook(workbook)
    require_all_listed_exist(centres, images, workbook)

    def read_one(image: Path) -> Scan:
        header = read_header(image)
        patient, time = patient_and_time(image)
        rows = centres.get(image.name.removesuffix(".nii.gz"))
        if not rows:
            raise DatasetError(f"{workbook}: {image.name}: expected coordinates, found none")
        points = without_neighbours(zero_based(rows, header, workbook))
        return Scan(
            dataset="sMOMENI",
            patient=patient,
            scan=f"{patient}_{time}_{_variant(image)}",
            sequence="SWI",
            image=image,
            annotation=Annotation("points", points=points),
            acquisition=acquisition(header, PUBLISHED),
            synthetic=synthetic,
        )

    return read_each(read_one, images)
