"""Ways to damage a file, which files of a cache to damage, and what the cache says of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

BINARY = (".gz", ".npz", ".h5", ".keras")


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def row_dropped(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


DAMAGES = (emptied, cut, flipped, row_dropped, Path.unlink)


def cached_files(derived: Path) -> Iterator[Path]:
    """One file of every name's ending in every step of the cache."""
    seen = set()
    for path in sorted(derived.rglob("*")):
        inside = path.relative_to(derived).parts
        kind = (inside[0], path.name.partition("_")[2] or path.name)
        if path.is_file() and len(inside) > 3 and ".used" not in inside and kind not in seen:
            seen.add(kind)
            yield path


def rounds(derived: Path) -> list[list[tuple[Path, Callable]]]:
    """Every damage of every kind of file, in rounds that touch each result once at most."""
    results: dict[str, list[Path]] = {}
    for path in sorted(derived.rglob("provenance.json")):
        results.setdefault(path.relative_to(derived).parts[0], []).append(path.parent)
    made: list[list[tuple[Path, Callable]]] = []
    for folders in results.values():
        kinds = {p.name.partition("_")[2] or p.name: p for p in _files(folders[0])}
        pairs = [(kind, damage) for kind in kinds for damage in damages_of(kinds[kind])]
        for number, (kind, damage) in enumerate(pairs):
            count, place = divmod(number, len(folders))
            (path,) = (p for p in _files(folders[place]) if p.name.endswith(kind))
            made += [[] for _ in range(count + 1 - len(made))]
            made[count].append((path, damage))
    return made


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def damages_of(path: Path) -> tuple[Callable, ...]:
    """Rows are those of text."""
    return tuple(d for d in DAMAGES if d is not row_dropped or path.suffix not in BINARY)


def noticed(derived: Path) -> int:
    """Damage every kind of file of a cache in a copy: how many are not noticed in a line?"""
    seen, missed = set(), 0
    for record in sorted(derived.rglob("provenance.json")):
        step = record.relative_to(derived).parts[0]
        for path in _files(record.parent):
            kind = step, path.name.partition("_")[2] or path.name
            if kind not in seen and seen.add(kind) is None:
                for damage in damages_of(path):
                    told = _told(record.parent, path, damage)
                    missed += str(path.name) not in told
                    print(*kind, damage.__name__, told, sep=" | ")
    return missed


def _told(folder: Path, path: Path, damage: Callable) -> str:
    """What the cache says of a result of which one file is damaged."""
    from cmbkit.running.provenance import Asked, read_record, require_undamaged

    record = read_record(folder)
    asked = Asked(**{field.name: record[field.name] for field in fields(Asked)})
    with tempfile.TemporaryDirectory() as place:
        copy = Path(shutil.copytree(folder, Path(place) / folder.name))
        require_undamaged(copy, asked)
        damage(copy / path.relative_to(folder))
        try:
            require_undamaged(copy, asked)
        except (OSError, TypeError, ValueError) as error:  # as `Cache` does
            return str(error).replace(f"{place}/", "")
    return "not noticed"
