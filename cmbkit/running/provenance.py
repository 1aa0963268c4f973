"""What a result depends on, its key, the record that stands beside it, and how two differ."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cmbkit.running.file_hashes import checksum, file_hash

RECORD = "provenance.json"
DIGITS = 12
RECORDED_PACKAGES = (
    *("numpy", "scipy", "numba", "kneed", "nibabel", "connected-components-3d", "scikit-image"),
    *("SimpleITK", "tensorflow-cpu", "keras", "openvino", "pyradiomics-bhklab", "nilearn"),
)
SHOWN = 24  # characters of a value
KEYS = {"key", "content", "files", "step", "item", "inputs", "code", "software"}
NESTED = {"files", "inputs", "code", "software"}


class DamagedError(ValueError):
    """A result is not as it was written; the message names the file."""


@lru_cache(maxsize=1)
def software_versions() -> dict[str, str | None]:
    """Versions of cmbkit and of the packages whose results are cached."""
    found = {}
    for name in ("cmbkit", *RECORDED_PACKAGES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


@dataclass(frozen=True)
class Asked:
    """A result that is asked for.

    Attributes
    ----------
    software : dict of str to str
        From `software_versions`. The version of cmbkit does not count, its code does.
    """

    step: str
    item: str
    inputs: dict  # plain values; of files and of other results the hash of their content
    code: dict[str, str]  # from `cmbkit.running.source.definitions`
    software: dict[str, str | None]  # versions; that of cmbkit does not count, its code does

    @cached_property
    def key(self) -> str:
        """Hash of all but the item, 32 hexadecimal digits."""
        packages = {name: found for name, found in self.software.items() if name != "cmbkit"}
        text = json.dumps([self.step, self.inputs, self.code, packages], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def write(self, folder: Path, seconds: float) -> None:
        """Write the record of a result whose other files are in ``folder``, and what it took."""
        files = _files(folder)
        record = {"key": self.key, "content": _content(files), "files": files}
        record |= {"seconds": round(seconds, 3)} | asdict(self)
        with open(folder / RECORD, "w") as stream:
            json.dump(record, stream, indent=1, sort_keys=True)
            stream.flush()
            os.fsync(stream.fileno())

    def differences(self, record: dict) -> list[str]:
        """What differs from another result's record, a line each: inputs, code, packages."""
        return list(_differences(record, asdict(self)))


def read_record(folder: Path) -> dict:
    """Record of a finished result.

    It holds ``key``, ``content``, ``files`` (their hashes), ``seconds`` and the attributes of
    `Asked`.

    Raises
    ------
    FileNotFoundError
        If the folder is no result of the cache.
    DamagedError
        If it is no record, or not a whole one.
    """
    path = Path(folder) / RECORD
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected the record of a result, found none")
    try:
        record = json.loads(path.read_text())
        lacking = KEYS - record.keys()
        lacking |= {name for name in NESTED if not isinstance(record.get(name), dict)}
    except (ValueError, AttributeError):
        lacking = KEYS
    if lacking:
        missing = ", ".join(sorted(lacking))
        raise DamagedError(f"{path}: expected the record of a result, found one without {missing}")
    return record


def require_undamaged(folder: Path, asked: Asked) -> None:
    """Raise DamagedError or FileNotFoundError unless a result's files are as they were written.

    Files that were added since do not matter.
    """
    record = read_record(folder)
    written = Asked(**{field.name: record[field.name] for field in fields(Asked)})
    found = (record["key"], written.key, written.item, record["content"])
    if found != (asked.key, asked.key, asked.item, _content(record["files"])):
        raise DamagedError(
            f"{folder / RECORD}: expected the record of {asked.key}, found an edited one"
        )
    for name, (_, written) in record["files"].items():
        path = folder / name
        found = checksum(path) if path.is_file() else "nothing"
        if found != written:
            raise DamagedError(f"{path}: expected the file of checksum {written}, found {found}")


def _files(folder: Path) -> dict[str, list[str]]:
    """Content hash and checksum of each of a result's files, by its place in the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != RECORD)
    return {p.relative_to(folder).as_posix(): [file_hash(p), checksum(p)] for p in paths}


def _content(files: dict[str, list[str]]) -> str:
    """Hash of a result's files. Sidecars of images, which say where they come from, do not count.

    What depends on a result depends on this: made anew with the same content, nothing changes.
    """
    digest = hashlib.blake2b(digest_size=12)
    for name, (found, _) in sorted(files.items()):
        if not name.endswith(".json") or f"{name.removesuffix('.json')}.nii.gz" not in files:
            digest.update(f"{name}\0{found}\n".encode())
    return digest.hexdigest()


def _differences(old: dict, new: dict) -> Iterator[str]:
    for kind, name in (("input", "inputs"), ("code", "code"), ("package", "software")):
        before, after = dict(_leaves(old[name])), dict(_leaves(new[name]))
        for key in sorted(before.keys() | after.keys()):
            if key == "cmbkit" and kind == "package":
                continue
            if key not in before or key not in after:
                yield f"{kind} {key}: {'gone' if key in before else 'new'}"
            elif before[key] != after[key]:
                told = "changed" if kind == "code" else _change(before[key], after[key])
                yield f"{kind} {key}: {told}"


def _leaves(value, name: str = "") -> Iterator[tuple[str, object]]:
    """Dotted names and values of nested dictionaries."""
    if not isinstance(value, dict):
        yield name, value
        return
    for key, inner in value.items():
        yield from _leaves(inner, f"{name}.{key}" if name else key)


def _change(before, after) -> str:
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after) > 3:
        other = sum(a != b for a, b in zip(before, after, strict=True))
        return f"{other} of {len(before)} changed"
    texts = [json.dumps(value) for value in (before, after)]
    return " -> ".join(t if len(t) <= SHOWN else f"{t[:SHOWN]}..." for t in texts)
