"""Where each table and figure comes from: the cell of a notebook and the functions it calls."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

from cmbkit.running.source import definitions
from cmbkit.running.syntax import digest

SHOWN_BY = ("figure", "table", "data", "view")
INJECTED = "injected-parameters"
"""Tag of the cell that papermill puts into an executed copy; it counts as none."""


@dataclass(frozen=True)
class Origin:
    """Of one table or figure.

    Attributes
    ----------
    notebook : str
        Name of its file.
    cell : int
        Number of the cell among those with code, from 1.
    functions : tuple of str
        The functions of cmbkit that made it, as "module:name".
    """

    notebook: str
    cell: int
    functions: tuple[str, ...]

    @cached_property
    def code(self) -> str:
        """Hash of every definition that the functions reach, 16 hexadecimal digits."""
        found = definitions(*map(_loaded, self.functions)) if self.functions else {}
        return digest(json.dumps(found, sort_keys=True))


def origins(folder) -> dict[tuple[str, str], Origin]:
    """Origin of everything that the notebooks of a folder show, by kind and number."""
    found = {}
    for path in sorted(Path(folder).glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        own = (c for c in cells if INJECTED not in c["metadata"].get("tags", ()))
        texts = ["".join(c["source"]) for c in own if c["cell_type"] == "code"]
        known: dict[str, set[str]] = {}
        for number, text in enumerate(texts, 1):
            for item, functions in _shown(ast.parse(text), known):
                found[item] = Origin(path.name, number, tuple(sorted(functions)))
    return found


def _shown(cell: ast.Module, known: dict[str, set[str]]) -> Iterator:
    """What a cell shows; ``known``: functions behind each name so far, added to."""
    for statement in cell.body:
        if isinstance(statement, ast.ImportFrom):
            for name in statement.names:
                known[name.asname or name.name] = {f"{statement.module}.{name.name}"}
            continue
        used = _behind(statement, known)
        if isinstance(statement, ast.Assign):
            names = (n for target in statement.targets for n in ast.walk(target))
            known |= {name.id: used for name in names if isinstance(name, ast.Name)}
        for call in ast.walk(statement):
            match call:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="gallery"), attr=kind),
                    args=[ast.Constant(value=number), *_],
                ) if kind in SHOWN_BY:
                    yield (kind, number), {name for name in used if ":" in name}


def _behind(statement: ast.stmt, known: dict[str, set[str]]) -> set[str]:
    """Functions and imported places behind the names that a statement uses."""
    used = set()
    for node in ast.walk(statement):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                places = [f"{p}.{attribute}" for p in known.get(name, ()) if ":" not in p]
                used |= {named for place in places if (named := _function(place))}
            case ast.Name(id=name):
                used |= {n for place in known.get(name, ()) if (n := _function(place))}
    return used


def _function(place: str) -> str | None:
    """The function as "module:name" where one of cmbkit is meant, else None."""
    if ":" in place:
        return place
    module, _, name = place.rpartition(".")
    try:
        thing = getattr(import_module(module), name, None) if module else None
    except ImportError:
        return None
    if inspect.isfunction(thing) and thing.__module__.startswith("cmbkit."):
        return f"{thing.__module__}:{thing.__qualname__}"
    return None


def _loaded(function: str):
    module, name = function.split(":")
    return getattr(import_module(module), name)
