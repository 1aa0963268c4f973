"""Two tables compared number by number, two pictures as an eye would, each with a tolerance.

For the report of a reproduction and for the notebooks' stored outputs.
"""

from __future__ import annotations

import difflib
import io
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd

from cmbkit.reporting.tolerance import (
    EXACT,
    OWN,
    STEPS,
    Tolerance,
    count_of_tolerant,
    exact_columns,
    exact_rows,
    is_count,
    is_numeric,
)

Verdict = Literal["identical", "within tolerance", "different"]
POINT_INCHES = 0.04
"""Edge of the squares of a picture that are compared as one."""


PICTURE = 0.02
"""How much of its ink a picture of exact numbers may have elsewhere (see `compare_pictures`)."""
NETWORK_PICTURE = 0.05
"""The same, of numbers that passed through a network."""


@dataclass(frozen=True)
class Difference:
    """One cell, one row or one column in which two tables differ.

    Attributes
    ----------
    row : str
        The texts of the row that are not the same in all rows, or its position (from 0) where
        it has none; empty for a column, as ``column`` is for a whole row.
    before, after : object
        Two numbers or two texts; "there" and "missing" for a row or a column.
    beyond : bool
        Whether more than the tolerance lies between two numbers; True for all else.
    never : bool
        Whether no share of a table excuses it: a published number or text, a number that is
        further off than any may be, a column, a text that does not tell of a number that is
        missing or back (in a table with a row per candidate any may differ).
    """

    row: str
    column: str
    before: object
    after: object
    beyond: bool = True
    never: bool = False


def compare_tables(
    before: pd.DataFrame, after: pd.DataFrame, tolerance: Tolerance = EXACT
) -> list[Difference]:
    """Every cell in which two tables differ, and every row and column that one of them lacks.

    Rows are paired in their order by their texts (columns that are not numeric in both tables),
    so that one row more does not shift all that follow. Two missing numbers are equal.

    Parameters
    ----------
    before, after : DataFrame
        The index counts for nothing.
    tolerance : Tolerance
        Decides ``beyond`` and ``never`` of each difference between two numbers; what the thesis
        and the literature print is compared exactly whatever it says.
    """
    found = [Difference("", n, "there", "missing", never=True) for n in before if n not in after]
    found += [Difference("", n, "missing", "there", never=True) for n in after if n not in before]
    shared = [name for name in before if name in after]
    numeric = [n for n in shared if is_numeric(before[n]) and is_numeric(after[n])]
    texts = [name for name in shared if name not in numeric]
    labels = row_labels(before[texts], after[texts])
    pairs, alone = _paired(*labels)
    published = exact_rows(before), exact_rows(after)
    for side, states in enumerate((("there", "missing"), ("missing", "there"))):
        for i in alone[side]:
            never = bool(published[side][i])
            found.append(Difference(labels[side][i], "", *states, never=never))
    exact = exact_columns(before)
    whole = {name: is_count(before[name], after[name]) for name in numeric}

    def fixed(row: int, name) -> bool:
        return name in exact or bool(published[0][row] and not _of_this_run(name))

    lost = {
        i for (i, j), n in product(pairs, numeric)
        if pd.isna(before[n].iloc[i]) != pd.isna(after[n].iloc[j])
    }  # fmt: skip
    retold = set()
    for (i, j), name in product(pairs, texts):
        a, b = str(before[name].iloc[i]), str(after[name].iloc[j])
        if a != b:
            retold.add(i)
            never = fixed(i, name) or (i not in lost and not tolerance.row_share)
            found.append(Difference(labels[0][i], name, a, b, never=never))
    for name in sorted(numeric, key=STEPS.__contains__):  # last: they may follow other numbers
        follows = name in STEPS and any(isinstance(d.before, float) for d in found)
        for i, j in pairs:
            a, b = float(before[name].iloc[i]), float(after[name].iloc[j])
            if a == b or (np.isnan(a) and np.isnan(b)):
                continue
            tight = fixed(i, name) or (name in STEPS and not follows)
            near, furthest = (EXACT if tight else tolerance).of(whole[name])
            beyond = not near.holds(a, b)
            if tight:
                never = beyond
            elif np.isnan(a) or np.isnan(b):
                never = i not in retold
            else:
                never = not follows and not furthest.holds(a, b)
            found.append(Difference(labels[0][i], name, a, b, beyond, never))
    return found


def _of_this_run(name) -> bool:
    return str(name).startswith(f"{OWN}_")


def judge(
    differences: list[Difference], table: pd.DataFrame, tolerance: Tolerance = EXACT
) -> Verdict:
    """Sum up what `compare_tables` found.

    Parameters
    ----------
    differences : list of Difference
        Found with the same tolerance.
    table : DataFrame
        The table before; the shares of the tolerance are of its numbers and rows.
    """
    if not differences:
        return "identical"
    numbers = [d for d in differences if d.beyond and isinstance(d.before, float) and d.row]
    rows = [d for d in differences if d.row and not d.column]
    texts = {d.row for d in differences if d.row and d.column and isinstance(d.before, str)}
    count = count_of_tolerant(table)
    fits = (
        not any(d.never for d in differences)
        and len(numbers) <= (tolerance.share * count if count >= tolerance.few else 0)
        and len(rows) <= tolerance.row_share * len(table)
        and len(texts) <= tolerance.text_share * len(table)
    )
    return "within tolerance" if fits else "different"


def row_labels(before: pd.DataFrame, after: pd.DataFrame) -> tuple[list[str], list[str]]:
    """A text per row of either table: its texts that vary, or its position where it has none.

    Parameters
    ----------
    before, after : DataFrame
        With the same columns, none of them numeric.
    """
    both = pd.concat([before, after], keys=["before", "after"]).fillna("").astype(str)
    varying = both[[name for name in both if len(set(both[name])) > 1]]
    if varying.empty:
        return [str(i) for i in range(len(before))], [str(i) for i in range(len(after))]
    joined = varying.apply(lambda row: ", ".join(filter(None, row)), axis=1)
    return joined["before"].tolist(), joined["after"].tolist()


def _paired(before: list[str], after: list[str]):
    """Positions of rows that belong together, and of those that only one side has."""
    pairs, alone = [], ([], [])
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for _, i1, i2, j1, j2 in matcher.get_opcodes():
        if i2 - i1 == j2 - j1:
            pairs += zip(range(i1, i2), range(j1, j2), strict=True)
        else:
            alone[0].extend(range(i1, i2))
            alone[1].extend(range(j1, j2))
    return pairs, alone


def compare_pictures(before: bytes, after: bytes) -> float:
    """How much of the ink of two pictures lies elsewhere: 0 identical, 1 nothing in common.

    Both are shrunk to `POINT_INCHES`, so that edges smoothed otherwise do not count; the sum
    of absolute differences is divided by the ink, which is what differs from the commonest
    colour of the first (the more of the two pictures' sums). A figure that has lost its points
    differs by their share of all that is drawn, one whose points lie elsewhere by up to twice
    as much.

    Parameters
    ----------
    before, after : bytes
        PNG files; one that states no resolution is taken to have 100 dpi.

    Returns
    -------
    float
        1 also where the sizes differ; 0 for two equal pictures without ink.
    """
    if before == after:
        return 0.0
    (first, dpi), (second, _) = _pixels(before), _pixels(after)
    if first.shape != second.shape:
        return 1.0
    paper = _commonest(first)
    size = round(dpi * POINT_INCHES)
    first, second = _shrunk(first, size), _shrunk(second, size)
    ink = max(np.abs(each - paper).sum() for each in (first, second))
    return float(min(1, np.abs(first - second).sum() / ink)) if ink else 0.0


def _pixels(png: bytes) -> tuple[np.ndarray, float]:
    """Colours (height, width, 3), float32, 0 to 255, on white where it is clear, and dpi."""
    from PIL import Image

    picture = Image.open(io.BytesIO(png))
    dpi = picture.info.get("dpi", (100, 100))[0]
    picture = picture.convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    return np.asarray(Image.alpha_composite(paper, picture).convert("RGB"), np.float32), dpi


def _commonest(pixels: np.ndarray) -> np.ndarray:
    numbers = pixels.reshape(-1, 3).astype(np.int64) @ (1 << 16, 1 << 8, 1)
    number = int(np.bincount(numbers).argmax())
    return np.array([number >> 16, number >> 8 & 255, number & 255], np.float32)


def _shrunk(pixels: np.ndarray, size: int) -> np.ndarray:
    height, width = (n - n % size for n in pixels.shape[:2])
    blocks = pixels[:height, :width].reshape(height // size, size, width // size, size, 3)
    return blocks.mean(axis=(1, 3))
