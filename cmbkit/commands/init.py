"""``cmbkit init``: a short parameter file for data on one's own disk, sized to this machine."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.atomic import write_whole
from cmbkit.commands.plan import GB_PER_MEGAVOXEL, megavoxels, needs, plan_of
from cmbkit.datasets.registry import read_dataset, read_own, scan_table
from cmbkit.datasets.splits import PUBLISHED_SPLITS
from cmbkit.detector.training.speed import seconds_per_patch
from cmbkit.params import Inference, Network, ParameterError, Training, check_parameters
from cmbkit.params.sections import RESERVED_NAMES
from cmbkit.records import Scan
from cmbkit.running.steps import counted, duration
from cmbkit.study import find_root
from cmbkit.study.given_networks import with_given_networks

NETWORK = Network(
    patch_size=[32, 32, 32],
    filters_per_depth=[8, 16, 32],
    filters_out_bottom_conv=64,
    n_conv_per_depth=2,
    normalization_axis="channel",
    lesion_prior=0.01,
)
"""That of params/demo.yaml."""
BATCH, STEPS_PER_EPOCH = 12, 100
SHORTEST, LONGEST = 2, 60
"""Epochs of a phase."""
SMALLEST_MM3 = 3.4
"""What counts as a candidate: a ball of 1.9 mm (benchmarks/operating.md)."""
BRAIN_MM = 200
"""Side of the cube whose mean and standard deviation the z-score takes."""


def init_command(
    name: str,
    roots: Mapping[str, Path],
    bids: Path | None,
    *,
    networks: str = "train",
    hours: float = 1.0,
    force: bool = False,
    tell: Callable[[str], None] = print,
) -> Path:
    """Write ``params/<name>.yaml`` for datasets on the disk, and say what its run will take.

    What the parameters mean ``cmbkit init --help`` says. ``name``, in capitals, letters and digits
    alone, is also that of the ``bids`` dataset. Returns the file.

    Raises
    ------
    ValueError
        One line per problem: of the name, of a dataset, or no scan to evaluate or to train on.
    """
    import yaml

    root = find_root()
    target = root / "params" / f"{name}.yaml"
    if not re.fullmatch(r"[a-z0-9_-]+", name):
        raise ParameterError(f"{name}: expected lower-case letters, digits, - and _ for a name")
    if not target.parent.is_dir():
        raise ParameterError(f"{target.parent}: expected the checkout's folder, found nothing")
    if target.exists() and not force:
        raise ParameterError(f"{target}: expected no such file yet, found one; --force replaces it")
    if not 0 <= hours < float("inf"):
        raise ParameterError(f"--hours: expected a number from 0 on, found {hours}")
    networks = _place(Path(networks), root) if Path(networks).is_dir() else networks
    folders = {dataset: _place(folder, root) for dataset, folder in roots.items()}
    own = {_own_name(name): _place(bids, root)} if bids else {}
    if not folders and not own:
        raise ParameterError(f"{name}: expected data, e.g. --bids data/raw/MINE, found none")
    scans = [s for each, place in folders.items() for s in read_dataset(each, root / place)]
    scans += [s for each, place in own.items() for s in read_own(each, root / place)]
    text = _file(name, folders, own, scans, networks, hours)
    params = with_given_networks(check_parameters(yaml.safe_load(text), target), root)
    plan = plan_of(params, scans, root)
    if plan.problems:
        raise ParameterError("\n".join(plan.problems))
    for line in (plan.counted, *plan.remarks, *needs(params, scans, plan.splits, root)):
        tell(line)
    write_whole(target, text)
    shown = os.path.relpath(target)
    tell(f"{shown}: written; now cmbkit check {shown}, then cmbkit reproduce {shown}")
    return target


def _place(folder: Path, root: Path) -> str:
    """A folder as the file names it: from the study's root where it lies below."""
    folder = Path(folder).resolve()
    return str(folder.relative_to(root) if folder.is_relative_to(root) else folder)


def _quoted(place: str) -> str:
    """A path in quotes, as YAML reads it whatever characters it has."""
    return json.dumps(place, ensure_ascii=False)


def _own_name(profile: str) -> str:
    name = re.sub(r"[^A-Z0-9]", "", profile.upper()).lstrip("0123456789")
    return name if name and name not in RESERVED_NAMES else "OWN"


def _file(name, folders, own, scans, networks: str, hours: float) -> str:
    """The parameter file's text."""
    train = networks == "train"
    table = scan_table(scans)
    spacing = _spacing(scans) if train else None
    patients = counted(table["patient"].nunique(), "patient")
    marks = counted(table["n_cmb"].sum(), "annotated microbleed")
    lines = [
        f"# {name}: {counted(len(scans), 'scan')} of {patients} with {marks}, written by cmbkit "
        "init.",
        "# What is not named is as published (cmbkit params prints every setting in force).",
        f"profile: {name}",
        f"workers: {_workers(scans, spacing or 0.75)}",
        *_cohort(folders, own, train),
    ]
    if train:
        lines += _training(table, [*folders, *own], spacing, hours)
    else:
        named = networks if networks.isalnum() else _quoted(networks)
        lines += [
            "training:",
            f"  networks: {named}  # nothing is trained; grid and inference are the weights'",
        ]
    lines += [
        "evaluation:",
        "  slice_experiment: {brains: 0}  # 2: also synthetic brains in thin and thick slices",
    ]
    return "\n".join(lines) + "\n"


def _cohort(folders: Mapping[str, str], own: Mapping[str, str], train: bool) -> list[str]:
    lines = ["cohort:"]
    if folders:
        lines += ["  roots:", *(f"    {name}: {_quoted(place)}" for name, place in folders.items())]
    published = {name: PUBLISHED_SPLITS[name] for name in folders}
    learned = {*published.values()} & {"train-valid"} or own
    split = "train-valid" if train else "test"
    if folders and not (train and learned):
        moved = ", ".join(f"{name}: {split}" for name in folders)
        lines.append(f"  splits: {{{moved}}}")
    if own:
        lines.append("  bids:")
        lines += [
            f"    {name}: {{root: {_quoted(place)}, split: {split}}}  # or test, train, valid"
            for name, place in own.items()
        ]
    return [*lines, "  validation_fraction: 0.25"] if train else lines


def _spacing(scans: list[Scan]) -> float:
    """Voxel of the standard grid in mm: the usual pixel, to a quarter mm, from 0.5 to 1.5."""
    pixels = [min(scan.acquisition.in_plane_mm) for scan in scans]
    return float(np.clip(np.round(np.median(pixels) * 4) / 4, 0.5, 1.5))


def _workers(scans: list[Scan], spacing: float) -> int:
    """Processes for which there are processors and memory."""
    largest = max(GB_PER_MEGAVOXEL * megavoxels(scan, spacing) for scan in scans)
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return max(1, min(os.cpu_count() or 1, int(there / 2 / largest)))


def _training(table: pd.DataFrame, names: list[str], spacing: float, hours: float) -> list[str]:
    """Sections preprocessing, network, training and inference."""
    training = Training()
    seconds, _ = seconds_per_patch(NETWORK, training, Inference())
    step = 3 * BATCH * seconds
    epochs = int(3600 * hours / step / STEPS_PER_EPOCH)
    first = int(np.clip(round(0.6 * epochs), SHORTEST, LONGEST))
    second = int(np.clip(round(0.4 * epochs), SHORTEST, LONGEST))
    took = duration((first + second) * STEPS_PER_EPOCH * step)
    pad = 16 * int(np.ceil(BRAIN_MM / spacing / 16))
    smallest = max(1, round(SMALLEST_MM3 / spacing**3))
    shared = (
        f"datasets: [{', '.join(names)}], steps_per_epoch: {STEPS_PER_EPOCH}, "
        f"batch_size: {BATCH}, schedule: cosine"
    )
    return [
        f"preprocessing: {{spacing_mm: {spacing}, pad_voxels: {pad}, zscore: brain, "
        "atlas_registration: affine}",
        "network: {patch_size: [32, 32, 32], filters_per_depth: [8, 16, 32], "
        "filters_out_bottom_conv: 64, n_conv_per_depth: 2, normalization_axis: channel, "
        "lesion_prior: 0.01}",
        f"training:  # about {took} on this machine, at {step:.2g} s per step",
        "  models: [scratch]  # tl too: also trains a source network",
        f"  pretrain: {{{shared}, epochs: {first}, learning_rate: 4.0e-3, warmup_steps: 30}}",
        f"  finetune: {{{shared}, epochs: {second}, learning_rate: 2.0e-3, warmup_steps: 10}}",
        "  class_proportions: [0.3, 0.7]",
        "  dark_background: 0.5",
        "  cross_entropy_weights: [1.0, 5.0]",
        "  augmentation: {elastic_nodes: 4, elastic_sd_voxels: 2.0, intensity: 0.4, "
        "salt_pepper: 0.1, inversion: 0.05, blur: 0.1}",
        "  validation_share: 1.0",
        "  validation_patches_per_scan: 8",
        "  validation_threshold: 0.98",
        f"  validation_minimum_voxels: {smallest}",
        f"inference: {{overlap: 0.25, batch_size: 24, threshold: 0.98, minimum_voxels: {smallest}}}"
        "  # Table S33 shows what others give",
    ]
