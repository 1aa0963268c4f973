"""The code behind a result: every definition in cmbkit that computing it can reach.

Source files are read, nothing is imported. From a function all names that it uses are followed
to where they are defined (also through imports inside functions, ``module.name`` and the classes
in annotations, whose methods it calls), and so on from there. What counts of a definition is
its syntax, so that a comment, a docstring or another layout changes nothing.

A process goes by the code that it has loaded: a file that was edited since is read again when
its module has been loaded again.
"""

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType

from cmbkit.atomic import write_whole
from cmbkit.running.syntax import STATEMENTS, Import, SourceFile, digest

PACKAGE = __name__.partition(".")[0]
FOLDER = Path(__file__).parents[1]
UNSEEN = (
    f"{PACKAGE}.atomic",
    f"{PACKAGE}.params",  # their values are among the inputs
    f"{PACKAGE}.running",
    f"{PACKAGE}.detector.training.estimate",
    f"{PACKAGE}.detector.training.tracking",
)
"""Modules that change no result: parameter models, and what runs, tells and records."""
Place = tuple[str, str]
"""A module and a name in it; an empty name is the whole module."""
DYNAMIC = ("globals", "eval", "exec", "__import__", "import_module")


def definitions(*code, memory: Path | None = None) -> dict[str, str]:
    """Hash of every definition that the given code can reach.

    Parameters
    ----------
    *code : function, method, class or module
        What a method takes from ``self`` is not followed: give it as well.
    memory : Path, optional
        JSON file that keeps what was found, for other processes and days.

    Returns
    -------
    dict of str to str
        ``"cmbkit.preprocessing.cleaning.prune"`` to 16 hexadecimal digits, sorted.

    Raises
    ------
    ValueError
        If code is not of cmbkit, or not found in its file.
    """
    roots = tuple(map(_root, code))
    with _LOCK:
        kept = _FOLLOWED.get(roots) or _memory(memory).get(_name(roots))
        if kept is None or any(_read(name).digest != text for name, text in kept[0].items()):
            walk = _Walk(roots)
            kept = {name: _read(name).digest for name in sorted(walk.read)}, walk.found
            if memory:
                _remember(memory, roots, kept)
        _FOLLOWED[roots] = kept
        return kept[1]


def look() -> None:
    """Read the files of all modules that are loaded, before anyone edits them."""
    with _LOCK:
        for name in list(sys.modules):
            if name == PACKAGE or name.startswith(f"{PACKAGE}."):
                _read(name)


@cache
def whole_package() -> str:
    """Hash of all code of the package, 16 hexadecimal digits."""
    texts = [path.read_text() for path in sorted(FOLDER.rglob("*.py"))]
    return digest("\0".join(texts))


class _Module:
    """A file as it was when its module was loaded; it is parsed when it is asked for."""

    def __init__(self, name: str, path: Path):
        self.name = name
        self.path = path
        self.text = path.read_text()
        self.digest = digest(self.text)

    @cached_property
    def source(self) -> SourceFile:
        return SourceFile(self.text, self.name, self.path.name == "__init__.py")


Followed = tuple[dict[str, str], dict[str, str]]
"""Digest of the text of each module that was read, and of each definition that was reached."""
_LOCK = threading.Lock()
_FOLLOWED: dict[tuple, Followed] = {}
_MODULES: dict[str, tuple[object, tuple[int, int], _Module]] = {}


def _path(name: str) -> Path | None:
    """File of a module of the package."""
    base = FOLDER.joinpath(*name.split(".")[1:])
    paths = (base / "__init__.py", base.with_name(f"{base.name}.py"))
    return next((path for path in paths if path.is_file()), None)


def _read(name: str) -> _Module:
    """A module as this process has loaded it, or as it would now."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    kept = _MODULES.get(name)
    if kept is not None and kept[0] is spec:
        return kept[2]
    path = kept[2].path if kept else _path(name)
    status = os.stat(path)
    now = (status.st_size, status.st_mtime_ns)
    module = kept[2] if kept and kept[1] == now else _Module(name, path)
    _MODULES[name] = (spec, now, module)
    return module


def _root(thing) -> Place:
    """Where what was given as code is defined."""
    if isinstance(thing, ModuleType):
        module, name = thing.__name__, ""
    else:
        thing = getattr(thing, "fget", None) or thing
        module, name = thing.__module__, thing.__qualname__.partition(".<locals>")[0]
    if module.partition(".")[0] != PACKAGE:
        raise ValueError(f"{module}.{name}: expected code of {PACKAGE}")
    return module, name


def _unseen(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in UNSEEN)


def _name(roots) -> str:
    """Of what was followed from some roots, by this very code."""
    own = [(FOLDER / "running" / name).read_text() for name in ("source.py", "syntax.py")]
    return digest(repr((roots, own)))


def _memory(file: Path | None) -> dict[str, Followed]:
    """What a file remembers; nothing if it is damaged."""
    try:
        mark, text = file.read_text().split("\n", 1) if file else ("", "")
    except (OSError, ValueError):
        return {}
    return json.loads(text) if mark == digest(text) else {}


def _remember(memory: Path, roots, kept: Followed) -> None:
    """Add to the file, if it can be written; of two at once one will look again another time."""
    text = json.dumps(_memory(memory) | {_name(roots): kept})
    with suppress(OSError):
        write_whole(memory, f"{digest(text)}\n{text}")


class _Walk:
    """From some roots to every definition that can be reached."""

    def __init__(self, roots):
        self.found: dict[str, str] = {}  # digest of each definition
        self.read: set[str] = set()  # modules that were looked at
        waiting, done = list(roots), set()
        while waiting:
            place = waiting.pop()
            if place not in done and not _unseen(place[0]):
                waiting += self._enter(*place)
            done.add(place)
        self.found = dict(sorted(self.found.items()))

    def _source(self, name: str) -> SourceFile:
        self.read.add(name)
        return _read(name).source

    def _enter(self, name: str, part: str) -> Iterator[Place]:
        """Note a definition; yields what it uses, and what acts on it in its module."""
        source = self._source(name)
        if not part:
            yield from ((name, each) for each in source.names)
            return
        statements = source.find(part)
        if statements:
            self.found[f"{name}.{part}"] = digest("".join(s.digest for s in statements))
        elif part != STATEMENTS:
            raise ValueError(f"{name}: expected a definition of {part}, found none")
        yield name, STATEMENTS
        for use in {use for statement in statements for use in statement.uses}:
            yield from self._targets(name, *use)

    def _targets(self, name: str, start: str | Import, attributes) -> Iterator[Place]:
        """Where what is used is defined; a whole module where that is open."""
        if (attributes[-1] if attributes else start) in DYNAMIC:
            yield name, ""
        if isinstance(start, str):
            source = self._source(name)
            if source.find(start):
                yield name, start
            if start not in source.imports:
                return
            start = source.imports[start]
        yield from self._imported(*start, attributes)

    def _imported(self, name: str, part: str | None, attributes) -> Iterator[Place]:
        if name.partition(".")[0] != PACKAGE or _unseen(name):
            return
        names = [part, *attributes] if part else list(attributes)
        while names and not _unseen(name):
            wanted, source = names.pop(0), self._source(name)
            if source.find(wanted):
                yield name, wanted
                return
            if wanted in source.imports:
                yield from self._imported(*source.imports[wanted], names)
                return
            if _path(f"{name}.{wanted}") is None:
                break
            name = f"{name}.{wanted}"
        yield name, ""
