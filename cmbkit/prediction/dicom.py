"""DICOM series in: which files belong together, and the NIfTI image that dcm2niix makes of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import warnings
from collections.abc import Iterable
from pathlib import Path

from cmbkit.datasets.sources import read_fields, sidecar_of
from cmbkit.prediction.dicom_geometry import require_same_places, require_stack, slices_of
from cmbkit.prediction.echoes import choose_echo, said
from cmbkit.prediction.given_image import GivenImage
from cmbkit.volume import Volume

MAGIC_AT, MAGIC = 128, b"DICM"
FIELDS = ("SeriesInstanceUID", "InstanceNumber", "SOPClassUID", "Rows")
FIRST_TAGS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")  # as a file without a preamble begins
TOLD = ("Modality", "BodyPartExamined", "PhotometricInterpretation")
PARTS = frozenset(("P", "PHASE", "PHASE MAP", "R", "REAL", "I", "IMAGINARY"))
PART_NAME = re.compile(r"_(ph|real|imaginary|fieldmaphz)[a-z]?$")
PHASE = frozenset(("P", "PHASE", "PHASE MAP"))
SWI = "SW_M_FFE"
"""What Philips calls the susceptibility-weighted magnitude, beside a plain one and the phase."""
WARNING = re.compile(r"Warning: (.*)")
KEPT_PHASE = "The series' phase was not looked at; it is kept as part-phase.nii.gz."
INSTALL = "install cmbkit[dicom] (packages pydicom, dcm2niix and highdicom)"


class DicomError(ValueError):
    """A series cannot be read; the message names its folder."""


def is_dicom(path: Path) -> bool:
    """Whether a file starts as DICOM part 10 says: 128 bytes, then DICM; or with a first tag."""
    with open(path, "rb") as stream:
        start = stream.read(MAGIC_AT + len(MAGIC))
    return start[MAGIC_AT:] == MAGIC or start[:2] in FIRST_TAGS


def group_by_series(files: Iterable[Path]) -> tuple[dict[str, list[Path]], dict[Path, str]]:
    """DICOM images by SeriesInstanceUID, in the order of their instance numbers.

    Files that are not DICOM, and DICOM files without an image, are left out. Images without a
    SeriesInstanceUID are taken for one series of their folder.

    Returns
    -------
    groups : dict of str to list of Path
    problems : dict of Path to str
        What is wrong with each DICOM file whose header cannot be read.
    """
    groups: dict[str, list[tuple[int, Path]]] = {}
    problems = {}
    for path in files:
        try:
            found = _identity(path)
        except DicomError:
            raise
        except Exception as error:
            why = " ".join(str(error).split()) or type(error).__name__
            problems[path] = f"expected a readable DICOM header, found: {why}"
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


def _header(path: Path):
    return pydicom().dcmread(path, stop_before_pixels=True, force=True)


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


def convert(files: Iterable[Path], folder: Path, echo: int | None = None) -> GivenImage:
    """Make one NIfTI image of a series with dcm2niix, and see that it lies where headers say.

    Of magnitude and phase the magnitude is taken, of several echoes one (`choose_echo`).

    Parameters
    ----------
    files : iterable of Path
        The series.
    folder : Path
        Where to; must exist.
    echo : int, optional
        Number of the echo, from 1 by echo time.

    Raises
    ------
    DicomError
        If dcm2niix is not installed or fails; if slices are missing, shifted, turned or without
        a place; if there is not one magnitude image of the echo.
    """
    files = list(files)
    where = files[0].parent
    program = _dcm2niix()
    try:
        files, headers, beside, notes = _one_echo_of(files, [_header(p) for p in files], echo)
        slices = [] if _is_mosaic(headers[0]) else slices_of(headers, where)
        count = require_stack(slices, where) if slices else 0
        made, warned = _run(program, files, folder, where)
        image, phase, more = _one_image(made, None if notes else echo)
        phase = _phase_of(program, beside, folder / "phase", where) if beside else phase
        if slices:
            require_same_places(slices, count, Volume.read(image), where)
    except ValueError as error:
        message = str(error).replace(str(folder), str(where))
        start = "" if message.startswith(str(where)) else f"{where}: "
        raise DicomError(start + message) from None
    fields = read_fields(sidecar_of(image))
    fields |= {n: str(headers[0].get(n)) for n in TOLD if headers[0].get(n)}
    kept = [] if phase is None else [KEPT_PHASE]
    return GivenImage(image, fields, notes + more + kept, warned, phase)


def _phase_of(program: str, files, folder: Path, where: Path) -> Path | None:
    """Image of phase files; None where dcm2niix makes none or several: nothing depends on it."""
    folder.mkdir()
    try:
        made, _ = _run(program, files, folder, where)
    except DicomError:
        return None
    return made[0] if len(made) == 1 else None


def _run(program: str, files, folder: Path, where: Path) -> tuple[list[Path], list[str]]:
    """Images that dcm2niix makes of files, and what it warns of."""
    source = folder / "dicom"
    source.mkdir()
    for number, path in enumerate(files):
        os.symlink(path.resolve(), source / f"{number:05d}.dcm")
    command = [program, "-z", "n", "-b", "y", "-f", "series", "-o", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    made = sorted(folder.glob("series*.nii"))
    if not made:
        found = lines[-1] if lines else "nothing"
        raise DicomError(f"{where}: expected an image from dcm2niix, found: {found}")
    warned = dict.fromkeys(found[1].strip() for found in map(WARNING.search, lines) if found)
    return made, [f"dcm2niix warns: {line.replace(str(folder), str(where))}" for line in warned]


def _one_echo_of(files: list[Path], headers: list, echo: int | None):
    """Files of one echo's magnitude in a series of single slices, their headers, its phase, notes.

    Multi-frame objects stay: dcm2niix takes them apart.
    """
    if any("PerFrameFunctionalGroupsSequence" in header for header in headers):
        return files, headers, [], []
    types = [header.get("ImageType") for header in headers]
    at = [round(float(header.get("EchoTime") or 0), 2) for header in headers]
    kept = [n for n, kind in enumerate(types) if not _is(PARTS, kind)] or list(range(len(files)))
    kept = [n for n in kept if _is({SWI}, types[n])] or kept
    times = sorted({at[n] for n in kept})
    index = choose_echo(times, echo)
    kept = [n for n in kept if at[n] == times[index]]
    beside = [f for f, kind, te in zip(files, types, at, strict=True)
              if _is(PHASE, kind) and te == times[index]]  # fmt: skip
    beside = [] if files[kept[0]] in beside else beside
    notes = [said(index, times)] if len(times) > 1 else []
    return [files[n] for n in kept], [headers[n] for n in kept], beside, notes


def _is_mosaic(dataset) -> bool:
    return "MOSAIC" in (dataset.get("ImageType") or ())


def _one_image(made: list[Path], echo: int | None) -> tuple[Path, Path | None, list[str]]:
    """One echo's magnitude image among the files of dcm2niix, its phase, and a note on the echo.

    Names count before ImageType, which dcm2niix gives alike to all parts of an enhanced object.
    """
    fields = {path: read_fields(sidecar_of(path)) for path in made}
    at = {path: round(1000 * float(fields[path].get("EchoTime") or 0), 2) for path in made}
    whole = [p for p in made if not PART_NAME.search(p.stem)]
    whole = [p for p in whole if not _is(PARTS, fields[p].get("ImageType"))] or whole or made
    times = sorted({at[path] for path in whole})
    index = choose_echo(times, echo)
    held = [path for path in whole if at[path] == times[index]]
    if len(held) > 1:
        names = ", ".join(f"{path.name} ({fields[path].get('ImageType')})" for path in held)
        raise DicomError(
            f"expected one magnitude image of an echo in the series, found {len(held)}: {names}; "
            "convert it yourself and name the magnitude image"
        )
    phases = [p for p in made if p.stem.endswith("_ph") and at[p] == times[index] and p not in held]
    phase = phases[0] if len(phases) == 1 else None
    return held[0], phase, [said(index, times)] if len(times) > 1 else []


def _is(kinds, image_type) -> bool:
    """Whether ImageType has one of ``kinds``."""
    return bool({str(kind).upper() for kind in image_type or ()} & set(kinds))
