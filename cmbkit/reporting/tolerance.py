"""How far numbers of two runs may lie apart, and which of a table's numbers are exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cmbkit.reporting.layout import THESIS

OWN = "own"
"""Column that says whether a row is of this run, not of the literature (Table 8.4)."""
STEPS = ("effect", "p_value", "p_least", "p_holm", "apart_p")
"""Columns of rank tests of a few pairs: one pair more may move them over their whole range.

They may differ where another number of their table does.
"""


@dataclass(frozen=True)
class Bound:
    """What two numbers may differ by: ``absolute``, or ``relative`` times the one before."""

    absolute: float = 0.0
    relative: float = 0.0

    def holds(self, before: float, after: float) -> bool:
        """Whether the numbers lie within; a missing one never does."""
        return abs(before - after) <= max(self.absolute, self.relative * abs(before))


ANY = Bound(absolute=float("inf"))


@dataclass(frozen=True)
class Tolerance:
    """How far the numbers of two tables may lie apart.

    Attributes
    ----------
    numbers, counts : Bound
        Of numbers, and of columns that hold whole numbers alone.
    share : float
        Of a table's numbers, how many may differ by more; none where it has fewer than ``few``.
    furthest, furthest_counts : Bound
        By more than that no number may differ, nor be missing unless a text of its row, such as
        the kind of an interval, changed with it.
    text_share, row_share : float
        Of all rows, how many may differ in a text, and be there in one table only; where no row
        may, a text may differ only in a row of which a number is missing in one table.
    """

    numbers: Bound = Bound()
    counts: Bound = Bound()
    share: float = 0.0
    few: int = 30
    furthest: Bound = ANY
    furthest_counts: Bound = ANY
    text_share: float = 0.0
    row_share: float = 0.0

    def of(self, whole: bool) -> tuple[Bound, Bound]:
        """What numbers, or counts, may differ by, and what none may exceed."""
        if whole:
            return self.counts, self.furthest_counts
        return self.numbers, self.furthest


_LAST_DIGIT = Bound(absolute=1e-9, relative=2e-5)
EXACT = Tolerance(numbers=_LAST_DIGIT, counts=_LAST_DIGIT)
"""Exact computation: files hold six digits, of which the last may round either way."""
NETWORK = Tolerance(
    numbers=Bound(absolute=0.05, relative=0.1),
    counts=Bound(absolute=2, relative=0.02),
    share=0.1,
    furthest=Bound(absolute=0.3, relative=0.5),
    furthest_counts=Bound(absolute=5, relative=0.1),
    text_share=0.1,
)
"""What a network predicted on another processor: a voxel on the threshold may fall either way.

One candidate more or less moves counts by one, a rate of few microbleeds much, all others little.
"""
NETWORK_ROWS = Tolerance(
    numbers=NETWORK.numbers,
    counts=NETWORK.counts,
    share=0.05,
    furthest=NETWORK.furthest,
    furthest_counts=NETWORK.furthest_counts,
    text_share=0.05,
    row_share=0.05,
)
"""The same, of a table with a row per candidate: one on the threshold may come or go."""


def through_network(table: pd.DataFrame) -> Tolerance:
    """Tolerance of a table of what a network predicted: `NETWORK_ROWS` by its candidates."""
    columns = set(table)
    per_candidate = "uid" in columns and ({"match", "gt_id"} & columns)
    return NETWORK_ROWS if per_candidate else NETWORK


def is_numeric(column: pd.Series) -> bool:
    """Whether a column holds numbers; truth values are texts."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def is_count(before: pd.Series, after: pd.Series) -> bool:
    """Whether two numeric columns hold whole numbers alone, some of them above 1.

    A column of zeros and ones may be one of shares.
    """
    both = np.concatenate([before.to_numpy(float), after.to_numpy(float)])
    known = both[~np.isnan(both)]
    return bool(known.size and (known % 1 == 0).all() and known.max() > 1)


def exact_columns(table: pd.DataFrame) -> list[str]:
    """What the thesis prints."""
    return [name for name in table if str(name).endswith(THESIS) or f"{THESIS}_" in str(name)]


def exact_rows(table: pd.DataFrame) -> np.ndarray:
    """Rows of the literature, as bool: all but columns ``own_...`` is as published."""
    if OWN not in table:
        return np.zeros(len(table), bool)
    return ~(table[OWN].astype(str) == "True").to_numpy()


def count_of_tolerant(table: pd.DataFrame) -> int:
    """How many numbers of a table are not exact."""
    exact = exact_columns(table)
    names = [name for name in table if is_numeric(table[name]) and name not in exact]
    literature = int(exact_rows(table).sum())
    own = sum(str(name).startswith(f"{OWN}_") for name in names)
    return len(names) * len(table) - (len(names) - own) * literature
