"""What one source file defines at its top level, and which names each definition uses."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cached_property

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
STATEMENTS = "(statements)"
"""Name of the top-level statements that define nothing, such as calls."""

Import = tuple[str, str | None]
"""A module, and a name in it (None: the module itself)."""
Use = tuple[str | Import, tuple[str, ...]]
"""A name of the file, or what a function imports itself; the attributes taken of it."""


class Definition:
    """One top-level statement, or a method.

    Parameters
    ----------
    package : str
        That relative imports start from.
    """

    def __init__(self, node: ast.stmt, package: str):
        self.node = node
        self._package = package

    @cached_property
    def uses(self) -> set[Use]:
        """Names that are not its own, those in annotations too."""
        return set(_uses(self.node, {}, self._package))

    @cached_property
    def digest(self) -> str:
        """Hash of the syntax tree without docstrings and function annotations."""
        return digest(_plain(self.node))


class SourceFile:
    """Top level of a file.

    Parameters
    ----------
    module : str
        Its full name.
    package : bool
        Whether it is the ``__init__.py`` of a package.

    Attributes
    ----------
    imports : dict of str to Import
        By the name that they have here.
    """

    def __init__(self, text: str, module: str, package: bool):
        self._package = module if package else module.rpartition(".")[0]
        self.imports: dict[str, Import] = {}  # by the name that they have here
        self._nodes: dict[str, list[Definition]] = {}
        for node in ast.parse(text).body:
            self._enter(node)

    def _enter(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.imports |= imported(node, self._package)
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        inner = list(_within(node))
        for part in inner:
            if isinstance(part, ast.Import | ast.ImportFrom):
                self.imports |= imported(part, self._package)
        definition = Definition(node, self._package)
        for name in {name for part in inner for name in _bound(part)} or {STATEMENTS}:
            self._nodes.setdefault(name, []).append(definition)

    @property
    def names(self) -> list[str]:
        """Of all definitions."""
        return list(self._nodes)

    def find(self, name: str) -> list[Definition]:
        """The statements that define a name, or ``Class.method``; empty if there are none."""
        found, _, method = name.partition(".")
        definitions = self._nodes.get(found, [])
        if not method:
            return definitions
        inner = [part for d in definitions for part in getattr(d.node, "body", [])]
        return [
            Definition(part, self._package) for part in inner if getattr(part, "name", 0) == method
        ]


def imported(node: ast.Import | ast.ImportFrom, package: str) -> dict[str, Import]:
    """What an import statement brings, by the name that it has then."""
    if isinstance(node, ast.Import):
        whole = {a.asname: (a.name, None) for a in node.names if a.asname}
        roots = {a.name.partition(".")[0] for a in node.names if not a.asname}
        return whole | {root: (root, None) for root in roots}
    module = node.module or ""
    if node.level:
        base = package.split(".")
        base = base[: len(base) - node.level + 1]
        module = ".".join([*base, module] if module else base)
    return {a.asname or a.name: (module, None if a.name == "*" else a.name) for a in node.names}


def digest(text: str) -> str:
    """16 hexadecimal digits."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _within(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all in it that has the same scope."""
    yield node
    if not isinstance(node, (*SCOPES, ast.ClassDef)):
        for child in ast.iter_child_nodes(node):
            yield from _within(child)


def _bound(node: ast.AST) -> Iterator[str]:
    """Names that a node itself gives a value (or changes in place: ``TABLE[key] = value``)."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.ExceptHandler, ast.MatchAs)) and node.name:
        yield node.name
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
        yield node.id
    if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        if isinstance(node, ast.Name):
            yield node.id


def _own(scope, package: str) -> dict[str, Import | None]:
    """Names that a function or comprehension has for itself; what its imports are of."""
    names: dict[str, Import | None] = {}
    if isinstance(scope, (*FUNCTIONS, ast.Lambda)):
        names |= {arg.arg: None for arg in _arguments(scope)}
        body = scope.body if isinstance(scope.body, list) else [scope.body]
    else:
        body = [generator.target for generator in scope.generators]
    shared = set()
    for part in (part for statement in body for part in _within(statement)):
        if isinstance(part, ast.Import | ast.ImportFrom):
            names |= imported(part, package)
        elif isinstance(part, ast.Global):
            shared |= set(part.names)
        elif not isinstance(part, ast.Attribute | ast.Subscript):
            names |= dict.fromkeys(_bound(part))
    return {name: of for name, of in names.items() if name not in shared}


def _uses(node: ast.AST, local: dict[str, Import | None], package: str) -> Iterator[Use]:
    attributes: tuple[str, ...] = ()
    while isinstance(node, ast.Attribute):
        attributes, node = (node.attr, *attributes), node.value
    if isinstance(node, ast.Name):
        name = local.get(node.id, node.id)
        if name is not None:
            yield name, attributes
        return
    if isinstance(node, FUNCTIONS):
        yield from _quoted(node, local, package)
    inside = {**local, **_own(node, package)} if isinstance(node, SCOPES) else local
    for field, value in ast.iter_fields(node):
        outside = isinstance(node, FUNCTIONS) and field in ("decorator_list", "returns")
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.arguments):
                for part in ast.iter_child_nodes(child):
                    yield from _uses(part, local, package)
            elif isinstance(child, ast.AST):
                yield from _uses(child, local if outside else inside, package)


def _quoted(node, local, package: str) -> Iterator[Use]:
    """Names in annotations that are written as text."""
    for annotation in [*(arg.annotation for arg in _arguments(node)), node.returns]:
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            yield from _uses(ast.parse(annotation.value, mode="eval").body, local, package)


def _arguments(node) -> list[ast.arg]:
    given = node.args
    every = (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg)
    return [arg for arg in every if arg]


def _plain(value) -> str:
    """A syntax tree as text; docstrings and the annotations of functions are left out."""
    if isinstance(value, list):
        return f"[{','.join(_plain(v) for v in value if not _is_text(v))}]"
    if not isinstance(value, ast.AST):
        return repr(value)
    left_out = ("annotation",) if isinstance(value, ast.arg) else ()
    if isinstance(value, FUNCTIONS):
        left_out = ("returns",)
    fields = [_plain(getattr(value, f, None)) for f in value._fields if f not in left_out]
    return f"{type(value).__name__}({','.join(fields)})"


def _is_text(node) -> bool:
    """Whether a statement is a text alone, as docstrings are."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
