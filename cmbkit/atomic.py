"""Files and folders that appear whole or not at all: written beside their place, then renamed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class OutputError(ValueError):
    """A folder cannot be written; the message names it."""


@contextmanager
def whole_file(path) -> Iterator[Path]:
    """A file beside ``path``, of the same ending, that takes its place once it is written.

    An error within the ``with`` block leaves what was there before.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=".part-", suffix="".join(path.suffixes[-2:])
    )
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_whole(path, content: bytes | str) -> None:
    """Write bytes, or text in UTF-8, in one go."""
    with whole_file(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def part_beside(target) -> Iterator[Path]:
    """New folder beside a file or folder, from which it is moved into place; the rest goes."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".part-{target.name}-"))
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


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
