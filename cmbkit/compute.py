"""Mapping a function over scans, and telling whoever watches how far it is."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import as_completed
from typing import Any

PROGRESS_FILE = "CMBKIT_PROGRESS"


class ScanFailures(RuntimeError):
    """Some scans failed; the others are done and in the cache."""


def report_progress(step: str, done: int, total: int) -> None:
    """Append one line of progress for the process that watches (``cmbkit reproduce``)."""
    path = os.environ.get(PROGRESS_FILE)
    if path:
        with open(path, "a") as stream:
            event = {"step": step, "done": done, "total": total, "time": time.time()}
            stream.write(json.dumps(event) + "\n")


ONE_THREAD = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
        "NUMBA_NUM_THREADS",
    )
}
"""Environment of a worker process: one thread each, the processes are the parallelism."""


def map_scans(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    step: str,
    workers: int = 1,
    name: Callable[[Any], str] = str,
) -> list[Any]:
    """Call ``function`` on every item, in this process or in ``workers`` processes.

    Parameters
    ----------
    function : callable
        Takes one item.
    items : sequence
        Usually scans. Results come back in the same order.
    step : str
        Named in the progress display.
    workers : int
        Processes; 1 means here.
    name : callable
        An item's name in the list of failures.

    Raises
    ------
    ScanFailures
        After all items have run, if any raised; one line per failed item.
    """
    items = list(items)
    results: list[Any] = [None] * len(items)
    failures: list[tuple[str, Exception]] = []
    report_progress(step, 0, len(items))

    def settle(done: Iterable[tuple[int, Callable[[], Any]]]) -> None:
        for count, (index, outcome) in enumerate(done, 1):
            try:
                results[index] = outcome()
            except Exception as error:
                failures.append((name(items[index]), error))
            report_progress(step, count, len(items))

    if workers <= 1 or len(items) <= 1:
        settle((i, lambda item=item: function(item)) for i, item in enumerate(items))
    else:
        from joblib.externals.loky import get_reusable_executor

        pool = get_reusable_executor(workers, env=ONE_THREAD, timeout=60)
        futures = {pool.submit(function, item): i for i, item in enumerate(items)}
        with warnings.catch_warnings():  # loky replaces workers that hold much memory, and says so
            warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
            settle((futures[f], f.result) for f in as_completed(futures))
    if failures:
        lines = "\n".join(f"  {who}: {type(e).__name__}: {e}" for who, e in failures)
        raise ScanFailures(
            f"{step}: {len(failures)} of {len(items)} failed:\n{lines}"
        ) from failures[0][1]
    return results
