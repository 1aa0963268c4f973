"""Frozen sides of a network, and the estimate before a training."""

from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from cmbkit.detector.network.losses import combined_loss
from cmbkit.detector.network.unet import build
from cmbkit.detector.training.estimate import activation_bytes, estimate, validation_tiles
from cmbkit.detector.training.steps import GradientSteps
from cmbkit.params import Inference


def batch(seed, n=2):
    images = np.random.default_rng(seed).normal(size=(n, 16, 16, 16, 1)).astype(np.float32)
    return images, (images[..., 0] < -1.5).astype(np.int32)


@pytest.mark.parametrize("normalization", ["instance", "batch"])
def test_a_frozen_encoder_keeps_its_weights(tiny_network, small_training, normalization):
    """Running statistics of batch normalisation too."""
    model = build(tiny_network.model_copy(update={"normalization": normalization}), seed=1)
    learnt = len(model.trainable_variables)
    before = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    steps = GradientSteps(model, 1e-2, combined_loss(small_training), ["encoder"])
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
    steps = GradientSteps(model, 1e-2, combined_loss(small_training))
    before = steps.state()
    found = estimate(steps, small_phase, tiles=8, rng=np.random.default_rng(0))
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


def test_validation_looks_at_an_eighth_more_on_a_grid_twice_as_coarse(small_training, tmp_path):
    """A scan of 32 voxels a side holds eight tiles of 16, and one on the coarser grid."""
    nib.save(nib.Nifti1Image(np.zeros((32, 32, 32), np.uint8), np.eye(4)), tmp_path / "a.nii")
    scan = SimpleNamespace(image_path=tmp_path / "a.nii")
    whole = small_training.model_copy(
        update={"validation_share": 1.0, "validation_patches_per_scan": None}
    )
    settings = Inference(overlap=0.0, coarser=[0.5])
    assert validation_tiles([scan, scan], whole, settings, [16, 16, 16]) == 18
