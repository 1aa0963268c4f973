"""Results on disk: one folder per step and item, valid while its key matches, written whole."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel

from cmbkit.running.file_hashes import NAME, FileHashes

RECORDED_PACKAGES = (
    *("numpy", "scipy", "numba", "kneed", "nibabel", "connected-components-3d", "scikit-image"),
    *("SimpleITK", "tensorflow-cpu", "pyradiomics"),
)


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """New folder beside the target; what is left of it goes."""
    partial = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".part-{target.name}-"))
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _unfinished(target: Path, key: str) -> Iterator[Path]:
    """Folder of a key beside the target, for one process at a time; stays until it is renamed."""
    partial = target.parent / f".unfinished-{target.name}-{key}"
    with open(f"{partial}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go by the system also when the process is killed
        partial.mkdir(exist_ok=True)
        yield partial
        shutil.rmtree(partial, ignore_errors=True)
    for other in target.parent.glob(f".unfinished-{target.name}-{'[0-9a-f]' * len(key)}.lock"):
        _clear_away(other)


def _clear_away(lock: Path) -> None:
    """Delete a lock file and its unfinished folder, unless a process holds the lock."""
    with open(lock, "w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        shutil.rmtree(str(lock).removesuffix(".lock"), ignore_errors=True)
        lock.unlink(missing_ok=True)


class Cache:
    """Folders of results under one root.

    Parameters
    ----------
    root : path-like
        For instance ``data/derivatives/demo``. Hashes of input files are remembered there.
    """

    def __init__(self, root):
        self.root = Path(root)
        self._hashes = FileHashes(self.root / NAME)

    def folder(self, step: str, item: str) -> Path:
        """Where the result of ``step`` for ``item`` is or will be."""
        return self.root / step / item

    def key(self, step: str, version: int, inputs: dict) -> str:
        """Hash of step, version and inputs; a Path among the inputs counts by its content."""
        text = json.dumps([step, version, self._plain(inputs)], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def valid(self, step: str, item: str, key: str) -> bool:
        """Whether a finished result with this key is there."""
        record = self.folder(step, item) / "provenance.json"
        return record.is_file() and json.loads(record.read_text())["key"] == key

    def absent(self, step: str, items) -> int:
        """How many of the items have no finished result at all, whatever its key."""
        return sum(not (self.folder(step, i) / "provenance.json").is_file() for i in items)

    def get(
        self,
        step: str,
        item: str,
        version: int,
        inputs: dict,
        compute: Callable[[Path], None],
        *,
        resumable: bool = False,
    ) -> Path:
        """Return the result's folder, calling ``compute(folder)`` first unless it is valid.

        ``compute`` writes into a temporary folder that is renamed when it has returned; if it
        raises, nothing stays. The provenance (key, inputs, software) is written beside.

        With ``resumable`` the temporary folder stays when ``compute`` raises or is killed, and
        the next call with the same key hands it to ``compute`` again; a second process that asks
        for the same result meanwhile waits. Unfinished folders of other keys go when a result
        is done.
        """
        key = self.key(step, version, inputs)
        target = self.folder(step, item)
        if self.valid(step, item, key):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        place = _unfinished(target, key) if resumable else _temporary(target)
        with place as partial:
            if resumable and self.valid(step, item, key):  # made by another process meanwhile
                return target
            compute(partial)
            record = {"key": key, "step": step, "version": version, "inputs": self._plain(inputs)}
            record["software"] = software_versions()
            (partial / "provenance.json").write_text(json.dumps(record, indent=1, sort_keys=True))
            partial.chmod(0o755)
            if self.valid(step, item, key):  # another process was quicker; it may be read already
                return target
            if target.exists():
                shutil.rmtree(target)
            partial.rename(target)
        return target

    def _plain(self, value):
        if isinstance(value, BaseModel):
            return value.model_dump(mode="json")
        if isinstance(value, Path):
            return self._hashes.get(value)
        if isinstance(value, dict):
            return {str(k): self._plain(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._plain(v) for v in value]
        return value

    def describe(self, generated_by: str) -> None:
        """Write the ``dataset_description.json`` that BIDS asks of derivatives."""
        self.root.mkdir(parents=True, exist_ok=True)
        description = {
            "Name": f"cmbkit derivatives ({self.root.name})",
            "BIDSVersion": "1.9.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "cmbkit", "Version": generated_by}],
        }
        (self.root / "dataset_description.json").write_text(json.dumps(description, indent=1))


@lru_cache(maxsize=1)
def software_versions() -> dict:
    """Versions of cmbkit and of the packages whose results are cached."""
    found = {}
    for name in ("cmbkit", *RECORDED_PACKAGES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
