"""The faults that `tests/planted_faults.py` plants fit today's code and today's notebooks."""

import ast
import importlib.util
import sys
from pathlib import Path

import nbformat
import pytest

HERE = Path(__file__).parent
SPEC = importlib.util.spec_from_file_location("planted_faults", HERE / "planted_faults.py")
planting = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = planting  # dataclasses look their module up
SPEC.loader.exec_module(planting)


@pytest.mark.parametrize("fault", planting.FAULTS, ids=lambda fault: fault.name)
def test_a_fault_has_its_place_and_a_cell_that_shows_it(fault):
    ast.parse(planting.with_fault(fault))
    (path,) = (HERE.parent / "notebooks").glob(f"{fault.notebook}_*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    assert any(c.cell_type == "code" and fault.shows in c.source for c in cells)


def test_faults_are_chosen_by_a_word_of_their_names(monkeypatch, capsys):
    planted = []
    monkeypatch.setattr(planting, "caught", lambda fault: planted.append(fault.name) or "Cell 1")
    assert planting.main(["radius"]) == 0
    assert planted == ["a radius without the factor 3/4"]
    assert "a radius without the factor 3/4: 03: Cell 1" in capsys.readouterr().out
    assert planting.main(["radios"]) == 2 and len(planted) == 1
    assert "found 'radios'" in capsys.readouterr().err
    monkeypatch.setattr(planting, "caught", lambda fault: None)
    assert planting.main([]) == 1
    assert capsys.readouterr().out.count("NOT NOTICED") == len(planting.FAULTS)
