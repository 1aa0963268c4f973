"""What every reader needs: one error, files, image headers, label masks, the synthetic flag."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cmbkit.boxes import bounding_box
from cmbkit.image_file import GeometryError, geometry, load_header, stem
from cmbkit.volume import Volume


class DatasetError(ValueError):
    """A folder is not the dataset that was expected.

    Each line of the message names file, what was expected, what was found and what to do.

    Attributes
    ----------
    readable : list
        What could be read all the same (scans, without what was at fault in them).
    """

    def __init__(self, message: str, readable: Iterable[Any] = ()):
        super().__init__(message)
        self.readable = list(readable)


@dataclass(frozen=True)
class Header:
    """What the header of a NIfTI file says; the voxels are not read.

    ``shape`` in voxels, ``spacing`` in mm along the array axes; ``affine`` maps 0-based voxel
    indices to RAS mm.
    """

    path: Path
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    affine: np.ndarray


class MaskContent(NamedTuple):
    """What a label mask holds: number of 6-connected components of voxels > 0, and values > 0."""

    n_components: int
    values: tuple[int, ...] = ()


def sidecar_of(image: Path) -> Path:
    """Path of an image's JSON sidecar."""
    return image.with_name(f"{stem(image)}.json")


def images_in(folder: Path) -> list[Path]:
    """NIfTI files of a folder, sorted by name; hidden files are left out."""
    found = [*folder.glob("*.nii"), *folder.glob("*.nii.gz")]
    return sorted(path for path in found if not path.name.startswith("."))


def require_folder(path: Path) -> Path:
    """Return the path if it is a folder, else raise DatasetError."""
    if not path.is_dir():
        raise DatasetError(
            f"{path}: expected a folder, found nothing; place it as data/README.md shows"
        )
    return path


def require_some(found, place: Path, what: str) -> None:
    """Raise DatasetError unless ``found`` holds something."""
    if not found:
        raise DatasetError(
            f"{place}: expected {what}, found none; place them as data/README.md shows"
        )


def require_file(path: Path) -> Path:
    """Return the path if it is a file, else raise DatasetError."""
    if not path.is_file():
        raise DatasetError(
            f"{path}: expected a file, found nothing; add it, or take its partner away"
        )
    return path


def nifti_file(folder: Path, name: str) -> Path:
    """Return the one file ``name.nii.gz`` or ``name.nii`` of a folder, else raise DatasetError."""
    packed, plain = folder / f"{name}.nii.gz", folder / f"{name}.nii"
    if packed.is_file() and plain.is_file():
        raise DatasetError(f"{packed}: expected one file, found {plain.name} beside it; remove one")
    return plain if plain.is_file() else require_file(packed)


def read_each(
    read_one: Callable[[Any], Any], items: Iterable[Any], problems: Iterable[str] = ()
) -> list[Any]:
    """Call ``read_one`` on every item.

    All DatasetErrors come as one, a line each, after the ``problems`` that were known before;
    its ``readable`` holds the results that there are.
    """
    results, problems = [], list(problems)
    for item in items:
        try:
            results.append(read_one(item))
        except DatasetError as error:
            problems.append(str(error))
            results.extend(error.readable)
    if problems:
        raise DatasetError("\n".join(problems), results)
    return results


def read_header(path: Path) -> Header:
    """Read the header of a 3D image (further axes of length 1 do not count).

    Raises
    ------
    DatasetError
        If the file is missing, no NIfTI, or not one 3D image.
    """
    require_file(path)
    try:
        image = load_header(path)
        affine = geometry(image).affine
    except GeometryError as error:
        raise DatasetError(f"{path}: {error}") from None
    except Exception as error:
        raise DatasetError(
            f"{path}: expected a readable NIfTI file, found: {error}; copy it again from the source"
        ) from error
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3:
        raise DatasetError(
            f"{path}: expected a 3D image, found shape {image.shape}; keep one volume of it"
        )
    spacing = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    return Header(path, tuple(map(int, shape)), tuple(round(float(s), 4) for s in spacing), affine)


def read_fields(path: Path) -> dict:
    """Keys and values of a JSON file; none if there is no such file."""
    if not path.is_file():
        return {}
    try:
        fields = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: expected JSON, found: {error}; repair the file") from None
    if not isinstance(fields, dict):
        raise DatasetError(
            f"{path}: expected keys and values, found {type(fields).__name__}; repair the file"
        )
    return fields


def is_synthetic(root: Path) -> bool:
    """Whether ``dataset_description.json`` in a dataset's root says ``"Synthetic": true``."""
    return read_fields(root / "dataset_description.json").get("Synthetic") is True


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
        data = Volume.read(path, np.integer).data
    except ValueError as error:
        raise DatasetError(
            f"{error}; save the mask with whole numbers, or copy it again"
        ) from error
    marked = data > 0
    if not marked.any():
        return MaskContent(0)
    cut = data[bounding_box(marked)]
    count = ndimage.label(cut > 0)[1]
    return MaskContent(int(count), tuple(int(v) for v in np.unique(cut[cut > 0])))


def zero_based(
    rows, header: Header, source: Path, first: int = 1
) -> tuple[tuple[int, int, int], ...]:
    """Voxel coordinates counted from ``first``, shape (n, 3), to 0-based indices in the image.

    A fractional centre goes to its nearest voxel.

    Raises
    ------
    DatasetError
        If a coordinate is not finite or lies outside the image.
    """
    rows = np.asarray(rows, float).reshape(-1, 3)
    bad = ~np.isfinite(rows).all(axis=1)
    rows = np.rint(rows)
    last = tuple(size + first - 1 for size in header.shape)
    bad |= ~((rows >= first) & (rows <= last)).all(axis=1)
    if bad.any():
        where = f"{source}: {header.path.name}: expected coordinates from {first} to {last}"
        remedy = "correct the coordinate, or check that the image is whole"
        raise DatasetError(
            "\n".join(f"{where}, found {row.tolist()}; {remedy}" for row in rows[bad])
        )
    return tuple(tuple(int(v) - first for v in row) for row in rows)
