"""Weights of a folder, ready to predict."""

from cmbkit.detector.inference.candidates import LOWEST_SOFTMAX
from cmbkit.detector.inference.engines import engine_for
from cmbkit.detector.inference.second_look import SecondLook
from cmbkit.detector.inference.tiled import Predictor
from cmbkit.detector.network.look import SIDE
from cmbkit.detector.network.weights import Description, describe_weights, read_look, read_weights
from cmbkit.params import Inference, ParameterError


def predictor_for(name, inference: Inference | None = None) -> Predictor:
    """Set up weights with their second look, if they have one.

    Converted for OpenVINO, where that runs them, and kept: the import of TensorFlow is spared.

    Parameters
    ----------
    name : path-like or str
        Folder, or name of shipped weights.
    inference : Inference, optional
        Instead of the weights' own.

    Raises
    ------
    cmbkit.detector.network.weights.WeightsError, cmbkit.params.ParameterError
    """
    folder, found = describe_weights(name)
    inference = inference or found.inference
    require_seen(found, inference)
    tile = found.network.patch_size
    engine = engine_for(found.sha256, tile, inference, lambda: read_weights(folder).model)
    return Predictor(engine, inference, _look_of(folder, found, inference))


def require_seen(found: Description, inference: Inference) -> None:
    """Raise ParameterError for a threshold at which a second look would see half a candidate."""
    if found.look and inference.threshold < LOWEST_SOFTMAX:
        raise ParameterError(
            f"threshold: expected {LOWEST_SOFTMAX} or more, since weights {found.name!r} look a "
            f"second time at what has that, found {inference.threshold}"
        )


def _look_of(folder, found: Description, inference: Inference) -> SecondLook | None:
    """The second look of described weights, None where they have none."""
    if not found.look:
        return None
    tile = (SIDE,) * 3
    engine = engine_for(found.look.digest, tile, inference, lambda: read_look(folder))
    return SecondLook(engine, inference.batch_size, found.preprocessing.spacing_mm)
