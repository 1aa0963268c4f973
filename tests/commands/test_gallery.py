"""``cmbkit gallery``: what has changed since it was made is named, with status 1."""

import json

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from typer.testing import CliRunner

from cmbkit.cli import app
from cmbkit.study import Study
from cmbkit.volume import Volume

CELL = "from cmbkit.reporting.layout import laid_out\ngallery.{}({!r}, laid_out(rows, []), 'x')"
FILE = {"profile": "mine", "cohort": {"bids": {"MINE": "MINE"}}, "training": {"networks": "train"}}
LAST = "{} stale; compared: code, parameters, Raw scans"


def write_scan(root, value):
    data = np.full((4, 5, 6), value, np.float32)
    data[0] = 0
    folder = root / "MINE/sub-01/swi"
    Volume(data, np.eye(4)).write(folder / "sub-01_swi.nii.gz")
    (folder / "sub-01_desc-cmb_points.tsv").write_text("i\tj\tk\n2\t2\t2\n")


def write_file(root, **parts):
    path = root / "params/mine.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(FILE | parts))  # JSON is YAML
    return path


@pytest.fixture
def root(tmp_path):
    """Table 2.1 depends on nothing, Table 4.1 on raw scans, Table S3 on the grid too."""
    write_scan(tmp_path, 1)
    path = write_file(tmp_path)
    items = [("table", "2.1"), ("table", "4.1"), ("table", "S3")]
    cells = [new_code_cell(CELL.format(*item)) for item in items]
    (tmp_path / "notebooks").mkdir()
    nbformat.write(new_notebook(cells=cells), tmp_path / "notebooks/01_all.ipynb")
    study = Study.read(path, root=tmp_path)
    assert len(study.cohort.scans) == 1
    for _, number in items:
        study.gallery.table(number, pd.DataFrame({"a": []}), "x")
    return tmp_path


def told(root):
    done = CliRunner().invoke(app, ["gallery", str(root / "params/mine.yaml")])
    assert not done.exception or isinstance(done.exception, SystemExit), done.output
    *stale, last = done.stdout.splitlines()
    return done.exit_code, stale, last.split("index.html: ")[1]


def test_nothing_changed(root):
    assert told(root) == (0, [], LAST.format(0))


def test_a_changed_parameter_is_stale_where_it_counts(root):
    """A grid makes another Table S3; Table 4.1 is of raw scans; workers change no number."""
    write_file(root, preprocessing={"spacing_mm": 2.0}, workers=1)
    assert told(root) == (1, ["stale: Table S3 (parameters)"], LAST.format(1))
    page = (root / "figures/mine/index.html").read_text()
    assert "Stale, for what made them has changed since: Table S3 (parameters)." in page


def test_a_changed_scan_is_stale(root):
    write_scan(root, 2)
    lines = ["stale: Table 4.1 (Raw scans)", "stale: Table S3 (Raw scans)"]
    assert told(root) == (1, lines, LAST.format(2))


def test_a_changed_function_is_stale(root, monkeypatch):
    monkeypatch.setattr("cmbkit.reporting.origins.definitions", lambda *_: {"laid_out": "edited"})
    lines = [f"stale: Table {number} (code)" for number in ("2.1", "4.1", "S3")]
    assert told(root) == (1, lines, LAST.format(3))
