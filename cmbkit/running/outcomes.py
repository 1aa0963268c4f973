"""What came of an item, in whichever process it ran."""

from collections.abc import Callable, Iterable
from typing import Any

Outcomes = Iterable[tuple[int, Callable[[], Any]]]
"""Index of each item, as it is done, and a function that returns its result or raises."""

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


class WorkerLost(RuntimeError):
    """The worker process that had a scan in hand died, for instance for want of memory."""
