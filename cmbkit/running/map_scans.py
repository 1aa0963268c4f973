"""Mapping a function over scans."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, as_completed, wait
from functools import partial
from threading import Lock
from typing import Any

from cmbkit.running.faults import explained
from cmbkit.running.outcomes import ONE_THREAD, Outcomes, WorkerLost, begin_worker
from cmbkit.running.report import report_progress

STOP_S = 10.0
"""Time for a process to end by itself."""
_IMPORTING = Lock()


class ScanFailures(RuntimeError):
    """Some scans failed; the others are done and in the cache.

    Attributes
    ----------
    failures : dict of str to Exception
        By the scan's name.
    """

    def __init__(self, message: str, failures: Iterable[tuple[str, Exception]] = ()):
        super().__init__(message)
        self.failures = dict(failures)


def map_scans(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    step: str,
    workers: int = 1,
    name: Callable[[Any], str] = str,
    cluster: Any = None,
    stage: str = "",
) -> list[Any]:
    """Call ``function`` on every item: in this process, in processes, or on a Dask cluster.

    A worker holds one item at a time, so memory does not grow with their number. To carry on
    after a stop is the function's part (it asks `cmbkit.running.cache.Cache` first). Results come
    in the order of the items.

    Parameters
    ----------
    workers : int
        Processes; 1 means here. On SLURM, the number of jobs.
    name : callable
        An item's name in the list of failures.
    cluster : cmbkit.params.Cluster, optional
        Where to run instead (see `cmbkit.running.dask_cluster`).
    stage : str
        What is told of the step until its first item is done.

    Raises
    ------
    ScanFailures
        After all items have run, if any raised or lost its worker; one line per failed item.
    cmbkit.running.dask_cluster.ClusterError
        If the cluster cannot be used.
    """
    items = list(items)
    results: list[Any] = [None] * len(items)
    failures: list[tuple[str, Exception]] = []
    report_progress(step, 0, len(items), stage)

    def settle(done: Outcomes) -> None:
        for count, (index, outcome) in enumerate(done, 1):
            try:
                results[index] = outcome()
            except Exception as error:
                failures.append((name(items[index]), error))
            report_progress(step, count, len(items))

    if cluster is not None and items:
        from cmbkit.running.dask_cluster import run_on_cluster

        settle(run_on_cluster(function, items, cluster, workers))
    elif workers <= 1 or len(items) <= 1:
        settle((i, partial(function, item)) for i, item in enumerate(items))
    else:
        settle(_in_processes(function, items, workers))
    if failures:
        lines = "\n".join(f"  {who}: {explained(e)}" for who, e in failures)
        raise ScanFailures(
            f"{step}: {len(failures)} of {len(items)} failed:\n{lines}", failures
        ) from failures[0][1]
    return results


def _in_processes(function, items, workers: int) -> Iterator[tuple[int, Callable[[], Any]]]:
    """Outcomes as they come. Where a process died, the items it may have had run one by one.

    A pool starts items in order and a few ahead, so the one that killed a process is among the
    first ``2 * workers + 1`` unfinished ones; the others go into a new pool.
    """
    pending = list(range(len(items)))
    while pending:
        broken = yield from _one_pool(function, items, pending, workers)
        suspects, pending = broken[: 2 * workers + 1], broken[2 * workers + 1 :]
        for index in suspects:
            if (yield from _one_pool(function, items, [index], 1)):
                yield index, _lost


def _lost():
    raise WorkerLost("its worker process died (out of memory, or a crash in a library)")


def _one_pool(function, items, indices, workers: int):
    """Outcomes of one pool of processes; returns the indices that it left when it broke."""
    with _IMPORTING:  # datasets are mapped over in threads, and loky's modules need each other
        from joblib.externals.loky import get_reusable_executor

    pool = get_reusable_executor(
        workers, env=ONE_THREAD, timeout=60, initializer=begin_worker, initargs=(os.getpid(),)
    )
    broken, futures = [], {}
    with warnings.catch_warnings():  # loky replaces workers that hold much memory, and says so
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
        for index in indices:
            try:
                futures[pool.submit(function, items[index])] = index
            except BrokenExecutor:
                broken.append(index)
        try:
            for future in as_completed(futures):
                if isinstance(future.exception(), BrokenExecutor):
                    broken.append(futures[future])
                else:
                    yield futures[future], future.result
        except (SystemExit, GeneratorExit):
            _stop(pool, futures)
            raise
    return sorted(broken)


def _stop(pool, futures) -> None:
    """End a pool's processes, each after it has taken away what it has half written."""
    waiting = [future for future in futures if not future.cancel()]
    for process in list(pool._processes.values()):
        process.terminate()
    wait(waiting, timeout=STOP_S)
    pool.shutdown(kill_workers=True)
