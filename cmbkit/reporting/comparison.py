"""Two tables compared number by number, two pictures as an eye would, each with a tolerance.

For the report of a reproduction and for the notebooks' stored outputs.
"""

from __future__ import annotations

import difflib
import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

Verdict = Literal["identical", "within tolerance", "different"]
POINT_INCHES = 0.04
"""Edge of the squares of a picture that are compared as one."""


@dataclass(frozen=True)
class Tolerance:
    """How far the numbers of two tables may lie apart.

    Attributes
    ----------
    absolute, relative : float
        A number may differ by ``absolute`` or by ``relative`` times the one before, whichever
        is more.
    share : float
        Of all numbers of a table, how many may differ by more than that.
    row_share : float
        Of all rows, how many may be there in one table only, or differ in a text.
    """

    absolute: float = 0.0
    relative: float = 0.0
    share: float = 0.0
    row_share: float = 0.0


EXACT = Tolerance(absolute=1e-9, relative=2e-5)
"""Exact computation: files hold six digits, of which the last may round either way."""
NETWORK = Tolerance(absolute=0.02, relative=0.02, share=0.05)
"""What a network predicted on another processor: a voxel on the threshold may fall either way."""
NETWORK_ROWS = Tolerance(absolute=0.02, relative=0.02, share=0.05, row_share=0.05)
"""The same, of a table with a row per candidate: one on the threshold may come or go."""
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
    """

    row: str
    column: str
    before: object
    after: object
    beyond: bool = True


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
        Decides ``beyond`` of each difference between two numbers.
    """
    found = [Difference("", name, "there", "missing") for name in before if name not in after]
    found += [Difference("", name, "missing", "there") for name in after if name not in before]
    shared = [name for name in before if name in after]
    numeric = [n for n in shared if _is_numeric(before[n]) and _is_numeric(after[n])]
    texts = [name for name in shared if name not in numeric]
    labels = row_labels(before[texts], after[texts])
    pairs, alone = _paired(*labels)
    found += [Difference(labels[0][i], "", "there", "missing") for i in alone[0]]
    found += [Difference(labels[1][j], "", "missing", "there") for j in alone[1]]
    for i, j in pairs:
        for name in texts:
            a, b = str(before[name].iloc[i]), str(after[name].iloc[j])
            if a != b:
                found.append(Difference(labels[0][i], name, a, b))
        for name in numeric:
            a, b = float(before[name].iloc[i]), float(after[name].iloc[j])
            if a != b and not (np.isnan(a) and np.isnan(b)):
                allowed = max(tolerance.absolute, tolerance.relative * abs(a))
                found.append(Difference(labels[0][i], name, a, b, not abs(a - b) <= allowed))
    return found


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
    columns = [d for d in differences if not d.row and d.column]
    numbers = [d for d in differences if d.beyond and isinstance(d.before, float) and d.row]
    rows = [d for d in differences if d.row and not d.column]
    texts = {d.row for d in differences if d.row and d.column and isinstance(d.before, str)}
    numeric = sum(_is_numeric(table[name]) for name in table) * len(table)
    fits = (
        not columns
        and len(numbers) <= tolerance.share * numeric
        and len(rows) + len(texts) <= tolerance.row_share * len(table)
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


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


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
