"""Which results of a cache are there, how large they are, and who asked for them last.

Each item's folder has a file per parameter set in ``.used``, which names the result that it was
given last. Results that no parameter set in use was given can be removed.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from cmbkit.atomic import part_beside, write_whole
from cmbkit.running.provenance import RECORD
from cmbkit.running.report import report_line

USED = ".used"
UNFINISHED = ".unfinished-"
NOT_PART_OF_A_SET = {
    **dict.fromkeys(("workers", "cluster", "data_dir", "figures_dir"), True),
    "cohort": {"fold"},
}


@dataclass(frozen=True)
class Entry:
    """A finished result, or (``finished`` False) what an interrupted one has left to go on from."""

    folder: Path
    step: str
    item: str
    size: int
    finished: bool = True

    def reached(self, users: Collection[str]) -> bool:
        """Whether it is what one of these parameter sets was given last."""
        marks = (self.folder.parent / USED / user for user in users)
        name = self.folder.name.removeprefix(UNFINISHED)
        return any(mark.is_file() and mark.read_text() == name for mark in marks)

    def remove(self) -> None:
        """Delete it, unless it is being made; at no time there is half a result under its name."""
        lock = self.folder.with_name(f"{self.folder.name}.lock")
        with held(lock, wait=False) if lock.is_file() else nullcontext(True) as free:
            if not free:
                return
            with part_beside(self.folder) as gone:
                self.folder.rename(gone / self.folder.name)
            lock.unlink(missing_ok=True)
        if all(path.name == USED for path in self.folder.parent.iterdir()):
            shutil.rmtree(self.folder.parent)


@contextmanager
def held(
    lock: Path, *, wait: bool = True, waiting: str = "", needed: bool = True
) -> Iterator[bool]:
    """Hold a lock file for a while; False if another process does and we do not wait.

    The system lets go of it also when the process is killed. ``waiting`` is told before we wait.
    Unless it is ``needed``, a disk without locks is none of our business.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with open(lock, "w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not wait:
                    yield False
                    return
                if waiting:
                    report_line(waiting)
                fcntl.flock(stream, fcntl.LOCK_EX)
            except OSError:
                if needed:
                    raise
                yield True
                return
            if _is_file_of(lock, stream):
                yield True
                return
        # the one that held it has deleted the file: another may hold a new one


def _is_file_of(path: Path, stream) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def parameter_set(params: BaseModel) -> str:
    """Short name of all values of a parameter file that a result can depend on."""
    values = params.model_dump_json(exclude=NOT_PART_OF_A_SET, exclude_defaults=True)
    return hashlib.blake2b(values.encode(), digest_size=6).hexdigest()


def mark(folder: Path, user: str) -> None:
    """Note that a parameter set was given a result (several processes may at once)."""
    place = folder.parent / USED / user
    if place.is_file() and place.read_text() == folder.name:
        return
    write_whole(place, folder.name)


def newest(item: Path) -> Path | None:
    """The result of an item that was made last, whatever its key."""
    made = max(item.glob(f"*/{RECORD}"), key=os.path.getmtime, default=None)
    return made and made.parent


def entries(root: Path) -> Iterator[Entry]:
    """All results below a root, by step and item."""
    for place, folders, files in os.walk(root):
        folder = Path(place)
        started = folder.name.startswith(UNFINISHED)
        if RECORD in files or started:
            folders.clear()
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            step = folder.parent.parent.relative_to(root).as_posix()
            yield Entry(folder, step, folder.parent.name, size, not started)
        folders.sort()
