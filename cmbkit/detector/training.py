"""One training phase (sections 6.5.3, 6.5.4 and 7.1.1)."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.compute import report_progress
from cmbkit.detector.backend import make_deterministic, use_keras
from cmbkit.detector.inference import Predictor
from cmbkit.detector.losses import combined_loss
from cmbkit.detector.network import build, compile_for_training, save_weights, takes_coordinates
from cmbkit.detector.sampling import SampledScan, ScanMemory, region
from cmbkit.detector.stream import Prefetched, epoch_batches
from cmbkit.detector.validation import balanced_subset, validate
from cmbkit.params import Inference, Network, Phase, Training
from cmbkit.records import StandardScan

VERSION = 4
METRICS = ("loss", "count_f1", "count_precision", "segmentation_f1", "dice")
PROGRESS_EVERY = 10
FINAL_SHARE = 0.02  # of the learning rate, at the end of a cosine


class _Best:
    """Which metrics improved, and for how many epochs nothing has."""

    def __init__(self, keep: str):
        self.keep = keep
        self.best: dict[str, tuple[float, float]] = {}
        self.waited = 0

    def update(self, train_loss: float, metrics: dict[str, float]) -> list[str]:
        """Names of the improved validation metrics; equal values are settled by the loss."""
        higher = {name: metrics[name] for name in METRICS if name != "loss"}
        ranks = {name: (value, -metrics["loss"]) for name, value in higher.items()}
        ranks["loss"] = (-metrics["loss"], 0.0)
        ranks["train_loss"] = (-train_loss, 0.0)
        improved = [
            name
            for name, rank in ranks.items()
            if np.isfinite(rank[0]) and rank > self.best.get(name, (-np.inf, 0.0))
        ]
        self.best.update({name: ranks[name] for name in improved})
        moving = {"train_loss", "loss", self.keep} & set(improved)
        self.waited = 0 if moving else self.waited + 1
        return [name for name in improved if name != "train_loss"]


def train(
    model,
    train_scans: list[StandardScan],
    valid_scans: list[StandardScan],
    phase: Phase,
    training: Training,
    inference: Inference,
    folder: Path,
    *,
    seed: int,
    step: str,
    snapshots: list[tuple[str, int]] = (),
) -> None:
    """Train ``model`` in place for one phase and write what came of it into ``folder``.

    Stops before ``phase.epochs`` when for ``phase.patience_epochs`` epochs neither the training
    loss nor the validation loss nor the metric ``phase.keep`` has improved.

    Parameters
    ----------
    model : keras.Model
        From `cmbkit.detector.network.build`; the patch size is its input size.
    train_scans, valid_scans : list of StandardScan
    phase, training, inference : parameters
    folder : Path
        Receives ``history.csv`` (epoch, step, train_loss, val_loss, count_f1, count_precision,
        segmentation_f1, dice, learning_rate, seconds), ``best_<metric>.weights.h5`` for loss,
        count_f1, count_precision, segmentation_f1 and dice, ``final.weights.h5``,
        ``config.json`` and ``snapshots/<uid>_cmb<id>_epoch<n>.npz``. Both losses include the
        L2 term.
    seed : int
        Patches, augmentation and validation subsets; the same seed gives the same weights on
        the same machine.
    step : str
        Named in the progress display, which counts gradient steps.
    snapshots : list of (uid, CMB id)
        Lesions of which every epoch's prediction is kept (Figure 7.2).
    """
    if not valid_scans:
        raise ValueError(f"{step}: expected at least one validation scan, found none")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    make_deterministic(seed)
    loss = combined_loss(training)
    compile_for_training(model, learning_rate(phase), loss)
    _write_config(folder, model, train_scans, valid_scans, phase, training, inference, seed)
    shown = _snapshot_patches([*valid_scans, *train_scans], snapshots, model.input_shape[1:4])
    memory, best, history = ScanMemory(), _Best(phase.keep), []
    kept = ScanMemory(dark=training.dark_background > 0)
    source = itertools.chain.from_iterable(
        epoch_batches(
            train_scans,
            training,
            model.input_shape[1:4],
            phase.batch_size,
            phase.steps_per_epoch,
            seed=seed,
            epoch=epoch,
            memory=kept,
            coordinates=takes_coordinates(model),
        )
        for epoch in range(1, phase.epochs + 1)
    )
    predictor = Predictor(model, _for_validation(inference, training))
    total = phase.epochs * phase.steps_per_epoch
    report_progress(step, 0, total)
    with Prefetched(source) as stream:
        for epoch in range(1, phase.epochs + 1):
            started = time.perf_counter()
            train_loss = _one_epoch(model, stream, phase, step, epoch, total)
            predictor.refresh()
            rng = np.random.default_rng([seed, epoch])
            subset = balanced_subset(valid_scans, training.validation_share, rng)
            metrics = validate(predictor, subset, training, loss, memory, seed)
            metrics["loss"] += float(sum(model.losses))
            for name in best.update(train_loss, metrics):
                save_weights(model, folder / f"best_{name}.weights.h5")
            _write_snapshots(folder, predictor, shown, epoch)
            history.append(
                {
                    "epoch": epoch,
                    "step": epoch * phase.steps_per_epoch,
                    "train_loss": train_loss,
                    "val_loss": metrics.pop("loss"),
                    **metrics,
                    "learning_rate": float(model.optimizer.learning_rate),
                    "seconds": time.perf_counter() - started,
                }
            )
            pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
            if best.waited >= phase.patience_epochs:
                break
    save_weights(model, folder / "final.weights.h5")
    report_progress(step, total, total)


def learning_rate(phase: Phase):
    """Learning rate of a phase: a number, or a Keras schedule over its gradient steps."""
    if phase.schedule == "constant" and not phase.warmup_steps:
        return phase.learning_rate
    falling = phase.epochs * phase.steps_per_epoch - phase.warmup_steps
    if falling < 1:
        raise ValueError(
            f"warmup_steps: expected fewer than the phase's {falling + phase.warmup_steps} steps, "
            f"found {phase.warmup_steps}"
        )
    return use_keras().optimizers.schedules.CosineDecay(
        phase.learning_rate / (phase.warmup_steps + 1),
        falling,
        alpha=FINAL_SHARE if phase.schedule == "cosine" else 1.0,
        warmup_target=phase.learning_rate if phase.warmup_steps else None,
        warmup_steps=phase.warmup_steps,
    )


def _one_epoch(model, stream, phase: Phase, step: str, epoch: int, total: int) -> float:
    """Mean training loss over the epoch's gradient steps."""
    losses = []
    for i in range(1, phase.steps_per_epoch + 1):
        images, masks = next(stream)
        losses.append(float(model.train_on_batch(images, masks)))
        if i % PROGRESS_EVERY == 0:
            report_progress(step, (epoch - 1) * phase.steps_per_epoch + i, total)
    if not np.isfinite(losses).all():
        raise FloatingPointError(f"{step}: training loss is not finite in epoch {epoch}")
    return float(np.mean(losses))


def _for_validation(inference: Inference, training: Training) -> Inference:
    """Patches are validated at the training patch size and by Keras; scans as at inference.

    For a few patches per epoch, converting the network to another engine would not pay.
    """
    if training.validation_patches_per_scan is None:
        return inference
    return inference.model_copy(
        update={"tile_size": None, "engine": "keras", "precision": "float32"}
    )


def load(folder: Path, params: Network, which: str = "final"):
    """Build the network and read the weights that `train` wrote.

    Parameters
    ----------
    folder : Path
    params : Network
    which : str
        ``"final"`` or a metric: ``"loss"``, ``"count_f1"``, ``"count_precision"``,
        ``"segmentation_f1"``, ``"dice"``.
    """
    name = "final.weights.h5" if which == "final" else f"best_{which}.weights.h5"
    path = Path(folder) / name
    if not path.is_file():
        there = sorted(p.name for p in Path(folder).glob("*.weights.h5"))
        raise FileNotFoundError(f"{path}: expected weights, found only {there}")
    model = build(params)
    model.load_weights(path)
    return model


def _write_config(folder, model, train_scans, valid_scans, phase, training, inference, seed):
    keras = use_keras()
    config = {
        "network": {"name": model.name, "parameters": model.count_params()},
        "patch_size": list(model.input_shape[1:4]),
        "phase": phase.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
        "inference": inference.model_dump(mode="json"),
        "seed": seed,
        "train_scans": [scan.scan.uid for scan in train_scans],
        "valid_scans": [scan.scan.uid for scan in valid_scans],
        "synthetic": any(scan.scan.synthetic for scan in [*train_scans, *valid_scans]),
        "keras": keras.version(),
        "backend": keras.backend.backend(),
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1))


def _snapshot_patches(scans, snapshots, patch) -> dict[str, dict]:
    """Image and lesion of the patch around each chosen CMB, by file stem."""
    by_uid = {scan.scan.uid: scan for scan in reversed(scans)}
    patches = {}
    for uid, id in snapshots:
        if uid not in by_uid:
            raise ValueError(f"snapshot {uid}: expected one of the scans, found no such uid")
        scan = SampledScan.load(by_uid[uid])
        start = np.rint(scan.centre_of(id) - np.array(patch) / 2).astype(int)
        patches[f"{uid}_cmb{id}"] = {
            "image": region(scan.image, start, patch, scan.background).astype(np.float32),
            "lesion": region(scan.lesions, start, patch, 0) == id,
            "spacing_mm": scan.spacing_mm,
            "start": start,
            "scan_shape": scan.image.shape,
        }
    return patches


def _write_snapshots(folder: Path, predictor: Predictor, patches: dict, epoch: int) -> None:
    if patches:
        (folder / "snapshots").mkdir(exist_ok=True)
    for stem, patch in patches.items():
        image = region(patch["image"], (0, 0, 0), predictor.tile, patch["image"].min())
        inputs = predictor.inputs(image[None], [patch["start"]], patch["scan_shape"])
        probability = predictor.patch_probability(inputs)[0]
        cut = tuple(slice(n) for n in patch["image"].shape)
        np.savez_compressed(
            folder / "snapshots" / f"{stem}_epoch{epoch:03d}.npz",
            **patch,
            probability=probability[cut].astype(np.float16),
            epoch=epoch,
        )
