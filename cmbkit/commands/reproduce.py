"""Run the notebooks headless with a parameter file, and show how far they are."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

import yaml
from rich.console import Console

from cmbkit.params import Parameters, read_parameters
from cmbkit.running.map_scans import PROGRESS_FILE
from cmbkit.running.progress import Watch
from cmbkit.study import find_root

KERNEL = "python3"
SPAWN = multiprocessing.get_context("spawn")
NEEDS = {
    "02": ("01",),
    "03": ("01",),
    "04": ("01",),
    "05": ("04",),
    "06": ("03", "05"),
    "07": ("05",),
}
"""Which notebooks fill the cache that another one reads; the others can run beside it."""


class NotebookFailed(RuntimeError):
    """A notebook stopped with an error; the message names it and the executed copy."""


def notebooks(root: Path) -> list[Path]:
    """The numbered notebooks in the order in which data flows."""
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def reproduce(
    parameter_file,
    *,
    only: list[str] | None = None,
    update_notebooks: bool = False,
    jobs: int | None = None,
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
    jobs : int, optional
        Notebooks that run at a time, where one does not need another's results (`NEEDS`).
        By default two, or one if the file asks for a single worker.

    Raises
    ------
    cmbkit.params.ParameterError
        If the file does not fit.
    NotebookFailed
        If a notebook raises or its kernel dies; one beside it runs to its end, no other begins.
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
    jobs = jobs or min(2, params.workers)
    console = Console()
    console.print(_headline(params, parameter_file, len(paths)))
    started = time.monotonic()
    by_number = {path.name[:2]: path for path in paths}
    with (
        Watch(console, [p.stem for p in paths]) as watch,
        ProcessPoolExecutor(jobs, SPAWN) as pool,
    ):

        def begin(number: str) -> Future:
            path = by_number[number]
            watch.start(path.stem)
            target = executed / path.name
            return pool.submit(_execute, path, target, values, watch.file(path.stem))

        def end(number: str) -> None:
            path = by_number[number]
            watch.finish(path.stem)
            if update_notebooks:
                write_back(executed / path.name, path)

        run_in_order(list(by_number), jobs, begin, end)
    index = write_index(figures)
    minutes = (time.monotonic() - started) / 60
    console.print(f"{len(paths)} notebooks in {minutes:.1f} min. Tables and figures: {index}")
    return index


def run_in_order(
    numbers: list[str],
    jobs: int,
    begin: Callable[[str], Future],
    end: Callable[[str], None],
) -> None:
    """Begin each notebook once those that it needs have ended, at most ``jobs`` at a time.

    Of those that could begin, the one that most others wait for goes first.

    Parameters
    ----------
    numbers : list of str
        ``"01"`` to ``"07"``, or some of them; what is not among them need not end.
    jobs : int
    begin : callable
        Starts a notebook.
    end : callable
        Told of each notebook that ended well.

    Raises
    ------
    Exception
        The first one that a notebook raised, after those beside it have ended.
    """
    waiting = sorted(numbers, key=lambda number: (-_chain(number), number))
    running: dict[Future, str] = {}
    failed: BaseException | None = None
    while running or (waiting and not failed):
        ended_not = {*waiting, *running.values()}
        ready = [n for n in waiting if not ended_not.intersection(NEEDS.get(n, ()))]
        for number in [] if failed else ready[: jobs - len(running)]:
            waiting.remove(number)
            running[begin(number)] = number
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            number, error = running.pop(future), future.exception()
            failed = failed or error
            if error is None:
                end(number)
    if failed:
        raise failed


def _chain(number: str) -> int:
    """How many notebooks have to run one after the other from this one on."""
    return 1 + max((_chain(n) for n, needed in NEEDS.items() if number in needed), default=0)


def _headline(params: Parameters, file: Path, count: int) -> str:
    cohort = "synthetic cohort" if params.cohort.synthetic else "real data"
    spacing = params.preprocessing.spacing_mm
    return f"{count} notebooks with {file.name}: {cohort}, {spacing:g} mm grid, seed {params.seed}"


def _execute(source: Path, target: Path, values: dict, progress: Path) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError

    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    os.environ[PROGRESS_FILE] = str(progress)
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
    except DeadKernelError:
        raise NotebookFailed(
            f"{source.name}: the kernel died, perhaps for want of memory; "
            f"what ran before is in {target}"
        ) from None


def write_back(executed: Path, notebook: Path) -> None:
    """Put the outputs of an executed copy into the notebook."""
    import nbformat

    book = nbformat.read(executed, as_version=4)
    book.cells = [c for c in book.cells if "injected-parameters" not in c.metadata.get("tags", [])]
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
