"""Telling whoever watches how far a step is, wherever this process runs.

That is a line under the running cell of JupyterLab, a line in a terminal that is written over,
lines in a log where neither is (papermill, a pipe), or a file that ``cmbkit reproduce`` reads.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import threading

from cmbkit.running.steps import Log, Step

PROGRESS_FILE = "CMBKIT_PROGRESS"
DELAY_S = 1.0
"""A step is not told of unless it takes longer."""
STDERR = 2
ERASE = "\r\x1b[2K"
_LOCK = threading.RLock()
_running: dict[str, Step] = {}


def report_progress(step: str, done: int, total: int, stage: str = "") -> None:
    """Tell how far a step is; it begins with the first call and ends with ``done == total``.

    ``stage``: what is done until the next call, or why.
    """
    path = os.environ.get(PROGRESS_FILE)
    if path:
        _append(path, {"step": step, "done": done, "total": total, "stage": stage})
        return
    with _LOCK:
        known = _running.get(step)
        if known is None or done <= known.first:
            if done >= total:
                return
            known = _running[step] = Step(step, done, total)
            _later(known)
        known.done, known.stage = done, stage
        if known.over:
            del _running[step]
        _tell(known)


def report_stage(step: str, stage: str) -> None:
    """Tell what a step that is under way does just now."""
    with _LOCK:
        if step in _running:
            _running[step].stage = stage
            _tell(_running[step])


def report_line(text: str) -> None:
    """Tell something that holds until the step that it is about is over."""
    path = os.environ.get(PROGRESS_FILE)
    if path:
        _append(path, {"line": text})
        return
    with _LOCK:
        _place().line(text)


def _append(path: str, event: dict) -> None:
    with open(path, "a") as stream:
        stream.write(json.dumps(event) + "\n")


def _later(step: Step) -> None:
    """Tell of a step after a while, if it is still under way then."""

    def tell() -> None:
        with _LOCK:
            if _running.get(step.name) is step:
                _tell(step)

    timer = threading.Timer(DELAY_S, tell)
    timer.daemon = True
    timer.start()


def _tell(step: Step) -> None:
    if step.over or step.seconds >= DELAY_S:
        _place().show(step, _running.values())


def _place():
    if _CELL and _CELL.is_shown:
        return _CELL
    return _TERMINAL if sys.stderr.isatty() else _LOG


def _write(text: str) -> None:
    """Write a line to this process's own stderr, past a notebook's outputs."""
    if not hasattr(sys.stderr, "pub_thread"):
        print(text, file=sys.stderr, flush=True)
        return
    try:  # a kernel, which has put another file in the place of its stderr, or not
        file = sys.stderr.fileno()
    except io.UnsupportedOperation:
        file = STDERR
    os.write(file, f"{text}\n".encode())


class _Terminal:
    """One line, written over."""

    def line(self, text: str) -> None:
        print(f"{ERASE}{text}", file=sys.stderr, flush=True)

    def show(self, step: Step, running) -> None:
        text = "; ".join(map(str, running))[: shutil.get_terminal_size().columns - 1]
        print(f"{ERASE}{text}", end="", file=sys.stderr, flush=True)


def _cell():
    """Where this is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    if not (hasattr(shell, "kernel") and hasattr(sys.stdout, "pub_thread")):
        return None
    from cmbkit.running.cell import Cell

    return Cell(shell, before=_running.clear)


_LOG, _TERMINAL, _CELL = Log(_write), _Terminal(), _cell()


def shortened(names: list[str], shown: int = 10) -> str:
    """Names in one line, the first of many and the number of the rest."""
    rest = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + rest
