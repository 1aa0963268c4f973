"""A study that takes seconds: three scans of 2 mm voxels, with or without a tiny network.

Run as ``python tests/faults/small_study.py ROOT [scratch | training]``: computes what is not in the
cache, and writes tables into ``ROOT/figures/small``; with ``training`` those of both phases alone.
It does what the commands do: ends cleanly, and sweeps what killed writers have left. Where
WAITS_AT names a stage (a pattern of files in the cache), the process that keeps a new result of it
goes no further, so that who is to stop it there cannot come too late.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from cmbkit.atomic import sweep
from cmbkit.running.cache import Cache
from cmbkit.running.file_hashes import sha256
from cmbkit.running.outcomes import end_cleanly
from cmbkit.study import Study
from cmbkit.study.scan_results import BASELINE, evaluate_cached
from cmbkit.volume import Volume

WAITS_S = 600
SPLITS = {"A": "train", "B": "valid", "C": "test"}
PHASE = {"datasets": ["A"], "epochs": 4, "steps_per_epoch": 4, "batch_size": 2}
VALUES = {
    "profile": "small",
    "cohort": {
        "datasets": [],
        "bids": {name: {"root": name, "split": split} for name, split in SPLITS.items()},
    },
    "preprocessing": {"spacing_mm": 2.0, "pad_voxels": 60, "atlas_registration": "affine"},
    "network": {
        **{"patch_size": [16, 16, 16], "filters_per_depth": [4], "filters_out_bottom_conv": 4},
        **{"n_conv_per_depth": 1, "n_conv_per_depth_upsampling": 1, "n_conv_bottom": 1},
    },
    "training": {
        **{"models": ["scratch"], "pretrain": PHASE, "finetune": PHASE, "queue_patches": 20},
        **{"validation_patches_per_scan": 4, "validation_share": 1.0, "tensorboard": False},
    },
    "inference": {"overlap": 0.0},
    "evaluation": {"bootstrap_samples": 20},
}


def wait_at(stage: str) -> None:
    """Let this process sleep once it has kept a result that matches ``stage``."""
    get = Cache.get

    def get_and_wait(cache, *what, **options):
        before = set(cache.root.glob(stage))
        folder = get(cache, *what, **options)
        if set(cache.root.glob(stage)) - before:
            time.sleep(WAITS_S)
        return folder

    Cache.get = get_and_wait


def make(root: Path, workers: int = 1) -> Path:
    """Write a scan of each dataset, with two dark balls, its labels and the parameter file.

    Brain regions are made beforehand: to find them would take longer than all the rest.
    """
    mm = np.moveaxis(np.indices((40, 45, 40)), 0, -1) * 2.0 - (40, 45, 40)
    brain = ((mm / (33, 38, 34)) ** 2).sum(-1) <= 1
    grid, labels = np.diag([2.0, 2, 2, 1]), {"folder": str(root / "labels")}
    for seed, name in enumerate(SPLITS):
        centres = np.array([(10, 5, 0), (-12, -5, 8)]) + seed
        marked = sum(
            (np.linalg.norm(mm - c, axis=-1) <= 3) * (i + 1) for i, c in enumerate(centres)
        )
        noise = np.random.default_rng(seed).normal(0, 4, brain.shape)
        data = np.where(brain & (marked == 0), 400 + noise, 0).astype(np.float32)
        stem = root / name / "sub-1" / "swi" / "sub-1"
        Volume(data, grid).write(f"{stem}_swi.nii.gz")
        Volume(marked.astype(np.uint8), grid).write(f"{stem}_desc-cmb_dseg.nii.gz")
        Volume(brain * np.uint8(2), grid).write(root / "labels" / f"{name}-1_swi.nii.gz")
    values = VALUES | {"workers": workers}
    values |= {"preprocessing": VALUES["preprocessing"] | {"synthseg": labels}}
    (root / "params").mkdir()
    (root / "params/small.yaml").write_text(yaml.safe_dump(values))
    return root


def run(root: Path, models: list[str]) -> None:
    """Compute all, and write the tables."""
    study = Study.read(root / "params/small.yaml", root=root)
    sweep(study.cache.root, study.gallery.folder)
    if models == ["training"]:
        return train(study)
    study.gallery.table("S92", study.cohort.table, "Scans")
    study.gallery.table("S93", study.cohort.features, "Microbleeds")
    rows = []
    for model in (*models, BASELINE):
        found = zip(study.results.scans, study.results.candidate_folders(model), strict=True)
        for standard, folder in found:
            item = (model, standard, folder)
            rows.append(evaluate_cached(study.cache, study.params.evaluation, item)[1])
    study.gallery.table("S94", pd.DataFrame(rows), "Scores")
    if models:
        train(study)


def train(study: Study) -> None:
    """Both phases: what every epoch reached, and the hash of every weight file."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("cmbkit").setLevel(logging.INFO)
    rows = []
    for letter, phase in zip("ab", study.models.phases, strict=True):
        history = study.models.history(*phase).drop(columns="seconds")
        study.gallery.table(f"S95{letter}", history, "-".join(phase))
        files = sorted(study.models.folder(*phase).glob("*.weights.h5"))
        rows += [("-".join(phase), path.name, sha256(path)) for path in files]
    study.gallery.table("S96", pd.DataFrame(rows, columns=["phase", "file", "sha256"]), "Weights")


if os.environ.get("WAITS_AT"):  # in the workers of a pool, too
    wait_at(os.environ["WAITS_AT"])

if __name__ == "__main__":
    end_cleanly()
    run(Path(sys.argv[1]), sys.argv[2:])
