"""Results on disk, each in a folder of its key, which covers inputs, code and packages.

A result lies at ``<root>/<step>/<item>/<first digits of its key>`` and is written whole; those of
several parameter values lie side by side. The record of what it depends on stands beside its
files, with their hashes (see `cmbkit.running.provenance`): one that is not as it was written is
made anew.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from statistics import median

from pydantic import BaseModel

from cmbkit.atomic import PART, part_beside, write_whole
from cmbkit.running import source
from cmbkit.running.file_hashes import NAME, FileHashes
from cmbkit.running.ledger import UNFINISHED, held, mark, newest
from cmbkit.running.provenance import (
    DIGITS,
    RECORD,
    Asked,
    DamagedError,
    read_record,
    require_undamaged,
    software_versions,
)
from cmbkit.running.report import report_line

MEMORY = ".code.json"
TOLD = 4  # differences, of a result that takes long to make


class NotMade(RuntimeError):
    """A result is not there, and the cache was told to make none."""


@contextmanager
def _named(target: Path) -> Iterator[None]:
    """Say of a full disk, whose error names no file, which folder lies on it."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """Folder beside the target, for one process at a time; stays until it is renamed."""
    partial = target.parent / f"{UNFINISHED}{target.name}"
    lock = partial.with_name(f"{partial.name}.lock")
    with held(lock, waiting=f"{target}: another process is making it; this one waits"):
        partial.mkdir(exist_ok=True)
        yield partial
        shutil.rmtree(partial, ignore_errors=True)
        lock.unlink(missing_ok=True)


@contextmanager
def _alone(target: Path) -> Iterator[Path]:
    """New folder beside the target, for one process at a time where the disk knows locks."""
    lock = target.with_name(f"{PART}{target.name}.lock")  # `cmbkit.atomic.sweep` knows the name
    with held(lock, needed=False), part_beside(target) as partial:
        try:
            yield partial
        finally:
            lock.unlink(missing_ok=True)


class Cache:
    """Folders of results under one root.

    Parameters
    ----------
    root : path-like
        For instance ``data/derivatives/demo``. Hashes of input files and of code are remembered
        there.
    user : str
        Parameter set on whose behalf results are asked for (`ledger.parameter_set`); empty if
        that is not to be noted.

    Attributes
    ----------
    not_made : list of Asked or None
        Once it is a list, nothing is made: what is not there is added, and `NotMade` raised.
    looked_for : set of (str, str) or None
        Once it is a set, step and item of each result that is asked for are added.
    """

    def __init__(self, root, user: str = ""):
        self.root = Path(root)
        self.user = user
        self.not_made: list[Asked] | None = None
        self.looked_for: set[tuple[str, str]] | None = None
        self._hashes = FileHashes(self.root / NAME)
        source.look()

    def asked(self, step: str, item: str, inputs: dict, code: Iterable) -> Asked:
        """All that a result depends on.

        Parameters
        ----------
        inputs : dict
            Plain values and parameter models. A file among them, and the folder of a result of
            a cache, counts by its content.
        code : functions, classes or modules of cmbkit
            What computes it, see `cmbkit.running.source.definitions`.
        """
        reached = source.definitions(*code, memory=self.root / MEMORY)
        return Asked(step, item, self._plain(inputs), reached, software_versions())

    def get(
        self,
        step: str,
        item: str,
        inputs: dict,
        compute: Callable[[Path], None],
        *,
        code: Iterable,
        resumable: bool = False,
    ) -> Path:
        """Return the result's folder, calling ``compute(folder)`` first unless it is there.

        ``compute`` writes into a temporary folder that is renamed when it has returned; if it
        raises, nothing stays. The record is written beside. A second process that asks for the
        same result meanwhile waits for it.

        With ``resumable``, for what takes long, the temporary folder stays when ``compute``
        raises or is killed, and the next call with the same key hands it to ``compute`` again.
        Where there is an older result of the item, what has changed since is said before it is
        made anew.

        Raises
        ------
        OSError
            Also where the disk is full; the message names the folder.
        """
        if self.looked_for is not None:
            self.looked_for.add((step, item))
        if self.not_made is not None and newest(self.root / step / item) is None:
            self._lack(Asked(step, item, {}, {}, {}))  # whose inputs need not be read
        asked = self.asked(step, item, inputs, code)
        target = self.root / step / item / asked.key[:DIGITS]
        if ".." in target.parts[len(self.root.parts) :] or self.root not in target.parents:
            raise ValueError(f"{step} {item}: expected a name within {self.root}, found a way out")
        try:
            if self._there(target, asked):
                self._note(target)
                return target
        except DamagedError as error:
            if self.not_made is None:
                report_line(f"{error}; it is made anew")
        if self.not_made is not None:
            self._lack(asked)
        target.parent.mkdir(parents=True, exist_ok=True)
        self._note(target)
        if resumable and (why := self.why(asked)):
            report_line(f"{step} {item} is made anew, {why}")
        with (_unfinished if resumable else _alone)(target) as partial:
            if self._is_whole(target, asked):  # made by another process meanwhile
                return target
            began = time.monotonic()
            with _named(target):
                compute(partial)
                asked.write(partial, time.monotonic() - began)
            partial.chmod(0o755)
            if self._is_whole(target, asked):  # another process was quicker; it may be read already
                return target
            with part_beside(target) as gone:
                if target.exists():
                    target.rename(gone / target.name)
                partial.rename(target)
        return target

    def table(self, step: str, item: str, inputs: dict, compute, *, code: Iterable, name: str):
        """Table that ``compute()`` returns, kept as text in the file ``name`` (see `get`)."""
        import pandas as pd

        def write(folder: Path) -> None:
            compute().to_csv(folder / name, sep="\t", index=False)

        return pd.read_csv(self.get(step, item, inputs, write, code=code) / name, sep="\t")

    @contextmanager
    def making_nothing(self) -> Iterator[list[Asked]]:
        """What is not there is added to the list that this gives, and `NotMade` raised."""
        before, self.not_made = self.not_made, []
        try:
            yield self.not_made
        finally:
            self.not_made = before

    def why(self, asked: Asked) -> str | None:
        """What differs from the newest result of an item; None if it has never been made."""
        before = newest(self.root / asked.step / asked.item)
        if before is None:
            return None
        try:
            found = asked.differences(read_record(before))
        except DamagedError:
            return f"since {before.name}, whose record is damaged"
        more = [f"{len(found) - TOLD} more"] if len(found) > TOLD else []
        return f"since {before.name}: {'; '.join([*found[:TOLD], *more])}"

    def seconds(self, step: str) -> float | None:
        """What a result of a step has taken so far, the median of some; None without any."""
        taken = []
        for path in islice((self.root / step).glob(f"*/*/{RECORD}"), 50):
            with suppress(DamagedError):
                taken.append(read_record(path.parent).get("seconds"))
        return median(known) if (known := [t for t in taken if t is not None]) else None

    def _lack(self, asked: Asked):
        self.not_made.append(asked)
        raise NotMade(f"{asked.step} {asked.item}: not in the cache")

    def _there(self, target: Path, asked: Asked) -> bool:
        """Whether a result is there; raises DamagedError if it is not as it was written."""
        if not target.exists():
            return False
        try:
            require_undamaged(target, asked)
        except (OSError, DamagedError) as error:
            raise DamagedError(str(error)) from None
        except (TypeError, ValueError) as error:
            raise DamagedError(
                f"{target / RECORD}: expected the record of a result, found {error!r}"
            ) from None
        return True

    def _is_whole(self, target: Path, asked: Asked) -> bool:
        try:
            return self._there(target, asked)
        except DamagedError:
            return False

    def _note(self, target: Path) -> None:
        if self.user:
            mark(target, self.user)

    def _plain(self, value):
        if isinstance(value, BaseModel):
            return value.model_dump(mode="json")
        if isinstance(value, Path):
            return read_record(value)["content"] if value.is_dir() else self._hashes.get(value)
        if isinstance(value, dict):
            return {str(k): self._plain(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._plain(v) for v in value]
        return value

    def describe(self, generated_by: str) -> None:
        """Write the ``dataset_description.json`` that BIDS asks of derivatives."""
        description = {
            "Name": f"cmbkit derivatives ({self.root.name})",
            "BIDSVersion": "1.9.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "cmbkit", "Version": generated_by}],
        }
        path, text = self.root / "dataset_description.json", json.dumps(description, indent=1)
        if not path.is_file() or path.read_text() != text:
            write_whole(path, text)
