"""Carrying the weights of the multi-sequence source network over (section 6.2.3)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cmbkit.detector.network import LOGITS

SOURCE_SEQUENCES = ("FLAIR", "SWI/T2S", "DWI")
SOURCE_CLASSES = ("background", "infarct", "tumour", "haemorrhage", "oedema")
KEPT_SEQUENCES = (SOURCE_SEQUENCES.index("SWI/T2S"),)
KEPT_CLASSES = (SOURCE_CLASSES.index("background"), SOURCE_CLASSES.index("haemorrhage"))
FIRST_CONVOLUTION = "encoder0_conv0"


def carry_weights(source, target) -> pd.DataFrame:
    """Copy ``source``'s weights into ``target`` wherever they fit.

    Of the first convolution's kernel only the SWI/T2S input channel is kept, of the last
    convolution only the outputs for background and haemorrhage. Tensors that are missing in the
    source or have another shape stay as initialised.

    Parameters
    ----------
    source : keras.Model
        Input channels `SOURCE_SEQUENCES`, output classes `SOURCE_CLASSES`.
    target : keras.Model
        One input channel, two classes; changed in place.

    Returns
    -------
    DataFrame
        One row per tensor of ``target``: ``tensor``, ``source_shape`` (None where absent),
        ``target_shape``, ``action`` ("carried", "sliced", "initialised"), ``parameters``.
    """
    known = {name: weight for name, weight in _tensors(source)}
    rows = []
    for name, weight in _tensors(target):
        value = np.asarray(known[name]) if name in known else None
        fitted = None if value is None else _fit(name, value, tuple(weight.shape))
        action = "initialised"
        if fitted is not None:
            action = "carried" if fitted.shape == value.shape else "sliced"
            weight.assign(fitted)
        rows.append(
            {
                "tensor": name,
                "source_shape": None if value is None else value.shape,
                "target_shape": tuple(weight.shape),
                "action": action,
                "parameters": int(np.prod(weight.shape)),
            }
        )
    return pd.DataFrame(rows)


def _tensors(model):
    """Pairs of "layer/tensor" and variable."""
    for layer in model.layers:
        for weight in layer.weights:
            yield f"{layer.name}/{weight.name}", weight


def _fit(name: str, value: np.ndarray, shape: tuple) -> np.ndarray | None:
    """Return the part of a source tensor that has the target's shape, or None."""
    if value.shape == shape:
        return value
    if name == f"{FIRST_CONVOLUTION}/kernel" and value.shape[3] == len(SOURCE_SEQUENCES):
        value = value[:, :, :, list(KEPT_SEQUENCES)]
    elif name.startswith(f"{LOGITS}/") and value.shape[-1] == len(SOURCE_CLASSES):
        value = value[..., list(KEPT_CLASSES)]
    return value if value.shape == shape else None
