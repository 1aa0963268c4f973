"""CRB and CRBneg (sections 4.1 and 4.2, private): clinical scans, scribbles from RedBrick.

Layout: ``<study>/images/<sequence>/*.nii.gz`` (sequence SWI or T2S), scribbles in
``<study>/segmentations/<sequence>.nii.gz`` and the export ``tasks.json``: a list of tasks with
``series``; a series names its image in ``items``, describes each scribble label in
``segmentMap`` (``attributes``: Multiple, certainty, cause, size, location) and marks mimics in
``landmarks3d`` (``category``, ``point`` with 0-based i, j, k). Folders above the study in
``items`` do not matter. CRBneg has no segmentations and may come without ``tasks.json``.
"""

import json
from pathlib import Path

from cmbkit.datasets import sources
from cmbkit.datasets.assembly import Published, make_scan
from cmbkit.datasets.sources import DatasetError, Header
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
    root = sources.require_folder(Path(root))
    folders = sorted(path for path in root.glob("*/images/*") if path.is_dir())
    sources.require_some(folders, root, "<study>/images/<sequence>")
    tasks = root / "tasks.json"
    described, problems = {}, []
    if dataset == "CRB" or tasks.is_file():
        try:
            described = _series_by_image(tasks)
        except DatasetError as error:
            problems.append(str(error))

    def read_one(folder: Path) -> Scan:
        image = _only_image(folder)
        header = sources.read_header(image)
        study, sequence = folder.parent.parent, folder.name
        series = described.get(image.relative_to(root).as_posix())

        def annotate() -> Annotation:
            if problems:  # tasks.json is at fault, which is said once
                return Annotation("unknown")
            return _annotation(series, study / "segmentations", sequence, header, tasks, dataset)

        return make_scan(
            header,
            annotate,
            PUBLISHED,
            dataset=dataset,
            patient=study.name,
            scan=f"{study.name}_{sequence}",
            sequence=sequence,
        )

    return sources.read_each(read_one, folders, problems)


def _only_image(folder: Path) -> Path:
    if folder.name not in SEQUENCES:
        raise DatasetError(
            f"{folder}: expected a folder SWI or T2S, found {folder.name}; "
            "other sequences are not supported, so take it away"
        )
    images = sources.images_in(folder)
    if len(images) != 1:
        raise DatasetError(
            f"{folder}: expected one image, found {len(images)}; keep one image for each sequence"
        )
    return images[0]


def _series_by_image(path: Path) -> dict[str, dict]:
    try:
        tasks = json.loads(sources.require_file(path).read_text())
        found = {}
        for task in tasks:
            for series in task["series"]:
                items = series["items"]
                for item in [items] if isinstance(items, str) else items:
                    found["/".join(item.split("/")[-4:])] = series
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(
            f"{path}: expected RedBrick tasks with series and items, found: {error!r}; "
            "export the project again"
        ) from None
    return found


def _annotation(
    series: dict | None, folder: Path, sequence: str, header: Header, tasks: Path, dataset: str
) -> Annotation:
    if series is None and dataset == "CRB":
        raise DatasetError(
            f"{tasks}: expected a series with {header.path.name}, found none; "
            "export the project again, or remove the image"
        )
    series, problems = series or {}, []

    def gather(read_one, items) -> tuple:
        try:
            return tuple(sources.read_each(read_one, items))
        except DatasetError as error:
            problems.append(str(error))
            return tuple(error.readable)

    landmarks = series.get("landmarks3d") or []
    mimics = gather(lambda landmark: _mimic(landmark, header, tasks), landmarks)
    if dataset == "CRBneg":
        mask = folder / f"{sequence}.nii.gz"
        if mask.is_file():
            problems.append(
                f"{mask}: expected no segmentation in CRBneg, found one; "
                "move the study to CRB, or remove the file"
            )
        annotation = Annotation("none", mimics=mimics)
    else:
        segments = (series.get("segmentMap") or {}).items()
        findings = gather(lambda item: _finding(*item, tasks), segments)
        findings = tuple(sorted(findings, key=lambda finding: finding.segment))
        faulty = bool(problems)
        masks = gather(lambda name: sources.nifti_file(folder, name), [sequence])
        if masks and not faulty:
            gather(lambda mask: _require_drawn(mask, findings), masks)
        mask = masks[0] if masks else None
        annotation = Annotation("scribbles", mask_path=mask, findings=findings, mimics=mimics)
    if problems:
        partly = Annotation("unknown", mask_path=annotation.mask_path, mimics=mimics)
        raise DatasetError("\n".join(problems), [partly])
    return annotation


def _require_drawn(mask: Path, findings: tuple[Finding, ...]) -> None:
    drawn, named = set(sources.mask_content(mask).values), {finding.segment for finding in findings}
    if not drawn:
        raise DatasetError(
            f"{mask}: expected scribbles, found an empty mask; export the segmentation again"
        )
    if drawn != named:
        raise DatasetError(
            f"{mask}: expected the labels of segmentMap {sorted(named)}, found {sorted(drawn)}; "
            "export segmentation and tasks.json together"
        )


def _finding(segment: str, entry: dict | None, tasks: Path) -> Finding:
    try:
        number = int(segment)
        given = ((entry or {}).get("attributes") or {}).items()
    except (ValueError, AttributeError):
        raise DatasetError(
            f"{tasks}: segmentMap: expected integer labels with attributes, found "
            f"{segment!r}: {entry!r}; export the project again"
        ) from None
    attributes = {str(name).strip().lower(): value for name, value in given}
    words = {
        name: _text(attributes.get(name)) for name in ("certainty", "cause", "size", "location")
    }
    multiple = str(attributes.get("multiple")).strip().lower() in ("true", "yes", "1")
    return Finding(number, multiple, **words)


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
            f"found {landmark}; export the project again"
        ) from None
    if any(not 0 <= index < size for index, size in zip(voxel, header.shape, strict=True)):
        raise DatasetError(
            f"{tasks}: {header.path.name}: expected landmarks within {header.shape}, "
            f"found {voxel}; correct the landmark, or check that the image is whole"
        )
    return Mimic(voxel, kind)
