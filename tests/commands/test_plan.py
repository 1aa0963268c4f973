"""What `cmbkit check` says of a plan before anything runs: counted and computed by hand."""

from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from cmbkit.cli import app
from cmbkit.commands import plan
from cmbkit.params import check_parameters
from cmbkit.records import Acquisition, Annotation, Scan

OWN = {"MINE": {"root": "MINE", "split": "train-valid"}}


def params(split="train-valid", **sections):
    cohort = {"bids": {"MINE": {"root": "MINE", "split": split}}, "validation_fraction": 0.25}
    return check_parameters({"profile": "x", "cohort": cohort, **sections})


def scans(*counts):
    """A scan per patient with so many annotated CMBs; None: nobody has looked."""
    found = []
    for i, count in enumerate(counts):
        kind = "unknown" if count is None else "points" if count else "none"
        points = tuple((n, 0, 0) for n in range(count or 0))
        annotation = Annotation(kind, points=points)
        acquired = Acquisition((0.5, 0.5), 2.0)
        found.append(Scan("MINE", f"{i}", f"{i}", "SWI", f"{i}.nii", annotation, acquired))
    return found


def test_splits_are_counted_as_the_study_will_draw_them(tmp_path):
    chosen = params(training={"networks": "compact"})
    found = plan.plan_of(chosen, scans(2, 1, 3, 1, None), tmp_path)
    assert found.problems == []
    assert found.counted == "splits: 3 train, 1 valid, 0 test, 1 excluded; 7 annotated microbleeds"
    assert found.remarks == [
        "no test scans: the literature's Table 8.4 will have no row of this run"
    ]


@pytest.mark.parametrize(
    ("split", "counts", "training", "words"),
    [
        ("train", (1, 1), {"networks": "compact"}, ["nothing to evaluate"]),
        ("test", (None, None), {"networks": "compact"}, ["nothing to evaluate"]),
        (
            "test", (1, 1), {"models": ["scratch"], "finetune": {"datasets": ["MINE"]}},
            ["training.pretrain: expected scans of RODEJA", "training.finetune: expected scans of"
             " MINE in split train", "expected scans in split valid"],
        ),
        (
            "train-valid", (0, 0, 0, 0),
            {"models": ["scratch"], "pretrain": {"datasets": ["MINE"]},
             "finetune": {"datasets": ["MINE"]}},
            ["training.pretrain: expected microbleeds", "training.finetune: expected microbleeds"],
        ),
        ("test", (1,), {"networks": "frozen"}, ["weights/x/manifest.json: expected frozen"]),
    ],
)  # fmt: skip
def test_what_would_stop_a_notebook_is_a_problem(tmp_path, split, counts, training, words):
    found = plan.plan_of(params(split, training=training), scans(*counts), tmp_path)
    assert len(found.problems) == len(words), found.problems
    for line, word in zip(found.problems, words, strict=True):
        assert word in line and "\n" not in line


def test_what_will_be_empty_is_a_remark(tmp_path):
    found = plan.plan_of(params("test", training={"networks": "compact"}), scans(0, 0), tmp_path)
    assert [line.partition(":")[0] for line in found.remarks] == [
        "no validation scans", "no microbleeds to find",
    ]  # fmt: skip


def test_disk_memory_and_time_are_sums_that_can_be_done_by_hand(tmp_path, monkeypatch):
    """Two scans of 100 x 100 x 50 mm on 0.5 mm: 4 million voxels each; a patch takes 0.1 s."""
    image = nib.Nifti1Image(np.zeros((100, 50, 25), np.uint8), np.diag([1.0, 2, 2, 1]))
    nib.save(image, tmp_path / "a.nii")
    found = [
        Scan(s.dataset, s.patient, s.scan, s.sequence, tmp_path / "a.nii", s.annotation,
             s.acquisition)
        for s in scans(1, 1)
    ]  # fmt: skip
    phase = {"datasets": ["MINE"], "epochs": 6, "steps_per_epoch": 100, "batch_size": 10}
    chosen = params(
        training={"models": ["scratch"], "pretrain": phase, "finetune": phase},
        network={"patch_size": [32] * 3}, inference={"overlap": 0.0}, workers=1,
    )  # fmt: skip
    monkeypatch.setattr(plan, "_seconds_per_patch", lambda params, root: (0.1, "timed"))
    table = plan.plan_of(chosen, found, tmp_path).splits
    usage = SimpleNamespace(free=1e6)
    monkeypatch.setattr("shutil.disk_usage", lambda place: usage)
    disk, memory, time = plan.needs(chosen, found, table, tmp_path)
    assert plan.megavoxels(found[0], 0.5) == pytest.approx(1.0 * 4)
    # 0.43 bytes x (8 million + half of 4 million for the one validation scan)
    assert disk.startswith("disk: about 0.0 GB of 0 GB (2 scans of 4 million") and "NOT" in disk
    assert memory.startswith("memory: about 0.1 GB")
    # 6 x 100 steps of 10 patches, three passes of 0.1 s each: 30 min a phase
    assert "pretrain 30.0, finetune 30.0" in time and "timed" in time
    # 4 million voxels in tiles of 32768, 0.1 s each, are 12 s
    assert "prediction 0.2" in time
    # voxels twice as wide: an eighth as many tiles again
    coarser = chosen.inference.model_copy(update={"coarser": [0.5]})
    more = plan._tiles(chosen.model_copy(update={"inference": coarser}), 4.0)
    assert more == pytest.approx(9 / 8 * plan._tiles(chosen, 4.0))
    mirrored = chosen.inference.model_copy(update={"flips": True})
    more = plan._tiles(chosen.model_copy(update={"inference": mirrored}), 4.0)
    assert more == pytest.approx(4 * plan._tiles(chosen, 4.0))


def test_synthetic_scans_count_with_a_microbleed_each(tmp_path):
    chosen = check_parameters({"profile": "x", "cohort": {"phantom_scans": {"DOU": 3}}})
    table = plan.planned_splits(chosen, [])
    assert table["split"].tolist() == ["test"] * 3 and table["n_cmb"].sum() == 3


def test_check_ends_with_the_plans_problems(tmp_path, monkeypatch):
    monkeypatch.setenv("CMBKIT_ROOT", str(tmp_path))
    (tmp_path / "my.yaml").write_text("profile: x\ncohort: {phantom_scans: {CRB: 1}}\n")
    result = CliRunner().invoke(app, ["check", str(tmp_path / "my.yaml")])
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "5 problems in 0 scans of 0 datasets"
    assert "networks: compact} trains nothing" in result.stdout
