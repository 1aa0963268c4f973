"""What the contracts of import-linter do not see: circles, and modules that no contract names."""

import graphlib
import re
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def imports():
    """Modules of cmbkit that each imports, within functions too."""
    graph = grimp.build_graph("cmbkit", cache_dir=None)
    return {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}


def test_no_module_comes_back_to_itself(imports):
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_every_module_but_the_detector_is_kept_from_deep_learning(imports):
    text = (ROOT / "pyproject.toml").read_text()
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    (kept,) = (c["source_modules"] for c in contracts if c["type"] == "forbidden")
    floors = {name for name in imports if name.count(".") == 1}
    assert len(floors) > 20 and sorted(kept) == sorted(floors - {"cmbkit.detector"})


def test_the_evaluation_uses_what_the_architecture_says_and_no_more(imports):
    text = (ROOT / "ARCHITECTURE.md").read_text()
    (said,) = re.findall(r"\*\*`evaluation` uses (.*?) alone\.\*\*", text)
    used = set().union(*(imports[name] for name in imports if _floor(name) == "evaluation"))
    assert {_floor(name) for name in used} - {"evaluation"} == set(re.findall(r"`(\w+)`", said))


def _floor(name):
    return name.split(".")[1] if "." in name else name
