"""What computes the network on tiles: Keras itself, or OpenVINO on a CPU.

At float32 both agree to about 1e-5 in the logits; on a CPU OpenVINO is the faster one, and twice
as fast at bfloat16 where the processor computes in it (logits then differ by some hundredths).
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

from cmbkit.detector.network.backend import muted, use_keras

Engine = Callable[[np.ndarray], np.ndarray]
"""Takes patches (n, x, y, z, channels), float32; returns logits (n, x, y, z, classes), float32."""

VOXELS_AT_ONCE = 160_000
"""Larger tiles go one by one and use all threads; several smaller ones are in flight."""


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


def choose_precision(wanted: str, engine: str) -> tuple[str, str]:
    """Number format to compute in, and the reason in words.

    Parameters
    ----------
    wanted : {"auto", "float32", "bfloat16"}
        ``"auto"``: bfloat16 where OpenVINO runs and the processor computes in it.
    engine : {"keras", "openvino"}

    Raises
    ------
    ValueError
        If bfloat16 is wanted by name and cannot be had.
    """
    if wanted == "float32":
        return wanted, "named in the parameters"
    if engine != "openvino":
        able, why = False, f"engine {engine} computes in float32"
    else:
        able = "BF16" in use_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        why = f"the processor {'computes' if able else 'does not compute'} in bfloat16"
    if wanted == "bfloat16":
        if not able:
            raise ValueError(f"precision bfloat16: {why}; use auto or float32")
        return wanted, "named in the parameters"
    return ("bfloat16" if able else "float32"), why


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


def keras_engine(logits, precision: str = "float32", batch_size: int = 1) -> Engine:
    """Run the Keras model ``logits`` itself; it follows later changes of its weights."""
    return lambda patches: np.asarray(logits.predict_on_batch(patches), np.float32)


def openvino_engine(logits, precision: str = "float32", batch_size: int = 1) -> Engine:
    """Convert the Keras model ``logits`` once, with the weights that it has now.

    Small tiles go in pieces of a fixed number (the largest divisor of ``batch_size`` that is
    worth it), as many pieces at a time as there are streams.
    """
    openvino = use_openvino()
    tile = logits.input_shape[1:]
    room = VOXELS_AT_ONCE // int(np.prod(tile[:3]))
    piece = max(n for n in range(1, max(room, 1) + 1) if batch_size % n == 0)
    with tempfile.TemporaryDirectory(prefix="cmbkit-openvino-") as folder:
        path = Path(folder) / "logits.xml"
        with muted():
            logits.export(str(path), format="openvino", verbose=False)
        core = openvino.Core()
        network = core.read_model(path)
        network.reshape([piece, *tile])
        settings = {
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
            "PERFORMANCE_HINT": "THROUGHPUT" if room > 1 else "LATENCY",
        }
        compiled = core.compile_model(network, "CPU", settings)
    queue = openvino.AsyncInferQueue(compiled, 0 if room > 1 else 1)
    classes = logits.output_shape[-1]

    def run(patches: np.ndarray) -> np.ndarray:
        patches = np.ascontiguousarray(patches, np.float32)
        found = np.empty((*patches.shape[:-1], classes), np.float32)

        def keep(request, first):
            n = min(piece, len(found) - first)
            found[first : first + n] = request.get_output_tensor(0).data[:n]

        queue.set_callback(keep)
        for first in range(0, len(patches), piece):
            part = patches[first : first + piece]
            if len(part) < piece:
                part = np.concatenate([part, np.zeros((piece - len(part), *tile), np.float32)])
            queue.start_async({0: part}, first)
        queue.wait_all()
        return found

    return run


ENGINES = {"keras": keras_engine, "openvino": openvino_engine}
