"""What a prediction depends on: weights, and the parameters in force."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cmbkit.detector.network.weights import Description, describe_weights
from cmbkit.params import Inference, ParameterError, Preprocessing, read_parameters
from cmbkit.params.problems import problem_lines
from cmbkit.running.file_hashes import file_hash
from cmbkit.volume import Volume

METHODS = {
    "brain_mask": ("auto", "synthstrip", "stand-in", "deepbet"),
    "labels": ("auto", "synthseg", "stand-in"),
}


@dataclass(frozen=True)
class PredictOptions:
    """Everything but the scan.

    Attributes
    ----------
    weights : Path
        Folder, see `cmbkit.detector.network.weights`.
    description : Description
        Of the weights.
    preprocessing, inference : sections
        In force: those of the weights, or of the parameter file, changed by what was given.
    brain_mask, labels : Path, Volume or None
        Made beforehand: a file, a folder with ``<scan>.nii.gz``, or an image.
    echo : int or None
        Number of the echo that is looked at, from 1.
    anyway : bool
        Count on scans that are unfit, too.
    """

    weights: Path  # folder
    description: Description
    preprocessing: Preprocessing
    inference: Inference
    brain_mask: Path | Volume | None = None
    labels: Path | Volume | None = None
    echo: int | None = None
    anyway: bool = False

    def key(self, sources: list[Path], code: dict[str, str]) -> str:
        """Hash of what a result depends on: the scan's files by content, the code too.

        ``code`` is what `cmbkit.running.source.definitions` finds behind the detection.
        """
        given = {name: _content(getattr(self, name)) for name in ("brain_mask", "labels")}
        inputs = {
            "code": code,
            "scan": [file_hash(path) for path in sorted(sources)],
            "weights": self.description.sha256,
            **self.description.model_dump(mode="json", include={"look", "calibration"}),
            "preprocessing": self.preprocessing.model_dump(mode="json"),
            "inference": self.inference.model_dump(mode="json", exclude={"engine", "batch_size"}),
            "echo": self.echo,
            **given,
        }
        text = json.dumps(inputs, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _content(given: Path | Volume | None) -> str | dict[str, str] | None:
    if given is None:
        return None
    if isinstance(given, Volume):
        return hashlib.blake2b(given.to_nifti().to_bytes(), digest_size=16).hexdigest()
    if given.is_file():
        return file_hash(given)
    return {file.name: file_hash(file) for file in sorted(given.glob("*.nii*"))}


def make_settings(
    weights="compact",
    *,
    params=None,
    brain_mask="auto",
    labels="auto",
    threshold: float | None = None,
    engine: str | None = None,
    echo: int | None = None,
    anyway: bool = False,
) -> PredictOptions:
    """Combine weights, parameter file and options; the later wins.

    Parameters
    ----------
    weights : path-like or str
        Folder, or name of shipped weights.
    params : path-like, optional
        Parameter file; its sections preprocessing and inference replace those of the weights.
    brain_mask : str, path-like, nibabel image or Volume
        "auto", "synthstrip", "stand-in" or "deepbet" (see `cmbkit.anatomy.brain_mask`), a mask, or
        a folder of masks ``<scan>.nii.gz``.
    labels : str, path-like, nibabel image or Volume
        "auto", "synthseg" or "stand-in", a SynthSeg label image, or a folder of them.
    threshold : float, optional
        Probability in the map (logistic of its logit) from which on a voxel counts.
    engine : {"auto", "keras", "openvino"}, optional
    echo : int, optional
        Number of the echo, from 1; by default the one nearest to `cmbkit.prediction.echoes.TE_MS`.
    anyway : bool
        Count on scans that are unfit, too (see `cmbkit.prediction.fitness`).

    Raises
    ------
    cmbkit.detector.network.weights.WeightsError, cmbkit.params.ParameterError
    """
    from cmbkit.detector.inference.ready import require_seen

    folder, description = describe_weights(weights)
    start = read_parameters(params) if params else description
    given = {"threshold": threshold, "engine": engine}
    inference = _changed(start.inference, given)
    files: dict[str, Any] = {}
    methods = {}
    for option, value in (("brain_mask", brain_mask), ("labels", labels)):
        method = "parcellation" if option == "labels" else option
        if not isinstance(value, str | os.PathLike):
            files[option] = Volume.of(value)
        elif str(value) in METHODS[option]:
            if str(value) != "auto" or params is None:
                methods[method] = str(value)
        elif Path(value).exists():
            files[option] = Path(value)
        else:
            words = ", ".join(METHODS[option])
            raise ParameterError(
                f"{option}: expected {words}, a file or a folder, found {str(value)!r}"
            )
    require_seen(description, inference)
    preprocessing = _changed(start.preprocessing, methods)
    return PredictOptions(
        folder, description, preprocessing, inference, **files, echo=echo, anyway=anyway
    )


def _changed(section, given: dict):
    given = {key: value for key, value in given.items() if value is not None}
    try:
        return type(section).model_validate(section.model_dump() | given)
    except ValidationError as error:
        lines = problem_lines(error, type(section), whole=next(iter(given)))
        raise ParameterError("\n".join(lines)) from None
