"""What computes the network on tiles: Keras itself, or OpenVINO on a CPU.

At float32 both agree to about 1e-5 in the logits; on a CPU OpenVINO is the faster one, and twice
as fast at bfloat16 where the processor computes in it (logits then differ by some hundredths).
To import TensorFlow and to convert a network takes longer than to run a compact one on a scan, so
converted networks are kept in the user's cache, with their hashes.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from cmbkit.atomic import part_beside, temporary_folder, write_whole
from cmbkit.detector.network.backend import muted, use_keras
from cmbkit.detector.network.unet import logits_model
from cmbkit.params import Inference
from cmbkit.running.file_hashes import file_hash
from cmbkit.running.report import report_line
from cmbkit.running.user_cache import user_cache

Run = Callable[[np.ndarray], np.ndarray]
"""Takes patches (n, x, y, z, channels), float32; returns logits (n, *output_shape), float32."""

PACKAGES = ("openvino", "keras", "tensorflow-cpu", "tensorflow")
FORMAT = 2
VOXELS_AT_ONCE = 160_000
"""Larger tiles go one by one and use all threads; several smaller ones are in flight."""


@dataclass
class Engine:
    """A network ready to compute the logits of tiles of one size.

    Attributes
    ----------
    input_shape, output_shape : tuple of int
        Of one tile: (x, y, z, channels) and (x, y, z, classes), or (1,) of a `second_look`.
    start : callable
        Makes `run` from the weights that the network has now.
    name, precision : str
        What computes, in which number format.
    run : callable
        See `Run`.
    """

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    start: Callable[[], Run]  # makes `run` from the weights that the network has now
    name: str = "keras"
    precision: str = "float32"
    run: Run = field(init=False)

    def __post_init__(self):
        self.refresh()

    def refresh(self) -> None:
        """Take over the network's weights after more training."""
        self.run = self.start()


def choose(wanted: str) -> str:
    """Engine for "auto", "keras" or "openvino": auto is OpenVINO unless Keras sees a GPU.

    Raises
    ------
    ModuleNotFoundError
        If OpenVINO is wanted by name and not installed.
    """
    installed = find_spec("openvino") is not None
    if wanted == "openvino" and not installed:
        raise ModuleNotFoundError("engine openvino: expected the package openvino, found none")
    if wanted != "auto":
        return wanted
    gpu = installed and can_have_gpu() and use_keras().distribution.list_devices("gpu")
    return "openvino" if installed and not gpu else "keras"


def choose_precision(wanted: str, engine: str) -> str:
    """Number format for "auto", "float32" or "bfloat16".

    auto is bfloat16 where OpenVINO runs and the processor computes in it.

    Raises
    ------
    ValueError
        If bfloat16 is wanted by name and cannot be had.
    """
    if wanted == "float32":
        return wanted
    able, why = False, f"engine {engine} computes in float32"
    if engine == "openvino":
        able = "BF16" in use_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        why = "the processor does not compute in bfloat16"
    if wanted == "bfloat16" and not able:
        raise ValueError(f"precision bfloat16: {why}; use auto or float32")
    return "bfloat16" if able else "float32"


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


def _choices(inference: Inference) -> dict[str, str]:
    name = choose(inference.engine)
    return dict(name=name, precision=choose_precision(inference.precision, name))


def engine_of(model, inference: Inference) -> Engine:
    """Engine of a Keras network; Keras itself follows changes of the weights without a refresh."""
    chosen, logits = _choices(inference), logits_model(model)

    def start() -> Run:
        if chosen["name"] == "keras":
            return lambda patches: np.asarray(logits.predict_on_batch(patches), np.float32)
        with temporary_folder() as folder:
            network = use_openvino().Core().read_model(_export(logits, folder))
            return _openvino_run(network, chosen["precision"], inference.batch_size)

    return Engine(logits.input_shape[1:], logits.output_shape[1:], start, **chosen)


def engine_from(path: Path, inference: Inference) -> Engine:
    """Engine of a network that `keep` stored; OpenVINO must be what ``inference`` asks for."""
    chosen = _choices(inference)
    network = use_openvino().Core().read_model(path)

    def start() -> Run:
        return _openvino_run(network, chosen["precision"], inference.batch_size)

    return Engine(*_tile_shapes(network), start, **chosen)


def _tile_shapes(network) -> list[tuple[int, ...]]:
    """Shapes of input and output of an OpenVINO network, without the batch."""
    sides = (network.input(0), network.output(0))
    return [tuple(n.get_length() for n in list(side.partial_shape)[1:]) for side in sides]


def _export(logits, folder: Path) -> Path:
    """Convert a Keras network; returns the ``.xml``, beside which lies the ``.bin``.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    use_openvino()  # Keras would import it without switching off the reports of its use
    path = folder / "logits.xml"
    try:
        with muted():
            logits.export(str(path), format="openvino", verbose=False)
    except RuntimeError as error:  # of OpenVINO, from a full disk among others
        raise OSError(f"{folder}: expected room for a converted network, found: {error}") from error
    return path


def _openvino_run(network, precision: str, batch_size: int) -> Run:
    """Compile an OpenVINO network.

    Small tiles go in pieces of a fixed number (the largest divisor of ``batch_size`` that is
    worth it), as many pieces at a time as there are streams.
    """
    openvino = use_openvino()
    tile, answer = _tile_shapes(network)
    room = VOXELS_AT_ONCE // int(np.prod(tile[:3]))
    piece = max(n for n in range(1, max(room, 1) + 1) if batch_size % n == 0)
    network.reshape([piece, *tile])
    settings = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "PERFORMANCE_HINT": "THROUGHPUT" if room > 1 else "LATENCY",
    }
    compiled = openvino.Core().compile_model(network, "CPU", settings)
    queue = openvino.AsyncInferQueue(compiled, 0 if room > 1 else 1)

    def run(patches: np.ndarray) -> np.ndarray:
        patches = np.ascontiguousarray(patches, np.float32)
        found = np.empty((len(patches), *answer), np.float32)

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


def stored_path(digest: str, tile) -> Path:
    """Where the network of a weight file, for tiles of one size, is kept."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name}{version(name)}")
        except PackageNotFoundError:
            continue
    size = "x".join(map(str, tile))
    return user_cache("networks") / f"{digest[:32]}-{size}-{FORMAT}-{'-'.join(found)}.xml"


def keep(digest: str, tile, inference: Inference, build: Callable[[], Any]) -> Path | None:
    """Convert a network for OpenVINO into `user_cache`, unless it is there as it was written.

    Parameters
    ----------
    digest : str
        Content hash of its weight file.
    tile : 3 int
        Voxels of what it looks at at once.
    build : callable
        Returns the Keras network with these weights; called if nothing is kept yet.

    Returns
    -------
    Path or None
        ``.xml`` of the network up to its logits, with the ``.bin`` beside it; None where another
        engine is asked for or the folder cannot be written.
    """
    if choose(inference.engine) != "openvino":
        return None
    target = stored_path(digest, tile)
    if _is_kept(target):
        return target
    logits = logits_model(build())
    try:
        with part_beside(target) as part:
            made = _export(logits, part)
            hashes = _hashes(made)
            made.with_suffix(".bin").replace(target.with_suffix(".bin"))
            made.replace(target)
            write_whole(target.with_suffix(".hashes"), hashes)
    except OSError:
        return None
    return target


def _is_kept(target: Path) -> bool:
    """Whether a converted network is there; of one that is not as it was written, a line."""
    written = target.with_suffix(".hashes")
    if not (target.exists() or written.exists()):
        return False
    try:
        if written.read_bytes() == _hashes(target).encode():
            return True
    except OSError:
        pass
    report_line(f"{target}: expected the network of {written.name}, found another; made anew")
    return False


def _hashes(network: Path) -> str:
    return f"{file_hash(network)}\n{file_hash(network.with_suffix('.bin'))}\n"


def engine_for(digest: str, tile, inference: Inference, build: Callable[[], Any]) -> Engine:
    """Engine of the network that `keep` keeps, else of the one that Keras builds.

    Parameters are those of `keep`.
    """
    path = keep(digest, tile, inference, build)
    return engine_from(path, inference) if path else engine_of(build(), inference)
