"""How far the running notebooks are: bars in a terminal, lines elsewhere."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cmbkit.atomic import temporary_folder
from cmbkit.running.steps import Log, Step

LOOK_EVERY = 0.5  # seconds


class Watch:
    """One bar for the notebooks done, and one per running notebook for the step it is at.

    A kernel appends its steps to the file of its notebook (see `file` and
    `cmbkit.running.report.report_progress`). Use as a context manager.

    Parameters
    ----------
    console : rich.console.Console
    names : list of str
        Notebooks in the order in which they are counted.
    """

    def __init__(self, console: Console, names: list[str]):
        self._console = console
        self._names = names
        self._progress = Progress(
            TextColumn("{task.description}", justify="left"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._stop = threading.Event()
        self._running: dict[str, _Steps] = {}

    def __enter__(self):
        self._open = ExitStack()
        self._folder = self._open.enter_context(temporary_folder())
        self._whole = self._progress.add_task("notebooks", total=len(self._names))
        if self._console.is_terminal:
            self._progress.start()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._progress.stop()
        self._open.close()

    def file(self, name: str) -> Path:
        """Where the kernel of a notebook reports its steps."""
        return self._folder / name

    def start(self, name: str) -> None:
        """Say that a notebook runs from now on."""
        self.file(name).touch()
        task = self._progress.add_task(name, total=None)
        self._say(f"{name} ({self._names.index(name) + 1} of {len(self._names)})")
        log = Log(lambda text: self._say(f"  {name[:2]} {text}"))
        self._running[name] = _Steps(self.file(name), task, log)

    def finish(self, name: str) -> None:
        """One notebook more is done."""
        steps = self._running.pop(name)
        self._show(name, steps)
        self._progress.remove_task(steps.task)
        self._progress.advance(self._whole)

    def _say(self, text: str) -> None:
        if not self._console.is_terminal:
            self._console.print(text, highlight=False)

    def _follow(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            for name, steps in list(self._running.items()):
                self._show(name, steps)

    def _show(self, name: str, steps: _Steps) -> None:
        for event in steps.new():
            if "line" in event:
                self._console.print(f"  {name[:2]} {event['line']}", highlight=False)
                continue
            step = steps.at(**event)
            if step is not steps.shown:
                steps.shown = step
                description = f"  {name[:2]} {step.name}"
                self._progress.reset(steps.task, description=description, total=step.total)
            self._progress.update(steps.task, completed=step.done, total=step.total)
            steps.log.show(step)


class _Steps:
    """What one notebook has reported; read on from where the last look ended."""

    def __init__(self, file: Path, task, log: Log):
        self.task, self.log = task, log
        self.shown: Step | None = None
        self._steps: dict[str, Step] = {}
        self._file = file
        self._position = 0
        self._lock = threading.Lock()

    def new(self) -> list[dict]:
        """Events since the last call; a line that is not yet whole waits."""
        with self._lock, open(self._file, "rb") as stream:
            stream.seek(self._position)
            lines = stream.read().splitlines(keepends=True)
            if lines and not lines[-1].endswith(b"\n"):
                lines.pop()
            self._position += sum(map(len, lines))
        return [json.loads(line) for line in lines]

    def at(self, step: str, done: int, total: int, stage: str) -> Step:
        """The step that an event is of, as far as it is then."""
        known = self._steps.get(step)
        if known is None or done <= known.first:
            known = self._steps[step] = Step(step, done, total)
        known.done, known.stage = done, stage
        return known
