"""What a command line names, as scans: files, folders, BIDS datasets, globs, DICOM series."""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from cmbkit.datasets import bids
from cmbkit.image_file import ENDINGS, ending_of, is_image_file, stem
from cmbkit.running.report import shortened
from cmbkit.volume import Volume

BIDS_NAME = re.compile(r"sub-[A-Za-z0-9]+_")
NO_SCAN = re.compile(
    r"(^|[_.-])(mask|dseg|probseg|logits|seg|segmentation|labels?)$", re.IGNORECASE
)
"""End of the names of files that lie beside scans and are none."""
GLOB = frozenset("*?[")
OURS = "run.json"
IN_MEMORY = "in memory"
DANGLING = "expected a file, found a link without its content; fetch it"


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

    name: str  # of its folder of results
    path: Path  # NIfTI file, or the folder that holds a DICOM series
    files: tuple[Path, ...] = field(default=(), repr=False)  # the NIfTI file, or the DICOM files
    series: str = ""  # SeriesInstanceUID; empty for NIfTI
    sequence: str | None = None  # "T2S" or "SWI" where the name says so (BIDS)
    problem: str = ""  # why it cannot be read; empty where nothing is known against it
    volume: Volume | None = field(default=None, repr=False)


def source_in_memory(image) -> Source:
    """Scan of a nibabel image or a `Volume`, named after the file that it was read from."""
    volume = Volume.of(image)
    name = _plain(stem(volume.path)) if volume.path else "scan"
    return Source(name, Path(IN_MEMORY), volume=volume)


def find_sources(
    named: Iterable,
    *,
    leave_out: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Source]:
    """Scans that paths and patterns name, each with a name of its own.

    Parameters
    ----------
    named : iterable of path-like
        Image files; DICOM files (their series); BIDS datasets and folders of a subject (every
        T2*-weighted and SWI magnitude image); other folders (every image and DICOM series below
        them, without masks); patterns.
    leave_out : Path, optional
        Folder that is not searched: that of the results. Folders with a ``run.json`` are
        results too.
    tell : callable
        Gets a line about the images of a folder that are not looked at.

    Returns
    -------
    list of Source
        In the order given; what cannot be read carries its problem.
    """
    found: list[Source] = []
    for entry in named:
        found += _expand(str(entry), leave_out, tell)
    unique: dict[tuple, Source] = {}
    for source in found:
        unique.setdefault((source.path.resolve(), source.series, source.problem), source)
    return _named_apart(list(unique.values()))


def _expand(entry: str, leave_out, tell) -> list[Source]:
    path = Path(entry)
    if path.exists():
        return _of_path(path, leave_out, tell)
    if path.is_symlink():
        return [_problem(path, DANGLING)]
    if GLOB & set(entry):
        matches = [Path(p) for p in sorted(glob.glob(entry, recursive=True))]
        if matches:
            return [source for match in matches for source in _of_path(match, leave_out, tell)]
        return [_problem(path, "expected a file that fits the pattern, found nothing")]
    return [_problem(path, "expected a file or folder, found nothing")]


def _problem(path: Path, what: str) -> Source:
    return Source(_plain(stem(path)), path, problem=f"{path}: {what}")


def _of_path(path: Path, leave_out, tell) -> list[Source]:
    if path.name.upper() == "DICOMDIR":
        path = path.absolute().parent
    if path.is_file():
        return [_image(path)] if ending_of(path) else _series([path], only_of=path)
    if any(p.is_dir() for p in path.glob("sub-*")):
        return _bids(path)
    files = [p for p in sorted(path.rglob("*")) if not p.is_dir() and _wanted(p, path, leave_out)]
    images, others = _chosen([p for p in files if is_image_file(p)])
    if others:
        tell(f"{path}: not looked at: {shortened([p.name for p in others])}")
    found = [_image(p) for p in images]
    found += _series([p for p in files if p.is_file() and not is_image_file(p)])
    if found:
        return found
    if others:
        kinds = ", ".join(sorted({stem(p).rpartition("_")[2] for p in others}))
        what = f"expected an image {' or '.join(bids.SUFFIXES)}, found {kinds}"
        return [_problem(path, f"{what}; name the file itself")]
    return [_problem(path, "expected NIfTI files or DICOM series in the folder, found nothing")]


def _chosen(images: list[Path]) -> tuple[list[Path], list[Path]]:
    """Scans among a folder's images by their names, and the others.

    BIDS names say what they are; of other names those of masks and labels are none.
    """
    chosen = [
        p
        for p in images
        if (bids.is_image(p) if BIDS_NAME.match(p.name) else not NO_SCAN.search(stem(p)))
    ]
    return chosen, [p for p in images if p not in set(chosen)]


def _wanted(path: Path, root: Path, leave_out) -> bool:
    inner = path.relative_to(root).parts
    if any(part.startswith(".") for part in inner):
        return False
    if leave_out is not None and Path(leave_out).resolve() in path.resolve().parents:
        return False
    return not (path.parent / OURS).is_file()


def _image(path: Path) -> Source:
    if not path.exists():
        return _problem(path, DANGLING)
    named = BIDS_NAME.match(path.name) and bids.is_image(path)
    sequence = bids.sequence_of(path) if named else None
    return Source(_plain(stem(path)), path, (path,), sequence=sequence)


def _bids(root: Path) -> list[Source]:
    """Every T2*-weighted and SWI image; a subject without one is a problem."""
    found = []
    for subject in sorted(p for p in root.glob("sub-*") if p.is_dir()):
        images = bids.images_of(subject)
        found += [_image(path) for path in images]
        if not images:
            found.append(Source(subject.name, subject, problem=bids.without_image(subject)))
    return found


def _series(files: list[Path], only_of: Path | None = None) -> list[Source]:
    from cmbkit.prediction.dicom import group_by_series

    if only_of is not None:
        files = [p for p in sorted(only_of.parent.iterdir()) if p.is_file()]
        files = [p for p in files if not is_image_file(p)]
    groups, problems = group_by_series(files)
    if only_of is not None:
        groups = {uid: held for uid, held in groups.items() if only_of in held}
        problems = {path: what for path, what in problems.items() if path == only_of}
        if not groups and not problems:
            what = f"an image ({', '.join(ENDINGS)}) or a DICOM file"
            problems = {only_of: f"expected {what}, found neither"}
    series = [
        Source(_plain(held[0].parent.name), held[0].parent, tuple(held), series=uid)
        for uid, held in groups.items()
    ]
    return series + [_problem(path, what) for path, what in problems.items()]


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
