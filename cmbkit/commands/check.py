"""All datasets of a parameter file looked through, and its plan: every problem at once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cmbkit.datasets.bids_passed_over import CALLED, passed_over
from cmbkit.datasets.check import inspect
from cmbkit.datasets.registry import read_dataset, read_own
from cmbkit.datasets.sources import DatasetError
from cmbkit.params import Cohort, read_parameters
from cmbkit.prediction.fitness import EXPECTED
from cmbkit.prediction.fitness_image import judge_file
from cmbkit.records import Scan
from cmbkit.running.map_scans import map_scans
from cmbkit.running.report import shortened
from cmbkit.running.steps import counted
from cmbkit.study import find_root
from cmbkit.study.given_networks import with_given_networks

SAME_LABELS = (("CRB", "CRBneg"),)
"""Published datasets that name studies from one source alike, but go to different splits."""


@dataclass(frozen=True)
class CohortCheck:
    """What was looked through, and what is wrong with it.

    Attributes
    ----------
    problems : list of str
        One line each: file, what was expected, what was found, what to do.
    scans : dict of str to int
        Scans looked through, by dataset; ``read``: themselves.
    synthetic : list of str
        Datasets without a folder: the embedded cohort supplies them.
    """

    problems: list[str]
    scans: dict[str, int]
    synthetic: list[str]
    read: list[Scan]


def check_command(
    parameter_file: Path, say: Callable[[str], None], tell: Callable[[str], None]
) -> int:
    """Look through the scans of a parameter file, then at its plan (`cmbkit.commands.plan`).

    Parameters
    ----------
    parameter_file : Path
    say : callable
        Gets the problems, and a line that counts them.
    tell : callable
        Gets what else there is to know.

    Returns
    -------
    int
        Number of problems.

    Raises
    ------
    cmbkit.params.ParameterError
        If the file does not fit, or networks that it names cannot be used.
    """
    from cmbkit.commands.plan import needs, plan_of

    root = find_root(parameter_file)
    params = with_given_networks(read_parameters(parameter_file), root)
    found = check_cohort(params.cohort, root, params.workers, tell)
    problems = found.problems
    for name in found.synthetic:
        tell(f"{name}: from the embedded synthetic cohort, nothing to look through")
    if problems:
        tell("the plan is looked at once these are solved")
    else:
        plan = plan_of(params, found.read, root)
        problems = plan.problems
        lines = [plan.counted, *plan.remarks]
        lines += [] if problems else needs(params, found.read, plan.splits, root)
        for line in lines:
            tell(line)
    for line in problems:
        say(line)
    count = len(problems)
    say(
        f"{counted(count, 'problem') if count else 'no problems'} in "
        f"{counted(sum(found.scans.values()), 'scan')} of {counted(len(found.scans), 'dataset')}"
    )
    return count


def check_cohort(
    cohort: Cohort, root: Path, workers: int = 1, tell: Callable[[str], None] = lambda _: None
) -> CohortCheck:
    """Look through every dataset of a cohort that has a folder; nothing is written.

    A fault in one file keeps no other file from being looked at. Images are read one at a time
    in each worker.

    Parameters
    ----------
    cohort : Cohort
    root : Path
        What the folders in ``cohort`` are relative to.
    workers : int
        Processes.
    tell : callable
        Gets a line of progress for each dataset.
    """
    problems: list[str] = []
    scans: dict[str, list[Scan]] = {}
    fingerprints: list[tuple[Scan, str | None]] = []
    for name, reader in _readers(cohort, root).items():
        try:
            scans[name] = reader()
        except DatasetError as error:
            scans[name] = error.readable
            problems += str(error).splitlines()
        tell(f"{name}: {len(scans[name])} scans")
        problems += check_sums(_folder(cohort, root, name))
        for line in _seen(name, scans[name]) + _passed_over(cohort, root, name):
            tell(line)
        looked = map_scans(
            inspect, scans[name], step=f"check {name}", workers=workers, name=lambda s: s.uid
        )
        for scan, (found, doubts, fingerprint) in zip(scans[name], looked, strict=True):
            problems += found
            for line in doubts:
                tell(line)
            fingerprints.append((scan, fingerprint))
        if name in cohort.bids:
            problems += _unfit(scans[name], workers, tell)
    problems += _repeated_images(fingerprints)
    problems += _patients_across_splits(cohort, scans)
    synthetic = [name for name in cohort.names if name not in scans]
    counts = {name: len(found) for name, found in scans.items()}
    read = [scan for each in scans.values() for scan in each]
    return CohortCheck(list(dict.fromkeys(problems)), counts, synthetic, read)


def _seen(name: str, scans: list[Scan]) -> list[str]:
    """How many scans have an annotation; the others are neither trained on nor evaluated."""
    kinds = Counter(scan.annotation.kind for scan in scans)
    unseen = kinds.pop("unknown", 0)
    clear = kinds.pop("none", 0)
    return [
        f"{name}: {kinds.total()} annotated with microbleeds, {clear} without, "
        f"{unseen} that nobody has looked at"
    ]


def _passed_over(cohort: Cohort, root: Path, name: str) -> list[str]:
    """Files of a BIDS dataset that are not used."""
    folder = _folder(cohort, root, name)
    if name not in cohort.bids or not folder.is_dir():
        return []
    marks, others = passed_over(folder, cohort.bids[name].leave_out)
    lines = []
    if marks:
        lines.append(f"{name}: not used: {shortened(marks)}; annotations are called {CALLED}")
    if others:
        lines.append(f"{name}: not used: {shortened(others)}")
    return lines


def _unfit(scans: list[Scan], workers: int, tell: Callable[[str], None]) -> list[str]:
    """Scans of one's own that are none to count on; tells which are doubtful."""
    images = [scan.image for scan in scans]
    judged = map_scans(judge_file, images, step="fitness", workers=workers, name=lambda p: p.name)
    problems = []
    for image, found in zip(images, judged, strict=True):
        reasons = "; ".join(found.reasons)
        if found.against:
            problems.append(f"{image}: {EXPECTED} {reasons}; name the subject in leave_out")
        elif found.doubts:
            tell(f"{image}: doubtful: {reasons}")
    return problems


def check_sums(folder: Path) -> list[str]:
    """Files that are not what ``SHA256SUMS`` or ``MD5SUMS`` in a dataset's folder says.

    The files have the format of ``sha256sum`` and ``md5sum``, with paths from the folder.
    """
    problems = []
    for method in ("sha256", "md5"):
        listing = folder / f"{method.upper()}SUMS"
        for line in listing.read_text().splitlines() if listing.is_file() else []:
            expected, _, name = line.partition(" ")
            path = folder / name.strip().removeprefix("*")
            if not name:
                continue
            found = "nothing"
            if path.is_file():
                with path.open("rb") as stream:
                    found = hashlib.file_digest(stream, method).hexdigest()
            if found != expected.lower():
                problems.append(
                    f"{path}: expected {method} {expected} ({listing.name}), found {found}; "
                    "download it again"
                )
    return problems


def _folder(cohort: Cohort, root: Path, name: str) -> Path:
    return root / (cohort.bids[name].root if name in cohort.bids else cohort.roots[name])


def _readers(cohort: Cohort, root: Path) -> dict[str, Callable[[], list[Scan]]]:
    readers = {}
    for name in cohort.names:
        if name in cohort.bids:
            left_out = cohort.bids[name].leave_out
            readers[name] = partial(read_own, name, _folder(cohort, root, name), left_out)
        elif name in cohort.roots:
            readers[name] = partial(read_dataset, name, _folder(cohort, root, name))
    return readers


def _repeated_images(fingerprints: Iterable[tuple[Scan, str | None]]) -> list[str]:
    first: dict[str, Scan] = {}
    problems = []
    for scan, fingerprint in fingerprints:
        if fingerprint is None:
            continue
        other = first.setdefault(fingerprint, scan)
        if other is not scan:
            problems.append(
                f"{scan.image}: expected an image of its own, found the voxels of {other.image} "
                f"({other.uid}); remove one of {other.uid} and {scan.uid}"
            )
    return problems


def _patients_across_splits(cohort: Cohort, scans: dict[str, list[Scan]]) -> list[str]:
    """Patients by label; synthetic scans are of nobody."""
    shared = [name for name, own in cohort.bids.items() if own.labels == "shared"]
    pairs = [(a, b) for n, a in enumerate(shared) for b in shared[n + 1 :]]
    pairs = [pair for pair in pairs if len({cohort.own_splits[name] for name in pair}) == 2]
    problems = []
    for one, other in (*SAME_LABELS, *pairs):
        known = {scan.patient: scan for scan in scans.get(one, []) if not scan.synthetic}
        seen = set()
        for scan in scans.get(other, []):
            if scan.patient in known and scan.patient not in seen and not scan.synthetic:
                seen.add(scan.patient)
                remedy = "keep the patient in one of them"
                if one in cohort.bids:
                    remedy += f", or say labels: own for {other} if these are two people"
                problems.append(
                    f"{scan.image}: expected each patient in one split, found {scan.patient} also "
                    f"in {one} ({known[scan.patient].image}), which goes elsewhere; {remedy}"
                )
    return problems
