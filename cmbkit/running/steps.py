"""A step that is under way, in words, and the lines that a log gets of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

LINE_EVERY_S = 15.0


def duration(seconds: float) -> str:
    """In the largest unit of which there are two at least: ``"9 min"``, ``"90 s"``."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def counted(number: int, name: str) -> str:
    """A number of things in words: ``"1 voxel"``, ``"12 voxels"``."""
    return f"{number} {name}{'' if number == 1 else 's'}"


@dataclass
class Step:
    """How far a step is; as text also how long it will take yet, as things have gone so far.

    Attributes
    ----------
    name : str
    done, total : int
    stage : str
        What is being done just now.
    first : int
        What was done when it began.
    """

    name: str
    done: int
    total: int
    stage: str = ""  # what is being done just now

    def __post_init__(self):
        self.first, self._began = self.done, time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    @property
    def over(self) -> bool:
        """Whether all is done."""
        return self.done >= self.total

    def __str__(self) -> str:
        words, made = f"{self.name}: {self.done} of {self.total}", self.done - self.first
        if self.over:
            return f"{words} in {duration(self.seconds)}"
        if made:
            words += f", {duration(self.seconds / made * (self.total - self.done))} left"
        return f"{words}, {self.stage}" if self.stage else words


class Log:
    """Lines about steps: one as each begins, about four a minute, one as it ends.

    Of a step that is over before it was told of, there is none.

    Parameters
    ----------
    write : callable
        Gets each line.
    """

    def __init__(self, write: Callable[[str], None]):
        self.line = write
        self._said: dict[str, float] = {}

    def show(self, step: Step, running=()) -> None:
        """Tell of a step, unless it was told of just now."""
        now, said = time.monotonic(), self._said.pop(step.name, None)
        if step.over and said is None:
            return
        if step.over or said is None or now >= said + LINE_EVERY_S:
            self.line(str(step))
            said = now
        if not step.over:
            self._said[step.name] = said
