"""Notebook hygiene: thin cells, one parameter cell for all, outputs stored, no machine named."""

import re
from pathlib import Path

import nbformat
import papermill
import pytest

from cmbkit.params import Parameters, read_parameters
from cmbkit.params.from_notebook import notebook_parameters

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
IDS = [path.stem for path in NOTEBOOKS]


def code_cells(path):
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


def test_there_are_seven_notebooks():
    assert [name[:2] for name in IDS] == ["01", "02", "03", "04", "05", "06", "07"]


@pytest.fixture(scope="module")
def parameter_cell():
    """Source of the one cell tagged parameters, the same in all notebooks."""
    tagged = [
        (path.name, cell.source)
        for path in NOTEBOOKS
        for cell in code_cells(path)
        if "parameters" in cell.metadata.get("tags", [])
    ]
    assert [name for name, _ in tagged] == [path.name for path in NOTEBOOKS], "one in each"
    first = tagged[0][1]
    assert [name for name, source in tagged if source != first] == []
    return first


def test_the_parameter_cell_is_the_demo_profile_and_names_every_key(parameter_cell):
    found: dict = {}
    exec(parameter_cell, found)
    assert [name for name in found if name in Parameters.model_fields] == [
        *("profile", "seed", "workers", "cohort", "preprocessing", "network", "training"),
        *("inference", "evaluation", "cluster", "data_dir", "figures_dir"),
    ]
    assert set(Parameters.model_fields) < set(found)
    expected = read_parameters(ROOT / "params/demo.yaml")
    assert notebook_parameters(found, ROOT / "params") == expected


def test_the_parameter_cell_is_typed_commented_and_narrow(parameter_cell):
    for line in parameter_cell.splitlines():
        assert re.fullmatch(r"\w+: (str|int|dict) = (\"demo\"|None|\{\})  # .+", line), line
        assert len(line) <= 100


def test_papermill_reads_types_and_help_off_the_parameter_cell():
    found = papermill.inspect_notebook(NOTEBOOKS[0])
    assert list(found) == list(dict.fromkeys(found)) and set(found) == set(Parameters.model_fields)
    assert {each["inferred_type_name"] for each in found.values()} == {"str", "int", "dict"}
    assert all(each["help"] for each in found.values())


def test_the_cell_after_it_makes_study_and_gallery():
    sources = {code_cells(path)[1].source for path in NOTEBOOKS}
    assert len(sources) == 1
    assert "Study.from_notebook(globals())" in sources.pop()


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


def test_cells_call_their_chapter_and_few_libraries_that_a_reader_may_call_too():
    imports = (re.findall(r"^from (cmbkit\S*)", cell.source, re.MULTILINE)
               for path in NOTEBOOKS for cell in code_cells(path))  # fmt: skip
    assert {module for each in imports for module in each} == {
        *("cmbkit.study", "cmbkit.chapters", "cmbkit.reporting.rating_form"),
        *("cmbkit.evaluation.match_table", "cmbkit.published.any_table"),
        "cmbkit.published.numbers",
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_notebooks_are_small_and_name_no_machine(path):
    assert path.stat().st_size < 4 << 20
    text = path.read_text()
    assert "papermill" not in text and not re.search(r"/(home|root|Users|tmp)/", text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_a_chapter_ends_with_what_it_shows_made_from_its_results(path):
    book = nbformat.read(path, as_version=4)
    assert "**" in book.cells[0].source and "?**" in book.cells[0].source, "its question"
    heading, closing = book.cells[-2:]
    assert heading.source.startswith("## What this chapter shows")
    assert f"conclusions.{path.stem[3:]}_shows" in closing.source
