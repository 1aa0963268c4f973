"""Change one thing in a module, run its tests: which changes does no test notice?

    .venv/bin/python tests/mutants.py              # the changes that once survived a review
    .venv/bin/python tests/mutants.py metrics 20   # 20 of a module (see MODULES), drawn by seed
    .venv/bin/python tests/mutants.py metrics 999  # all of it
    .venv/bin/python tests/mutants.py all 90 7     # 90 of all modules together, by another seed

Nothing is written: a forked process imports the changed module and runs the tests. A line says of
each change what became of it; benchmarks/mutants.md explains survivors that are known. A change
that takes five times as long as the right code is killed. Exit code 1 if a change of the review
survives.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.abc
import importlib.util
import io
import math
import os
import random
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = (
    *("cmbkit.params", "cmbkit.records", "cmbkit.volume", "hypothesis.strategies", "kneed"),
    *("nibabel", "nibabel.eulerangles", "numba", "pandas", "pydantic", "scipy.sparse.csgraph"),
    *("pytest", "scipy.ndimage", "scipy.optimize", "scipy.stats", "sklearn.metrics", "yaml"),
)
"""Imported once, for all forks."""
SEED = 2024
MODULES = {
    "matching": ("evaluation/matching", "evaluation/test_matching.py"),
    "metrics": ("evaluation/metrics", "evaluation/test_metrics.py"),
    "statistics": (
        *("evaluation/statistics", "evaluation/test_statistics.py"),
        "evaluation/test_hypotheses.py",
    ),
    "hypotheses": (
        *("evaluation/hypotheses", "evaluation/test_hypotheses.py"),
        "evaluation/test_statistics.py",
    ),
    "calibration": ("evaluation/calibration", "evaluation/test_calibration.py"),
    "kernels": ("preprocessing/growing_kernels", "preprocessing/test_region_growing.py"),
    "region_growing": ("preprocessing/region_growing", "preprocessing/test_region_growing.py"),
    "grid": ("preprocessing/grid", "preprocessing/test_grid.py"),
    "labels": ("preprocessing/labels", "preprocessing/test_labels.py"),
    "splits": ("datasets/splits", "datasets/test_splits.py"),
    "tiles": ("detector/inference/tiles", "detector/inference/test_tiles.py"),
    "losses": ("detector/network/losses", "detector/network/test_losses.py"),
}
"""A module and its own tests."""
REVIEWED = (
    ("evaluation/statistics", "(1 - 0.95) / 2", "1 - 0.95", "evaluation/test_statistics.py"),
    ("evaluation/hypotheses", "swap[0] = 0", "pass", "evaluation/test_hypotheses.py"),
    ("evaluation/hypotheses", "weights[0] = in_first", "pass", "evaluation/test_hypotheses.py"),
    ("evaluation/hypotheses", '.loc[first["uid"]].reset_index()', ".reset_index()",
     "evaluation/test_hypotheses.py"),
    ("datasets/splits", '["n_cmb"] < 3', '["n_cmb"] <= 3', "datasets/test_splits.py"),
    ("datasets/splits", "[True, True, False, True]", "[True, True, True, True]",
     "datasets/test_splits.py"),
    ("preprocessing/growing_kernels", "(image[a, b, c], image[i, j, k], relative)",
     "(image[i, j, k], image[a, b, c], relative)", "preprocessing/test_region_growing.py"),
    ("preprocessing/grid", "np.rint(where)", "np.floor(where)", "preprocessing/test_grid.py"),
    ("preprocessing/labels", "theirs - TIE_MM", "theirs + TIE_MM", "preprocessing/test_labels.py"),
    ("evaluation/metrics", "divide(fp, weights.sum(axis=1))", "divide(fp, tp + fn)",
     "evaluation/test_metrics.py"),
)  # fmt: skip
SWAPS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.And: ast.Or, ast.Or: ast.And, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.Not: ast.UAdd, ast.Invert: ast.UAdd,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "any": "all",
         "all": "any", "floor": "ceil", "ceil": "floor"}  # fmt: skip


class Changed(importlib.abc.Loader, importlib.abc.MetaPathFinder):
    """Imports one module from other code."""

    def __init__(self, name: str, path: Path, code):
        self.name, self.path, self.code = name, path, code

    def find_spec(self, name, path=None, target=None):
        if name == self.name:
            return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def exec_module(self, module):
        exec(self.code, module.__dict__)


def places(source: str) -> list[tuple]:
    """Where a module can be changed: number of the node, field, place in it, what to put there."""
    tree = ast.parse(source)
    types = [getattr(n, name, None) for n in ast.walk(tree) for name in ("annotation", "returns")]
    left_out = {id(part) for found in types if found for part in ast.walk(found)}
    return [
        (position, *change)
        for position, node in enumerate(ast.walk(tree))
        if id(node) not in left_out
        for change in _of(node)
    ]


def changed(source: str, position: int, field: str, number: int | None, other):
    """What is changed, and the changed module, at one of `places`."""
    tree = ast.parse(source)
    here = next(node for k, node in enumerate(ast.walk(tree)) if k == position)
    before = ast.unparse(here)
    if number is None:
        setattr(here, field, other)
    else:
        getattr(here, field)[number] = other
    return f"line {here.lineno}: {before} -> {ast.unparse(here)}", tree


def _of(node: ast.AST) -> Iterator[tuple[str, int | None, object]]:
    """Field, place in it, and what to put there."""
    for field in ("op", "ops"):
        held = getattr(node, field, [])
        for number, operator in enumerate(held if isinstance(held, list) else [held]):
            if type(operator) in SWAPS:
                yield field, number if isinstance(held, list) else None, SWAPS[type(operator)]()
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        yield "value", None, not node.value if node.value is True else node.value + 1
    if isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield "attr", None, NAMES[node.attr]
    if isinstance(node, ast.Name) and node.id in NAMES:
        yield "id", None, NAMES[node.id]


def survives(module: str, code, tests, limit_s: int) -> bool:
    """Whether the tests pass with a changed module, in a process of its own of ``limit_s``."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
        # a compiled kernel is kept by its file
        sys.modules["numba"].config.DISABLE_JIT = int("kernels" in module)
        path = ROOT / "cmbkit" / f"{module}.py"
        sys.path.insert(0, str(ROOT))
        name = f"cmbkit.{module.replace('/', '.')}"
        sys.meta_path.insert(0, Changed(name, path, compile(code, path, "exec")))
        options = "-x -q -p no:cacheprovider -p no:nbval -o addopts= --import-mode=importlib"
        try:
            files = [str(ROOT / "tests" / test) for test in tests]
            failed = sys.modules["pytest"].main([*options.split(), *files])
        except BaseException:
            failed = 1
    os._exit(int(failed))


def reviewed() -> list[tuple]:
    """Module, what is changed, changed source and tests of those in `REVIEWED`."""
    cases = []
    for module, right, wrong, test in REVIEWED:
        source = (ROOT / "cmbkit" / f"{module}.py").read_text(encoding="utf-8")
        assert source.count(right) == 1, (module, right)
        cases.append((module, f"{right} -> {wrong}", source.replace(right, wrong), (test,)))
    return cases


def drawn(name: str, count: int, seed: int = SEED) -> list[tuple]:
    """The same of some changes of a module of `MODULES`, or of all together, drawn by a seed."""
    found = []
    for module, *tests in MODULES.values() if name == "all" else [MODULES[name]]:
        source = (ROOT / "cmbkit" / f"{module}.py").read_text(encoding="utf-8")
        found += [(module, source, place, tests) for place in places(source)]
        print(f"{module}: {len(places(source))} changes")
    chosen = random.Random(seed).sample(range(len(found)), min(count, len(found)))
    return [
        (module, *changed(source, *place), tests)
        for module, source, place, tests in (found[number] for number in chosen)
    ]


def main() -> int:
    """Print survivors and how many changes were tried."""
    words = sys.argv[1:]
    cases = drawn(words[0], *map(int, words[1:])) if words else reviewed()
    for name in SHARED:
        importlib.import_module(name)
    limits, survivors = {}, 0
    for module, what, code, tests in cases:
        if module not in limits:
            right = (ROOT / "cmbkit" / f"{module}.py").read_text(encoding="utf-8")
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            if not survives(module, right, tests, 300):
                raise SystemExit(f"{module}: its tests fail without a change")
            took = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
            limits[module] = math.ceil(5 * took) + 5
            print(f"{module}: {took:.1f} s", flush=True)
        lives = survives(module, code, tests, limits[module])
        survivors += lives
        print("survives" if lives else "killed", module, what, flush=True)
    print(f"{len(cases) - survivors} of {len(cases)} killed", flush=True)
    return int(survivors > 0 and len(sys.argv) == 1)


if __name__ == "__main__":
    sys.exit(main())
