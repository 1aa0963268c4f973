"""MOMENI (section 4.4): SWI with the centres of microbleeds in a workbook.

Layout: ``PublicDataShare_2020/{rCMB_DefiniteSubject,NoCMBSubject}/*.nii.gz`` and
``rCMBInformationInfo.xlsx``. File names start with patient and time point
(``122_T1_MRI_SWI_BFC_50mm_HM.nii.gz``). The workbook's first column is the file name, then come
triplets x, y, z of 1-based voxel indices, as many as there are CMBs; empty cells may hold white
space, and columns ``LocationCirclewholeReal_*`` at the end are not used.
"""

from __future__ import annotations

import re
from pathlib import Path

from cmbkit.datasets.sources import (
    DatasetError,
    Published,
    acquisition,
    images_in,
    is_synthetic,
    read_each,
    read_header,
    require_file,
    require_folder,
    zero_based,
)
from cmbkit.records import Annotation, Scan

PUBLISHED = Published("3", 20.0, 27.0, 20.0, "Australia")
WITH_CMB, WITHOUT_CMB = "rCMB_DefiniteSubject", "NoCMBSubject"
WORKBOOK = "rCMBInformationInfo.xlsx"
_NAME = re.compile(r"(?P<patient>[^_]+)_(?P<time>T\d+)(_|$)")


def share_folder(root: Path) -> Path:
    """``root/PublicDataShare_2020`` where it exists, else ``root``."""
    root = require_folder(Path(root))
    inner = root / "PublicDataShare_2020"
    return inner if inner.is_dir() else root


def patient_and_time(image: Path) -> tuple[str, str]:
    """Patient and time point of a file name: ``("122", "T1")``."""
    match = _NAME.match(image.name)
    if not match:
        raise DatasetError(f"{image}: expected a name like 122_T1_..., found {image.name}")
    return match["patient"], match["time"]


def read_workbook(path: Path) -> dict[str, list[list[float]]]:
    """Read the centres of a MOMENI or sMOMENI workbook.

    Returns
    -------
    dict of str to list of [x, y, z]
        File name without extension to 1-based voxel coordinates.

    Raises
    ------
    DatasetError
        If the first column is no file name, a triplet is incomplete or not numeric, or a
        file is listed twice.
    """
    from openpyxl import load_workbook

    require_file(path)
    try:
        sheet = load_workbook(path, read_only=True, data_only=True).worksheets[0]
        header, *rows = [list(row) for row in sheet.iter_rows(values_only=True)] or [[]]
    except Exception as error:
        raise DatasetError(f"{path}: expected a readable workbook, found: {error}") from error
    titles = [str(cell or "").strip() for cell in header]
    if not titles or "file name" not in titles[0].lower():
        raise DatasetError(
            f"{path}: expected a first column 'NIFTI File Name', found {titles[:1] or 'no columns'}"
        )
    extra = [n for n, title in enumerate(titles) if title.startswith("LocationCirclewholeReal")]
    end = extra[0] if extra else None
    found: dict[str, list[list[float]]] = {}
    for row in rows:
        name = str(row[0] or "").strip()
        if not name:
            continue
        name = name.removesuffix(".gz").removesuffix(".nii")
        if name in found:
            raise DatasetError(f"{path}: {name}: expected one row, found two")
        found[name] = _triplets([*row[1:end]], f"{path}: {name}")
    return found


def _triplets(cells: list, where: str) -> list[list[float]]:
    cells = [cell.strip() if isinstance(cell, str) else cell for cell in cells]
    points = []
    for start in range(0, len(cells), 3):
        triplet = [cell for cell in cells[start : start + 3] if cell not in (None, "")]
        if not triplet:
            continue
        try:
            point = [float(cell) for cell in triplet]
        except (TypeError, ValueError):
            raise DatasetError(f"{where}: expected numbers, found {triplet}") from None
        if len(point) != 3:
            raise DatasetError(f"{where}: expected x, y, z, found {triplet}")
        points.append(point)
    return points


def require_all_listed_exist(centres: dict, images: list[Path], workbook: Path) -> None:
    """Raise DatasetError if the workbook lists files that are not in the folder."""
    missing = sorted(set(centres) - {path.name.removesuffix(".nii.gz") for path in images})
    if missing:
        raise DatasetError(
            f"{workbook}: expected an image for each row, found none for {', '.join(missing[:5])}"
            + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        )


def read(root: Path) -> list[Scan]:
    """Read all scans below ``root``.

    Parameters
    ----------
    root : Path
        Folder that holds ``PublicDataShare_2020``, or that folder itself.

    Returns
    -------
    list of Scan
        Kind "points" in ``rCMB_DefiniteSubject``, "none" in ``NoCMBSubject``.

    Raises
    ------
    DatasetError
        One line per image without a row in the workbook, row without an image, coordinate
        outside its image.
    """
    synthetic = is_synthetic(Path(root))
    folder = share_folder(root)
    annotated, healthy = images_in(folder / WITH_CMB), images_in(folder / WITHOUT_CMB)
    if not annotated and not healthy:
        raise DatasetError(f"{folder}: expected images in {WITH_CMB} or {WITHOUT_CMB}, found none")
    centres = {}
    workbook = folder / WORKBOOK
    if annotated:
        centres = read_workbook(workbook)
        require_all_listed_exist(centres, annotated, workbook)

    def read_one(image: Path) -> Scan:
        header = read_header(image)
        patient, time = patient_and_time(image)
        annotation = Annotation("none")
        if image.parent.name == WITH_CMB:
            rows = centres.get(image.name.removesuffix(".nii.gz"))
            if not rows:
                raise DatasetError(f"{workbook}: {image.name}: expected coordinates, found none")
            annotation = Annotation("points", points=zero_based(rows, header, workbook))
        return Scan(
            dataset="MOMENI",
            patient=patient,
            scan=f"{patient}_{time}",
            sequence="SWI",
            image=image,
            annotation=annotation,
            acquisition=acquisition(header, PUBLISHED),
            synthetic=synthetic,
        )

    return read_each(read_one, [*annotated, *healthy])
