"""Carrying the weights of the multi-sequence source network over (section 6.2.3)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.detector.network.unet import LOGITS
from cmbkit.params import Network

SOURCE_SEQUENCES = ("FLAIR", "SWI/T2S", "DWI")
SOURCE_CLASSES = ("background", "infarct", "tumour", "haemorrhage", "oedema")
KEPT_SEQUENCE = "SWI/T2S"
KEPT_CLASSES = ("background", "haemorrhage")
FIRST_CONVOLUTION = "encoder0_conv0"
WEIGHTS = "source.weights.h5"
CONFIG = "config.json"


class SourceError(ValueError):
    """A source network cannot be used; the message names file, expected and found."""


@dataclass(frozen=True)
class SourceNetwork:
    """A source network: its tensors by "layer/tensor", and what its channels and outputs mean."""

    tensors: dict[str, np.ndarray] = field(repr=False)
    sequences: tuple[str, ...] = SOURCE_SEQUENCES  # input channels, `KEPT_SEQUENCE` among them
    classes: tuple[str, ...] = SOURCE_CLASSES  # outputs, `KEPT_CLASSES` among them

    def __post_init__(self):
        for wanted, there in (((KEPT_SEQUENCE,), self.sequences), (KEPT_CLASSES, self.classes)):
            missing = sorted(set(wanted) - set(there))
            if missing:
                raise SourceError(
                    f"source network: expected {', '.join(missing)}, found {list(there)}"
                )

    @classmethod
    def of(cls, model, **meaning) -> SourceNetwork:
        """The tensors of a Keras model."""
        return cls({name: np.asarray(weight) for name, weight in _tensors(model)}, **meaning)


def read_source(path, network: Network, rename: dict[str, str] | None = None) -> SourceNetwork:
    """Read a source network that somebody else has trained.

    Parameters
    ----------
    path : path-like
        A folder with ``source.weights.h5``, or a file: ``.weights.h5`` of Keras 3 (the layers
        of `cmbkit.detector.network.unet.build` in their order), ``.h5`` of Keras 2
        (``layer/.../kernel:0``) or ``.npz`` ("layer/tensor" to array). ``config.json`` in the
        same folder may name ``sequences`` and ``classes`` in their order.
    network : Network
        Everything of the source network but its channels and classes.
    rename : dict, optional
        The file's names of layers to those of `build`.

    Raises
    ------
    SourceError
        No such file, another format, a name to rename that is not there, wrong config.
    """
    path = Path(path)
    path = path / WEIGHTS if path.is_dir() else path
    if not path.is_file():
        raise SourceError(f"{path}: expected weights of the source network, found nothing")
    meaning = _meaning(path.parent / CONFIG)
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as stored:
                tensors = {name: stored[name] for name in stored.files}
        elif path.name.endswith(".weights.h5"):
            tensors = _of_built(path, network, **meaning)
        else:
            tensors = _of_keras2(path)
    except (ValueError, KeyError, OSError) as error:
        first = (str(error).strip().splitlines() or ["nothing"])[0]
        raise SourceError(
            f"{path}: expected weights of the source network, found: {first}"
        ) from None
    layers = {name.partition("/")[0] for name in tensors}
    unknown = sorted(set(rename or {}) - layers)
    if unknown:
        raise SourceError(
            f"{path}: source_rename: expected layers of the file, such as "
            f"{', '.join(sorted(layers)[:3])}; found {', '.join(unknown)}"
        )
    renamed = {}
    for name, value in tensors.items():
        layer, _, tensor = name.partition("/")
        renamed[f"{(rename or {}).get(layer, layer)}/{tensor}"] = value
    return SourceNetwork(renamed, **meaning)


def _meaning(config: Path) -> dict[str, tuple[str, ...]]:
    """Sequences and classes that a file names."""
    if not config.is_file():
        return {}
    try:
        found = json.loads(config.read_text())
    except ValueError as error:
        raise SourceError(f"{config}: expected JSON, found: {error}") from None
    return {name: tuple(found[name]) for name in ("sequences", "classes") if name in found}


def _of_built(path: Path, network: Network, sequences=SOURCE_SEQUENCES, classes=SOURCE_CLASSES):
    """Tensors of a Keras 3 file, which knows layers only by their order: build and read it."""
    from cmbkit.detector.network.unet import build

    model = build(network, n_channels=len(sequences), n_classes=len(classes))
    model.load_weights(path)
    return SourceNetwork.of(model, sequences=sequences, classes=classes).tensors


def _of_keras2(path: Path) -> dict[str, np.ndarray]:
    """Tensors of a Keras 2 file: the outermost group is the layer, the last name the tensor."""
    import h5py

    found = {}

    def collect(name, item):
        if isinstance(item, h5py.Dataset):
            layer, _, rest = name.removeprefix("model_weights/").partition("/")
            found[f"{layer}/{rest.rpartition('/')[2].partition(':')[0]}"] = item[()]

    with h5py.File(path) as stored:
        stored.visititems(collect)
    return found


def carry_weights(source: SourceNetwork, target) -> pd.DataFrame:
    """Copy ``source``'s weights into ``target`` (keras.Model, changed in place) where they fit.

    Of the first convolution's kernel only the SWI/T2S input channel is kept, of the last
    convolution only the outputs for background and haemorrhage. Tensors that are missing in the
    source or have another shape stay as initialised.

    Returns
    -------
    DataFrame
        One row per tensor of ``target``: ``tensor``, ``source_shape`` (None where absent),
        ``target_shape``, ``action`` ("carried", "sliced", "initialised"), ``parameters``.

    Raises
    ------
    SourceError
        If no tensor fits.
    """
    rows = []
    for name, weight in _tensors(target):
        value = source.tensors.get(name)
        fitted = None if value is None else _fit(name, value, tuple(weight.shape), source)
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
    report = pd.DataFrame(rows)
    if (report["action"] == "initialised").all():
        raise SourceError(
            f"source network: expected tensors such as {rows[0]['tensor']}, found "
            f"{', '.join(sorted(source.tensors)[:3])}, ...; name its layers in source_rename"
        )
    return report


def _tensors(model):
    """Pairs of "layer/tensor" and variable."""
    for layer in model.layers:
        for weight in layer.weights:
            yield f"{layer.name}/{weight.name}", weight


def _fit(name: str, value: np.ndarray, shape: tuple, source: SourceNetwork) -> np.ndarray | None:
    """Return the part of a source tensor that has the target's shape, or None."""
    if name == f"{FIRST_CONVOLUTION}/kernel" and value.shape[3] == len(source.sequences):
        value = value[:, :, :, [source.sequences.index(KEPT_SEQUENCE)]]
    elif name.startswith(f"{LOGITS}/") and value.shape[-1] == len(source.classes):
        value = value[..., [source.classes.index(name) for name in KEPT_CLASSES]]
    return value if value.shape == shape else None
