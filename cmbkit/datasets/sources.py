"""What every reader needs: one error, image headers, sidecars, label masks, the synthetic flag."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cmbkit.records import Acquisition
from cmbkit.volume import Volume

NOMINAL_TESLA = (1.5, 3.0, 7.0)


class DatasetError(ValueError):
    """A folder is not the dataset that was expected; each line names file, expected, found."""


@dataclass(frozen=True)
class Published:
    """Acquisition of a dataset as published (Table 4.1), where no sidecar says otherwise.

    Field strength in tesla as text, times in ms, flip angle in degrees.
    """

    field_strength: str | None = None
    te_ms: float | None = None
    tr_ms: float | None = None
    flip_deg: float | None = None
    site: str | None = None


@dataclass(frozen=True)
class Header:
    """What the header of a NIfTI file says; the voxels are not read.

    ``shape`` in voxels, ``spacing`` in mm along the array axes.
    """

    path: Path
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class MaskContent:
    """What a label mask holds: number of 6-connected components of voxels > 0, and values > 0."""

    n_components: int
    values: tuple[int, ...] = field(default=())


def stem(path: Path) -> str:
    """File name without ``.nii`` or ``.nii.gz``."""
    return path.name.removesuffix(".gz").removesuffix(".nii")


def images_in(folder: Path) -> list[Path]:
    """NIfTI files of a folder, sorted by name; hidden files are left out."""
    found = [*folder.glob("*.nii"), *folder.glob("*.nii.gz")]
    return sorted(path for path in found if not path.name.startswith("."))


def require_folder(path: Path) -> Path:
    """Return the path if it is a folder, else raise DatasetError."""
    if not path.is_dir():
        raise DatasetError(f"{path}: expected a folder, found nothing")
    return path


def require_file(path: Path) -> Path:
    """Return the path if it is a file, else raise DatasetError."""
    if not path.is_file():
        raise DatasetError(f"{path}: expected a file, found nothing")
    return path


def read_each(read_one: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """Call ``read_one`` on every item; all DatasetErrors come as one, a line each."""
    results, problems = [], []
    for item in items:
        try:
            results.append(read_one(item))
        except DatasetError as error:
            problems.append(str(error))
    if problems:
        raise DatasetError("\n".join(problems))
    return results


def read_header(path: Path) -> Header:
    """Read the header of a 3D NIfTI file (4D with one volume counts as 3D).

    Raises
    ------
    DatasetError
        If the file is missing, no NIfTI, or not one 3D image.
    """
    import nibabel as nib

    require_file(path)
    try:
        image = nib.load(path)
    except Exception as error:
        raise DatasetError(f"{path}: expected a readable NIfTI file, found: {error}") from error
    shape = image.shape[:3] if image.shape[3:] == (1,) else image.shape
    if len(shape) != 3:
        raise DatasetError(f"{path}: expected a 3D image, found shape {image.shape}")
    spacing = np.sqrt((image.affine[:3, :3] ** 2).sum(axis=0))
    if not (np.isfinite(image.affine).all() and (spacing > 0).all()):
        raise DatasetError(f"{path}: expected a finite affine, found {image.affine.tolist()}")
    return Header(path, tuple(map(int, shape)), tuple(round(float(s), 4) for s in spacing))


def _sidecar(image: Path) -> dict:
    path = image.with_name(f"{stem(image)}.json")
    if not path.is_file():
        return {}
    try:
        fields = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}: expected JSON, found: {error}") from None
    if not isinstance(fields, dict):
        raise DatasetError(f"{path}: expected keys and values, found {type(fields).__name__}")
    return fields


def _number(fields: dict, key: str, image: Path, factor: float = 1.0) -> float | None:
    value = fields.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DatasetError(f"{stem(image)}.json: {key}: expected a number, found {value!r}")
    return round(value * factor, 4)


def tesla_text(tesla: float) -> str:
    """Field strength as text: ``"1.5"``, ``"3"`` or ``"7"`` when within 0.2 T, else the number."""
    nearest = min(NOMINAL_TESLA, key=lambda nominal: abs(nominal - tesla))
    return f"{nearest if abs(nearest - tesla) < 0.2 else tesla:g}"


def acquisition(header: Header, published: Published) -> Acquisition:
    """Combine header, optional BIDS sidecar (``<image>.json``) and the published values.

    The sidecar's MagneticFieldStrength (T), EchoTime and RepetitionTime (s), FlipAngle
    (degrees) and InstitutionAddress win over what was published for the dataset.
    """
    fields = _sidecar(header.path)
    tesla = _number(fields, "MagneticFieldStrength", header.path)
    measured = {
        "field_strength": None if tesla is None else tesla_text(tesla),
        "te_ms": _number(fields, "EchoTime", header.path, 1000),
        "tr_ms": _number(fields, "RepetitionTime", header.path, 1000),
        "flip_deg": _number(fields, "FlipAngle", header.path),
        "site": fields.get("InstitutionAddress"),
    }
    chosen = {
        name: getattr(published, name) if value is None else value
        for name, value in measured.items()
    }
    small, middle, large = sorted(header.spacing)
    return Acquisition((small, middle), large, **chosen)


def is_synthetic(root: Path) -> bool:
    """Whether ``dataset_description.json`` in a dataset's root says ``"Synthetic": true``."""
    path = root / "dataset_description.json"
    if not path.is_file():
        return False
    try:
        description = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}: expected JSON, found: {error}") from None
    return isinstance(description, dict) and description.get("Synthetic") is True


def mask_content(path: Path) -> MaskContent:
    """Read a label mask (remembered while the file stays as it is).

    Raises
    ------
    DatasetError
        If the mask is unreadable or holds values that are not integers.
    """
    require_file(path)
    status = path.stat()
    return _mask_content(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16384)
def _mask_content(path: Path, _size: int, _mtime_ns: int) -> MaskContent:
    from scipy import ndimage

    try:
        data = Volume.read(path, np.int32).data
    except ValueError as error:
        raise DatasetError(str(error)) from error
    inside = data > 0
    if not inside.any():
        return MaskContent(0)
    where = np.nonzero(inside)
    box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in where)
    count = ndimage.label(inside[box])[1]
    return MaskContent(int(count), tuple(int(v) for v in np.unique(data[where])))


def zero_based(rows, header: Header, source: Path) -> tuple[tuple[int, int, int], ...]:
    """1-based voxel coordinates, shape (n, 3), to 0-based indices within the image.

    A fractional centre goes to its nearest voxel.

    Raises
    ------
    DatasetError
        If a coordinate is not finite or lies outside the image.
    """
    rows = np.asarray(rows, float).reshape(-1, 3)
    bad = ~np.isfinite(rows).all(axis=1)
    if not bad.any():
        rows = np.rint(rows)
        bad = ((rows < 1) | (rows > header.shape)).any(axis=1)
    if bad.any():
        raise DatasetError(
            f"{source}: {header.path.name}: expected coordinates from 1 to {header.shape}, "
            f"found {rows[bad][0].tolist()}"
        )
    return tuple(tuple(int(v) - 1 for v in row) for row in rows)
