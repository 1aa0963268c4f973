"""How fast this machine is with a network, before anything is trained."""

import time
from pathlib import Path

import numpy as np

from cmbkit.detector.inference.engines import engine_for
from cmbkit.detector.network.losses import combined_loss
from cmbkit.detector.network.unet import build
from cmbkit.detector.network.weights import FILE, read_weights
from cmbkit.detector.training.steps import GradientSteps
from cmbkit.params import Inference, Network, Training
from cmbkit.running.file_hashes import file_hash

MOST_VOXELS = 400_000
"""Of a batch that is timed: twelve patches of 32 voxels, or one of 96."""
BACKWARD = 3
"""A gradient step costs three forward passes."""


def seconds_per_patch(
    network: Network, training: Training, inference: Inference, given: Path | None = None
) -> tuple[float, int]:
    """Time of one patch's forward pass, and how many patches were timed.

    Parameters
    ----------
    network, training, inference : parameters
    given : Path, optional
        Folder of weights: they predict. Without it, gradient steps of a fresh network are timed
        and divided by `BACKWARD`.
    """
    patch = network.patch_size
    count = max(1, min(12, MOST_VOXELS // int(np.prod(patch))))
    patches = np.random.default_rng(0).normal(size=(count, *patch, 1)).astype(np.float32)
    if given is None:
        rate, loss = training.pretrain.learning_rate, combined_loss(training)
        steps = GradientSteps(build(network), rate, loss)
        masks = np.zeros(patches.shape[:-1], np.int32)
        return _median_time(lambda: steps(patches, masks)) / count / BACKWARD, count
    weights = file_hash(given / FILE)
    engine = engine_for(weights, patch, inference, lambda: read_weights(given).model)
    return _median_time(lambda: engine.run(patches)) / count, count


def _median_time(call, times: int = 3) -> float:
    """Seconds of a call; a first one, which builds what is needed, does not count."""
    call()
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))
