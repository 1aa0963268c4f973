"""Is this a scan that microbleeds can be counted on: fit, doubtful or unfit, with reasons."""

from __future__ import annotations

from dataclasses import dataclass

FIT, DOUBTFUL, UNFIT = "fit", "doubtful", "unfit"
EXPECTED = "expected a T2*-weighted or SWI magnitude image of a head, found"


class UnfitScan(ValueError):
    """A scan on which nothing is counted; the message names it and says why."""


@dataclass(frozen=True)
class Fitness:
    """What speaks against counting microbleeds on a scan.

    Attributes
    ----------
    against : tuple of str
        Why nothing should be counted; empty for most scans.
    doubts : tuple of str
        Why a count may be wrong.
    """

    against: tuple[str, ...] = ()  # why nothing should be counted; empty for most scans
    doubts: tuple[str, ...] = ()  # why a count may be wrong

    def __add__(self, other: Fitness) -> Fitness:
        """Reasons of both, each once."""
        against, doubts = (
            tuple(dict.fromkeys(getattr(self, name) + getattr(other, name)))
            for name in ("against", "doubts")
        )
        return Fitness(against, doubts)

    @property
    def verdict(self) -> str:
        """``"fit"``, ``"doubtful"`` or ``"unfit"``."""
        return UNFIT if self.against else DOUBTFUL if self.doubts else FIT

    @property
    def reasons(self) -> tuple[str, ...]:
        """All that speaks against the scan, the gravest first."""
        return self.against + self.doubts

    def __str__(self) -> str:
        """Verdict and reasons in one line."""
        return ": ".join(filter(None, (self.verdict, "; ".join(self.reasons))))

    def require(self, where, anyway: bool = False) -> Fitness:
        """Return this, or raise `UnfitScan` naming ``where`` unless told to go on ``anyway``."""
        if self.against and not anyway:
            raise UnfitScan(f"{where}: {EXPECTED} {'; '.join(self.against)} (see --anyway)")
        return self
