"""MOMENI (section 4.4): SWI with the centres of microbleeds in a workbook.

Layout: ``PublicDataShare_2020/{rCMB_DefiniteSubject,NoCMBSubject}/*.nii.gz`` and
``rCMBInformationInfo.xlsx``. File names start with patient and time point
(``122_T1_MRI_SWI_BFC_50mm_HM.nii.gz``). The workbook's first column is the file name, then come
triplets x, y, z of 1-based voxel indices, as many as there are CMBs; empty cells may hold white
space, and columns ``LocationCirclewholeReal_*`` at the end are not used.
"""

import re
from pathlib import Path

from cmbkit.datasets import sources
from cmbkit.datasets.assembly import Published, make_scan
from cmbkit.datasets.sources import DatasetError, Header
from cmbkit.records import Annotation, Scan

PUBLISHED = Published("3", 20.0, 27.0, 20.0, "Australia")
WITH_CMB, WITHOUT_CMB = "rCMB_DefiniteSubject", "NoCMBSubject"
WORKBOOK = "rCMBInformationInfo.xlsx"
_NAME = re.compile(r"(?P<patient>[^_]+)_(?P<time>T\d+)(_|$)")


def share_folder(root: Path) -> Path:
    """``root/PublicDataShare_2020`` where it exists, else ``root``."""
    root = sources.require_folder(Path(root))
    inner = root / "PublicDataShare_2020"
    return inner if inner.is_dir() else root


def patient_and_time(image: Path) -> tuple[str, str]:
    """Patient and time point of a file name: ``("122", "T1")``."""
    match = _NAME.match(image.name)
    if not match:
        raise DatasetError(
            f"{image}: expected a name like 122_T1_..., found {image.name}; "
            "give the file its published name"
        )
    return match["patient"], match["time"]


def read_workbook(path: Path) -> tuple[dict[str, list[list[float]] | None], list[str]]:
    """Read the centres of a MOMENI or sMOMENI workbook.

    Returns
    -------
    centres : dict of str to list of [x, y, z]
        File name without extension to 1-based voxel coordinates; None where a row is at fault.
    problems : list of str
        One line per row that is at fault: triplet incomplete or not numeric, file listed twice.

    Raises
    ------
    DatasetError
        If the workbook is missing, unreadable, or its first column holds no file names.
    """
    from openpyxl import load_workbook

    sources.require_file(path)
    try:
        sheet = load_workbook(path, read_only=True, data_only=True).worksheets[0]
        header, *rows = [list(row) for row in sheet.iter_rows(values_only=True)] or [[]]
    except Exception as error:
        raise DatasetError(
            f"{path}: expected a readable workbook, found: {error}; copy it again from the source"
        ) from error
    titles = [str(cell or "").strip() for cell in header]
    if not titles or "file name" not in titles[0].lower():
        raise DatasetError(
            f"{path}: expected a first column 'NIFTI File Name', found "
            f"{titles[:1] or 'no columns'}; copy the workbook again from the source"
        )
    extra = [n for n, title in enumerate(titles) if title.startswith("LocationCirclewholeReal")]
    end = extra[0] if extra else None
    found: dict[str, list[list[float]] | None] = {}
    problems = []
    for row in rows:
        name = str(row[0] or "").strip().removesuffix(".gz").removesuffix(".nii")
        if not name:
            continue
        if name in found:
            problems.append(f"{path}: {name}: expected one row, found two; remove one")
            continue
        try:
            found[name] = _triplets([*row[1:end]])
        except ValueError as error:
            found[name] = None
            problems.append(f"{path}: {name}: {error}; correct the row")
    return found, problems


def _triplets(cells: list) -> list[list[float]]:
    cells = [cell.strip() if isinstance(cell, str) else cell for cell in cells]
    points = []
    for start in range(0, len(cells), 3):
        triplet = [cell for cell in cells[start : start + 3] if cell not in (None, "")]
        if not triplet:
            continue
        try:
            point = [float(cell) for cell in triplet]
        except (TypeError, ValueError):
            raise ValueError(f"expected numbers, found {triplet}") from None
        if len(point) != 3:
            raise ValueError(f"expected x, y, z, found {triplet}")
        points.append(point)
    return points


class Centres:
    """Centres of the images of one folder, from the workbook that lists them.

    ``problems`` holds a line for each thing that is wrong with the workbook itself, rows
    without an image among them.
    """

    def __init__(self, workbook: Path, images: list[Path]):
        self.workbook = workbook
        self._rows: dict[str, list[list[float]] | None] | None = None
        try:
            self._rows, self.problems = read_workbook(workbook)
        except DatasetError as error:
            self.problems = [str(error)]
        self.problems += [
            f"{workbook}: expected an image for each row, found none for {name}; "
            "add the image, or remove the row"
            for name in sorted(set(self._rows or ()) - {sources.stem(path) for path in images})
        ]

    def of(self, header: Header) -> tuple[tuple[int, int, int], ...]:
        """0-based voxels of an image; none where ``problems`` names its row or the workbook."""
        name = sources.stem(header.path)
        if self._rows is None or (name in self._rows and self._rows[name] is None):
            return ()
        if not self._rows.get(name):
            raise DatasetError(
                f"{self.workbook}: {header.path.name}: expected coordinates, found none; "
                "add its row, or move the image to the folder of scans without CMBs"
            )
        return sources.zero_based(self._rows[name], header, self.workbook)


def read(root: Path) -> list[Scan]:
    """Read all scans below ``root``: ``PublicDataShare_2020`` or the folder that holds it.

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
    folder = share_folder(root)
    annotated, healthy = (
        sources.images_in(folder / WITH_CMB),
        sources.images_in(folder / WITHOUT_CMB),
    )
    sources.require_some(annotated + healthy, folder, f"images in {WITH_CMB} or {WITHOUT_CMB}")
    workbook = folder / WORKBOOK
    centres = Centres(workbook, annotated) if annotated or workbook.is_file() else None

    def read_one(image: Path) -> Scan:
        header = sources.read_header(image)
        patient, time = patient_and_time(image)
        with_cmb = image.parent.name == WITH_CMB
        return make_scan(
            header,
            lambda: (
                Annotation("points", points=centres.of(header)) if with_cmb else Annotation("none")
            ),
            PUBLISHED,
            dataset="MOMENI",
            patient=patient,
            scan=f"{patient}_{time}",
            sequence="SWI",
        )

    return sources.read_each(read_one, [*annotated, *healthy], centres.problems if centres else [])
