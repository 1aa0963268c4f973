"""What came of an item, in whichever process it ran."""

import signal
import threading
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


def end_cleanly() -> None:
    """Let SIGTERM (a batch system's, or `kill`) end a process as an error would.

    What it has half written is taken away then.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _leave)


def _leave(number, _frame):
    raise SystemExit(128 + number)


class WorkerLost(RuntimeError):
    """The worker process that had a scan in hand died, for instance for want of memory."""
