"""What somebody marked in one scan, read from a list of points."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.datasets.bids import is_annotation
from cmbkit.datasets.dou import read_centres
from cmbkit.datasets.text_table import (
    TableError,
    as_numbers,
    read_text_table,
    require_each_once,
)
from cmbkit.evaluation.instances import from_points
from cmbkit.scoring import slicer_points
from cmbkit.scoring.annotations import Annotated
from cmbkit.scoring.suspicions import AnnotationError, require_place
from cmbkit.volume import Volume

POINT_ENDINGS = (".csv", ".tsv", ".mat", ".xlsx", *slicer_points.ENDINGS)
IN_MM, IN_VOXELS = slicer_points.IN_MM, ["i", "j", "k"]
IN_BIDS = dict(zip("xyz", IN_MM, strict=True))
ALSO_MM = (["x_ras_mm", "y_ras_mm", "z_ras_mm"], ["r", "a", "s"], ["l", "p", "s"])
"""As CenSynCMB names RAS mm, and as 3D Slicer names RAS and LPS in tables of control points."""
CERTAINTY = ("certainty", "description", "desc")
CERTAIN, UNCERTAIN = ("", "certain", "definite"), ("uncertain", "possible")
"""Words of BOMBS and MARS; other texts of a description say nothing."""


def is_points(given) -> bool:
    """Whether a file is a list of points, by its ending; an image in memory is none."""
    return isinstance(given, str | os.PathLike) and str(given).lower().endswith(POINT_ENDINGS)


def read_points(path, grid: Volume | None = None) -> Annotated:
    """Read a list of points: one row per microbleed, none for a scan without any.

    Parameters
    ----------
    path : path-like
        CSV, TSV or first sheet of an XLSX with columns x_mm, y_mm, z_mm (RAS millimetres), or
        i, j, k (0-based voxel indices in the array order of the other side's mask), and
        optionally score; in
        ``..._desc-cmb_points.tsv`` (`cmbkit.datasets.bids`) x, y, z are RAS millimetres, too.
        Or DOU's ``.mat`` (`cmbkit.datasets.dou`), 1-based voxels in the same array order; or a
        list of 3D Slicer (`cmbkit.scoring.slicer_points`, or a table with r, a, s or l, p, s);
        or a tool's (`cmbkit.scoring.layouts`). A column certainty (or Slicer's description) may
        call a microbleed uncertain or possible.
    grid : Volume, optional
        The other side's mask; needed for voxels.
    """
    path = Path(path)
    if not path.is_file():
        raise AnnotationError(f"{path}: expected a list of points, found nothing")
    table = _table_of(path)
    try:
        require_each_once(table.columns, path)
    except TableError as error:
        raise AnnotationError(str(error)) from None
    in_mm = set(IN_MM) <= set(table)
    columns = IN_MM if in_mm else IN_VOXELS
    if not set(columns) <= set(table):
        hint = (
            "; name them x_mm, y_mm, z_mm if they are RAS millimetres"
            if set("xyz") <= set(table)
            else ""
        )
        raise AnnotationError(
            f"{path}: expected columns x_mm, y_mm, z_mm or i, j, k, found {', '.join(table)}{hint}"
        )
    columns = [*columns, *({"score"} & set(table))]
    lost = table[columns].isna().any(axis=1)
    if lost.any():
        row = table.index[lost][0]
        raise AnnotationError(f"{path}: expected numbers, found an empty cell in line {row}")
    try:
        numbers = as_numbers(table, columns, path)
    except TableError as error:
        raise AnnotationError(str(error)) from None
    points = numbers[columns[:3]].to_numpy(float)
    if not np.isfinite(numbers[columns].to_numpy(float)).all():
        raise AnnotationError(f"{path}: expected numbers, found infinity")
    if not in_mm:
        if grid is None:
            raise AnnotationError(f"{path}: expected x_mm, y_mm, z_mm where neither side is a mask")
        outside = ((points < -0.5) | (points > np.array(grid.shape) - 0.5)).any(axis=1)
        if outside.any():
            where = points[np.flatnonzero(outside)[0]].tolist()
            raise AnnotationError(f"{path}: expected voxels inside {grid.shape}, found {where}")
        points = grid.to_mm(points)
    points = points * table.attrs.get("signs", (1, 1, 1))
    require_place(points, grid, str(path))
    instances = from_points(points)
    scores = {}
    if "score" in numbers:
        scores = dict(zip(instances.ids.tolist(), numbers["score"].tolist(), strict=True))
    uncertain = tuple(instances.ids[_said_uncertain(table, path)].tolist())
    return Annotated(instances, None, scores, tuple(table.attrs.get("remarks", ())), uncertain)


def _said_uncertain(table: pd.DataFrame, path: Path) -> np.ndarray:
    """Which rows a list of points calls uncertain, bool, shape (rows,)."""
    column = next((name for name in CERTAINTY if name in table), None)
    if column is None:
        return np.zeros(len(table), bool)
    words = table[column].fillna("").str.lower()
    wrong = words[~words.isin((*CERTAIN, *UNCERTAIN))]
    if column == CERTAINTY[0] and len(wrong):
        expected = ", ".join((*CERTAIN[1:], *UNCERTAIN))
        raise AnnotationError(f"{path}: certainty: expected {expected}, found {wrong.iloc[0]!r}")
    return words.isin(UNCERTAIN).to_numpy()


def _table_of(path: Path) -> pd.DataFrame:
    """Rows of a list of points, in columns as `read_points` expects them."""
    name = path.name.lower()
    if name.endswith(".mat"):
        return _as_text(pd.DataFrame(read_centres(path) - 1, columns=IN_VOXELS))
    try:
        if name.endswith(slicer_points.ENDINGS):
            return _as_text(slicer_points.read_slicer(path))
        table = read_text_table(path)
    except ValueError as error:
        raise AnnotationError(str(error)) from None
    table = table.rename(columns=str.lower)
    if is_annotation(path):
        return table.rename(columns=IN_BIDS)
    named = next((names for names in ALSO_MM if set(names) <= set(table)), None)
    if named is None or set(IN_MM) <= set(table):
        return table
    table = table.rename(columns=dict(zip(named, IN_MM, strict=True)))
    table.attrs["signs"] = slicer_points.TO_RAS["LPS" if named[0] == "l" else "RAS"]
    return table[table["defined"] != "0"] if "defined" in table else table


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    """As `read_text_table` gives tables."""
    table = table.astype("str")
    table.attrs["separator"] = ","
    return table
