"""Writing outputs back, and the notebooks' order."""

from pathlib import Path

import nbformat
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from cmbkit.reproduce import notebooks, parameter_cell, write_back


def test_write_back_drops_papermill_traces_and_renumbers(tmp_path):
    result = new_output("execute_result", {"text/plain": "2"}, execution_count=7)
    book = new_notebook(
        cells=[
            new_markdown_cell("# Title"),
            new_code_cell("seed: int = 1", metadata={"tags": ["parameters"]}),
            new_code_cell("seed = 2", metadata={"tags": ["injected-parameters"]}),
            new_code_cell("seed", execution_count=7, outputs=[result]),
        ],
        metadata={"papermill": {"duration": 3}},
    )
    nbformat.write(book, tmp_path / "executed.ipynb")
    values = {"seed": 3, "cohort": {"a": [1], "b": {"c": None}}}
    write_back(tmp_path / "executed.ipynb", tmp_path / "01_x.ipynb", values)
    back = nbformat.read(tmp_path / "01_x.ipynb", as_version=4)
    assert [c.source for c in back.cells] == ["# Title", parameter_cell(values), "seed"]
    assert [c.execution_count for c in back.cells[1:]] == [1, 2]
    assert back.cells[2].outputs[0].execution_count == 2
    assert "papermill" not in back.metadata


def test_notebooks_come_in_the_order_of_their_numbers(tmp_path):
    (tmp_path / "notebooks").mkdir()
    for name in ("02_b.ipynb", "01_a.ipynb", "scratch.ipynb"):
        (tmp_path / "notebooks" / name).write_text("{}")
    assert [p.name for p in notebooks(tmp_path)] == ["01_a.ipynb", "02_b.ipynb"]


def test_the_parameter_cell_says_what_the_file_says():
    values = yaml.safe_load((Path(__file__).parents[1] / "params/demo.yaml").read_text())
    found: dict = {}
    exec(parameter_cell(values), found)
    assert {name: found[name] for name in values} == values
