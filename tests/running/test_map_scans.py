"""Mapping over scans: order, failures, progress."""

import json
import operator
import os
import signal
import subprocess
import sys
import time
from functools import partial

import cloudpickle
import pytest

from cmbkit.running.map_scans import ScanFailures, map_scans
from cmbkit.running.report import PROGRESS_FILE

invert = partial(operator.truediv, 1)
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests


@pytest.mark.parametrize("workers", [1, 2])
def test_results_keep_their_order_and_one_bad_scan_does_not_stop_the_others(workers, tmp_path):
    assert map_scans(invert, [1, 2, 4], step="s", workers=workers) == [1, 0.5, 0.25]
    with pytest.raises(ScanFailures, match=r"1 of 3 failed:\n  scan 0: a fault in cmbkit, Zero"):
        map_scans(invert, [1, 0, 4], step="s", workers=workers, name=lambda n: f"scan {n}")


def test_progress_counts_up_to_the_total(tmp_path, monkeypatch):
    monkeypatch.setenv(PROGRESS_FILE, str(tmp_path / "progress"))
    map_scans(invert, [1, 2], step="halving")
    events = [json.loads(line) for line in (tmp_path / "progress").read_text().splitlines()]
    assert [(e["step"], e["done"], e["total"]) for e in events] == [
        ("halving", 0, 2),
        ("halving", 1, 2),
        ("halving", 2, 2),
    ]


def die_on_zero(number):
    if number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_scan_that_kills_its_process_fails_alone():
    with pytest.raises(ScanFailures, match=r"1 of 9 failed:\n  0: its worker"):
        map_scans(die_on_zero, [3, 4, 0, 5, 6, 7, 8, 9, 1], step="s", workers=2)


WRITING = """
import sys, time
from pathlib import Path
from cmbkit.atomic import whole_folder
from cmbkit.running.map_scans import map_scans
from cmbkit.running.outcomes import end_cleanly

end_cleanly()
out = Path(sys.argv[1])

def write(name):
    with whole_folder(out / name, ours="run.json") as new:
        (new / "half").write_text("half")
        (out / f"{name}.begun").touch()
        time.sleep(60)

map_scans(write, ["a", "b"], step="write", workers=int(sys.argv[2]))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_terminated_run_leaves_nothing_half_written(tmp_path, workers):
    """SIGTERM while folders are filled: no .part- stays, the exit code is 128 + 15."""
    run = subprocess.Popen([sys.executable, "-c", WRITING, str(tmp_path), str(workers)])
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("*.begun"))) < workers and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(tmp_path.glob(".part-*"))
    run.terminate()
    assert run.wait(30) == 143
    assert not list(tmp_path.glob(".part-*"))
