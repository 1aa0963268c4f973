"""Run the notebooks headless with a parameter file, and show how far they are."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from cmbkit.atomic import sweep
from cmbkit.commands import differences
from cmbkit.commands.execution import NotebookFailed, begin_process, execute
from cmbkit.commands.order import FROZEN_NEEDS, NEEDS, run_in_order
from cmbkit.params import ParameterError, Parameters, read_parameters, replace_parts
from cmbkit.params.yaml_file import read_keys_and_values
from cmbkit.running.ledger import held
from cmbkit.running.progress import Watch
from cmbkit.running.steps import counted
from cmbkit.study import find_root
from cmbkit.study.frozen import frozen_folder
from cmbkit.study.given_networks import with_given_networks

LOCK = ".lock"
OWN_PROFILE = "demo"
SPAWN = multiprocessing.get_context("spawn")
OF_NETWORKS = ("04", "05", "06", "07")
"""Notebooks that show something of a network; what the others show does not change with it."""


class ProfileBusy(RuntimeError):
    """Another run of the same profile is under way; the message names its folder."""


def notebooks(root: Path) -> list[Path]:
    """The numbered notebooks in the order in which data flows."""
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def reproduce(
    parameter_file,
    *,
    retrain: bool = False,
    only: list[str] | None = None,
    update_notebooks: bool = False,
    jobs: int | None = None,
) -> Path:
    """Execute the notebooks with a parameter file and compare what they wrote with earlier files.

    Parameters
    ----------
    parameter_file : path-like
        Checked before any kernel starts.
    retrain : bool
        Train the networks anew, where the file has frozen ones, and execute the notebooks that
        depend on them, into ``figures/retrained``. What they share with the frozen ones' run
        comes from its cache.
    only : list of str, optional
        Numbers such as ``["03", "05"]``; all by default.
    update_notebooks : bool
        Write the outputs back into ``notebooks/`` (of their own profile alone).
    jobs : int, optional
        Notebooks that run at a time, where one does not need another's results (`NEEDS`).
        By default two, or one if the file asks for a single worker.

    Returns
    -------
    Path
        The report, ``figures/reproduction.html``.

    Raises
    ------
    ParameterError, cmbkit.study.frozen.FrozenError
        If the file, or its frozen networks, do not fit what is asked for.
    ProfileBusy
        If another run of the profile is under way: their tables would be mixed.
    NotebookFailed
        If a notebook raises or its kernel dies; one beside it runs to its end, no other begins.
    """
    from cmbkit.reporting.gallery import write_index

    parameter_file = Path(parameter_file).resolve()
    root = find_root(parameter_file)
    params = with_given_networks(read_parameters(parameter_file), root)
    _require_own_profile(parameter_file, params, root, update_notebooks)
    values = read_keys_and_values(parameter_file)
    retrained = None
    if retrain:
        values, retrained = _retrained(values, params, parameter_file, root)
    figures = root / params.figures_dir / params.profile
    report = root / params.figures_dir / differences.FILE
    derived = root / params.data_dir / "derivatives" / params.profile
    frozen = frozen_folder(root, params) if params.training.networks == "frozen" else None
    chosen = _chosen(root, only, retrain)
    console = Console()
    executed = derived / ("notebooks-retrained" if retrain else "notebooks")
    trains = retrain or params.training.networks == "train"
    needs = NEEDS if trains else FROZEN_NEEDS
    jobs = jobs or min(2, params.workers)
    with held(derived / LOCK, wait=False) as free:
        if not free:
            raise ProfileBusy(
                f"{derived}: expected no other run of profile {params.profile}, found one; "
                "begin again when it has ended"
            )
        sweep(derived, root / params.data_dir / "raw" / params.profile, figures)
        before = derived / "figures-before"
        earlier = differences.earlier_figures(figures, before, keep=not retrain)
        console.print(_headline(params, parameter_file, len(chosen), frozen, retrain))
        started = time.monotonic()
        _run(chosen, executed, values, jobs, needs, update_notebooks, console)
        index, _ = write_index(retrained or figures, root / "notebooks", executed)
        minutes = (time.monotonic() - started) / 60
        books = counted(len(chosen), "notebook")
        console.print(f"{books} in {minutes:.1f} min. Tables and figures: {index}")
        told = {"profile": params.profile, "frozen": frozen, "retrained": retrained, "only": only}
        summed = differences.write_report(report, earlier, figures, **told)
    console.print(f"Reproduction: {summed}: {report}")
    return report


def _chosen(root: Path, only: list[str] | None, retrain: bool) -> list[Path]:
    """Notebooks that are asked for, of those that a run has."""
    known = {path.name[:2]: path for path in notebooks(root)}
    if not known:
        raise NotebookFailed(f"{root / 'notebooks'}: expected notebooks 01 to 07, found none")
    known = {number: path for number, path in known.items() if not retrain or number in OF_NETWORKS}
    for number in only or ():
        if number not in known:
            raise ParameterError(f"--only: expected one of {', '.join(known)}; found {number!r}")
    return [path for number, path in known.items() if not only or number in only]


def _require_own_profile(file: Path, params: Parameters, root: Path, update: bool) -> None:
    """Raise if a notebook would read another file than the one given, by its profile's name."""
    own = root / "params" / f"{params.profile}.yaml"
    if own.is_file() and own.resolve() != file:
        raise ParameterError(
            f"{file}: profile: expected a name of its own, found {params.profile!r}, "
            f"which is that of {own}"
        )
    if update and params.profile != OWN_PROFILE:
        raise ParameterError(
            f"{file}: --update-notebooks: expected the notebooks' own profile, {OWN_PROFILE}, "
            f"found {params.profile}"
        )


def _retrained(values: dict, params: Parameters, file: Path, root: Path) -> tuple[dict, Path]:
    """Values that train instead of reading frozen networks, and the folder of the figures."""
    if params.training.networks != "frozen":
        raise ParameterError(
            f"{file}: --retrain: expected training: {{networks: frozen}}, found "
            f"{params.training.networks}"
        )
    folder = f"{params.figures_dir}/retrained"
    parts = {"figures_dir": folder, "training": {"networks": "train"}}
    return replace_parts(values, parts), root / folder / params.profile


def _run(paths, executed: Path, values: dict, jobs: int, needs, update: bool, console) -> None:
    """Execute notebooks into a folder, with their progress on the console."""
    executed.mkdir(parents=True, exist_ok=True)
    by_number = {path.name[:2]: path for path in paths}
    with (
        Watch(console, [p.stem for p in paths]) as watch,
        ProcessPoolExecutor(jobs, SPAWN, begin_process, (os.getpid(),)) as pool,
        _ended_with(pool),
    ):

        def begin(number: str) -> Future:
            path = by_number[number]
            watch.start(path.stem)
            target = executed / path.name
            return pool.submit(execute, path, target, values, watch.file(path.stem))

        def end(number: str) -> None:
            path = by_number[number]
            watch.finish(path.stem)
            if update:
                write_back(executed / path.name, path)

        run_in_order(list(by_number), jobs, begin, end, needs)


@contextmanager
def _ended_with(pool: ProcessPoolExecutor) -> Iterator[None]:
    """End the pool's processes when the command is stopped; their kernels follow them."""
    try:
        yield
    except (SystemExit, KeyboardInterrupt):
        for process in list(pool._processes.values()):
            process.terminate()
        raise


def _headline(params: Parameters, file: Path, count: int, frozen, retrain: bool) -> str:
    cohort = "synthetic cohort" if params.cohort.synthetic else "real data"
    spacing = params.preprocessing.spacing_mm
    networks = "frozen networks" if frozen and not retrain else "networks trained here"
    if params.training.given:
        networks = f"networks given: {', '.join(params.training.given)}"
    return (
        f"{counted(count, 'notebook')} with {file.name}: {cohort}, {spacing:g} mm grid, "
        f"seed {params.seed}, {networks}"
    )


def write_back(executed: Path, notebook: Path) -> None:
    """Put the outputs of an executed copy into the notebook."""
    import nbformat

    from cmbkit.reporting.rendered import as_stored

    nbformat.write(as_stored(nbformat.read(executed, as_version=4)), notebook)
