"""What computes the network on tiles: Keras itself, or OpenVINO on a CPU.

Both run at float32 and agree to about 1e-5 in the logits; on a CPU OpenVINO is the faster one.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from cmbkit.detector.backend import muted, use_keras

Engine = Callable[[np.ndarray], np.ndarray]
"""Takes patches (n, x, y, z, channels), float32; returns logits (n, x, y, z, classes), float32."""


def choose(wanted: str) -> tuple[str, str]:
    """Name of the engine to use, and the reason in words.

    Parameters
    ----------
    wanted : {"auto", "keras", "openvino"}
        ``"auto"``: OpenVINO where it is installed and Keras sees no GPU, else Keras.

    Raises
    ------
    ModuleNotFoundError
        If OpenVINO is wanted by name and not installed.
    """
    installed = find_spec("openvino") is not None
    if wanted == "openvino" and not installed:
        raise ModuleNotFoundError("engine openvino: expected the package openvino, found none")
    if wanted != "auto":
        return wanted, "named in the parameters"
    if not installed:
        return "keras", "OpenVINO is not installed"
    if can_have_gpu() and use_keras().distribution.list_devices("gpu"):
        return "keras", "there is a GPU"
    return "openvino", "there is no GPU"


def can_have_gpu() -> bool:
    """Whether Keras could see a GPU: not with TensorFlow's package for CPUs, by its name.

    Spares the import of TensorFlow (seconds) where the answer is known.
    """
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow" or "keras" in sys.modules:
        return True
    try:
        return version("tensorflow") is not None
    except PackageNotFoundError:
        return False


def use_openvino():
    """Import and return OpenVINO with its usage reports over the network switched off."""
    # None makes the import of this package fail, and OpenVINO then uses a stub that sends nothing
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino


def keras_engine(logits) -> Engine:
    """Run the Keras model ``logits`` itself; it follows later changes of its weights."""
    return lambda patches: np.asarray(logits.predict_on_batch(patches), np.float32)


def openvino_engine(logits) -> Engine:
    """Convert the Keras model ``logits`` once, with the weights that it has now."""
    openvino = use_openvino()
    with tempfile.TemporaryDirectory(prefix="cmbkit-openvino-") as folder:
        path = Path(folder) / "logits.xml"
        with muted():
            logits.export(str(path), format="openvino", verbose=False)
        core = openvino.Core()
        network = core.read_model(path)
        network.reshape([-1, *logits.input_shape[1:]])
        settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        compiled = core.compile_model(network, "CPU", settings)
    return lambda patches: compiled(np.ascontiguousarray(patches, np.float32))[0]


ENGINES = {"keras": keras_engine, "openvino": openvino_engine}
