"""What came of an item, in whichever process it ran."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

Outcomes = Iterable[tuple[int, Callable[[], Any]]]
"""Index of each item, as it is done, and a function that returns its result or raises."""

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}
"""Environment of a worker process: one thread each, the processes are the parallelism."""

LOOK_EVERY_S = 1.0
GRACE_S = 5.0
"""Time for a process to end by itself."""


def end_cleanly() -> None:
    """Let SIGTERM (a batch system's, or `kill`) end a process as an error would.

    What it has half written is taken away then.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _leave)


def end_with(parent: int) -> None:
    """Let this process end when the one that started it is gone, whatever ended that one.

    Parameters
    ----------
    parent : int
        Its process id.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_EVERY_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def begin_worker(parent: int) -> None:
    """Make a process of a pool end cleanly, and with the one that it works for."""
    end_cleanly()
    end_with(parent)


def _leave(number, _frame):
    raise SystemExit(128 + number)


class WorkerLost(RuntimeError):
    """The worker process that had a scan in hand died, for instance for want of memory."""
