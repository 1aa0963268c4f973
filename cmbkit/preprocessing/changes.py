"""What preprocessing did to a microbleed or to a whole scan, as records (chapter 5).

Words are put to a record where it is shown: `KINDS` has them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

DTYPES = {
    "step": "object",
    "id": "Int64",
    "kind": "object",
    "before": "float64",
    "after": "float64",
    "unit": "object",
    "other": "Int64",
}
"""Columns of a scan's table of changes."""


class Kind(NamedTuple):
    """What a kind of change is called, what its two numbers count, and whether it counts.

    ``counts`` is true where the number of microbleeds or of their connected pieces changed
    rather than their shape.
    """

    text: str
    unit: str
    counts: bool


KINDS = {
    "replaced": Kind("voxels without a number, given the background's", "voxels", False),
    "split": Kind("one of several split from a scribble", "microbleeds", True),
    "outside": Kind("outside the brain mask", "voxels", False),
    "full": Kind("grown nearly to the size cap", "voxels", False),
    "lost": Kind("lost", "pieces", True),
    "marked": Kind("its centre voxel marked", "voxels", True),
    "fragmented": Kind("in more pieces than before", "pieces", True),
    "reduced": Kind("in fewer pieces than before", "pieces", True),
    "merged": Kind("in one component with another in the collapsed mask", "components", True),
    "parted": Kind("no longer in one component with another", "components", True),
    "pruned": Kind("components away from its centre pruned", "components", True),
    "nearest": Kind("no component at its centre, the nearest kept", "components", True),
    "added": Kind("voxels added by closing", "voxels", False),
    "removed": Kind("voxels removed by closing", "voxels", False),
}
"""Every kind of change. Of "outside" the numbers are voxels in all and within the brain, of
"full" the cap and the grown size, of "split" the rater's marks and the microbleeds they became;
of the others what there was before and after."""


@dataclass(frozen=True)
class Change:
    """What a step did to one microbleed, or to the scan.

    Attributes
    ----------
    step : {"intensities", "refinement", "resampling", "pruning", "closing"}
    id : int or None
        Label of the microbleed; None for the scan.
    kind : str
        A key of `KINDS`.
    before, after : float
        In the kind's unit.
    other : int or None
        Label of the microbleed that it was merged with or parted from, or the rater's scribble
        that it was split from.
    """

    step: str
    id: int | None
    kind: str
    before: float
    after: float
    other: int | None = None

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"change: expected one of {', '.join(KINDS)}, found {self.kind!r}")

    @property
    def unit(self) -> str:
        """What ``before`` and ``after`` count."""
        return KINDS[self.kind].unit


def change_table(changes: Iterable[Change]) -> pd.DataFrame:
    """One row per change (`DTYPES`): those of the scan, then by label, in the order of events."""
    rows = [{name: getattr(change, name) for name in DTYPES} for change in changes]
    table = pd.DataFrame(rows, columns=list(DTYPES)).astype(DTYPES)
    return table.sort_values("id", kind="stable", na_position="first", ignore_index=True)
