"""Timing side by side: every case once per round, medians over the rounds."""

import platform
import time
from statistics import median

import numba
import numpy as np


def medians(cases: dict, rounds: int) -> dict[str, float]:
    """Median seconds of each case; one untimed round first."""
    for run in cases.values():
        run()
    seconds = {name: [] for name in cases}
    for _ in range(rounds):
        for name, run in cases.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
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
