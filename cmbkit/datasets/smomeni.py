"""sMOMENI (section 4.5): MOMENI scans with about ten synthetic microbleeds added to each.

Layout: ``sCMB_DefiniteSubject/*_rsCMB_Vn*.nii.gz`` with ``sCMBInformationInfo.xlsx`` (made from
scans that had CMBs) and ``sCMB_NoCMBSubject/*_sCMB_Vn*.nii.gz`` with
``sCMBLocationInformationInfoNocmb.xlsx``; a workbook lies in its folder or one above. The
workbooks look like MOMENI's. A centre that is listed twice, or one voxel beside another
(L1 distance 1), is one microbleed.
"""

import re
from pathlib import Path

from cmbkit.datasets import sources
from cmbkit.datasets.assembly import make_scan
from cmbkit.datasets.momeni import PUBLISHED, Centres, patient_and_time, share_folder
from cmbkit.datasets.sources import DatasetError
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
        raise DatasetError(
            f"{image}: expected a name with _rsCMB_Vn or _sCMB_Vn, found none; "
            "give the file its published name"
        )
    return f"{match['kind']}{match['version']}"


def _workbook(folder: Path, name: str) -> Path:
    inside, above = folder / name, folder.parent / name
    return above if above.is_file() and not inside.is_file() else inside


def read(root: Path) -> list[Scan]:
    """Read all scans of the two ``sCMB_*`` folders in ``root`` or ``PublicDataShare_2020``.

    Returns
    -------
    list of Scan
        Kind "points"; ``patient`` is the MOMENI patient that the scan was made from.

    Raises
    ------
    DatasetError
        One line per image without a row, row without an image, coordinate outside its image.
    """
    folder = share_folder(root)
    groups = [folder / name for name in WORKBOOKS if (folder / name).is_dir()]
    sources.require_some(groups, folder, f"folders {' or '.join(WORKBOOKS)}")
    listed, problems = [], []
    for group in groups:
        images = sources.images_in(group)
        if not images:
            problems.append(f"{group}: expected images, found none; add them, or remove the folder")
            continue
        centres = Centres(_workbook(group, WORKBOOKS[group.name]), images)
        problems += centres.problems
        listed += [(image, centres) for image in images]
    return sources.read_each(lambda pair: _read_one(*pair), listed, problems)


def _read_one(image: Path, centres: Centres) -> Scan:
    header = sources.read_header(image)
    patient, time = patient_and_time(image)
    return make_scan(
        header,
        lambda: Annotation("points", points=without_neighbours(centres.of(header))),
        PUBLISHED,
        dataset="sMOMENI",
        patient=patient,
        scan=f"{patient}_{time}_{_variant(image)}",
        sequence="SWI",
    )
