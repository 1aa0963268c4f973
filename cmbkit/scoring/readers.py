"""Several raters' and detectors' files of the same scans, put together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from cmbkit.evaluation.readers import PLACE, findings
from cmbkit.params import Evaluation
from cmbkit.running.map_scans import map_scans
from cmbkit.scoring.pairing import PairingError
from cmbkit.scoring.sides import Labelled, labelled_sides, read_sides


def reader_names(reference, readers, detectors: tuple[str, ...]) -> list[str]:
    """Raters' names: those of their folders, or files.

    Raises
    ------
    PairingError
        If two readers would be called alike, or one as a column of the findings.
    """
    raters = [Path(path).name for path in (reference, *readers)]
    every = [*raters, *detectors]
    twice = next((name for name in every if every.count(name) > 1), None)
    if twice is not None:
        raise PairingError(f"readers: expected folders of different names, found {twice!r} twice")
    taken = sorted({"uid", *PLACE, "majority", "probability"} & set(every))
    if taken:
        raise PairingError(
            "readers: expected another name than that of a column of findings.csv, found "
            f"{taken[0]!r}"
        )
    return raters


def findings_of_files(
    raters: Mapping[str, pd.Series],
    detectors: Mapping[str, pd.Series],
    scans: pd.DataFrame,
    *,
    params: Evaluation,
    labelled: Labelled = "by name",
    connectivity: int = 6,
    workers: int = 1,
) -> pd.DataFrame:
    """Findings of all scans (`evaluation.readers.findings`), with the scan's uid.

    Parameters
    ----------
    raters, detectors : mapping of name to Series of path-like, aligned with ``scans``
        Masks, or lists of points, of each scan.
    scans : DataFrame
        One row per scan: uid.
    params : Evaluation
        Its largest distance counts; outlines and assignment do not.
    labelled, connectivity, workers
        See `run.evaluate_files`; raters are the reference's side.

    Raises
    ------
    PairingError
        If microbleeds match by overlap.
    """
    if params.matching != "distance":
        raise PairingError(f"readers: expected matching by distance, found {params.matching!r}")
    table = pd.DataFrame({**raters, **detectors})
    rows = [
        {"uid": uid, "files": files}
        for uid, files in zip(scans["uid"], table.to_dict("records"), strict=True)
    ]
    how = {
        "raters": frozenset(raters),
        "distance": params.max_distance_mm,
        "labelled": labelled,
        "connectivity": connectivity,
    }
    found = map_scans(
        partial(_findings, **how),
        rows,
        step="readers",
        workers=workers,
        name=lambda row: row["uid"],
    )
    return pd.concat(found, ignore_index=True)


def _findings(row: dict, raters, distance: float, labelled: Labelled, connectivity: int):
    files = row["files"]
    labels = [
        labelled_sides(labelled, file, file)[0 if name in raters else 1]
        for name, file in files.items()
    ]
    read = read_sides(list(files.values()), labels, connectivity)
    marks = {name: one.instances for name, one in zip(files, read, strict=True)}
    found = findings(marks, distance)
    found.insert(0, "uid", row["uid"])
    return found
