"""`cmbkit init` writes a parameter file that works, and the README's recipe with it."""

import json
import re
import shlex
from functools import wraps
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cmbkit.cli import app
from cmbkit.commands import init as command
from cmbkit.commands.reproduce import notebooks
from cmbkit.params import read_parameters
from cmbkit.reporting.gallery import read_entries
from cmbkit.study import Study, real_scan
from cmbkit.volume import Volume

ROOT = Path(__file__).parents[2]
SHAPE = np.array([40, 45, 40])


def write_subject(folder: Path, name: str, bleeds, spacing=(1.5, 1.5, 1.5)) -> None:
    """A small ellipsoid brain with dark balls of 2.5 mm; None: nobody has looked."""
    mm = np.moveaxis(np.indices(SHAPE), 0, -1) * spacing
    middle = SHAPE * spacing / 2
    inside = (((mm - middle) / (0.85 * middle)) ** 2).sum(-1) <= 1
    data = np.where(inside, 400 + np.random.default_rng(int(name)).normal(0, 4, SHAPE), 0)
    mask = np.zeros(SHAPE, np.uint8)
    for bleed in bleeds or ():
        mask[((mm - np.array(bleed) * spacing) ** 2).sum(-1) <= 2.5**2] = 1
    data[mask > 0] = 100
    affine = np.diag([*spacing, 1])
    place = folder / f"sub-{name}" / "anat"
    Volume(data.astype(np.float32), affine).write(place / f"sub-{name}_T2starw.nii.gz")
    if bleeds is not None:
        Volume(mask, affine).write(place / f"sub-{name}_desc-cmb_mask.nii.gz")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The checkout's notebooks, an empty params/, and three annotated scans and one that is not."""
    monkeypatch.setenv("CMBKIT_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params").mkdir()
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    for name, bleeds in {"01": [(18, 20, 20)], "02": [(22, 26, 16)], "03": [], "04": None}.items():
        write_subject(tmp_path / "data/raw/MINE", name, bleeds)
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, [*words])


def recipe() -> list[list[str]]:
    """Commands of the README's first block about own data."""
    section = (ROOT / "README.md").read_text().partition("## Your own data")[2]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)[1]
    return [shlex.split(line, comments=True)[1:] for line in block.splitlines()]


def in_one_process(file: Path) -> None:
    """What else stands in the file stays: a pool takes longer to start than these scans."""
    text, count = re.subn(r"^workers: \d+", "workers: 1", file.read_text(), flags=re.MULTILINE)
    assert count == 1
    file.write_text(text)


def small_real_scan(root, monkeypatch):
    """Keep a small head in the cache in the place of the real scan, which takes a minute."""
    head = Volume.read(root / "data/raw/MINE/sub-01/anat/sub-01_T2starw.nii.gz")
    instead = wraps(real_scan.read_example)(lambda: head)  # results go by the code of this name
    monkeypatch.setattr(real_scan, "read_example", instead)
    assert len(Study.read(root / "params/mine.yaml").real.implanted)


def test_the_readmes_recipe_runs_as_written(root, run_cells, monkeypatch):
    """Without validation scans, with one network and one dataset.

    The command runs 05 in a kernel, 04 and 06 run here; `test_own_data` runs all of them.
    """
    commands = recipe()
    assert [words[0] for words in commands] == ["init", "check", "reproduce"]
    commands[-1] += ["--only", "05"]
    for words in commands:
        done = run(*words)
        assert done.exit_code == 0, done.output
        if words[0] == "init":
            in_one_process(root / "params/mine.yaml")
            small_real_scan(root, monkeypatch)
    for path in notebooks(root):
        if path.name[:2] in ("04", "06"):
            run_cells(path, "mine")
    entries = {entry["number"]: entry for entry in read_entries(root / "figures/mine")}
    assert {"6.2", "7.2", "7.3", "8.1"} <= set(entries)
    (row,) = pd.read_csv(root / "figures/mine/table_7_3.csv").to_dict("records")
    assert (row["dataset"], row["model"], row["n_scans"]) == ("MINE", "compact", 3)
    assert row["tp"] + row["fn"] == 2  # both microbleeds, drawn in two of the scans
    assert "Nothing is trained in this run" in json.dumps(entries["S7"])


@pytest.fixture
def quick(monkeypatch):
    """A machine on which a patch takes 10 ms."""
    monkeypatch.setattr(command, "seconds_per_patch", lambda *_: (0.01, 12))
    monkeypatch.setattr("cmbkit.commands.plan._seconds_per_patch", lambda *_: (0.01, "timed"))


def test_training_is_sized_to_the_machine_and_the_grid_to_the_voxels(root, quick):
    """12 patches x 3 passes x 10 ms is 0.36 s a step: half an hour is 5000 steps."""
    done = run("init", "mine", "--bids", "data/raw/MINE", "--hours", "0.5")
    assert done.exit_code == 0, done.output
    params = read_parameters(root / "params/mine.yaml")
    phases = params.training.pretrain, params.training.finetune
    assert [phase.epochs * phase.steps_per_epoch for phase in phases] == [3000, 2000]
    assert [phase.datasets for phase in phases] == [["MINE"], ["MINE"]]
    assert params.training.models == ["scratch"]
    assert params.preprocessing.spacing_mm == 1.5 and params.preprocessing.pad_voxels == 144
    assert params.preprocessing.zscore == "brain"  # also of a slab; "padded" is the published fault
    assert params.inference.minimum_voxels == 1
    assert "splits: 2 train, 1 valid, 0 test, 1 excluded; 2 annotated" in done.output
    assert (
        "about 30 min on this machine, at 0.36 s per step"
        in (root / "params/mine.yaml").read_text()
    )
    assert len((root / "params/mine.yaml").read_text().splitlines()) < 30


def test_the_datasets_name_is_the_profiles_where_it_can_be():
    assert [command._own_name(name) for name in ("mine", "my-7t_2", "7t", "crb", "all", "1")] == [
        "MINE", "MY7T2", "T", "OWN", "ALL", "OWN",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["MINE", "--bids", "data/raw/MINE"], "MINE: expected lower-case letters, digits"),
        (["mine"], "mine: expected data, e.g. --bids data/raw/MINE, found none"),
        (["mine", "--bids", "data/raw/NONE"], "expected the folder of MINE, found nothing"),
        (["mine", "--dou", "data/raw/MINE"], "expected a folder"),
        (["mine", "--bids", "data/raw/MINE", "--networks", "cmpact"], "shipped (compact)"),
        (["mine", "--bids", "data/raw/MINE", "--hours", "inf"], "--hours: expected a number"),
        (["there", "--bids", "data/raw/MINE"], "expected no such file yet, found one; --force"),
    ],
)
def test_what_does_not_fit_is_one_line_and_nothing_is_written(root, quick, words, expected):
    (root / "params/there.yaml").write_text("profile: there\n")
    done = run("init", *words)
    assert done.exit_code == 1 and expected in done.output, done.output
    assert len(done.output.splitlines()) == 1
    assert [path.name for path in (root / "params").iterdir()] == ["there.yaml"]


def test_a_download_that_is_for_testing_alone_trains_all_the_same(root, quick):
    """DOU is a test set as published; alone, a part of it validates and nothing is left to test."""
    lines = command._cohort({"DOU": "data/raw/DOU"}, {}, train=True)
    assert "  splits: {DOU: train-valid}" in lines
    both = command._cohort({"DOU": "a", "VALDO": "b"}, {}, train=True)
    assert not any("splits" in line for line in both)
    given = command._cohort({"VALDO": "b"}, {"MINE": "c"}, train=False)
    assert "  splits: {VALDO: test}" in given and "split: test" in given[-1]


@pytest.mark.parametrize("inner", ["", "PublicDataShare_2020"])
def test_a_download_of_momeni_is_taken_as_it_lies(root, inner):
    """Named by the folder that holds the unpacked one, or by that itself; 10 is a voxel from 1."""
    folder = root / "data/raw/MOMENI" / "PublicDataShare_2020"
    grid = np.diag([1.0, 1.0, 1.5, 1.0])
    voxels = np.random.default_rng(0).integers(0, 400, (20, 20, 20)).astype(np.int16)
    for number, place in enumerate(("rCMB_DefiniteSubject", "NoCMBSubject"), 1):
        name = f"{number}_T1_MRI_SWI_BFC_50mm_HM.nii.gz"
        Volume(voxels + number, grid).write(folder / place / name)
    rows = [["File Name", "X", "Y", "Z"], ["1_T1_MRI_SWI_BFC_50mm_HM.nii.gz", 10, 10, 10]]
    workbook = folder / "rCMBInformationInfo.xlsx"
    pd.DataFrame(rows[1:], columns=rows[0]).to_excel(workbook, index=False)
    place = str(Path("data/raw/MOMENI") / inner)
    done = run("init", "mom", "--momeni", place, "--networks", "compact")
    assert done.exit_code == 0, done.output
    assert "0 train, 0 valid, 2 test, 0 excluded; 1 annotated microbleed\n" in done.output
    done = run("check", "params/mom.yaml")
    assert done.exit_code == 0 and "no problems in 2 scans" in done.output, done.output


def test_a_folder_may_have_any_name(root, quick):
    name = 'Aufnahmen "ÅSE" \\ 7 T: # 1'
    (root / "data/raw/MINE").rename(root / name)
    done = run("init", "mine", "--bids", name, "--networks", "compact")
    assert done.exit_code == 0, done.output
    assert read_parameters(root / "params/mine.yaml").cohort.bids["MINE"].root == name


def test_a_parameter_file_is_replaced_whole(root):
    """Whoever reads the old one meanwhile, here by a hard link, reads all of it."""
    (root / "params/mine.yaml").write_text("before")
    (root / "link").hardlink_to(root / "params/mine.yaml")
    done = run("init", "mine", "--bids", "data/raw/MINE", "--networks", "compact", "--force")
    assert done.exit_code == 0, done.output
    assert read_parameters(root / "params/mine.yaml").profile == "mine"
    assert (root / "link").read_text() == "before"
