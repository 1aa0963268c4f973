"""Files and folders that appear whole or not at all: written beside their place, then renamed.

While one is written, its writer holds a lock on it, which the system lets go of when the writer
is killed: `sweep` removes what is held by nobody.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

PART = ".part-"
TEMPORARY = "cmbkit-part-"


class OutputError(ValueError):
    """A folder cannot be written; the message names it."""


@contextmanager
def whole_file(path) -> Iterator[Path]:
    """A file beside ``path``, of the same ending, that takes its place once it is written.

    An error within the ``with`` block leaves what was there before.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _held(partial(_new_file, path)) as part:
        yield part
        part.chmod(0o644)
        part.replace(path)


def _new_file(path: Path) -> str:
    ending = "".join(path.suffixes[-2:])
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PART, suffix=ending)
    os.close(handle)
    return name


def write_whole(path, content: bytes | str) -> None:
    """Write bytes, or text in UTF-8, in one go."""
    with whole_file(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def part_beside(target) -> Iterator[Path]:
    """New folder beside a file or folder, from which it is moved into place; the rest goes."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f"{PART}{target.name}-"
    with _held(partial(tempfile.mkdtemp, dir=target.parent, prefix=prefix)) as part:
        yield part


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder in the system's place for temporary files, for a while."""
    with _held(partial(tempfile.mkdtemp, prefix=TEMPORARY)) as folder:
        yield folder


@contextmanager
def _held(make: Callable[[], str]) -> Iterator[Path]:
    """What ``make`` makes, held while it is written; then what is left of it goes."""
    part, handle = _hold(make)
    try:
        yield part
    finally:
        _remove(part)
        os.close(handle)


def _hold(make: Callable[[], str]) -> tuple[Path, int]:
    while True:
        part = Path(make())
        handle = os.open(part, os.O_RDONLY)
        with suppress(OSError):  # no locks on this disk: `sweep` leaves it alone, too
            fcntl.flock(handle, fcntl.LOCK_EX)
        if part.exists():  # no sweep was quicker
            return part, handle
        os.close(handle)


def sweep(*folders) -> None:
    """Remove what writers that were killed have left below folders, and of temporary folders."""
    for place, inner, files in (step for folder in folders for step in os.walk(folder)):
        parts = [name for name in (*inner, *files) if name.startswith(PART)]
        inner[:] = [name for name in inner if name not in parts]
        for name in parts:
            _remove_left(Path(place, name))
    for path in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        _remove_left(path)


def _remove_left(path: Path) -> None:
    """Remove it unless its writer lives, or it is not ours."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
        finally:
            os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder, *, ours: str, force: bool = False) -> Iterator[Path]:
    """An empty folder that takes the place of ``folder`` once it is filled (see `require_free`).

    An error within the ``with`` block leaves what was there before.
    """
    folder = Path(folder).absolute()
    require_free(folder, ours=ours, force=force)
    with part_beside(folder) as part:
        new, old = part / "new", part / "old"
        new.mkdir()
        try:
            yield new
            if folder.exists():
                folder.replace(old)
            new.replace(folder)
        except BaseException:
            if old.exists() and not folder.exists():
                old.replace(folder)
            raise


def require_free(folder, *, ours: str, force: bool = False) -> None:
    """Raise OutputError unless ``folder`` may be written: missing, empty, or ours and forced.

    Parameters
    ----------
    folder : path-like
    ours : str
        Name of a file that every earlier result has.
    force : bool
        Whether an earlier result may be replaced.
    """
    folder = Path(folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder}: expected a folder, found a file")
    held = sorted(path.name for path in folder.iterdir())
    if held and not force:
        raise OutputError(
            f"{folder}: expected no or an empty folder, found {len(held)} entries; "
            "--force replaces an earlier result"
        )
    if held and ours not in held:
        raise OutputError(
            f"{folder}: expected an earlier result (with {ours}) to replace, found {held[0]}"
        )
