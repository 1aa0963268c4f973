"""A study from a parameter file, in Python."""

import pandas as pd
import pytest
import yaml

from cmbkit.params import ParameterError
from cmbkit.study import Study, find_root

VALUES = {"profile": "small", "cohort": {"datasets": ["DOU"], "phantom_scans": {"DOU": 1}}}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A study's folder; the working directory is another one, outside of it."""
    monkeypatch.delenv("CMBKIT_ROOT", raising=False)
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home / "params", home / "notebooks", elsewhere):
        folder.mkdir(parents=True)
    (home / "params/small.yaml").write_text(yaml.safe_dump(VALUES))
    monkeypatch.chdir(elsewhere)
    return home


def test_the_study_is_where_its_file_or_notebook_is(home, monkeypatch):
    assert Study.read(home / "params/small.yaml").root == home
    place = {"PAPERMILL_INPUT_PATH": str(home / "notebooks/05.ipynb")}
    assert Study.from_notebook({"profile": "small", **place}).root == home
    monkeypatch.chdir(home / "notebooks")
    assert Study.from_notebook({"profile": "small"}).root == home
    assert find_root(home.parent / "mine.yaml") == home  # a file elsewhere: the working directory


def test_nothing_begins_in_a_place_that_nobody_meant(home, monkeypatch):
    (home.parent / "elsewhere/params").mkdir()  # of some other project, without parameter files
    for given in (VALUES, {"profile": "small"}):
        with pytest.raises(ParameterError, match="expected a study's folder") as caught:
            Study.from_notebook(given)
        assert "\n" not in str(caught.value) and "CMBKIT_ROOT" in str(caught.value)
    assert [path.name for path in (home.parent / "elsewhere").rglob("*")] == ["params"]
    monkeypatch.setenv("CMBKIT_ROOT", str(home))
    assert Study.from_notebook(VALUES).root == home


def test_a_table_of_other_settings_than_the_files_says_so(home):
    """Also where the file lies elsewhere, and where the parts come from Python."""
    file = home / "params/small.yaml"
    table = pd.DataFrame({"n": [1], "n_scans": [1], "n_cmb": [1]})
    for study, expected in (
        (Study.read(file), "Settings: grid 0.5 mm."),
        (Study.read(file, seed=7), "params/small.yaml: seed 7 (there 2024)."),
        (Study(home, **VALUES, seed=7), "params/small.yaml: seed 7 (there 2024)."),
    ):
        assert expected in study.gallery.table("7.1", table, "Scans").html


def test_a_study_names_its_profile_and_seed(tmp_path):
    cohort = {"datasets": ["DOU"], "phantom_scans": {"DOU": 1}}
    assert repr(Study(tmp_path, profile="mine", seed=3, cohort=cohort)) == "Study('mine', seed=3)"


def test_a_study_is_read_from_a_file_parts_of_which_are_replaced(tmp_path):
    values = {"profile": "small", "cohort": {"datasets": ["DOU"], "phantom_scans": {"DOU": 1}}}
    values["inference"] = {"threshold": 0.9, "minimum_voxels": 8}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(values))
    study = Study.read(tmp_path / "small.yaml", root=tmp_path, inference={"threshold": 0.5})
    assert (study.params.inference.threshold, study.params.inference.minimum_voxels) == (0.5, 8)
    assert study.root == tmp_path
