"""A network as inference runs it: up to its logits, for tiles of any size."""

from __future__ import annotations

from cmbkit.detector.network.backend import use_keras
from cmbkit.detector.network.unet import LOGITS


def logits_model(model):
    """Return the network up to the layer before softmax; weights are shared with ``model``."""
    keras = use_keras()
    logits = keras.Model(model.input, model.get_layer(LOGITS).output, name="logits")
    logits.jit_compile = False
    return logits


def resized(model, patch_size):
    """Return the same network, with a copy of the weights, for patches of another size."""
    patch_size = tuple(patch_size)
    if tuple(model.input_shape[1:4]) == patch_size:
        return model
    factor = model.input_shape[1] // model.get_layer("bottom_conv0").input.shape[1]
    if any(n % factor for n in patch_size):
        raise ValueError(f"tile size {list(patch_size)}: expected multiples of {factor}")
    keras = use_keras()
    inputs = keras.Input((*patch_size, model.input_shape[-1]), name="patch")
    plain = keras.Model(model.input, model.output, name=model.name)  # without optimizer and loss
    other = keras.models.clone_model(plain, input_tensors=inputs)
    other.set_weights(model.get_weights())
    return other
