"""Five kills and five damaged files: the tables end as those of an undisturbed run."""

import importlib
import signal
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def faults():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        yield importlib.import_module("faults")
        for name in ("faults", "damaged_files", "small_study"):
            sys.modules.pop(name)


@pytest.fixture(scope="module")
def trial(faults, tmp_path_factory):
    return faults.Trial(tmp_path_factory.mktemp("study"))


def test_five_kills_one_after_the_other(faults, trial):
    trial.forget()
    for number, stage in enumerate(faults.STAGES):
        stopped = signal.SIGTERM if number % 2 else signal.SIGKILL
        assert faults.kill(trial.root, stage=stage, number=stopped), stage
        assert faults.ends(trial.root)
    assert faults.kill(trial.root, after_s=0.5)
    trial.rerun("kills", "five")
    assert trial.counts["kills", "identical"] == 1


def test_five_damaged_files_are_five_lines(faults, trial):
    damaged_files = sys.modules["damaged_files"]
    found = damaged_files.cached_files(trial.root / faults.DERIVED)
    files = {path.name.partition("_")[2] or path.name: path for path in found}
    names = ("desc-preproc_T2starw.nii.gz", "desc-cmb_dseg.nii.gz", "features.tsv", "scan.json")
    chosen = [*(files[name] for name in names), files["provenance.json"]]
    for path, damage in zip(chosen, damaged_files.DAMAGES, strict=True):
        damage(path)
    code, told = faults.finish(trial.root)
    lines = [line for line in told.splitlines() if "made anew" in line]
    assert code == 0 and faults.tables(trial.root) == trial.expected
    assert len(lines) == len({path.parent for path in chosen}), told
    assert all(any(str(path) in line for path in chosen) for line in lines)
    assert not faults.leftovers(trial.root)
