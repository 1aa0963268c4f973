"""One training phase (sections 6.5.3, 6.5.4 and 7.1.1).

After every epoch the whole state goes to ``checkpoint.npz``, then what the epoch reached is
published (best weights, history, TensorBoard). A phase that was killed is taken up from the
checkpoint, publishes its last epoch again and ends with the weights of an uninterrupted run.
"""

import itertools
import json
import logging
import time
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.detector.inference.tiled import Predictor
from cmbkit.detector.network.backend import make_deterministic, use_keras
from cmbkit.detector.network.losses import combined_loss
from cmbkit.detector.network.unet import build, save_weights
from cmbkit.detector.patches.hard_negatives import NO_ALARMS, FalseAlarms
from cmbkit.detector.patches.sampling import ScanMemory
from cmbkit.detector.patches.stream import epoch_batches, prefetched
from cmbkit.detector.training.checkpoints import FILE, Progress, read_checkpoint, write_checkpoint
from cmbkit.detector.training.estimate import estimate, validation_tiles
from cmbkit.detector.training.snapshots import snapshot_patches, write_snapshots
from cmbkit.detector.training.steps import GradientSteps
from cmbkit.detector.training.tracking import tensorboard
from cmbkit.detector.training.validation import balanced_subset, depends_on, inference_for, validate
from cmbkit.params import Evaluation, Inference, Network, Phase, Training
from cmbkit.records import StandardScan
from cmbkit.running.report import report_line, report_progress

STEPS = "steps.csv"
PROGRESS_EVERY = 10
FINAL_SHARE = 0.02  # of the learning rate, at the end of a cosine
_log = logging.getLogger(__name__)


def train(
    model,
    train_scans: list[StandardScan],
    valid_scans: list[StandardScan],
    phase: Phase,
    training: Training,
    inference: Inference,
    evaluation: Evaluation,
    folder: Path,
    *,
    seed: int,
    step: str,
    snapshots: list[tuple[str, int]] = (),
    memory: ScanMemory | None = None,
    alarms: FalseAlarms = NO_ALARMS,
) -> None:
    """Train ``model`` in place for one phase and write what came of it into ``folder``.

    Stops before ``phase.epochs`` when for ``phase.patience_epochs`` epochs neither the training
    loss nor the validation loss nor the metric ``phase.keep`` has improved. Goes on from
    ``folder/checkpoint.npz`` where an earlier call with the same arguments was interrupted.

    Parameters
    ----------
    model : keras.Model
        From `cmbkit.detector.network.unet.build`; the patch size is its input size.
    folder : Path
        Receives ``history.csv`` (epoch, step, train_loss, val_loss, count_f1, count_precision,
        segmentation_f1, dice, learning_rate, seconds), ``steps.csv`` (step, train_loss),
        ``best_<metric>.weights.h5`` for loss, count_f1, count_precision, segmentation_f1 and
        dice, ``final.weights.h5``, ``config.json``, ``tensorboard/`` and
        ``snapshots/<uid>_cmb<id>_epoch<n>.npz``. All losses include the L2 term.
    seed : int
        Patches, augmentation and validation subsets; the same seed gives the same weights on
        the same machine.
    step : str
        Named in the progress display, which counts gradient steps.
    snapshots : list of (uid, CMB id)
        Lesions of which every epoch's prediction is kept (Figure 7.2).
    memory : ScanMemory, optional
        From `ScanMemory.of`, with training scans that another phase may have read already.
    alarms : FalseAlarms, optional

    Raises
    ------
    cmbkit.detector.training.checkpoints.CheckpointError
        If ``folder`` holds the checkpoint of another training.
    FloatingPointError
        If the training loss is not finite; the last checkpoint stays.
    """
    for scans, kind in ((train_scans, "training"), (valid_scans, "validation")):
        if not scans:
            raise ValueError(f"{step}: expected at least one {kind} scan, found none")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    make_deterministic(seed)
    loss = combined_loss(training)
    steps = GradientSteps(model, learning_rate(phase), loss, phase.frozen)
    validation = depends_on(training, inference, evaluation)
    config = _config(model, train_scans, valid_scans, phase, training, validation, seed)
    patch = model.input_shape[1:4]
    shown = snapshot_patches([*valid_scans, *train_scans], snapshots, patch)
    predictor = Predictor.of(model, inference_for(training, inference))
    seen, total = ScanMemory(), phase.epochs * phase.steps_per_epoch
    taken_up = read_checkpoint(folder, config)
    if taken_up is None:
        progress = Progress(phase.keep)
        tiles = validation_tiles(valid_scans, training, predictor.params, patch)
        expected = estimate(steps, phase, tiles, np.random.default_rng(seed))
        for line in expected.lines():
            report_line(f"{step}: {line}")
        _write_config(folder, config, inference, [*train_scans, *valid_scans], expected)
    else:
        state, progress = taken_up
        steps.restore(state)
        del state, taken_up
        _log.info("%s: goes on after epoch %d", step, progress.epoch)
    with tensorboard(folder, training.tensorboard) as log:
        for row in progress.history[:-1]:
            log(row)
        if progress.epoch:
            _publish(folder, model, progress, log)
        report_progress(step, progress.epoch * phase.steps_per_epoch, total)
        memory = memory or ScanMemory.of(training)
        first = progress.epoch + 1
        source = _batches(model, train_scans, training, phase, seed, first, memory, alarms)
        with prefetched(source) as stream:
            for epoch in range(progress.epoch + 1, phase.epochs + 1):
                if progress.waited >= phase.patience_epochs:
                    break
                started = time.perf_counter()
                losses = _one_epoch(steps, stream, phase, step, epoch, total)
                train_loss = float(np.mean(losses))
                predictor.engine.refresh()
                rng = np.random.default_rng([seed, epoch])
                subset = balanced_subset(valid_scans, training.validation_share, rng)
                metrics = validate(predictor, subset, training, evaluation, loss, seen, seed)
                metrics["loss"] += float(sum(model.losses))
                write_snapshots(folder, predictor, shown, epoch)
                row = {
                    "epoch": epoch,
                    "step": epoch * phase.steps_per_epoch,
                    "train_loss": train_loss,
                    "val_loss": metrics["loss"],
                    **{name: value for name, value in metrics.items() if name != "loss"},
                    "learning_rate": steps.learning_rate,
                    "seconds": time.perf_counter() - started,
                }
                progress.losses += losses
                progress.add(train_loss, metrics, row)
                write_checkpoint(folder, steps.state(), progress, config)
                _publish(folder, model, progress, log)
    steps.release()
    save_weights(model, folder / weight_file("final"))
    (folder / FILE).unlink()
    report_progress(step, total, total)


def _batches(model, scans, training: Training, phase: Phase, seed: int, first: int, memory, alarms):
    """Batches of the epochs from ``first`` on."""
    return itertools.chain.from_iterable(
        epoch_batches(
            scans,
            training,
            model.input_shape[1:4],
            phase.batch_size,
            phase.steps_per_epoch,
            seed=seed,
            epoch=epoch,
            memory=memory,
            alarms=alarms,
        )
        for epoch in range(first, phase.epochs + 1)
    )


def _publish(folder: Path, model, progress: Progress, log) -> None:
    """Write what the last epoch reached; doing it twice changes nothing."""
    for name in progress.improved:
        save_weights(model, folder / weight_file(name))
    pd.DataFrame(progress.history).to_csv(folder / "history.csv", index=False)
    losses = pd.Series(progress.losses, range(1, len(progress.losses) + 1), name="train_loss")
    losses.to_csv(folder / STEPS, index_label="step")
    log(progress.history[-1])


def learning_rate(phase: Phase):
    """Learning rate of a phase: a number, or a Keras schedule over its gradient steps."""
    if phase.schedule == "constant" and not phase.warmup_steps:
        return phase.learning_rate
    return use_keras().optimizers.schedules.CosineDecay(
        phase.learning_rate / (phase.warmup_steps + 1),
        phase.epochs * phase.steps_per_epoch - phase.warmup_steps,
        alpha=FINAL_SHARE if phase.schedule == "cosine" else 1.0,
        warmup_target=phase.learning_rate if phase.warmup_steps else None,
        warmup_steps=phase.warmup_steps,
    )


def _one_epoch(steps, stream, phase: Phase, step: str, epoch: int, total: int) -> list[float]:
    """Training loss at each of the epoch's gradient steps."""
    losses = []
    for i in range(1, phase.steps_per_epoch + 1):
        losses.append(steps(*next(stream)))
        if i % PROGRESS_EVERY == 0:
            report_progress(step, (epoch - 1) * phase.steps_per_epoch + i, total)
    if not np.isfinite(losses).all():
        raise FloatingPointError(f"{step}: training loss is not finite in epoch {epoch}")
    return losses


def weight_file(which: str) -> str:
    """Name of the weights of the last epoch (``"final"``) or of a metric's best one."""
    return "final.weights.h5" if which == "final" else f"best_{which}.weights.h5"


def kept_epoch(history: pd.DataFrame, keep: str) -> int:
    """Index of the row of ``history`` whose weights a phase keeps."""
    if keep == "final":
        return history.index[-1]
    return history["val_loss"].idxmin() if keep == "loss" else history[keep].idxmax()


def load(folder: Path, params: Network, which: str = "final"):
    """Build the network and read the weights that `train` wrote; ``which`` as in `weight_file`.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    path = Path(folder) / weight_file(which)
    if not path.is_file():
        there = sorted(p.name for p in Path(folder).glob("*.weights.h5"))
        raise FileNotFoundError(f"{path}: expected weights, found only {there}")
    model = build(params)
    model.load_weights(path)
    return model


def _config(model, train_scans, valid_scans, phase, training, validation, seed) -> dict:
    """Everything that the training depends on, in plain values."""
    return {
        "network": {"name": model.name, "parameters": model.count_params()},
        "patch_size": list(model.input_shape[1:4]),
        "phase": phase.model_dump(mode="json"),
        "training": training.shared,
        "validation": validation,
        "seed": seed,
        "train_scans": [scan.scan.uid for scan in train_scans],
        "valid_scans": [scan.scan.uid for scan in valid_scans],
    }


def _write_config(folder: Path, config: dict, inference, scans, expected) -> None:
    keras = use_keras()
    told = {
        "inference": inference.model_dump(mode="json"),
        "synthetic": any(scan.scan.synthetic for scan in scans),
        "keras": keras.version(),
        "backend": keras.backend.backend(),
        "estimate": expected.record(),
    }
    (folder / "config.json").write_text(json.dumps({**config, **told}, indent=1))
