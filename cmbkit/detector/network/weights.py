"""A trained network in one folder: weights, what they need to run, what they were trained on.

``network.json`` (parameters of network, preprocessing and inference, hash of the weight file,
training in words and numbers), ``network.weights.h5`` (arrays in HDF5, which cannot hold code),
``look.weights.h5`` where a second network looks at what the first finds, and, for people,
``MODEL_CARD.md``.
"""

import hashlib
import json
import os
import shutil
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from cmbkit.evaluation.calibration import Calibration
from cmbkit.params import Inference, Network, Preprocessing
from cmbkit.params.problems import problem_lines
from cmbkit.params.sections import Section
from cmbkit.running.file_hashes import sha256

FORMAT = 1
DESCRIPTION = "network.json"
FILE = "network.weights.h5"
LOOK_FILE = "look.weights.h5"
SHIPPED = Path(__file__).resolve().parents[2] / "weights"


class WeightsError(ValueError):
    """A folder of weights cannot be used; the message names file, expected and found."""


class Look(Section):
    """The network of a second look, whose arrays are in ``look.weights.h5``."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")  # of the file
    parameters: int = Field(gt=0)
    opinion: Network  # the other U-Net in it
    share: float = Field(ge=0)  # of what that one says
    alone: Inference  # of the first network without the look
    training: dict[str, Any] = Field(default_factory=dict)  # summary, any JSON

    @property
    def digest(self) -> str:
        """Of what decides, which is more than the arrays: SHA-256, hexadecimal."""
        text = self.model_dump_json(include={"sha256", "opinion", "share"})
        return hashlib.sha256(text.encode()).hexdigest()


class Description(Section):
    """What ``network.json`` holds."""

    format: int  # of the folder; this version reads 1
    name: str = Field(min_length=1)  # for reports
    trained_on: str = Field(min_length=1)  # the data in a few words; a report repeats it
    network: Network
    preprocessing: Preprocessing
    inference: Inference
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")  # of the weight file
    parameters: int = Field(gt=0)  # how many weights the network has
    training: dict[str, Any] = Field(default_factory=dict)  # summary of the training, any JSON
    look: Look | None = None
    # what scores mean, on scans of neither training nor test
    calibration: (
        Annotated[Calibration, BeforeValidator(TypeAdapter(Calibration).validate_python)] | None
    ) = None

    @property
    def digest(self) -> str:
        """Of all networks: `sha256`, or what `look` makes of it."""
        if not self.look:
            return self.sha256
        return hashlib.sha256(f"{self.sha256} {self.look.digest}".encode()).hexdigest()

    @property
    def all_parameters(self) -> int:
        """How many weights all networks have."""
        return self.parameters + (self.look.parameters if self.look else 0)


@dataclass(frozen=True)
class Weights:
    """A network ready to run."""

    folder: Path
    description: Description
    model: Any = field(repr=False)


def find_weights(name) -> Path:
    """Folder of weights: a folder, or the name of weights that the package carries.

    Raises
    ------
    WeightsError
        If it is neither; the message lists the names there are.
    """
    for folder in (Path(name), SHIPPED / str(name)):
        if (folder / DESCRIPTION).is_file():
            return folder
    if Path(name).is_dir():
        raise WeightsError(f"{Path(name) / DESCRIPTION}: expected a file, found nothing")
    known = ", ".join(sorted(p.parent.name for p in SHIPPED.glob(f"*/{DESCRIPTION}")))
    raise WeightsError(
        f"weights {str(name)!r}: expected a folder with {DESCRIPTION}, or one of the shipped "
        f"({known or 'none in this installation'}); found neither"
    )


def describe_weights(name) -> tuple[Path, Description]:
    """Read and check ``network.json`` and the weight file's hash, without building the network.

    Raises
    ------
    WeightsError
        Missing file, wrong key or value, another format, another hash.
    """
    folder = find_weights(name)
    path = folder / DESCRIPTION
    try:
        found = Description.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        lines = [f"{path}: {line}" for line in problem_lines(error, Description)]
        raise WeightsError("\n".join(lines)) from None
    except ValueError as error:
        raise WeightsError(f"{path}: expected JSON, found: {error}") from None
    if found.format != FORMAT:
        raise WeightsError(f"{path}: format: expected {FORMAT}, found {found.format}")
    _require_file(folder / FILE, found.sha256)
    if found.look:
        _require_file(folder / LOOK_FILE, found.look.sha256)
    return folder, found


def _require_file(file: Path, expected: str) -> None:
    if not file.is_file():
        raise WeightsError(f"{file}: expected a file, found nothing")
    digest = sha256(file)
    if digest != expected:
        raise WeightsError(
            f"{file}: expected sha256 {expected[:12]}... as in {DESCRIPTION}, "
            f"found {digest[:12]}...; the file was changed or is incomplete"
        )


def read_weights(name="compact") -> Weights:
    """Build the network of a folder, or of the weights of this name, and load its weights.

    Raises
    ------
    WeightsError
        As `describe_weights`; or the arrays do not fit the network.
    """
    from cmbkit.detector.network.unet import build

    folder, found = describe_weights(name)
    model = build(found.network)
    _load(model, folder, FILE, found.parameters)
    return Weights(folder, found, model)


def read_look(name):
    """Build the network of the second look that a folder, or the weights of this name, describe.

    Raises
    ------
    WeightsError
        As `read_weights`.
    """
    from cmbkit.detector.network.look import build_look

    folder, found = describe_weights(name)
    if not found.look:
        raise WeightsError(f"{folder / DESCRIPTION}: expected a look, found none")
    model = build_look(found.look.opinion, found.look.share)
    _load(model, folder, LOOK_FILE, found.look.parameters)
    return model


def _load(model, folder: Path, file: str, parameters: int) -> None:
    if model.count_params() != parameters:
        raise WeightsError(
            f"{folder / DESCRIPTION}: expected a network of {parameters} parameters in {file}, "
            f"found one of {model.count_params()}"
        )
    load_whole(model, folder / file)


def load_whole(model, path: Path) -> None:
    """Load a weight file into a network; every layer must be in it.

    Raises
    ------
    WeightsError
        If the file is unreadable or does not fit.
    """
    try:
        with warnings.catch_warnings():  # Keras only warns of layers that it finds no weights for
            warnings.simplefilter("error", UserWarning)
            model.load_weights(path)
    except (ValueError, KeyError, OSError, UserWarning) as error:
        first = (str(error).strip().splitlines() or ["nothing"])[0]
        raise WeightsError(
            f"{path}: expected weights of a network of {model.count_params()} parameters as "
            f"described, found: {first}"
        ) from None


def write_weights(
    folder,
    weights,
    *,
    name: str,
    trained_on: str,
    network: Network,
    preprocessing: Preprocessing,
    inference: Inference,
    training: dict | None = None,
) -> Description:
    """Make a folder of weights from a trained phase.

    Parameters
    ----------
    folder : path-like
        Made where missing; files of that name in it are replaced.
    weights : path-like or keras.Model
        A ``.weights.h5`` file that `cmbkit.detector.training.phase.train` wrote, or a network.
    training : dict, optional
        Summary: scans, seeds, epochs, metrics; JSON.

    Raises
    ------
    WeightsError
        If the file is missing or does not fit the network.
    """
    from cmbkit.detector.network.unet import build, save_weights

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / FILE
    if isinstance(weights, (str, os.PathLike)):
        if not Path(weights).is_file():
            raise WeightsError(f"{weights}: expected a weight file, found nothing")
        shutil.copyfile(weights, target)
        parameters = build(network).count_params()
    else:
        save_weights(weights, target)
        parameters = weights.count_params()
    found = Description(
        format=FORMAT,
        name=name,
        trained_on=trained_on,
        network=network,
        preprocessing=preprocessing,
        inference=inference,
        sha256=sha256(target),
        parameters=parameters,
        training=training or {},
    )
    text = json.dumps(found.model_dump(mode="json"), indent=1)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
    read_weights(folder)
    return found
