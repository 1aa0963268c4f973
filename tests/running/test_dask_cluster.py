"""Scans on a Dask cluster of real worker processes."""

import os
import signal
import subprocess
import sys
import types
from functools import partial

import cloudpickle
import dask
import pytest
from distributed import LocalCluster

from cmbkit.params import Cluster
from cmbkit.running.cache import Cache
from cmbkit.running.dask_cluster import ClusterError, slurm_cluster
from cmbkit.running.map_scans import ScanFailures, map_scans

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests


def start_workers(address, *options):
    """Worker processes started from the command line, whatever started the tests."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address]
    command += ["--nthreads", "1", "--no-dashboard", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def address():
    once = dask.config.set({"distributed.scheduler.allowed-failures": 1})
    settings = {"n_workers": 0, "dashboard_address": ":0", "silence_logs": 50}
    with (
        once,
        LocalCluster(**settings) as cluster,
        start_workers(cluster.scheduler_address, "--nworkers", "2") as workers,
    ):
        yield cluster.scheduler_address
        workers.terminate()


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


def test_slurm_jobs_get_one_thread_and_what_the_parameters_say(monkeypatch):
    """The arguments are those of dask_jobqueue.SLURMCluster, whose stand-in notes them."""

    class Noted:
        def __init__(self, **arguments):
            self.arguments = arguments

        def scale(self, jobs):
            self.jobs = jobs

    monkeypatch.setitem(sys.modules, "dask_jobqueue", types.SimpleNamespace(SLURMCluster=Noted))
    slurm = {"memory": "6GiB", "queue": "long", "prologue": ["conda activate cmb"]}
    made = slurm_cluster(Cluster(slurm=slurm).slurm, 7)
    asked = made.arguments
    assert made.jobs == 7 and asked["cores"] == asked["processes"] == 1
    assert asked["memory"] == "6GiB" and asked["queue"] == "long"
    assert "export OMP_NUM_THREADS=1" in asked["job_script_prologue"]
    assert asked["job_script_prologue"][-1] == "conda activate cmb"
