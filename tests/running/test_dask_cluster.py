"""Scans on a Dask cluster of real worker processes."""

import os
import re
import signal
import subprocess
import sys
from functools import partial

import cloudpickle
import dask
import numpy as np
import pandas as pd
import pytest
import yaml
from distributed import LocalCluster

from cmbkit.params import Cluster
from cmbkit.running import dask_cluster as module
from cmbkit.running.cache import Cache
from cmbkit.running.dask_cluster import ClusterError, slurm_cluster
from cmbkit.running.map_scans import ScanFailures, map_scans
from cmbkit.study import Study
from cmbkit.volume import Volume

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests


def start_workers(address, *options):
    """Worker processes started from the command line, whatever started the tests."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address]
    command += ["--nthreads", "1", "--no-dashboard", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def two_workers():
    once = dask.config.set({"distributed.scheduler.allowed-failures": 1})
    settings = {"n_workers": 0, "dashboard_address": ":0", "silence_logs": 50}
    with (
        once,
        LocalCluster(**settings) as cluster,
        start_workers(cluster.scheduler_address, "--nworkers", "2") as workers,
    ):
        yield cluster
        workers.terminate()


@pytest.fixture
def address(two_workers):
    return two_workers.scheduler_address


def halve(cache, number):
    def compute(folder):
        if number < 0:
            raise ValueError(f"{number} is negative")
        (folder / "half").write_text(str(number / 2))

    folder = cache.get("half", str(number), {}, compute, code=[])
    return float((folder / "half").read_text())


def die_on_zero(number):
    if number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_one_bad_scan_is_told_and_a_second_run_does_only_what_is_missing(address, tmp_path):
    function = partial(halve, Cache(tmp_path))
    where = {"step": "halves", "cluster": Cluster(address=address), "name": "scan {}".format}
    with pytest.raises(ScanFailures, match=r"1 of 4 failed:\n  scan -3: -3 is neg"):
        map_scans(function, [8, -3, 4, 2], **where)
    made = {p.parts[-3]: p.stat().st_mtime_ns for p in tmp_path.glob("half/*/*/half")}
    assert set(made) == {"8", "4", "2"}
    assert map_scans(function, [6, 8, 4, 2], **where) == [3, 4, 2, 1]
    again = {p.parts[-3]: p.stat().st_mtime_ns for p in tmp_path.glob("half/*/*/half")}
    assert made == {name: again[name] for name in made}


def test_a_scan_that_kills_its_workers_fails_alone(address):
    with pytest.raises(ScanFailures, match=r"1 of 3 failed:\n  0: every worker"):
        map_scans(die_on_zero, [5, 0, 6], step="s", cluster=Cluster(address=address))


def test_a_worker_of_another_version_does_nothing(address, monkeypatch):
    real = module.software_versions()
    monkeypatch.setattr(module, "software_versions", lambda: {**real, "scipy": "0.1"})
    with pytest.raises(ScanFailures, match=rf"expected scipy 0.1, found {real['scipy']}"):
        map_scans(abs, [-1], step="s", cluster=Cluster(address=address))


def test_without_any_worker_left_the_run_ends():
    """One worker that nobody starts again dies on the first scan; the second never starts."""
    with LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as cluster:
        where = Cluster(address=cluster.scheduler_address, patience_s=20)
        with start_workers(where.address, "--no-nanny") as worker:
            try:
                assert map_scans(abs, [-1], step="s", cluster=where) == [1]
                where = where.model_copy(update={"patience_s": 1.0})
                with pytest.raises(ScanFailures, match="2 of 2 failed") as caught:
                    map_scans(die_on_zero, [0, 0], step="s", cluster=where)
            finally:
                worker.kill()
    assert "no worker was left, and none came within 1 s" in str(caught.value)


def test_what_cannot_be_used_is_an_error(monkeypatch):
    nobody = Cluster(address="tcp://127.0.0.1:9", patience_s=0.5)
    with pytest.raises(ClusterError, match=r"expected a Dask scheduler at tcp://127.0.0.1:9"):
        map_scans(abs, [1], step="s", cluster=nobody)
    settings = {"n_workers": 1, "threads_per_worker": 2, "processes": False}
    with LocalCluster(**settings, dashboard_address=":0") as cluster:
        where = Cluster(address=cluster.scheduler_address)
        with pytest.raises(ClusterError, match=r"expected 1 thread .*, found 2"):
            map_scans(abs, [1], step="s", cluster=where)
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(ClusterError, match="expected the package dask-jobqueue"):
        map_scans(abs, [1], step="s", cluster=Cluster(slurm={}))


@pytest.fixture
def file(tmp_path):
    """A parameter file of two brains of 2 mm voxels, each with a dark ball."""
    mm = np.moveaxis(np.indices((40, 45, 40)), 0, -1) * 2.0 - (40, 45, 40)
    ball = np.linalg.norm(mm - (10, 5, 0), axis=-1) <= 3
    data = np.where((((mm / (33, 38, 34)) ** 2).sum(-1) <= 1) & ~ball, 400.0, 0.0)
    for name in ("01", "02"):
        data += np.random.default_rng(int(name)).normal(0, 4, data.shape) * (data > 0)
        folder, grid = tmp_path / "MINE" / f"sub-{name}" / "swi", np.diag([2.0, 2, 2, 1])
        Volume(data.astype(np.float32), grid).write(folder / f"sub-{name}_swi.nii.gz")
        marked = folder / f"sub-{name}_desc-cmb_mask.nii.gz"
        Volume(ball.astype(np.uint8), grid).write(marked)
    values = {
        "profile": "own",
        "workers": 1,
        "cohort": {"datasets": [], "bids": {"MINE": {"root": "MINE"}}},
        "preprocessing": {"spacing_mm": 2.0, "pad_voxels": 60, "atlas_registration": "affine"},
    }
    (tmp_path / "params").mkdir()
    (tmp_path / "params/own.yaml").write_text(yaml.safe_dump(values))
    return tmp_path / "params/own.yaml"


def test_the_workers_of_a_parameter_files_cluster_do_the_work(file, two_workers, address):
    values = yaml.safe_load(file.read_text())
    values["cohort"]["bids"]["MINE"]["leave_out"] = ["02"]
    file.write_text(yaml.safe_dump(values))
    here = Study.read(file, data_dir="here").cohort.features
    values["cluster"] = {"address": address, "patience_s": 120.0}
    file.write_text(yaml.safe_dump(values))
    there = Study.read(file, data_dir="there").cohort.features
    done = " ".join(str(key) for key, *_ in two_workers.scheduler.transition_log)
    assert "preprocess_cached" in done and "describe_cached" in done
    assert len(there) == 1
    pd.testing.assert_frame_equal(here, there)


@pytest.mark.parametrize("left_out", [[], ["02"]])
def test_where_no_scheduler_listens_nothing_is_done(file, left_out):
    """Neither for two scans nor for one, which without a cluster needs no other process."""
    mine = {"bids": {"MINE": {"leave_out": left_out}}}
    where = {"address": "tcp://127.0.0.1:9", "patience_s": 0.5}
    study = Study.read(file, cohort=mine, cluster=where)
    with pytest.raises(ClusterError, match=r"expected a Dask scheduler at tcp://127.0.0.1:9"):
        _ = study.cohort.standard
    assert not (study.cache.root / "preproc").exists()


SCRIPT = f"""#!/usr/bin/env bash

#SBATCH -J dask-worker
#SBATCH -p long
#SBATCH -A mri
#SBATCH -n 1
#SBATCH --cpus-per-task=1
#SBATCH --mem=6G
#SBATCH -t 01:30:00
#SBATCH --qos=low
export OMP_NUM_THREADS=1
export OPENBLAS_NUM_THREADS=1
export ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS=1
export NUMBA_NUM_THREADS=1
conda activate cmb
{sys.executable} -m distributed.cli.dask_worker tcp://HERE --name dummy-name --nthreads 1 \
--memory-limit 6.00GiB --nanny --death-timeout 60
"""


def test_slurm_gets_the_job_script_that_one_would_write(monkeypatch):
    """As it is written for one worker of one thread; ``sbatch`` is not called."""
    jobqueue = pytest.importorskip("dask_jobqueue")
    asked = []
    monkeypatch.setattr(jobqueue.SLURMCluster, "scale", lambda _, jobs: asked.append(jobs))
    slurm = {"memory": "6GiB", "queue": "long", "account": "mri", "walltime": "01:30:00"}
    slurm |= {"directives": ["--qos=low"], "prologue": ["conda activate cmb"]}
    with slurm_cluster(Cluster(slurm=slurm).slurm, 7) as made:
        script = re.sub(r"tcp://\S+", "tcp://HERE", made.job_script())
    assert asked[0] == 7
    assert script.strip() == SCRIPT.strip()
