"""``cmbkit cache`` on a study of two small scans; results are files written by hand."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from cmbkit.cli import app
from cmbkit.commands.cache import kept
from cmbkit.commands.why import why
from cmbkit.detector.inference import dark_blob
from cmbkit.evaluation import matching
from cmbkit.params import read_parameters
from cmbkit.preprocessing import pipeline
from cmbkit.running import cache as cache_module
from cmbkit.running import source
from cmbkit.running.ledger import entries, parameter_set
from cmbkit.study import Study
from cmbkit.study.cohort import scan_inputs
from cmbkit.study.operating import scan_counts
from cmbkit.study.scan_results import BASELINE, rules_cached
from cmbkit.volume import Volume

OWN = {"MINE": {"root": "data/raw/MINE", "split": "test"}}


def write_parameters(root: Path, profile="own", **changes):
    values = {"profile": profile, "cohort": {"datasets": [], "bids": OWN}, **changes}
    path = root / "params" / f"{profile}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(values))


@pytest.fixture
def root(tmp_path, monkeypatch):
    for number in ("01", "02"):
        data = np.full((8, 8, 4), 100 + int(number), np.float32)
        folder = tmp_path / f"data/raw/MINE/sub-{number}/swi"
        Volume(data, np.eye(4)).write(folder / f"sub-{number}_swi.nii.gz")
        mask = np.zeros((8, 8, 4), np.uint8)
        mask[4, 4, 2] = 1
        Volume(mask, np.eye(4)).write(folder / f"sub-{number}_desc-cmb_mask.nii.gz")
    write_parameters(tmp_path)
    monkeypatch.setenv("CMBKIT_ROOT", str(tmp_path))
    return tmp_path


def preprocess(root: Path, profile="own", **changes):
    """Results of preprocessing, as the study would ask for them; their content is made up."""
    values = read_parameters(root / "params" / f"{profile}.yaml").model_dump() | changes
    study = Study(root, **values)
    return [
        study.cache.get(
            "preproc",
            scan.uid,
            {"scan": scan_inputs(scan), "preprocessing": study.params.preprocessing},
            lambda folder: (folder / "image").write_text("1234567890"),
            code=[pipeline.preprocess],
        )
        for scan in study.cohort.scans
    ]


def run(*arguments, columns=200):
    done = CliRunner().invoke(app, ["cache", *arguments], env={"COLUMNS": str(columns)})
    assert done.exit_code == 0, done.output
    return done.output


def test_sizes_by_step(root):
    folders = preprocess(root)
    table = kept(root)
    assert list(table["step"]) == ["preproc"] * 2 and table["reached"].all()
    sizes = [sum(path.stat().st_size for path in folder.iterdir()) for folder in folders]
    assert list(table["size"]) == sizes
    assert [entry.folder for entry in table["entry"]] == folders
    row = next(line for line in run("own").splitlines() if "preproc" in line)
    assert row.split() == ["own", "preproc", "2", "2", "0.0", "0", "0.0"]


def test_removal_takes_what_no_parameter_file_reaches(root):
    """Another spacing, tried in a notebook: removed, unless a file in params/ asks for it."""
    first = preprocess(root)
    second = preprocess(root, preprocessing={"spacing_mm": 1.0})
    assert not set(first) & set(second)
    assert list(kept(root)["reached"]) == [folder in first for folder in sorted(first + second)]
    write_parameters(root, "other", preprocessing={"spacing_mm": 1.0})
    assert kept(root)["reached"].sum() == 2, "same values, another profile: another cache"
    assert "removed 2 results" in run("--remove")
    assert all(f.is_dir() for f in first) and not any(f.is_dir() for f in second)
    assert "removed 0 results" in run("--remove")
    assert preprocess(root) == first


def test_of_one_parameter_set_the_last_asked_for_is_kept(root, monkeypatch):
    old = preprocess(root)
    monkeypatch.setattr(cache_module, "software_versions", lambda: {"numpy": "9"})
    new = preprocess(root)
    assert [e.folder for e in kept(root).query("not reached")["entry"]] == old
    run("--remove")
    assert all(folder.is_dir() for folder in new) and not any(f.is_dir() for f in old)


def test_an_interrupted_result_goes_with_its_parameter_set(root):
    study = Study(root, **read_parameters(root / "params/own.yaml").model_dump())

    def half(folder):
        (folder / "half").write_text("1")
        raise KeyboardInterrupt

    for value in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            study.cache.get("models", "net", {"a": value}, half, code=[], resumable=True)
    assert list(kept(root)["finished"]) == [False, False]
    assert list(kept(root)["reached"]).count(True) == 1
    run("--remove")
    (left,) = entries(study.cache.root)
    assert left.folder.name.startswith(".unfinished-") and left.step == "models"


def test_machine_settings_and_folds_are_no_other_parameter_set(root):
    values = read_parameters(root / "params/own.yaml")
    assert parameter_set(values) == parameter_set(values.model_copy(update={"workers": 7}))
    assert parameter_set(values) != parameter_set(values.model_copy(update={"seed": 7}))


def test_why_says_what_changed_and_computes_nothing(root, monkeypatch):
    assert why(root, "own", "preproc", "MINE-01_swi") == ["preproc MINE-01_swi has never been made"]
    (first, _) = preprocess(root)
    there = ["preproc MINE-01_swi is in the cache; nothing has changed"]
    assert why(root, "own", "preproc", "MINE-01_swi") == there
    write_parameters(root, preprocessing={"spacing_mm": 1.0})
    definitions, real = source.definitions, cache_module.software_versions()

    def edited(*code, **options):
        return {**definitions(*code, **options), "cmbkit.preprocessing.cleaning.prune": "0" * 16}

    monkeypatch.setattr(source, "definitions", edited)
    monkeypatch.setattr(cache_module, "software_versions", lambda: {**real, "scipy": "9.9"})
    expected = [
        f"preproc MINE-01_swi will be made anew; since {first.name}:",
        "input preprocessing.spacing_mm: 0.5 -> 1.0",
        "code cmbkit.preprocessing.cleaning.prune: changed",
        f'package scipy: "{real["scipy"]}" -> "9.9"',
    ]
    assert why(root, "own", "preproc", "MINE-01_swi") == expected
    assert run("own", "--why", "preproc", "MINE-01_swi").splitlines() == expected
    later = why(root, "own", "features", "MINE-01_swi")
    assert later == ["features MINE-01_swi depends on what has to be made first", *expected]
    assert len(kept(root)) == 2


STEPS = [f"{kind}/{model}" for kind in ("rules", "curves") for model in ("scratch", BASELINE)]
STEPS += ["refinement", "features-native", "features-found/scratch", "maps/scratch"]
STEPS += ["predictions/scratch", "evaluation/scratch", "evaluation-native/scratch"]
STEPS += ["operating/scratch/3 variants"]


@pytest.mark.parametrize("step", STEPS)
def test_why_knows_every_step_of_a_scan(root, step):
    first, *_ = why(root, "own", step, "MINE-01_swi")
    words = "has never been made" if step == "refinement" else "depends on what has to be made"
    assert first.startswith(f"{step} MINE-01_swi {words}")


def test_why_of_what_every_rule_calls(root):
    """Also where the terminal is narrow, the list has the step's name as --why takes it."""
    step, uid = f"rules/{BASELINE}", "MINE-01_swi"
    (made, _) = preprocess(root)
    study = Study(root, **read_parameters(root / "params/own.yaml").model_dump())

    def write(folder):
        for name in ("counts.tsv", "found.tsv"):
            (folder / name).write_text("a\tb\n1\t2\n")

    def get(step, inputs, code):
        return study.cache.get(step, uid, {"scan": made, **inputs}, write, code=[code])

    point = {"point": study.params.evaluation.dark_blobs.model_dump()}
    found = get(f"predictions/{BASELINE}", point, dark_blob.predict_scan)
    assert why(root, "own", step, uid) == [f"{step} {uid} has never been made"]
    get(step, {"prediction": found}, rules_cached)
    assert why(root, "own", step, uid) == [f"{step} {uid} is in the cache; nothing has changed"]
    get("experiments/slices-scratch-and-a-long-name", {}, rules_cached)
    listed = run("own", columns=60)
    for name in (step, "experiments/slices-scratch-and-a-long-name"):
        assert any(f" {name} " in line for line in listed.splitlines())


def test_why_refuses_what_is_not_there(root):
    for step, item, words in (
        ("preproc", "MINE-09_swi", "MINE-09_swi"),
        ("preproc", "REAL-09", "REAL-09"),
        ("nothing", "MINE-09_swi", "nothing"),
        ("maps/scrach", "MINE-01_swi", "maps/scrach"),
        ("operating/scratch/30", "MINE-01_swi", "operating/scratch/30"),
        ("experiments/maps-none", "brain-1", "experiments/maps-none"),
        ("experiments/all-scratch", "brain-1", "experiments/all-scratch"),
    ):
        preprocess(root)
        done = CliRunner().invoke(app, ["cache", "own", "--why", step, item])
        assert done.exit_code == 1 and done.output.startswith(f"{words}: expected a s")
    for step, item in (("real", "x"), ("synthetic", "MOMENI")):
        with pytest.raises(ValueError, match=f"{step} {item}: expected a result that own asks for"):
            why(root, "own", step, item)
    for step in ("experiments/maps-scratch", "experiments/slices-scratch"):
        with pytest.raises(ValueError, match="x: expected an item such as brain-0_thickness-"):
            why(root, "own", step, "x")
    done = CliRunner().invoke(app, ["cache", "own", "--why", "models", "scratch-fine-alarms"])
    assert done.output.startswith("scratch-fine-alarms: expected an item such as size, source, scr")
    done = CliRunner().invoke(app, ["cache", "onw"])
    assert done.exit_code == 1 and done.output == "onw: no such profile; did you mean own?\n"


def test_matching_alone_decides_the_operating_points(root):
    """The bootstrap's samples or the thick slices' design are no input of a scan's counts."""
    values = read_parameters(root / "params/own.yaml").evaluation
    assert set(values.of_matching) == {"matching", "max_distance_mm", "assignment"}
    assert set(values.of_scans) == {*values.of_matching, "nan_rule"}
    assert f"{matching.__name__}.match_instances" in source.definitions(scan_counts)
