"""The fused batch normalisation beside Keras's own."""

import numpy as np
import pytest

from cmbkit.detector.network.backend import use_keras
from cmbkit.detector.network.normalization import batch_normalization


def passed(cls, x, weights, upstream, trainable=True):
    """Output, gradients by input, scale and offset, and running statistics of a training pass."""
    import tensorflow as tf

    layer = cls(momentum=0.95, epsilon=1e-5, trainable=trainable)
    layer.build(x.shape)
    layer.set_weights(weights)
    x = tf.constant(x)

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            tape.watch([x, layer.gamma.value, layer.beta.value])
            y = layer(x, training=True)
        return y, *tape.gradient(y, [x, layer.gamma.value, layer.beta.value], upstream)

    found = [np.asarray(value) for value in run()]
    return [*found, *map(np.asarray, (layer.moving_mean, layer.moving_variance))]


@pytest.mark.parametrize("trainable", [True, False])
def test_fused_batch_normalization_is_that_of_keras(trainable):
    """A few voxels, so that a variance divided by n - 1 would show; frozen: running statistics."""
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, (2, 4, 3, 2, 5)).astype(np.float32)
    weights = [rng.uniform(0.5, 2, 5) for _ in range(4)]
    upstream = rng.normal(size=x.shape).astype(np.float32)
    plain = use_keras().layers.BatchNormalization
    expected = passed(plain, x, weights, upstream, trainable)
    for a, b in zip(
        passed(batch_normalization(), x, weights, upstream, trainable), expected, strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    if trainable:
        variance = 0.95 * weights[3] + 0.05 * x.var((0, 1, 2, 3))
        np.testing.assert_allclose(expected[-1], variance, rtol=1e-5)


def test_weight_files_are_those_of_keras(tmp_path):
    """Their keys are made of the names of the classes."""
    keras = use_keras()

    def model(cls):
        inputs = keras.Input((4, 4, 4, 2))
        return keras.Model(inputs, cls(name="norm")(inputs))

    old, new = model(keras.layers.BatchNormalization), model(batch_normalization())
    old.set_weights([np.full(2, value) for value in (2.0, 3.0, 4.0, 5.0)])
    old.save_weights(tmp_path / "old.weights.h5")
    new.load_weights(tmp_path / "old.weights.h5")
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 4, 2)).astype(np.float32)
    np.testing.assert_array_equal(new.predict_on_batch(x), old.predict_on_batch(x))
