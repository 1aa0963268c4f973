"""Normalisations: by the patch as Figure A.7 configures it, per channel, or by the batch."""

from functools import lru_cache

from cmbkit.detector.network.backend import use_keras


@lru_cache(maxsize=1)
def instance_normalization():
    """Return the layer class (made on first use, because importing Keras is slow)."""
    keras = use_keras()
    ops = keras.ops

    @keras.saving.register_keras_serializable("cmbkit", name="InstanceNormalization")
    class InstanceNormalization(keras.layers.Layer):
        """Subtract the mean of each patch and divide by its standard deviation.

        ``axis=None``: statistics over all voxels and channels of a patch, one scalar scale and
        one scalar offset are learnt. ``axis="channel"``: all of it per channel.
        """

        def __init__(self, axis=None, epsilon=1e-5, **kwargs):
            super().__init__(**kwargs)
            self.axis = axis
            self.epsilon = epsilon

        def build(self, input_shape):
            shape = (input_shape[-1],) if self.axis == "channel" else ()
            self.scale = self.add_weight(shape=shape, initializer="ones", name="scale")
            self.offset = self.add_weight(shape=shape, initializer="zeros", name="offset")

        def call(self, x):
            axes = (1, 2, 3) if self.axis == "channel" else (1, 2, 3, 4)
            mean, variance = ops.moments(x, axes, keepdims=True)
            factor = self.scale * ops.rsqrt(variance + self.epsilon)
            return x * factor + (self.offset - mean * factor)

        def compute_output_shape(self, input_shape):
            return input_shape

        def get_config(self):
            return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}

    return InstanceNormalization


@lru_cache(maxsize=1)
def batch_normalization():
    """Return Keras's layer whose training passes are one fused operation on TensorFlow.

    Same variables, names and results within rounding; inference is Keras's own. Keras's training
    pass takes a dozen operations over all voxels (benchmarks/training.md).
    """
    keras = use_keras()
    if keras.backend.backend() != "tensorflow":
        return keras.layers.BatchNormalization
    import tensorflow as tf

    @keras.saving.register_keras_serializable("cmbkit", name="BatchNormalization")
    class BatchNormalization(keras.layers.BatchNormalization):  # its name is in weight files
        """Over batch and voxels, of (batch, x, y, z, channels)."""

        def call(self, inputs, training=None, mask=None):
            if not (training and self.trainable):
                return super().call(inputs, training=training, mask=mask)
            fused = tf.raw_ops.FusedBatchNormV3(
                x=tf.reshape(inputs, [-1, *inputs.shape[2:]]),
                scale=self.gamma,
                offset=self.beta,
                mean=[],
                variance=[],
                epsilon=self.epsilon,
                is_training=True,
            )
            n = tf.cast(tf.size(inputs) // inputs.shape[-1], "float32")
            variance = fused.batch_variance * (n - 1) / n  # the operation divides by n - 1
            for kept, found in (
                (self.moving_mean, fused.batch_mean),
                (self.moving_variance, variance),
            ):
                kept.assign(kept * self.momentum + found * (1 - self.momentum))
            return tf.reshape(fused.y, tf.shape(inputs))

    return BatchNormalization
