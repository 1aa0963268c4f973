"""CRB and CRBneg (sections 4.1 and 4.2, private): clinical scans, scribbles from RedBrick.

Layout: ``<study>/images/<sequence>/*.nii.gz`` (sequence SWI or T2S), scribbles in
``<study>/segmentations/<sequence>.nii.gz`` and the export ``tasks.json``: a list of tasks with
``series``; a series names its image in ``items``, describes each scribble label in
``segmentMap`` (``attributes``: Multiple, certainty, cause, size, location) and marks mimics in
``landmarks3d`` (``category``, ``point`` with 0-based i, j, k). Folders above the study in
``items`` do not matter. CRBneg has no segmentations and may come without ``tasks.json``.
"""

from __future__ import annotations

import json
from pathlib import Path

from cmbkit.datasets.sources import (
    DatasetError,
    Header,
    Published,
    acquisition,
    images_in,
    is_synthetic,
    mask_content,
    read_each,
    read_header,
    require_file,
    require_folder,
)
from cmbkit.records import SEQUENCES, Annotation, Finding, Mimic, Scan

PUBLISHED = Published("1.5/3")


def read(root: Path, dataset: str = "CRB") -> list[Scan]:
    """Read all studies below ``root``.

    Parameters
    ----------
    root : Path
        Folder that holds the studies and ``tasks.json``.
    dataset : {"CRB", "CRBneg"}

    Returns
    -------
    list of Scan
        One per study and sequence; kind "scribbles" (CRB) or "none" (CRBneg).

    Raises
    ------
    DatasetError
        One line per missing segmentation, undescribed scribble label, landmark outside, ...
    """
    root = require_folder(Path(root))
    synthetic = is_synthetic(root)
    folders = sorted(path for path in root.glob("*/images/*") if path.is_dir())
    if not folders:
        raise DatasetError(f"{root}: expected <study>/images/<sequence>, found none")
    tasks = root / "tasks.json"
    described = _series_by_image(tasks) if dataset == "CRB" or tasks.is_file() else {}

    def read_one(folder: Path) -> Scan:
        image = _only_image(folder)
        header = read_header(image)
        study, sequence = folder.parent.parent, folder.name
        series = described.get(image.relative_to(root).as_posix(), {})
        if dataset == "CRB" and not series:
            raise DatasetError(f"{tasks}: expected a series with {image.name}, found none")
        mask = study / "segmentations" / f"{sequence}.nii.gz"
        annotation = _annotation(series, mask, header, tasks, dataset)
        return Scan(
            dataset=dataset,
            patient=study.name,
            scan=f"{study.name}_{sequence}",
            sequence=sequence,
            image=image,
            annotation=annotation,
            acquisition=acquisition(header, PUBLISHED),
            synthetic=synthetic,
        )

    return read_each(read_one, folders)


def _only_image(folder: Path) -> Path:
    if folder.name not in SEQUENCES:
        raise DatasetError(f"{folder}: expected a folder SWI or T2S, found {folder.name}")
    images = images_in(folder)
    if len(images) != 1:
        raise DatasetError(f"{folder}: expected one image, found {len(images)}")
    return images[0]


def _series_by_image(path: Path) -> dict[str, dict]:
    try:
        tasks = json.loads(require_file(path).read_text())
        found = {}
        for task in tasks:
            for series in task["series"]:
                items = series["items"]
                for item in [items] if isinstance(items, str) else items:
                    found["/".join(item.split("/")[-4:])] = series
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path}: expected RedBrick tasks with series and items, found: {error!r}"
        ) from None
    return found


def _annotation(series: dict, mask: Path, header: Header, tasks: Path, dataset: str) -> Annotation:
    mimics = tuple(_mimic(landmark, header, tasks) for landmark in series.get("landmarks3d") or [])
    if dataset == "CRBneg":
        if mask.is_file():
            raise DatasetError(f"{mask}: expected no segmentation in CRBneg, found one")
        return Annotation("none", mimics=mimics)
    findings = _findings(series, tasks)
    drawn, named = set(mask_content(mask).values), {finding.segment for finding in findings}
    if not drawn:
        raise DatasetError(f"{mask}: expected scribbles, found an empty mask")
    if drawn != named:
        raise DatasetError(
            f"{mask}: expected the labels of segmentMap {sorted(named)}, found {sorted(drawn)}"
        )
    return Annotation("scribbles", mask_path=mask, findings=findings, mimics=mimics)


def _findings(series: dict, tasks: Path) -> tuple[Finding, ...]:
    findings = []
    for segment, entry in (series.get("segmentMap") or {}).items():
        attributes = {
            str(name).lower(): value
            for name, value in ((entry or {}).get("attributes") or {}).items()
        }
        try:
            number = int(segment)
        except ValueError:
            raise DatasetError(
                f"{tasks}: segmentMap: expected integer labels, found {segment!r}"
            ) from None
        words = {
            name: _text(attributes.get(name)) for name in ("certainty", "cause", "size", "location")
        }
        findings.append(Finding(number, _flag(attributes.get("multiple")), **words))
    return tuple(sorted(findings, key=lambda finding: finding.segment))


def _flag(value) -> bool:
    return str(value).strip().lower() in ("true", "yes", "1")


def _text(value) -> str | None:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return None if value is None else str(value)


def _mimic(landmark: dict, header: Header, tasks: Path) -> Mimic:
    try:
        voxel = tuple(int(landmark["point"][axis]) for axis in "ijk")
        kind = _text(landmark["category"])
    except (KeyError, TypeError, ValueError):
        raise DatasetError(
            f"{tasks}: {header.path.name}: expected a landmark with category and point i, j, k, "
            f"found {landmark}"
        ) from None
    if any(not 0 <= index < size for index, size in zip(voxel, header.shape, strict=True)):
        raise DatasetError(
            f"{tasks}: {header.path.name}: expected landmarks within {header.shape}, found {voxel}"
        )
    return Mimic(voxel, kind)
