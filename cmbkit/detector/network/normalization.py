"""Instance normalisation as Figure A.7 configures it (``axis = null``), or per channel."""

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
