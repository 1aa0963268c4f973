"""Lists of points as 3D Slicer saves them: ``.fcsv`` and ``.mrk.json``, in LPS or RAS mm."""

from __future__ import annotations

import json
import re
from itertools import compress
from pathlib import Path

import numpy as np
import pandas as pd

ENDINGS = (".fcsv", ".mrk.json")
TO_RAS = {"RAS": (1, 1, 1), "0": (1, 1, 1), "LPS": (-1, -1, 1), "1": (-1, -1, 1)}
"""Signs, by what the header says; 0 and 1 stood there up to version 4.11."""
IN_MM = ["x_mm", "y_mm", "z_mm"]


def read_slicer(path: Path) -> pd.DataFrame:
    """Points in RAS mm, columns x_mm, y_mm, z_mm and description; those not placed are left out.

    Raises
    ------
    ValueError
        If the file is none of Slicer's, holds other markups than points or other units than mm,
        or does not say RAS or LPS.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        parts = _of_json(text) if path.name.lower().endswith(".json") else [_of_fcsv(text)]
        parts = [(system, np.reshape(np.asarray(p, float), (-1, 3)), w) for system, p, w in parts]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path}: expected a list of points of 3D Slicer, found: {error}"
        ) from None
    wrong = next((system for system, *_ in parts if system not in TO_RAS), None)
    if wrong is not None:
        raise ValueError(f"{path}: expected the coordinate system RAS or LPS, found {wrong!r}")
    signed = [points * TO_RAS[system] for system, points, _ in parts]
    table = pd.DataFrame(np.concatenate([np.zeros((0, 3)), *signed]), columns=IN_MM)
    return table.assign(description=[word for *_, words in parts for word in words])


def _of_json(text: str) -> list[tuple[str, list, list]]:
    """Coordinate system, points and descriptions of each list in a file of JSON."""
    found = []
    for markup in json.loads(text)["markups"]:
        _expect_points_in_mm(markup)
        placed = [p.get("positionStatus", "defined") == "defined" for p in markup["controlPoints"]]
        points = list(compress(markup["controlPoints"], placed))
        words = [str(p.get("description", "")) for p in points]
        found.append((str(markup.get("coordinateSystem")), [p["position"] for p in points], words))
    return found


def _expect_points_in_mm(markup: dict) -> None:
    """Refuse outlines and lines, whose control points are no places of microbleeds, and voxels."""
    kind, units = markup.get("type", "Fiducial"), markup.get("coordinateUnits", "mm")
    if kind != "Fiducial":
        raise ValueError(f"a markup of type {kind!r}, expected 'Fiducial'")
    if units != "mm" and units[:1] != ["mm"]:  # a code: ["mm", "UCUM", "millimeter"]
        raise ValueError(f"coordinateUnits {units!r}, expected 'mm'")


def _of_fcsv(text: str) -> tuple[str, list, list]:
    """Coordinate system, points and descriptions of a file with a header of comments."""
    header = dict(re.findall(r"^# *(\w[\w ]*?) *= *(.*?)[\s,]*$", text, re.M))
    names = header["columns"].split(",")
    places = [names.index(axis) for axis in "xyz"]
    rows = [line.split(",") for line in text.splitlines() if line.strip() and line[0] != "#"]
    points = [[float(row[place]) for place in places] for row in rows]
    words = [dict(zip(names, row, strict=False)).get("desc", "") for row in rows]
    return header.get("CoordinateSystem", ""), points, words
