"""People's own scans in BIDS: image, optional annotation, sidecars.

Layout: ``sub-<label>[/ses-<label>]/<folder>/sub-<label>[_ses-<label>][_<key>-<value>]_<suffix>``
with suffix ``T2starw`` or ``swi``, ``.nii`` or ``.nii.gz``; phase images (``part-phase``) and what
``acq``, ``rec`` or ``desc`` call a projection, a phase or a map (``acq-mIP``) are left out, other
modalities are not looked at. Acquisition comes from JSON sidecars, inherited from the
folders above as BIDS rules.

An annotation lies beside its image, or in the same place below ``derivatives/<name>/``, and
carries the image's entities with ``desc-cmb`` (or ``label-cmb``; also ``cmbs``, ``microbleed`` or
``microbleeds``):

- ``..._desc-cmb_mask.nii[.gz]``: each 6-connected component is a CMB;
- ``..._desc-cmb_dseg.nii[.gz]``: each value is a CMB;
- ``..._desc-cmb_points.tsv``: one centre per row, in columns i, j, k (0-based voxels of the file's
  own array order) or x, y, z (mm, RAS, as the image's affine says).

Entities may be left out as long as one image fits; ``space-T2starw`` or ``space-swi`` picks between
the two images of a session. An empty mask, or a table with its header only, says that raters
found no CMB; without a file nobody has looked (kind "unknown").
"""

import re
from pathlib import Path

import numpy as np

from cmbkit.datasets import sources
from cmbkit.datasets.assembly import Published, make_scan, mask_annotation
from cmbkit.datasets.sources import DatasetError, Header
from cmbkit.datasets.text_table import TableError, as_numbers, read_text_table
from cmbkit.records import Annotation, Scan

SUFFIXES = {"T2starw": "T2S", "swi": "SWI"}
"""Suffix of the image to the sequence it is."""

ANNOTATIONS = ("mask", "dseg", "points")
NOT_MAGNITUDE = re.compile(
    r"_(part-(phase|real|imag)|(acq|rec|desc)-[a-z0-9]*(mip|minip|phase|qsm|r2star))"
    r"[a-z0-9]*_",
    re.IGNORECASE,
)
MARKED = re.compile(r"_(desc|label)-(cmbs?|microbleeds?)_", re.IGNORECASE)
_FREE = ("space", "res", "den", "label", "desc")
_ENTITY = re.compile(r"(?P<key>[a-z]+)-(?P<value>[A-Za-z0-9+]+)")


def entities_of(path: Path) -> dict[str, str]:
    """Entities of a BIDS name in order, with its last part as ``suffix``.

    Raises
    ------
    DatasetError
        If a part is no ``key-value``, a key comes twice, or the first is not ``sub``.
    """
    *parts, suffix = sources.stem(path).removesuffix(".tsv").split("_")
    matches = [_ENTITY.fullmatch(part) for part in parts]
    keys = [match["key"] for match in matches if match]
    if not keys or len(set(keys)) < len(parts) or keys[0] != "sub":
        raise DatasetError(
            f"{path}: expected a name like sub-01_ses-1_swi.nii.gz, found {path.name}; "
            "rename it by BIDS"
        )
    return {match["key"]: match["value"] for match in matches} | {"suffix": suffix}


def read(root: Path, dataset: str, leave_out=()) -> list[Scan]:
    """Read all T2*-weighted and SWI scans below ``root``.

    Parameters
    ----------
    root : Path
        Folder that holds the ``sub-<label>`` folders.
    dataset : str
        Name that the scans get.
    leave_out : iterable of str
        Labels of subjects that are not read.

    Returns
    -------
    list of Scan
        Kind "mask", "points", "none" (an annotation without a CMB) or "unknown" (no annotation).

    Raises
    ------
    DatasetError
        One line per subject without a usable image, name that is not BIDS, annotation without
        an image or with several, coordinate outside, unreadable file.
    """
    root = sources.require_folder(Path(root))
    left_out = {f"sub-{label.removeprefix('sub-')}" for label in leave_out}
    subjects = [p for p in sorted(root.glob("sub-*")) if p.is_dir() and p.name not in left_out]
    if not subjects:
        raise DatasetError(
            f"{root}: expected folders sub-<label>, found none; arrange the scans by BIDS"
        )
    problems, images, annotations = [], [], []
    for subject in subjects:
        files = files_in(subject, "**/*")
        found = [path for path in files if is_image(path)]
        annotations += [path for path in files if is_annotation(path)]
        images += found
        if not found:
            problems.append(without_image(subject))
    for path in files_in(root, "derivatives/*/sub-*/**/*"):
        if is_annotation(path) and path.relative_to(root).parts[2] not in left_out:
            annotations.append(path)
    belonging, more = _pair(images, annotations)
    sidecars: dict[Path, dict] = {}

    def read_one(image: Path) -> Scan:
        named = entities_of(image)
        _require_folders(image, named)
        header = sources.read_header(image)
        return make_scan(
            header,
            lambda: _annotation(belonging[image], header),
            Published(),
            lambda: inherited_fields(root, image, sidecars),
            dataset=dataset,
            patient=named["sub"],
            scan=sources.stem(image).removeprefix("sub-"),
            sequence=SUFFIXES[named["suffix"]],
        )

    return sources.read_each(read_one, images, [*problems, *more])


def images_of(folder: Path) -> list[Path]:
    """T2*-weighted and SWI magnitude images of a dataset or a subject, by their names."""
    return [path for path in files_in(folder, "**/*") if is_image(path)]


def sequence_of(image: Path) -> str:
    """Return "T2S" or "SWI", as the name of a BIDS image says."""
    return SUFFIXES[suffix_of(image)]


def files_in(root: Path, pattern: str) -> list[Path]:
    """Files below a folder that fit a pattern and are not hidden, sorted."""
    return sorted(path for path in root.glob(pattern) if not path.name.startswith("."))


def suffix_of(path: Path) -> str:
    """Last part of a BIDS name, e.g. ``"swi"``."""
    return sources.stem(path).removesuffix(".tsv").rpartition("_")[2]


def is_nifti(path: Path) -> bool:
    """Whether a name ends as a NIfTI file's."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def is_image(path: Path) -> bool:
    """Whether a name is that of a T2*-weighted or SWI image, and of no phase or projection."""
    return is_nifti(path) and suffix_of(path) in SUFFIXES and not NOT_MAGNITUDE.search(path.name)


def is_annotation(path: Path) -> bool:
    """Whether a file's name says that it holds CMBs, e.g. ``sub-1_desc-cmb_points.tsv``."""
    expected = path.name.lower().endswith(".tsv") if suffix_of(path) == "points" else is_nifti(path)
    return bool(MARKED.search(path.name)) and suffix_of(path) in ANNOTATIONS and expected


def without_image(subject: Path) -> str:
    """Line about a subject that has no image to look at."""
    others = sorted({suffix_of(path) for path in subject.rglob("*") if is_nifti(path)})
    return (
        f"{subject}: expected an image {' or '.join(SUFFIXES)}, found "
        f"{', '.join(others) or 'no image'}; add one, or name the subject in leave_out"
    )


def _require_folders(image: Path, named: dict[str, str]) -> None:
    expected = [f"{key}-{named[key]}" for key in ("sub", "ses") if key in named]
    found = [part for part in image.parts[:-1] if part.startswith(("sub-", "ses-"))]
    if found != expected:
        raise DatasetError(
            f"{image}: expected the folders {'/'.join(expected)}, found {'/'.join(found)}; "
            "rename file or folder"
        )


def _fits(mark: dict[str, str], image: dict[str, str]) -> bool:
    if mark.get("ses") != image.get("ses"):
        return False
    space = mark.get("space", "orig").lower()
    given = {key: value for key, value in mark.items() if key not in (*_FREE, "suffix")}
    return space in ("orig", image["suffix"].lower()) and given.items() <= image.items()


def _pair(images: list[Path], annotations: list[Path]) -> tuple[dict[Path, list[Path]], list[str]]:
    """Annotations of each image, and what is wrong with those that go to none or to several."""
    belonging: dict[Path, list[Path]] = {image: [] for image in images}
    named, problems = {}, []
    for image in images:
        try:
            named[image] = entities_of(image)
        except DatasetError:
            continue  # said when the image is read
    for path in annotations:
        try:
            mark = entities_of(path)
        except DatasetError as error:
            problems.append(str(error))
            continue
        fitting = [image for image in named if _fits(mark, named[image])]
        same = [image for image in fitting if not (set(named[image]) - set(_FREE) - set(mark))]
        chosen = same if len(same) == 1 else fitting
        if len(chosen) == 1:
            belonging[chosen[0]].append(path)
            continue
        names = ", ".join(image.name for image in chosen) or "none"
        remedy = "add the entity that tells them apart" if chosen else "add it, or correct the name"
        problems.append(f"{path}: expected one image that it belongs to, found {names}; {remedy}")
    return belonging, problems


def _annotation(paths: list[Path], header: Header) -> Annotation:
    if len(paths) > 1:
        raise DatasetError(
            f"{header.path}: expected one annotation, found {', '.join(map(str, paths))}; "
            "keep one of them"
        )
    if not paths:
        return Annotation("unknown")
    kind = suffix_of(paths[0])
    if kind != "points":
        return mask_annotation(paths[0], labelled=kind == "dseg")
    points = _points(paths[0], header)
    return Annotation("points" if points else "none", points=points)


def _points(path: Path, header: Header) -> tuple[tuple[int, int, int], ...]:
    try:
        table = read_text_table(path)
    except TableError as error:
        raise DatasetError(f"{error}; save it as TSV") from None
    given = [names for names in (["i", "j", "k"], ["x", "y", "z"]) if set(names) <= set(table)]
    if len(given) != 1:
        raise DatasetError(
            f"{path}: expected columns i, j, k (voxels) or x, y, z (mm), found "
            f"{', '.join(table)}; name the columns so"
        )
    try:
        rows = as_numbers(table, given[0], path).to_numpy()
    except TableError as error:
        raise DatasetError(f"{error}; correct the row") from None
    if given[0][0] == "x":
        inverse = np.linalg.inv(header.affine)
        rows = rows @ inverse[:3, :3].T + inverse[:3, 3]
    return sources.zero_based(rows, header, path, first=0)


def _sidecars(folder: Path) -> dict[Path, tuple[set[str], str]]:
    """JSON files of a folder that speak of T2*-weighted or SWI images: entities and suffix."""
    found = {}
    for path in files_in(folder, "*.json"):
        *parts, suffix = path.name.removesuffix(".json").split("_")
        if suffix in SUFFIXES:
            found[path] = (set(parts), suffix)
    return dict(sorted(found.items(), key=lambda item: len(item[1][0])))


def inherited_fields(root: Path, image: Path, sidecars: dict | None = None) -> dict:
    """What the sidecars of an image say; the nearer and the more particular file wins."""
    *parts, suffix = sources.stem(image).split("_")
    sidecars = {} if sidecars is None else sidecars
    fields: dict = {}
    for folder in (root / part for part in reversed(image.relative_to(root).parents)):
        if folder not in sidecars:
            sidecars[folder] = _sidecars(folder)
        for path, (entities, about) in sidecars[folder].items():
            if about == suffix and entities <= set(parts):
                fields |= sources.read_fields(path)
    return {"InstitutionAddress": fields.get("InstitutionName")} | fields
