"""A notebook's parameters: a profile's file, parts of which its cell or papermill replaces."""

from pathlib import Path

import nbformat
import papermill
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook
from papermill.exceptions import PapermillExecutionError

from cmbkit.params import ParameterError, read_parameters, replace_parts
from cmbkit.params.from_notebook import notebook_parameters

ROOT = Path(__file__).parents[2]
FILE = {
    "profile": "small",
    "seed": 5,
    "cohort": {"datasets": ["DOU"], "phantom_scans": {"DOU": 1}},
    "inference": {"threshold": 0.9, "minimum_voxels": 8},
}


@pytest.fixture
def folder(tmp_path):
    """A folder of parameter files with the profile small."""
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(FILE))
    return tmp_path


def test_dicts_are_replaced_key_by_key_and_all_else_as_a_whole():
    values = {"a": 1, "list": [1, 2], "deep": {"x": {"p": 1, "q": 2}, "y": 3}, "text": "old"}
    parts = {"list": [3], "deep": {"x": {"q": 5}}, "text": {"now": "a dict"}, "new": None}
    assert replace_parts(values, parts) == {
        "a": 1,
        "list": [3],
        "deep": {"x": {"p": 1, "q": 5}, "y": 3},
        "text": {"now": "a dict"},
        "new": None,
    }
    assert values["deep"]["x"] == {"p": 1, "q": 2}


def test_one_changed_value_changes_one_value(folder):
    alone = read_parameters(folder / "small.yaml")
    given = {"profile": "small", "seed": None, "cohort": {}, "inference": {"threshold": 0.5}}
    found = notebook_parameters(given, folder)
    assert found.inference.threshold == 0.5
    changed = alone.inference.model_copy(update={"threshold": 0.5})
    assert found == alone.model_copy(update={"inference": changed})


def test_a_seed_of_0_counts_and_other_names_do_not(folder):
    given = {"profile": "small", "seed": 0, "threshold": 3, "In": ["threshold = 3"]}
    assert notebook_parameters(given, folder).seed == 0


def test_papermills_own_names_are_no_unknown_parameters(folder):
    cell = "# Parameters\nseed = 7\nPAPERMILL_INPUT_PATH = '05.ipynb'\n"
    assert notebook_parameters({"profile": "small", "seed": 7, "In": [cell]}, folder).seed == 7


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"inference": {"treshold": 0.5}},
            ["did you mean inference.threshold?"],
        ),
        ({"inference": {"threshold": "1e-3"}}, ["inference.threshold", "1.0e-3"]),
        ({"workers": "two"}, ["workers", "integer", "'two'"]),
        ({"profile": "smal"}, ["profile", "(small)", "'smal'"]),
        ({"profile": 3}, ["profile", "(small)", "3"]),
        ({"In": ["x = 1", "# Parameters\nseed = 7\nsead = 7\n"]}, ["sead", "did you mean seed?"]),
    ],
)
def test_what_does_not_fit_is_one_line(folder, given, words):
    with pytest.raises(ParameterError) as caught:
        notebook_parameters({"profile": "small"} | given, folder)
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in words), message


def test_values_of_a_file_elsewhere_are_complete_in_themselves(folder):
    given = FILE | {"profile": "elsewhere", "cluster": None}
    found = notebook_parameters(given, folder)
    assert found.inference.minimum_voxels == 8
    assert found.inference.overlap == 0.4  # as published, not as in any other file


def executed(folder, values) -> str:
    """What a notebook of two common cells prints of its parameters, run by papermill."""
    common = nbformat.read(ROOT / "notebooks/01_dataset_analysis.ipynb", as_version=4)
    cell = next(c for c in common.cells if "parameters" in c.metadata.get("tags", []))
    code = (
        "from pathlib import Path\nfrom cmbkit.params.from_notebook import notebook_parameters\n"
        f"found = notebook_parameters(globals(), Path({str(folder)!r}))\n"
        "print(found.seed, found.inference.threshold, found.inference.minimum_voxels)"
    )
    book = new_notebook(cells=[cell, new_code_cell(code)])
    book.metadata = common.metadata
    nbformat.write(book, folder / "in.ipynb")
    done = papermill.execute_notebook(
        str(folder / "in.ipynb"), str(folder / "out.ipynb"), values, progress_bar=False
    )
    return done.cells[-1].outputs[0].text.strip()


def test_papermill_replaces_parts_and_refuses_unknown_names(folder):
    given = {"profile": "small", "inference": {"threshold": 0.25}}
    assert executed(folder, given) == "5 0.25 8"
    with pytest.raises(PapermillExecutionError, match="tresh: no such parameter"):
        executed(folder, given | {"tresh": 0.3})
