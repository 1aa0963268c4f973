"""Run the notebooks headless with a parameter file, and show how far they are."""

from __future__ import annotations

import json
import os
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import yaml
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cmbkit.compute import PROGRESS_FILE
from cmbkit.params import Parameters, read_parameters
from cmbkit.study import find_root

KERNEL = "python3"
PARAMETER_WIDTH = 190
PARAMETER_COMMENTS = {
    "profile": "names the cache and the folder figures/<profile>",
    "seed": "of everything random",
    "workers": "processes for work per scan",
    "cohort": "synthetic scans of each dataset, or roots: {DOU: folder}",
    "preprocessing": "chapter 5; mm and voxels",
    "network": "UNetApollo3D (Figure A.7); the thesis has [32, 64, 128, 256, 320]",
    "training": "two phases, from scratch and from carried weights",
    "inference": "tiles and post-processing (6.4.2, 6.6)",
    "evaluation": "matching and metrics (6.7)",
}


class NotebookFailed(RuntimeError):
    """A notebook stopped with an error; the message names it and the executed copy."""


def notebooks(root: Path) -> list[Path]:
    """The numbered notebooks in the order in which data flows."""
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def reproduce(
    parameter_file, *, only: list[str] | None = None, update_notebooks: bool = False
) -> Path:
    """Execute the notebooks with a parameter file; return the gallery's index page.

    Parameters
    ----------
    parameter_file : path-like
        Checked before any kernel starts.
    only : list of str, optional
        Numbers such as ``["03", "05"]``; all by default.
    update_notebooks : bool
        Write the outputs back into ``notebooks/`` (for the committed demo outputs).

    Raises
    ------
    cmbkit.params.ParameterError
        If the file does not fit.
    NotebookFailed
        If a notebook raises; later notebooks are not run.
    """
    from cmbkit.reporting.gallery import write_index

    parameter_file = Path(parameter_file).resolve()
    params = read_parameters(parameter_file)
    root = find_root()
    figures = root / params.figures_dir / params.profile
    paths = [p for p in notebooks(root) if not only or p.name[:2] in only]
    if not paths:
        raise NotebookFailed(f"{root / 'notebooks'}: expected notebooks 01 to 07, found none")
    executed = root / params.data_dir / "derivatives" / params.profile / "notebooks"
    executed.mkdir(parents=True, exist_ok=True)
    values = yaml.safe_load(parameter_file.read_text())
    console = Console()
    console.print(_headline(params, parameter_file, len(paths)))
    started = time.monotonic()
    with _Watch(console, [p.stem for p in paths]) as watch:
        for path in paths:
            watch.start(path.stem)
            target = executed / path.name
            _execute(path, target, values)
            if update_notebooks:
                write_back(target, path, values)
            watch.finish()
    index = write_index(figures)
    minutes = (time.monotonic() - started) / 60
    console.print(f"{len(paths)} notebooks in {minutes:.1f} min. Tables and figures: {index}")
    return index


def _headline(params: Parameters, file: Path, count: int) -> str:
    cohort = "synthetic cohort" if params.cohort.synthetic else "real data"
    spacing = params.preprocessing.spacing_mm
    return f"{count} notebooks with {file.name}: {cohort}, {spacing:g} mm grid, seed {params.seed}"


def _execute(source: Path, target: Path, values: dict) -> None:
    import papermill

    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    try:
        papermill.execute_notebook(
            str(source),
            str(target),
            parameters=values,
            kernel_name=KERNEL,
            cwd=str(source.parent),
            progress_bar=False,
        )
    except papermill.PapermillExecutionError as error:
        raise NotebookFailed(
            f"{source.name}: cell {error.exec_count} raised {error.ename}: {error.evalue}\n"
            f"the executed copy with the traceback is {target}"
        ) from None


def parameter_cell(values: dict) -> str:
    """Source of a notebook's parameters cell: typed, commented, the sections packed in lines."""
    lines = []
    for name, value in values.items():
        kind = type(value).__name__
        if not isinstance(value, dict):
            lines.append(f"{name}: {kind} = {json.dumps(value)}  # {PARAMETER_COMMENTS[name]}")
            continue
        entries = [f'"{key}": {entry!r}'.replace("'", '"') for key, entry in value.items()]
        packed = textwrap.wrap(
            ",\0".join(e.replace(" ", "\1") for e in entries).replace("\0", " "),
            width=PARAMETER_WIDTH,
            break_long_words=False,
            break_on_hyphens=False,
        )
        packed = [line.replace("\1", " ") for line in packed]
        if len(packed) <= 1:
            body = "".join(packed)
            lines.append(f"{name}: dict = {{{body}}}  # {PARAMETER_COMMENTS[name]}")
        else:
            lines.append(f"{name}: dict = {{  # {PARAMETER_COMMENTS[name]}")
            lines += [f"    {line}" for line in packed[:-1]] + [f"    {packed[-1]}}}"]
    return "\n".join(lines)


def write_back(executed: Path, notebook: Path, values: dict) -> None:
    """Put the outputs of an executed copy and the parameters into the notebook."""
    import nbformat

    book = nbformat.read(executed, as_version=4)
    book.cells = [c for c in book.cells if "injected-parameters" not in c.metadata.get("tags", [])]
    for cell in book.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = parameter_cell(values)
    for number, cell in enumerate((c for c in book.cells if c.cell_type == "code"), 1):
        cell.execution_count = number
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number
    for cell in book.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = {"tags": tags} if tags else {}
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": KERNEL},
        "language_info": {"name": "python"},
    }
    nbformat.write(book, notebook)


class _Watch:
    """Two bars: notebooks done, and the running step as the kernel reports it."""

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
        self._plain_step = ""

    def __enter__(self):
        handle, name = tempfile.mkstemp(prefix="cmbkit-progress-")
        os.close(handle)
        self._file = Path(name)
        os.environ[PROGRESS_FILE] = name
        self._whole = self._progress.add_task("notebooks", total=len(self._names))
        self._step = self._progress.add_task("starting", total=None)
        if self._console.is_terminal:
            self._progress.start()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._progress.stop()
        os.environ.pop(PROGRESS_FILE, None)
        self._file.unlink(missing_ok=True)

    def start(self, name: str) -> None:
        """Say which notebook runs now."""
        self._progress.update(self._whole, description=name)
        self._say(f"{name} ({self._names.index(name) + 1} of {len(self._names)})")

    def finish(self) -> None:
        """One notebook more is done."""
        self._progress.advance(self._whole)

    def _say(self, text: str) -> None:
        if not self._console.is_terminal:
            self._console.print(text, highlight=False)

    def _follow(self) -> None:
        position = 0
        while not self._stop.wait(0.5):
            with open(self._file) as stream:
                stream.seek(position)
                lines = stream.readlines()
                if lines and not lines[-1].endswith("\n"):
                    lines.pop()
                position += sum(len(line.encode()) for line in lines)
            for line in lines:
                self._show(json.loads(line))

    def _show(self, event: dict) -> None:
        step, done, total = event["step"], event["done"], event["total"]
        if step != self._plain_step:
            self._plain_step = step
            self._progress.reset(self._step, description=f"  {step}", total=total)
        self._progress.update(self._step, completed=done, total=total)
        if total and (done == total or done % max(1, total // 4) == 0):
            self._say(f"  {step}: {done} of {total}")
