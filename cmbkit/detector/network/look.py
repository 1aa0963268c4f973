"""A small network that says of a candidate as a whole whether it is a microbleed.

Two stages, a network of every voxel that proposes and one of whole candidates that decides, are
those of Dou et al. (2016). Here the first is a U-Net, whose logits the second one sees, and a U-Net
of another training has a share in the decision.
"""

from cmbkit.detector.network.backend import use_keras
from cmbkit.detector.network.normalization import batch_normalization
from cmbkit.detector.network.unet import BATCH_MOMENTUM, LOGITS, build, logits_model
from cmbkit.params import Network

SIDE = 24
"""Of a patch, in voxels of the standard grid."""
CHANNELS = 2
CONVOLUTIONS = ((12, 1), (24, 2), (32, 1), (48, 2), (48, 1))
"""Filters and stride of each."""
HIDDEN = 48
DROPPED = 0.3
CENTRE, TOP = 10, 3
"""Sides of the middle of a patch, and of the highest mean there that a U-Net's logits give."""


def build_decider(seed: int = 0):
    """Build the network of whole candidates.

    Returns
    -------
    keras.Model
        Input (batch, `SIDE`, `SIDE`, `SIDE`, 2): z-score and a tenth of the first network's logit,
        clipped. Output (batch, 1): logit of a microbleed.
    """
    keras = use_keras()
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    x = inputs = keras.Input((SIDE, SIDE, SIDE, CHANNELS), name="patch")
    for i, (filters, stride) in enumerate(CONVOLUTIONS):
        given = {"strides": stride, "padding": "same", "use_bias": False, "name": f"conv{i}"}
        x = layers.Conv3D(filters, 3, **given)(x)
        x = batch_normalization()(momentum=BATCH_MOMENTUM, name=f"conv{i}_norm")(x)
        x = layers.ReLU(name=f"conv{i}_act")(x)
    means = layers.GlobalAveragePooling3D(name="mean")(x)
    x = layers.Concatenate(name="pooled")([means, layers.GlobalMaxPooling3D(name="highest")(x)])
    x = layers.Dropout(DROPPED, name="dropped")(x)
    x = layers.Dense(HIDDEN, activation="relu", name="hidden")(x)
    model = keras.Model(inputs, layers.Dense(1, name=LOGITS)(x), name="decider")
    model.jit_compile = False
    return model


def highest_mean(unet):
    """Network of the z-scores of a patch: highest mean logit in its middle (batch, 1)."""
    keras = use_keras()
    layers = keras.layers
    inputs = keras.Input((SIDE, SIDE, SIDE, 1), name="image")
    x = logits_model(unet)(inputs)
    x = layers.Cropping3D((SIDE - CENTRE) // 2, name="centre")(x[..., 1:] - x[..., :1])
    x = layers.AveragePooling3D(TOP, strides=1, name="means")(x)
    return keras.Model(inputs, layers.GlobalMaxPooling3D(name="highest")(x), name="opinion")


def build_look(opinion: Network, share: float, seed: int = 0):
    """Build the network of a second look: `build_decider`, and a share of another U-Net's opinion.

    Parameters
    ----------
    opinion : Network
        Of the U-Net; runs on patches of `SIDE`.
    share : float
        How much of `highest_mean` is added.

    Returns
    -------
    keras.Model
        Input and output as `build_decider`; its layers "decider" and "opinion" are the two.
    """
    keras = use_keras()
    unet = build(opinion.model_copy(update={"patch_size": [SIDE] * 3}))
    inputs = keras.Input((SIDE, SIDE, SIDE, CHANNELS), name="patch")
    decided = build_decider(seed)(inputs)
    heard = highest_mean(unet)(inputs[..., :1])
    shared = keras.layers.Rescaling(share, name="share")(heard)
    model = keras.Model(inputs, keras.layers.Add(name=LOGITS)([decided, shared]), name="look")
    model.jit_compile = False
    return model
