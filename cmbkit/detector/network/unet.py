"""UNetApollo3D, the 3D U-Net of section 6.2 and Figure A.7, in Keras 3.

Choices where the thesis is open (the parameter count, 36,302,116, is the same either way):
the *last* convolution of an encoder level carries the stride (414 instead of 496 GFLOP per
96^3 patch), the skip connection leaves just before it; a block is convolution, normalisation,
activation; the 33rd normalisation is on the input patch; ``residual_conv_index`` names the
convolution of each block whose input is added to its output (where both have one shape).
"""

import numpy as np

from cmbkit.detector.network.backend import use_keras
from cmbkit.detector.network.levels import levels
from cmbkit.detector.network.normalization import batch_normalization, instance_normalization
from cmbkit.params import Network

PROBABILITY = "probability"
LOGITS = "logits"
BATCH_MOMENTUM = 0.95  # of the running statistics: about the last 20 gradient steps


class _Builder:
    """Layers with the settings of one `Network`."""

    def __init__(self, params: Network):
        self.keras = use_keras()
        self.layers = self.keras.layers
        self.params = params

    def normalize(self, x, name):
        epsilon = self.params.normalization_epsilon
        if self.params.normalization == "batch":
            layer = batch_normalization()(momentum=BATCH_MOMENTUM, epsilon=epsilon, name=name)
        else:
            layer = instance_normalization()(self.params.normalization_axis, epsilon, name=name)
        return layer(x)

    def activate(self, x, name):
        return self.layers.LeakyReLU(self.params.activation_slope, name=name)(x)

    def regularizer(self):
        return self.keras.regularizers.L2(self.params.l2) if self.params.l2 else None

    def convolve(self, x, filters, stride, name, residual=False):
        y = self.layers.Conv3D(
            filters,
            self.params.kernel_size,
            strides=stride,
            padding="same",
            kernel_regularizer=self.regularizer(),
            name=name,
        )(x)
        y = self.normalize(y, f"{name}_norm")
        if residual and y.shape == x.shape:
            y = self.layers.Add(name=f"{name}_residual")([x, y])
        return self.activate(y, f"{name}_act")

    def block(self, x, row, start=0, stop=None):
        """Convolutions ``start`` to ``stop`` of one level."""
        numbers = range(len(row["filters"]))[start:stop]
        for i in numbers:
            residual = i > 0 and i == self.params.residual_conv_index
            name = f"{row['name']}_conv{i}"
            x = self.convolve(x, row["filters"][i], row["strides"][i], name, residual)
        return x

    def encode(self, x, row):
        """One encoder level: returns what goes down and what goes across."""
        skip = self.block(x, row, stop=-1)
        return self.block(skip, row, start=-1), skip

    def decode(self, x, skip, row):
        """One decoder level: up, concatenate (skip first), convolve."""
        name = f"{row['name']}_up"
        x = self.layers.Conv3DTranspose(
            row["filters"][0],
            2,
            strides=2,
            padding="same",
            kernel_regularizer=self.regularizer(),
            name=name,
        )(x)
        x = self.activate(self.normalize(x, f"{name}_norm"), f"{name}_act")
        x = self.layers.Concatenate(name=f"{row['name']}_concat")([skip, x])
        return self.block(x, row)

    def head(self, x):
        """Logits, one per class and voxel, then probabilities."""
        x = self.layers.Conv3D(
            self.params.n_classes, 1, kernel_regularizer=self.regularizer(), name=LOGITS
        )(x)
        return self.layers.Softmax(name=PROBABILITY, dtype="float32")(x)


def _set_prior(model, params: Network) -> None:
    """Set the biases of the logits such that the lesion classes share the prior."""
    lesions = params.n_classes - 1
    odds = params.lesion_prior / lesions / (1 - params.lesion_prior)
    model.get_layer(LOGITS).bias.assign([0.0] + [float(np.log(odds))] * lesions)


def build(
    params: Network, *, n_channels: int | None = None, n_classes: int | None = None, seed: int = 0
):
    """Build UNetApollo3D.

    ``n_channels``, ``n_classes``: replace those of ``params`` (the source network of section
    6.2.2 has 3 and 5).

    Returns
    -------
    keras.Model
        Input (batch, x, y, z, channels), output softmax probabilities (batch, x, y, z, classes).
        `logits_model` gives the same network without softmax.
    """
    sides = {
        "n_channels": n_channels or params.n_channels,
        "n_classes": n_classes or params.n_classes,
    }
    params = params.model_copy(update=sides)
    keras = use_keras()
    keras.utils.set_random_seed(seed)
    builder = _Builder(params)
    *encoder, bottom = levels(params)[: len(params.filters_per_depth) + 1]
    decoder = levels(params)[len(encoder) + 1 : -1]
    inputs = keras.Input((*params.patch_size, params.n_channels), name="patch")
    x = builder.normalize(inputs, "input_norm")
    skips = []
    for row in encoder:
        x, skip = builder.encode(x, row)
        skips.append(skip)
    x = builder.block(x, bottom)
    for row, skip in zip(decoder, reversed(skips), strict=True):
        x = builder.decode(x, skip, row)
    outputs = builder.head(x)
    model = keras.Model(inputs, outputs, name="UNetApollo3D")
    if params.lesion_prior is not None:
        _set_prior(model, params)
    model.jit_compile = False
    return model


def logits_model(model):
    """Return the network up to the layer before softmax; weights are shared with ``model``."""
    logits = use_keras().Model(model.input, model.get_layer(LOGITS).output, name="logits")
    logits.jit_compile = False
    return logits


def compile_for_training(model, learning_rate, loss) -> None:
    """Attach Adam and the loss; the optimizer's variables are made now, which spares a trace.

    ``learning_rate`` is a number or a Keras schedule.
    """
    adam = use_keras().optimizers.Adam(learning_rate)
    adam.build(model.trainable_variables)
    model.compile(optimizer=adam, loss=loss, jit_compile=False)


def save_weights(model, path) -> None:
    """Write the weights alone, without the optimizer's state (twice their size)."""
    plain = use_keras().Model(model.input, model.output, name=model.name)
    plain.save_weights(path)
