"""A killed training goes on where it was and ends with the weights of an uninterrupted one."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cmbkit.detector.network.unet import build
from cmbkit.detector.training import phase as training_module
from cmbkit.detector.training.checkpoints import (
    CheckpointError,
    Progress,
    read_checkpoint,
    write_checkpoint,
)
from cmbkit.detector.training.phase import load, train
from cmbkit.params import Evaluation, Inference
from cmbkit.running.cache import Cache

ROOT = Path(__file__).parents[3]
KILLED_BEFORE_THE_SECOND_EPOCH_IS_PUBLISHED = """
import os, pickle, signal, sys
from pathlib import Path
from cmbkit.running.cache import Cache
from cmbkit.detector.training import phase as training
from cmbkit.detector.network.unet import build

network, arguments, options, root = pickle.loads(Path(sys.argv[1]).read_bytes())
publish = training._publish

def publish_or_die(folder, model, progress, log):
    if progress.epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    publish(folder, model, progress, log)

training._publish = publish_or_die
compute = lambda folder: training.train(build(network, seed=0), *arguments, folder, **options)
Cache(root).get("models", "net", {}, compute, code=[training.train], resumable=True)
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory, write_random_scan, tiny_network, small_training, small_phase):
    """Network parameters, positional and named arguments of `train` but model and folder."""
    scans = tmp_path_factory.mktemp("scans")
    train_scans = [write_random_scan(scans, f"t{i}", i) for i in range(3)]
    valid_scans = [write_random_scan(scans, "v", 50)]
    phase = small_phase.model_copy(
        update={"epochs": 4, "steps_per_epoch": 4, "schedule": "cosine", "warmup_steps": 2}
    )
    arguments = (train_scans, valid_scans, phase, small_training, Inference(), Evaluation())
    options = {"seed": 3, "step": "test", "snapshots": [(valid_scans[0].scan.uid, 1)]}
    return tiny_network, arguments, options


@pytest.fixture(scope="module")
def whole(job, tmp_path_factory):
    """Folder of a training that nothing has interrupted."""
    network, arguments, options = job
    folder = tmp_path_factory.mktemp("whole")
    train(build(network, seed=0), *arguments, folder, **options)
    return folder


def weights_of(folder, network, which="final"):
    return load(folder, network, which).get_weights()


def assert_same_result(one: Path, other: Path, network) -> None:
    """Weights to the last bit, each step's loss, all columns of the history but the time."""
    for which in ("final", "loss"):
        for a, b in zip(*(weights_of(f, network, which) for f in (one, other)), strict=True):
            np.testing.assert_array_equal(a, b)
    tables = [pd.read_csv(f / "history.csv").drop(columns="seconds") for f in (one, other)]
    pd.testing.assert_frame_equal(*tables)
    pd.testing.assert_frame_equal(*(pd.read_csv(f / "steps.csv") for f in (one, other)))
    names = [sorted(p.name for p in (f / "snapshots").iterdir()) for f in (one, other)]
    assert names[0] == names[1] and len(names[0]) == 4


def test_a_killed_process_is_taken_up_from_its_last_checkpoint(job, whole, tmp_path, caplog):
    """SIGKILL falls after the checkpoint of epoch 2, before its best weights are written."""
    network, arguments, options = job
    given = tmp_path / "job.pickle"
    given.write_bytes(pickle.dumps((network, arguments, options, tmp_path / "cache")))
    command = [sys.executable, "-c", KILLED_BEFORE_THE_SECOND_EPOCH_IS_PUBLISHED, str(given)]
    killed = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert killed.returncode == -signal.SIGKILL
    item = tmp_path / "cache" / "models" / "net"
    (left,) = (p for p in item.iterdir() if p.is_dir())
    assert left.name.startswith(".unfinished-")
    assert len(pd.read_csv(left / "history.csv")) == 1

    def compute(folder):
        train(build(network, seed=0), *arguments, folder, **options)

    with caplog.at_level("INFO"):
        cache, code = Cache(tmp_path / "cache"), [training_module.train]
        resumed = cache.get("models", "net", {}, compute, code=code, resumable=True)
    assert "test: goes on after epoch 2" in caplog.text
    assert list(item.iterdir()) == [resumed]
    assert_same_result(resumed, whole, network)
    assert not (resumed / "checkpoint.npz").exists()


def test_an_interruption_within_an_epoch_and_a_checkpoint_of_another_training(
    job, whole, tmp_path, monkeypatch
):
    network, arguments, options = job
    one_step = training_module.GradientSteps.__call__
    taken = []

    def interrupted(steps, *batch):
        taken.append(1)
        if len(taken) == 3 + 2 * 4 + 2:  # 3 to estimate, 2 epochs of 4
            raise KeyboardInterrupt
        return one_step(steps, *batch)

    monkeypatch.setattr(training_module.GradientSteps, "__call__", interrupted)
    folder = tmp_path / "halted"
    with pytest.raises(KeyboardInterrupt):
        train(build(network, seed=0), *arguments, folder, **options)
    with pytest.raises(CheckpointError, match=r"checkpoint.npz: .* another seed; use another"):
        train(build(network, seed=0), *arguments, folder, **{**options, "seed": 4})
    train(build(network, seed=0), *arguments, folder, **options)
    assert len(taken) == 3 + 2 * 4 + 2 + 2 * 4, "only the last two epochs were done again"
    assert_same_result(folder, whole, network)


@pytest.mark.parametrize("damage", ["emptied", "cut", "flipped"])
def test_of_a_damaged_checkpoint_a_line_is_told(tmp_path, capsys, damage):
    assert read_checkpoint(tmp_path, {}) is None
    write_checkpoint(tmp_path, {"kernel": np.arange(900.0)}, Progress("loss"), {})
    assert read_checkpoint(tmp_path, {})[0]["kernel"][7] == 7
    path = tmp_path / "checkpoint.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"emptied": b"", "cut": content[:-9], "flipped": content}[damage])
    capsys.readouterr()
    assert read_checkpoint(tmp_path, {}) is None
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and f"{path}: expected a checkpoint, found" in told
    assert "begins anew" in told


def test_progress_counts_epochs_without_improvement():
    """Equal F1 at a lower loss is better; NaN is never better; precision alone is no progress."""
    progress = Progress("count_f1")
    metrics = {"loss": 2.0, "count_f1": 0.5, "count_precision": 0.1, "segmentation_f1": np.nan}
    metrics["dice"] = 0.2
    progress.add(1.0, metrics, {"epoch": 1})
    assert set(progress.improved) == {"loss", "count_f1", "count_precision", "dice"}
    progress.add(1.0, {**metrics, "loss": 1.5, "dice": 0.1}, {"epoch": 2})
    assert set(progress.improved) == {"loss", "count_f1", "count_precision"}
    progress.add(1.0, {**metrics, "count_precision": 0.2}, {"epoch": 3})
    assert progress.improved == ["count_precision"] and progress.waited == 1
