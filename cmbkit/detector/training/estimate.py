"""Memory and time that a training phase will take, told before it starts."""

import os
import time
from dataclasses import asdict, dataclass

import nibabel as nib
import numpy as np

from cmbkit.detector.inference.tiles import tile_starts
from cmbkit.detector.training.steps import GradientSteps
from cmbkit.params import Inference, Phase, Training
from cmbkit.records import StandardScan
from cmbkit.running.steps import duration

WARM_UP = 2
COPIES = 4
"""Float32 arrays per weight: itself, its gradient and the two moments of Adam."""


@dataclass(frozen=True)
class Estimate:
    """What a phase will take if it is not stopped early; hours are over all epochs.

    A tile of validation is taken to cost a third of its share of a step, as the backward pass
    costs twice the forward pass.
    """

    parameters: int
    weights_gb: float  # weights, gradients and the optimizer's moments
    activations_gb: float  # of a batch's layers; twice that may be in use at the peak
    step_seconds: float
    training_hours: float
    validation_hours: float

    def lines(self) -> list[str]:
        """In words; a second line where the computer's memory will not do."""
        memory = self.weights_gb + self.activations_gb
        told = [
            f"{self.parameters:,} parameters; at least {memory:.2g} GB of memory "
            f"(weights, gradients, Adam {self.weights_gb:.2g}, activations "
            f"{self.activations_gb:.2g}); at most {duration(3600 * self.training_hours)} of "
            f"gradient steps at {self.step_seconds:.2g} s and "
            f"{duration(3600 * self.validation_hours)} of validation"
        ]
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
        if memory > there:
            told.append(
                f"this computer has {there:.2g} GB of memory: unless a GPU has more, make "
                "batch_size or patch_size smaller"
            )
        return told

    def record(self) -> dict:
        """For ``config.json``."""
        rounded = {name: float(f"{value:.3g}") for name, value in asdict(self).items()}
        return rounded | {"parameters": self.parameters}


def activation_bytes(model, patches: int) -> int:
    """Bytes of all layer outputs of a batch of patches in float32, inputs included."""
    return 4 * patches * sum(int(np.prod(layer.output.shape[1:])) for layer in model.layers)


def validation_tiles(scans: list[StandardScan], training: Training, inference: Inference, patch):
    """Tiles that an epoch's validation predicts; empty ones, which are skipped, count too."""
    chosen = len(scans) * training.validation_share
    if training.validation_patches_per_scan is not None:
        return round(chosen * training.validation_patches_per_scan)
    counts = []
    for scan in scans:
        padded = np.maximum(nib.load(scan.image_path).shape, patch).tolist()
        counts.append(len(tile_starts(padded, patch, inference.overlap)))
    grids = 1 + sum(share**3 for share in inference.coarser)
    return round(float(np.mean(counts)) * grids * chosen)


def estimate(steps: GradientSteps, phase: Phase, tiles: int, rng: np.random.Generator) -> Estimate:
    """Count memory, and time a few gradient steps on noise; network and optimizer stay as they are.

    ``tiles``: patches per epoch of validation.
    """
    before = steps.state()
    shape = (phase.batch_size, *steps.model.input_shape[1:])
    images = rng.normal(size=shape).astype(np.float32)
    masks = np.zeros(shape[:-1], np.int32)
    seconds = []
    for _ in range(WARM_UP + 1):
        started = time.perf_counter()
        steps(images, masks)
        seconds.append(time.perf_counter() - started)
    steps.restore(before)
    second = float(np.median(seconds[1:]))  # the first one builds the graph
    count = steps.model.count_params()
    return Estimate(
        parameters=count,
        weights_gb=COPIES * 4 * count / 1e9,
        activations_gb=activation_bytes(steps.model, phase.batch_size) / 1e9,
        step_seconds=second,
        training_hours=phase.epochs * phase.steps_per_epoch * second / 3600,
        validation_hours=phase.epochs * tiles * second / phase.batch_size / 3 / 3600,
    )
