"""Timing side by side: every case once per round, medians over the rounds.

What is timed is this process's time on the processor, so that other work on the machine counts
little; every case here runs on one core and reads from the page cache.
"""

import platform
import time
from statistics import median

import numba
import numpy as np


def medians(cases: dict, rounds: int) -> dict[str, float]:
    """Median processor seconds of each case; one untimed round first."""
    for run in cases.values():
        run()
    seconds = {name: [] for name in cases}
    for _ in range(rounds):
        for name, run in cases.items():
            start = time.process_time()
            run()
            seconds[name].append(time.process_time() - start)
    return {name: median(values) for name, values in seconds.items()}


def table(columns: list[str], rows: list[list]) -> str:
    """Rows as a Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def machine() -> str:
    """Versions that matter to a timing."""
    versions = f"Python {platform.python_version()}, numpy {np.__version__}"
    return f"{versions}, numba {numba.__version__}"


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
