"""Scans of one's own go through the whole study: read, preprocessed, detected, evaluated."""

import re
from functools import wraps
from pathlib import Path

import numpy as np
import pytest
import yaml

from cmbkit.chapters.evaluation import table_s30
from cmbkit.reporting.gallery import read_entries
from cmbkit.study import Study, real_scan
from cmbkit.volume import Volume

AFFINE = np.array([[-1.0, 0, 0, 40], [0, -1.0, 0, 45], [0, 0, 2.0, -40], [0, 0, 0, 1]])
SHAPE = (80, 90, 40)
BLEEDS = np.array([(30, 40, 20), (52, 50, 18)])


def write_subject(root, name, annotation):
    """An ellipsoid brain with a dark ball of 2.5 mm at every bleed.

    ``annotation`` is "mask", "no bleed" or None (nobody has looked).
    """
    mm = np.moveaxis(np.indices(SHAPE), 0, -1) * (1.0, 1.0, 2.0)
    inside = (((mm - (40, 45, 40)) / (33, 38, 34)) ** 2).sum(-1) <= 1
    data = np.where(inside, 400 + np.random.default_rng(int(name)).normal(0, 4, SHAPE), 0)
    mask = np.zeros(SHAPE, np.uint8)
    for value, bleed in enumerate(BLEEDS, 1):
        mask[((mm - bleed * (1, 1, 2)) ** 2).sum(-1) <= 2.5**2] = value
    data[mask > 0] = 100
    folder = root / f"sub-{name}" / "swi"
    Volume(data.astype(np.float32), AFFINE).write(folder / f"sub-{name}_swi.nii.gz")
    if annotation == "mask":
        Volume(mask, AFFINE).write(folder / f"sub-{name}_desc-cmb_dseg.nii.gz")
    if annotation == "no bleed":
        (folder / f"sub-{name}_desc-cmb_points.tsv").write_text("i\tj\tk\n")


@pytest.fixture(scope="module")
def study(tmp_path_factory, write_untrained):
    """Both bleeds annotated; none; a scan that nobody has looked at; an untrained network."""
    root = tmp_path_factory.mktemp("own")
    for name, annotation in (("01", "mask"), ("02", "no bleed"), ("03", None)):
        write_subject(root / "MINE", name, annotation)
    return Study(
        root=root,
        profile="own",
        workers=1,
        cohort={"bids": {"MINE": "MINE"}},
        training={"networks": str(write_untrained(root / "blind", 1.0, 120, threshold=0.999999))},
        evaluation={"bootstrap_samples": 20},
    )


def test_splits_and_counts(study):
    table = study.cohort.table.set_index("uid")
    assert table["split"].to_dict() == {
        "MINE-01_swi": "test",
        "MINE-02_swi": "test",
        "MINE-03_swi": "excluded",
    }
    assert table["n_cmb"].tolist() == [2, 0, 0]


def test_results_hold_the_annotated_scans_alone(study):
    """The balls are plain to see: found in both scans, right in one and false in the other."""
    rows = study.results.scan_rows.query("model == 'dark blobs'").set_index("uid")
    assert list(rows.index) == ["MINE-01_swi", "MINE-02_swi"]
    assert rows.loc["MINE-01_swi", ["tp", "fn"]].tolist() == [2, 0]
    assert rows.loc["MINE-02_swi", ["tp", "fp", "fn"]].tolist() == [0, 2, 0]
    assert study.params.evaluation.test_datasets[-1] == "MINE"
    assert not study.synthetic and set(rows["dataset"]) == {"MINE"}


def test_on_the_scans_own_grid_the_same_balls_are_found(study):
    """2 mm slices: the balls have other voxels there, but the same centres."""
    native = study.results.native_scan_rows(["dark blobs"])
    rows = native.set_index("uid")
    assert rows.loc["MINE-01_swi", ["tp", "fp", "fn"]].tolist() == [2, 0, 0]
    assert rows.loc["MINE-02_swi", ["tp", "fp", "fn"]].tolist() == [0, 2, 0]
    standard = study.results.scan_rows.query("model == 'dark blobs'")
    table = table_s30(standard, native, study.params.evaluation)
    assert table["grid"].tolist() == ["standard", "native"]
    assert table["tp"].tolist() == [2, 2] and table["n_differ"].tolist() == [0, 0]


def test_a_given_network_is_evaluated_beside_the_baseline(study):
    rows = study.results.scan_rows.query("model == 'blind'").set_index("uid")
    assert rows.loc["MINE-01_swi", "tp"] + rows.loc["MINE-01_swi", "fn"] == 2
    assert study.results.operating_points("blind").empty  # no validation scans
    assert len(study.results.postprocessing_steps("blind")) == 3


NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
WHY = (
    "No |Nothing |Of no |Too few |One network |TL. Not trained|All rules |The (thesis|experiment) "
)
"""How the foot of a table without rows begins."""


@pytest.fixture
def odd(tmp_path, write_untrained, monkeypatch):
    """A function that prepares a study of scans of so many microbleeds each, in a split."""
    monkeypatch.setenv("CMBKIT_ROOT", str(tmp_path))
    write_untrained(tmp_path / "blind", 2.0, 60, threshold=0.999999)

    def prepare(*annotations, split):
        for number, annotation in enumerate(annotations, 1):
            write_subject(tmp_path / "MINE", f"{number:02d}", annotation)
            stem = tmp_path / f"MINE/sub-{number:02d}/swi/sub-{number:02d}"
            brain = Volume.read(f"{stem}_swi.nii.gz")
            labels = Volume((brain.data > 0) * np.uint8(2), brain.affine)  # white matter
            labels.write(tmp_path / f"labels/MINE-{number:02d}_swi.nii.gz")
        values = {
            "profile": "odd",
            "workers": 1,
            "cohort": {"bids": {"MINE": {"root": "MINE", "split": split}}},
            "preprocessing": {"synthseg": {"folder": "labels"}},
            "training": {"networks": "blind"},
            "evaluation": {"bootstrap_samples": 20, "slice_experiment": {"brains": 0}},
        }
        (tmp_path / "params").mkdir()
        (tmp_path / "params/odd.yaml").write_text(yaml.safe_dump(values))
        head = Volume.read(tmp_path / "MINE/sub-01/swi/sub-01_swi.nii.gz")
        monkeypatch.setattr(real_scan, "read_example", wraps(real_scan.read_example)(lambda: head))
        return tmp_path

    return prepare


@pytest.mark.parametrize(
    ("annotations", "split"),
    [(["no bleed", "no bleed"], "test"), (["mask"], "valid")],
    ids=["no microbleeds, none to validate", "one scan, none to test"],
)
def test_every_notebook_shows_something_or_says_why_not(odd, run_cells, annotations, split):
    root = odd(*annotations, split=split)
    for path in NOTEBOOKS:
        run_cells(path, "odd")
    entries = read_entries(root / "figures/odd")
    tables = {e["number"]: e["html"] for e in entries if e["kind"] == "table"}
    assert len(tables) > 45
    assert {"7.1", "8.4", "S13"} <= {entry["number"] for entry in entries}
    without = {n: html for n, html in tables.items() if "<td " not in html.partition("<tfoot>")[0]}
    assert {"S7", "S45"} <= set(without)
    for number, html in without.items():
        foot = re.search('class="note"[^>]*>(.*?)</td>', html)
        assert foot and re.match(WHY, foot[1]), (number, foot and foot[1])
    told = [entry["legend"] for entry in entries] + list(tables.values())
    assert not [text for text in told if re.search(r"\b1 (scans|models|voxels|CMBs|rows)\b", text)]
