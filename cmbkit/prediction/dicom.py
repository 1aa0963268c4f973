"""DICOM series in: which files belong together, and the NIfTI image that dcm2niix makes of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from collections.abc import Iterable
from pathlib import Path

MAGIC_AT, MAGIC = 128, b"DICM"
FIELDS = ("SeriesInstanceUID", "InstanceNumber", "SOPClassUID", "Rows")
FIRST_TAGS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")  # as a file without a preamble begins
INSTALL = "install cmbkit[dicom] (packages pydicom, dcm2niix and highdicom)"


class DicomError(ValueError):
    """A series cannot be read; the message names its folder."""


def is_dicom(path: Path) -> bool:
    """Whether a file starts as DICOM part 10 says: 128 bytes, then DICM; or with a first tag."""
    with open(path, "rb") as stream:
        start = stream.read(MAGIC_AT + len(MAGIC))
    return start[MAGIC_AT:] == MAGIC or start[:2] in FIRST_TAGS


def group_by_series(files: Iterable[Path]) -> tuple[dict[str, list[Path]], list[str]]:
    """DICOM images by SeriesInstanceUID, in the order of their instance numbers.

    Files that are not DICOM, and DICOM files without an image, are left out. Images without a
    SeriesInstanceUID are taken for one series of their folder.

    Returns
    -------
    groups : dict of str to list of Path
    problems : list of str
        One line for each DICOM file whose header cannot be read.
    """
    groups: dict[str, list[tuple[int, Path]]] = {}
    problems = []
    for path in files:
        try:
            found = _identity(path)
        except DicomError:
            raise
        except Exception as error:
            why = " ".join(str(error).split()) or type(error).__name__
            problems.append(f"{path}: expected a readable DICOM header, found: {why}")
            continue
        if found is not None:
            series, number = found
            groups.setdefault(series, []).append((number, path))
    return {uid: [path for _, path in sorted(held)] for uid, held in groups.items()}, problems


def _identity(path: Path) -> tuple[str, int] | None:
    """Series and number of an image; None of another file."""
    if not is_dicom(path):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom, about values that do not matter here
        found = pydicom().dcmread(
            path, stop_before_pixels=True, force=True, specific_tags=list(FIELDS)
        )
        if "Rows" not in found or "SOPClassUID" not in found:
            return None
        series = str(found.get("SeriesInstanceUID") or f"without a number in {path.parent}")
        try:
            number = int(found.get("InstanceNumber") or 0)
        except (TypeError, ValueError):  # "1\\2" or text; dcm2niix sorts by place
            number = 0
    return series, number


def pydicom():
    """Import pydicom.

    Raises
    ------
    DicomError
        If it is not installed.
    """
    try:
        import pydicom
    except ModuleNotFoundError:
        raise DicomError(f"DICOM input: expected the package pydicom; {INSTALL}") from None
    return pydicom


def _dcm2niix() -> str:
    """The program: that of the Python package, else (conda) the one on the PATH."""
    try:
        from dcm2niix import bin as program
    except ModuleNotFoundError:
        program = shutil.which("dcm2niix")
    if program is None:
        raise DicomError(f"DICOM input: expected dcm2niix, found nothing; {INSTALL}")
    return str(program)


def convert(files: Iterable[Path], folder: Path) -> Path:
    """Make one NIfTI image of a series with dcm2niix; its JSON sidecar lies beside it.

    Parameters
    ----------
    files : iterable of Path
        The series.
    folder : Path
        Where to; must exist.

    Returns
    -------
    Path
        ``series.nii`` in the folder.

    Raises
    ------
    DicomError
        If dcm2niix is not installed or fails, or does not make exactly one image.
    """
    files = list(files)
    program = _dcm2niix()
    source = folder / "dicom"
    source.mkdir()
    for number, path in enumerate(files):
        os.symlink(path.resolve(), source / f"{number:05d}.dcm")
    command = [program, "-z", "n", "-b", "y", "-f", "series", "-o", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    made = sorted(folder.glob("series*.nii"))
    where = files[0].parent
    if not made:
        said = (done.stdout + done.stderr).strip().splitlines()[-1:] or ["nothing"]
        raise DicomError(f"{where}: expected an image from dcm2niix, found: {said[0]}")
    if len(made) > 1:
        names = ", ".join(path.name for path in made)
        raise DicomError(
            f"{where}: expected a series of one image, found {len(made)} ({names}); "
            "convert it yourself and name the magnitude image"
        )
    return made[0]
