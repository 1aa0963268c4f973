"""Anybody's files by all matching rules."""

from __future__ import annotations

from functools import partial

import pandas as pd

from cmbkit.evaluation.rules import calls_by_rule
from cmbkit.running.map_scans import map_scans
from cmbkit.scoring.sides import Labelled, read_pair


def calls_of_files(
    listing: pd.DataFrame,
    name: str,
    *,
    labelled: Labelled = "by name",
    connectivity: int = 6,
    workers: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Counts and found microbleeds of every scan by every rule of `evaluation.rules.RULES`.

    Parameters
    ----------
    listing : DataFrame
        As for `run.evaluate_files`.
    name : str
        Of the detector.
    labelled, connectivity, workers
        See `run.evaluate_files`.

    Returns
    -------
    counts, found : DataFrame
        Of `evaluation.rules.calls_by_rule`, with model (the name), uid, dataset and patient.
    """
    results = map_scans(
        partial(_calls, labelled=labelled, connectivity=connectivity),
        listing.to_dict("records"),
        step="matching rules",
        workers=workers,
        name=lambda row: row["uid"],
    )
    counts, found = (pd.concat(tables, ignore_index=True) for tables in zip(*results, strict=True))
    return counts.assign(model=name), found.assign(model=name)


def _calls(row: dict, labelled: Labelled, connectivity: int):
    reading = {"labelled": labelled, "connectivity": connectivity}
    reference, predicted, _ = read_pair(row["reference"], row["predicted"], **reading)
    grid = reference.volume or predicted.volume
    affine = grid.affine if grid else None
    tables = calls_by_rule(reference.instances, predicted.instances, affine)
    who = {key: row[key] for key in ("uid", "dataset", "patient")}
    return tuple(table.assign(**who) for table in tables)
