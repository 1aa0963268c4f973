"""What is told of a step: in a log, in a terminal, by a kernel."""

import io
import json

import nbformat
import numpy as np
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from rich.console import Console

from cmbkit.running import report, steps
from cmbkit.running.map_scans import map_scans
from cmbkit.running.progress import Watch
from cmbkit.running.steps import Log, Step, counted, duration


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told to go on."""
    now = [0.0]
    monkeypatch.setattr(steps.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(report, "_later", lambda step: None)
    monkeypatch.delenv(report.PROGRESS_FILE, raising=False)
    monkeypatch.setattr(report, "_running", {})

    def wait(seconds):
        now[0] += seconds

    return wait


def test_a_step_says_how_long_it_will_take_yet(clock):
    """20 of 100 were there; 10 took 60 s, so the 70 left take 420 s."""
    step = Step("prediction", 20, 100)
    assert str(step) == "prediction: 20 of 100"
    clock(60)
    step.done, step.stage = 30, "DOU-07"
    assert str(step) == "prediction: 30 of 100, 7 min left, DOU-07"
    step.done = 100
    assert step.over and str(step) == "prediction: 100 of 100 in 60 s"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (2e5, "2 days"),
    ],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize("kind", [int, np.int64])
def test_counts(kind):
    words = [counted(kind(number), "raw scan") for number in (0, 1, 2)]
    assert words == ["0 raw scans", "1 raw scan", "2 raw scans"]


def test_a_log_gets_a_line_at_the_beginning_now_and_then_and_at_the_end(clock):
    lines = []
    log, step = Log(lines.append), Step("maps", 0, 40)
    for step.done in range(41):
        log.show(step)
        clock(1)
    assert [line.split(",")[0] for line in lines] == [
        "maps: 0 of 40", "maps: 15 of 40", "maps: 30 of 40", "maps: 40 of 40 in 40 s",
    ]  # fmt: skip
    assert lines[1].endswith("25 s left")


def test_a_step_of_less_than_a_second_is_not_told_of(clock, capsys):
    for done in range(3):
        report.report_progress("quick", done, 2)
    assert capsys.readouterr().err == ""
    report.report_progress("slow", 0, 2)
    clock(2)
    report.report_progress("slow", 1, 2)
    report.report_stage("slow", "writing")
    report.report_progress("slow", 2, 2)
    assert capsys.readouterr().err == "slow: 1 of 2, 2 s left\nslow: 2 of 2 in 2 s\n"


def test_a_step_that_broke_off_begins_anew(clock, capsys):
    report.report_progress("maps", 0, 4)
    clock(500)
    report.report_progress("maps", 0, 4)
    clock(2)
    report.report_progress("maps", 1, 4)
    assert capsys.readouterr().err == "maps: 1 of 4, 6 s left\n"


def test_a_terminal_line_is_written_over_and_gone_at_the_end(clock, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    report.report_progress("predict", 0, 2)
    clock(60)
    report.report_stage("predict", "scan_of_a_long_name: network")
    report.report_progress("predict", 2, 2)
    shown = terminal.getvalue().split(report.ERASE)
    assert shown == ["", "predict: 0 of 2, scan_of_a_long_name: n", ""]


def test_the_log_of_a_run_says_why_a_notebook_makes_something(monkeypatch):
    console = Console(file=io.StringIO(), width=200)
    with Watch(console, ["05_evaluation"]) as watch:
        watch.start("05_evaluation")
        monkeypatch.setenv(report.PROGRESS_FILE, str(watch.file("05_evaluation")))
        map_scans(abs, [1, -2], step="maps", stage="maps A was never made")
        watch.finish("05_evaluation")
    assert console.file.getvalue().rstrip().splitlines() == [
        "05_evaluation (1 of 1)",
        "  05 maps: 0 of 2, maps A was never made",
        "  05 maps: 2 of 2 in 0 s",
    ]


def test_a_kernel_tells_past_the_outputs_of_the_notebook(tmp_path, capfd):
    """With papermill the lines stand in its log, and the notebook is as without them."""
    source = """
from cmbkit.running.report import report_line, report_progress
import time
report_line("maps: 2 of 2 to make, about 2 min")
report_progress("maps", 0, 2)
time.sleep(1.2)
report_progress("maps", 1, 2)
report_progress("maps", 2, 2)
print("done")
"""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(
        new_notebook(cells=[new_code_cell(source)], metadata=kernel), tmp_path / "in.ipynb"
    )
    done = papermill.execute_notebook(
        tmp_path / "in.ipynb", tmp_path / "out.ipynb", progress_bar=False, log_output=True
    )
    (output,) = done.cells[0].outputs
    assert json.loads(json.dumps(output)) == {
        "output_type": "stream", "name": "stdout", "text": "done\n",
    }  # fmt: skip
    lines = capfd.readouterr().err.splitlines()
    assert "maps: 2 of 2 to make, about 2 min" in lines
    assert "maps: 0 of 2" in lines and "maps: 2 of 2 in 1 s" in lines
