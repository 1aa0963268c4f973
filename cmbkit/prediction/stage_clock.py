"""Time of each stage of a scan."""

from __future__ import annotations

import time

from cmbkit.running.report import report_stage

STEP = "predict"
"""Named in the progress display."""


class Clock:
    """Seconds of each stage of a scan, wall clock and processor; says which one has begun."""

    def __init__(self, name: str):
        self._name = name
        self._open: tuple[str, float, float] | None = None
        self.stages: dict[str, dict[str, float]] = {}

    def start(self, stage: str) -> None:
        """End the stage before, if any, and begin another."""
        self.stop()
        report_stage(STEP, f"{self._name}: {stage}")
        self._open = (stage, time.perf_counter(), time.process_time())

    def stop(self) -> None:
        """End the stage that is open."""
        if self._open:
            stage, wall, cpu = self._open
            spent = {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
            self.stages[stage] = {name: round(value, 2) for name, value in spent.items()}
            self._open = None
