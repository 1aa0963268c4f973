"""Notebook hygiene: thin cells, the demo's parameters, outputs stored, no traces of a machine."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
import yaml

from cmbkit.params import check_parameters

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
IDS = [path.stem for path in NOTEBOOKS]


def code_cells(path):
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


def parameters_of(path):
    tagged = [c for c in code_cells(path) if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1, f"{path.name}: expected one cell tagged parameters"
    assigned = {}
    for node in ast.parse(tagged[0].source).body:
        assert isinstance(node, ast.AnnAssign), "every parameter is typed"
        assigned[node.target.id] = ast.literal_eval(node.value)
    return tagged[0], assigned


def test_there_are_seven_notebooks():
    assert [name[:2] for name in IDS] == ["01", "02", "03", "04", "05", "06", "07"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_parameters_are_the_demo_profile_typed_and_commented(path):
    cell, assigned = parameters_of(path)
    demo = yaml.safe_load((ROOT / "params/demo.yaml").read_text())
    assert assigned == demo
    assert check_parameters(assigned).profile == "demo"
    starts = [line for line in cell.source.splitlines() if re.match(r"\w+:", line)]
    assert all("#" in line for line in starts), "every parameter says what it is"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_cells_are_thin_and_hold_outputs_without_errors(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert book.cells[0].cell_type == "markdown" and book.cells[0].source.startswith("# ")
    for cell in code_cells(path):
        lines = cell.source.splitlines()
        if "parameters" not in cell.metadata.get("tags", []):
            assert len(lines) <= 12, f"{path.name}: a cell of {len(lines)} lines"
        assert not any(o.output_type in ("error", "stream") for o in cell.outputs), cell.source
    if book.metadata.get("outputs") != "not stored yet":
        assert sum(bool(c.outputs) for c in code_cells(path)) >= 3
    counts = [c.execution_count for c in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_notebooks_are_small_and_name_no_machine(path):
    assert path.stat().st_size < 4 << 20
    text = path.read_text()
    assert "papermill" not in text and not re.search(r"/(home|root|Users|tmp)/", text)
