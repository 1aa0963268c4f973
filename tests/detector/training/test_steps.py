"""Several devices, mixed precision and frozen sides against plain training."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cmbkit.detector.network.losses import combined_loss
from cmbkit.detector.network.unet import build
from cmbkit.detector.training.estimate import activation_bytes, estimate
from cmbkit.detector.training.steps import GradientSteps

ROOT = Path(__file__).parents[3]
TWO_DEVICES = """
import sys
import numpy as np
from cmbkit.detector.network.backend import use_keras
use_keras()
import tensorflow as tf
half = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [half] * 2)
from cmbkit.detector.network.losses import combined_loss
from cmbkit.detector.network.unet import build
from cmbkit.detector.training.steps import GradientSteps
from cmbkit.params import Network, Training

network = Network.model_validate_json(sys.argv[1])
results = []
for devices in (1, 2):
    training = Training(devices=devices)
    model = build(network, seed=1)
    steps = GradientSteps(model, training, 1e-2, combined_loss(training))
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(4):
        images = rng.normal(size=(4, 16, 16, 16, 1)).astype("float32")
        losses.append(steps(images, (images[..., 0] < -1.5).astype("int32")))
    steps.hand_over()
    results.append((losses, model.get_weights()))
(one, a), (two, b) = results
np.testing.assert_allclose(one, two, rtol=1e-4)
# variances over devices come from sums of squares: rounding, which Adam makes larger
tolerance = 2e-4 if network.normalization == "instance" else 5e-3
for x, y in zip(a, b):
    np.testing.assert_allclose(x, y, atol=tolerance)
try:
    steps(images[:3], (images[:3, ..., 0] < -1.5).astype("int32"))
except ValueError as error:
    print(error)
try:
    GradientSteps(model, Training(devices=3), 1e-2, combined_loss(training))
except ValueError as error:
    print(error)
"""


def batch(seed, n=2):
    images = np.random.default_rng(seed).normal(size=(n, 16, 16, 16, 1)).astype(np.float32)
    return images, (images[..., 0] < -1.5).astype(np.int32)


@pytest.mark.parametrize("normalization", ["instance", "batch"])
def test_two_devices_train_as_one(tiny_network, normalization):
    """Virtual CPUs in a process of their own: same losses, and weights after four steps of Adam."""
    network = tiny_network.model_copy(update={"normalization": normalization})
    command = [sys.executable, "-c", TWO_DEVICES, network.model_dump_json()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == [
        "batch_size: expected a multiple of 2 devices, found 3",
        "devices: expected 3 CPUs, found 2",
    ]


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_keeps_float32_variables_and_follows_float32(
    precision, tiny_network, small_training
):
    losses = {}
    for name in ("float32", precision):
        training = small_training.model_copy(update={"precision": name})
        model = build(tiny_network, seed=1)
        steps = GradientSteps(model, training, 1e-2, combined_loss(training))
        losses[name] = [steps(*batch(0)) for _ in range(6)]
    np.testing.assert_allclose(losses[precision], losses["float32"], rtol=0.03)
    assert losses[precision][-1] < losses[precision][0]
    worker = steps.worker
    assert {str(v.dtype) for v in worker.trainable_variables} == {"float32"}
    assert worker.get_layer("encoder0_conv0").compute_dtype == precision.removeprefix("mixed_")
    assert worker.get_layer("probability").compute_dtype == "float32"
    before = model.get_weights()
    steps.hand_over()
    assert not all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("normalization", ["instance", "batch"])
def test_a_frozen_encoder_keeps_its_weights(tiny_network, small_training, normalization):
    """Running statistics of batch normalisation too."""
    model = build(tiny_network.model_copy(update={"normalization": normalization}), seed=1)
    learnt = len(model.trainable_variables)
    before = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    loss = combined_loss(small_training)
    steps = GradientSteps(model, small_training, 1e-2, loss, ["encoder"])
    steps(*batch(0))
    moved = {
        layer.name
        for layer in model.layers
        if layer.weights and not all(map(np.array_equal, layer.get_weights(), before[layer.name]))
    }
    assert not any(name.startswith(("encoder", "input")) for name in moved)
    assert {"bottom_conv0", "decoder0_conv0", "logits"} <= moved
    steps.release()
    assert len(model.trainable_variables) == learnt


def test_an_estimate_leaves_no_trace(tiny_network, small_training, small_phase):
    """Weights, gradients and two moments of 4 bytes; outputs of all layers by hand."""
    model = build(tiny_network, seed=1)
    steps = GradientSteps(model, small_training, 1e-2, combined_loss(small_training))
    before = steps.state()
    rng = np.random.default_rng(0)
    found = estimate(steps, small_phase, small_training, tiles=8, rng=rng)
    for name, value in steps.state().items():
        np.testing.assert_array_equal(value, before[name])
    assert found.weights_gb == pytest.approx(16 * model.count_params() / 1e9)
    assert found.training_hours == pytest.approx(80 * found.step_seconds / 3600)
    assert found.validation_hours == pytest.approx(2 * 8 * found.step_seconds / 4 / 3 / 3600)
    full = 16**3 * (1 + 1)  # input and its normalisation
    full += 16**3 * (4 * 3 + 5 + 4 * 3 + 2 + 2)  # up, concatenation, convolution, head, softmax
    half = 8**3 * 4 * 3 * 2  # the strided encoder and the bottom
    assert activation_bytes(model, 3) == 3 * 4 * (full + half)
    assert "parameters" in found.lines()[0]
