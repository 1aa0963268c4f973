"""What a parameter file's run will show, and the time, memory and disk that it will take."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.datasets.registry import scan_table
from cmbkit.datasets.sources import read_header
from cmbkit.datasets.splits import assign_splits
from cmbkit.params import Parameters, Phase
from cmbkit.records import Scan
from cmbkit.running.steps import counted, duration
from cmbkit.study.frozen import FrozenError, frozen_folder
from cmbkit.study.given_networks import describe_given
from cmbkit.study.models import PHASES

SECONDS_PER_MEGAVOXEL, GB_PER_MEGAVOXEL, BYTES_PER_VOXEL = 0.06, 0.025, 0.43
"""Of preprocessing, per voxel of the standard grid in the field of view: one core's time, a
worker's memory, a standard scan's files. From benchmarks/scale.md: 3.8 s, 1.6 GB and 27 MB for
230 x 230 x 150 mm at 0.5 mm."""
BRAIN_MM3 = 3.1e6
"""Box around a brain of 140 x 170 x 130 mm, which tiles cover."""
NOTEBOOK_MINUTES = 0.5
"""Of each notebook, beyond what is computed in it."""
MAP_SHARE = 0.5
"""Files of a network's answer to a scan, as a share of the standard scan's."""


@dataclass(frozen=True)
class RunPlan:
    """What stands in the way of a run, what it will not show, and what it will take.

    Attributes
    ----------
    problems, remarks : list of str
        With which a notebook would stop, with what to do; what will have nothing to show. A line
        each.
    splits : DataFrame
        Scan table with column split, CMBs counted as annotated.
    """

    problems: list[str]
    remarks: list[str]
    splits: pd.DataFrame

    @property
    def counted(self) -> str:
        """Scans by split, and annotated CMBs, in a line."""
        sizes = self.splits["split"].value_counts()
        names = ("train", "valid", "test", "excluded")
        told = ", ".join(f"{sizes.get(name, 0)} {name}" for name in names)
        marks = counted(self.splits["n_cmb"].sum(), "annotated microbleed")
        return f"splits: {told}; {marks}"


def planned_splits(params: Parameters, scans: list[Scan]) -> pd.DataFrame:
    """Scan table with the splits that the study will make, synthetic scans as placeholders.

    A placeholder has one CMB. Preprocessing may merge or drop CMBs, so that of "train-valid"
    other patients may be drawn in the end; their number does not change.
    """
    cohort = params.cohort
    table = scan_table(scans)
    rows = [
        {"uid": f"{name}-{i}", "dataset": name, "patient": str(i), "sequence": "SWI"}
        | {"resolution_level": "high", "n_cmb": int(name != "CRBneg"), "annotated": True}
        for name in cohort.datasets
        if name not in cohort.roots
        for i in range(cohort.phantom_scans[name])
    ]
    if rows:
        made = pd.DataFrame(rows).reindex(columns=table.columns).astype({"te_ms": float})
        table = pd.concat([part for part in (table, made) if len(part)], ignore_index=True)
    return assign_splits(table, cohort.validation_fraction, params.seed, cohort.own_splits)


def plan_of(params: Parameters, scans: list[Scan], root: Path) -> RunPlan:
    """Look ahead at a run, with what the readers found.

    Parameters
    ----------
    params : Parameters
        In force (`study.given_networks.with_given_networks`).
    scans : list of Scan
    root : Path
        That of the study.
    """
    table = planned_splits(params, scans)
    problems = [*_nothing_to_evaluate(table), *_of_networks(params, table, root)]
    return RunPlan(problems, list(_nothing_to_show(params, table)), table)


def _nothing_to_evaluate(table: pd.DataFrame) -> Iterator[str]:
    if not table["split"].isin(["valid", "test"]).any():
        sizes = table["split"].value_counts().to_dict()
        yield (
            f"cohort: expected annotated scans in split valid or test, found {sizes}: notebooks 05 "
            "to 07 have nothing to evaluate; annotate scans, or change the split of a dataset"
        )


def _of_networks(params: Parameters, table: pd.DataFrame, root: Path) -> Iterator[str]:
    if params.training.networks == "frozen":
        try:
            frozen_folder(root, params)
        except FrozenError as error:
            yield str(error)
    if params.training.networks != "train":
        return
    train = table[table["split"] == "train"]
    remedy = "split: train-valid gives some, training: {networks: compact} trains nothing"
    for name, phase in phases_of(params):
        used = train[train["dataset"].isin(phase.datasets)]
        lacking = "scans" if used.empty else "" if used["n_cmb"].any() else "microbleeds"
        if lacking:
            yield (
                f"training.{name}: expected {lacking} of {', '.join(phase.datasets)} in split "
                f"train, found none; {remedy}"
            )
    if not (table["split"] == "valid").any():
        yield f"training: expected scans in split valid, found none; {remedy}"


def phases_of(params: Parameters) -> list[tuple[str, Phase]]:
    """Names and parameters of the phases that will be trained."""
    if params.training.networks != "train":
        return []
    names = product(params.training.models, PHASES)
    names = [phase if model == "scratch" else f"{phase}_tl" for model, phase in names]
    return [(name, getattr(params.training, name)) for name in names]


def _nothing_to_show(params: Parameters, table: pd.DataFrame) -> Iterator[str]:
    evaluated = table[table["split"].isin(["valid", "test"])]
    if not (table["split"] == "valid").any():
        yield "no validation scans: Table S33 (operating points) will be empty"
    if not (table["split"] == "test").any():
        yield "no test scans: the literature's Table 8.4 will have no row of this run"
    if len(evaluated) and not evaluated["n_cmb"].any():
        yield "no microbleeds to find: recall and F1 will be empty, false positives are counted"


def megavoxels(scan: Scan, spacing_mm: float) -> float:
    """Millions of voxels of the standard grid in a scan's field of view."""
    header = read_header(scan.image)
    extent = np.array(header.shape) * header.spacing
    return float(np.prod(extent)) / spacing_mm**3 / 1e6


def needs(params: Parameters, scans: list[Scan], table: pd.DataFrame, root: Path) -> list[str]:
    """Disk, memory and time of a first run, each with what it is computed from; a line each.

    Takes gradient steps, or predicts patches, to see how fast this machine is. Where the disk or
    the memory will not do, the line says so.
    """
    spacing = params.preprocessing.spacing_mm
    sizes = [megavoxels(scan, spacing) for scan in scans]
    typical = float(np.median(sizes)) if sizes else (200 / spacing) ** 3 / 1e6
    size, count = sum(sizes) + typical * (len(table) - len(scans)), len(table)
    seen = int(table["split"].isin(["valid", "test"]).sum())
    networks = params.training.given or params.training.models
    basis = f"{counted(count, 'scan')} of {typical:.0f} million voxels of {spacing:g} mm"
    disk = BYTES_PER_VOXEL * (size + MAP_SHARE * typical * seen * len(networks)) / 1e3
    minutes = {"preprocessing": SECONDS_PER_MEGAVOXEL * size / params.workers / 60}
    told, memory = [], GB_PER_MEGAVOXEL * max(sizes, default=typical) * params.workers
    tile_seconds, how = _seconds_per_patch(params, root)
    for name, phase in phases_of(params):
        steps = phase.epochs * phase.steps_per_epoch
        minutes[name] = steps * phase.batch_size * tile_seconds * 3 / 60
    minutes["prediction"] = seen * len(networks) * _tiles(params, typical) * tile_seconds / 60
    minutes["notebooks"] = 7 * NOTEBOOK_MINUTES
    told.append(_room("disk", disk, shutil.disk_usage(root).free / 1e9, basis))
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    told.append(_room("memory", memory, there, f"{params.workers} workers, {basis}"))
    parts = ", ".join(f"{name} {value:.1f}" for name, value in minutes.items())
    told.append(f"time: about {duration(60 * sum(minutes.values()))} (min: {parts}); {how}")
    return told


def _room(what: str, needed: float, there: float, basis: str) -> str:
    short = "; NOT ENOUGH" if needed > there else ""
    return f"{what}: about {needed:.1f} GB of {there:.0f} GB ({basis}; benchmarks/scale.md){short}"


def _tiles(params: Parameters, megavoxels: float) -> float:
    """Patches of a scan that the network looks at; few are in a second pass."""
    inference = params.inference
    overlap = 0.0 if inference.two_passes else inference.overlap
    tile = np.array(params.network.patch_size) * (1 - overlap)
    again = 4 if inference.flips and not inference.two_passes else 1
    again += sum(share**3 for share in inference.coarser)
    brain = min(BRAIN_MM3 / params.preprocessing.spacing_mm**3, megavoxels * 1e6)
    return brain / float(np.prod(tile)) * again


def _seconds_per_patch(params: Parameters, root: Path) -> tuple[float, str]:
    """Time of a patch through the network, and how it was found."""
    from cmbkit.detector.training.speed import seconds_per_patch

    given = describe_given(params, root)
    folder = next((folder for folder, _ in given.values()), None)
    seconds, count = seconds_per_patch(params.network, params.training, params.inference, folder)
    how = "predicting" if folder else "a third of a gradient step on"
    return seconds, f"{how} {count} patches took {1000 * seconds:.0f} ms each just now"
