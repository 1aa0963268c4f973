"""What a command line names, as scans: files, folders, BIDS datasets, globs, DICOM series."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from cmbkit.datasets.sources import DatasetError, stem
from cmbkit.volume import Volume

GLOB = frozenset("*?[")
OURS = "run.json"
IN_MEMORY = "in memory"


@dataclass(frozen=True)
class Source:
    """One scan to look at, or one that could not even be found.

    Attributes
    ----------
    name : str
        Names its folder of results.
    path : Path
        NIfTI file, or the folder that holds a DICOM series.
    files : tuple of Path
        The files that hold it: the NIfTI file, or the series' DICOM files.
    series : str
        SeriesInstanceUID; empty for NIfTI.
    sequence : str or None
        "T2S" or "SWI" where the name says so (BIDS).
    volume : Volume or None
        The scan itself where it lies in memory; ``path`` then says so, and there are no files.
    problem : str
        Why it cannot be read; empty where nothing is known against it.
    """

    name: str
    path: Path
    files: tuple[Path, ...] = field(default=(), repr=False)
    series: str = ""
    sequence: str | None = None
    problem: str = ""
    volume: Volume | None = field(default=None, repr=False)


def source_in_memory(image) -> Source:
    """Scan of a nibabel image or a `Volume`, named after the file that it was read from."""
    volume = Volume.of(image)
    name = _plain(stem(volume.path)) if volume.path else "scan"
    return Source(name, Path(IN_MEMORY), volume=volume)


def find_sources(named: Iterable, *, leave_out: Path | None = None) -> list[Source]:
    """Scans that paths and patterns name, each with a name of its own.

    Parameters
    ----------
    named : iterable of path-like
        NIfTI files; DICOM files (their series); BIDS datasets (every T2*-weighted and SWI
        image); other folders (every NIfTI file and DICOM series below them); patterns.
    leave_out : Path, optional
        Folder that is not searched: that of the results. Folders with a ``run.json`` are
        results too.

    Returns
    -------
    list of Source
        In the order given; what cannot be read carries its problem.
    """
    found: list[Source] = []
    for entry in named:
        found += _expand(str(entry), leave_out)
    unique: dict[tuple, Source] = {}
    for source in found:
        unique.setdefault((source.path.resolve(), source.series, source.problem), source)
    return _named_apart(list(unique.values()))


def _expand(entry: str, leave_out) -> list[Source]:
    path = Path(entry)
    if path.exists():
        return _of_path(path, leave_out)
    if GLOB & set(entry):
        matches = [Path(p) for p in sorted(glob.glob(entry, recursive=True))]
        if matches:
            return [source for match in matches for source in _of_path(match, leave_out)]
        return [_missing(entry, "a file that fits the pattern")]
    return [_missing(entry, "a file or folder")]


def _missing(entry: str, what: str) -> Source:
    path = Path(entry)
    return Source(_plain(stem(path)), path, problem=f"{entry}: expected {what}, found nothing")


def _of_path(path: Path, leave_out) -> list[Source]:
    if path.is_file():
        return [_nifti(path)] if _is_nifti(path) else _series([path], only_of=path)
    if any(p.is_dir() for p in path.glob("sub-*")):
        return _bids(path)
    files = [p for p in sorted(path.rglob("*")) if p.is_file() and _wanted(p, path, leave_out)]
    images = [_nifti(p) for p in files if _is_nifti(p)]
    series = _series([p for p in files if not _is_nifti(p)])
    if not images and not series:
        return [_missing(str(path), "NIfTI files or DICOM series in the folder")]
    return images + series


def _wanted(path: Path, root: Path, leave_out) -> bool:
    inner = path.relative_to(root).parts
    if any(part.startswith(".") for part in inner):
        return False
    if leave_out is not None and Path(leave_out).resolve() in path.resolve().parents:
        return False
    return not (path.parent / OURS).is_file()


def _is_nifti(path: Path) -> bool:
    return path.name.endswith((".nii", ".nii.gz"))


def _nifti(path: Path) -> Source:
    return Source(_plain(stem(path)), path, (path,))


def _bids(root: Path) -> list[Source]:
    from cmbkit.datasets import bids

    problems: list[str] = []
    try:
        scans = bids.read(root, "SCAN")
    except DatasetError as error:
        scans, problems = error.readable, str(error).splitlines()
    named = [Source(_plain(stem(s.image)), s.image, (s.image,), sequence=s.sequence) for s in scans]
    return named + [_unreadable(line) for line in problems]


def _unreadable(line: str) -> Source:
    path = Path(line.partition(":")[0])
    return Source(_plain(stem(path)), path, problem=line)


def _series(files: list[Path], only_of: Path | None = None) -> list[Source]:
    from cmbkit.prediction.dicom import group_by_series

    if only_of is not None:
        files = [p for p in sorted(only_of.parent.iterdir()) if p.is_file() and not _is_nifti(p)]
    groups, problems = group_by_series(files)
    if only_of is not None:
        groups = {uid: held for uid, held in groups.items() if only_of in held}
        problems = [line for line in problems if line.startswith(f"{only_of}:")]
        if not groups and not problems:
            problems = [
                f"{only_of}: expected a NIfTI file (.nii, .nii.gz) or a DICOM file, found neither"
            ]
    series = [
        Source(_plain(held[0].parent.name), held[0].parent, tuple(held), series=uid)
        for uid, held in groups.items()
    ]
    return series + [_unreadable(line) for line in problems]


def _plain(name: str) -> str:
    """Fit for the name of a folder."""
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in name).strip("._")
    return kept or "scan"


def _named_apart(sources: list[Source]) -> list[Source]:
    """Names made unique by the folders above, then by a number."""
    for depth in range(1, 4):
        counts = Counter(s.name for s in sources)
        parents = [s.path.resolve().parents for s in sources]
        sources = [
            replace(s, name=_plain(f"{above[depth - 1].name}_{s.name}"))
            if counts[s.name] > 1 and len(above) > depth
            else s
            for s, above in zip(sources, parents, strict=True)
        ]
    seen: Counter = Counter()
    result = []
    for source in sources:
        seen[source.name] += 1
        number = seen[source.name]
        result.append(replace(source, name=f"{source.name}-{number}") if number > 1 else source)
    return result
