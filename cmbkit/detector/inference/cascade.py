"""A cascade: a compact network screens the brain, the full one looks at what it suspects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cmbkit.detector.inference.stored import network_for
from cmbkit.detector.inference.tiled import Predictor, predict_probability
from cmbkit.detector.network.weights import describe_weights, read_weights
from cmbkit.params import Inference
from cmbkit.preprocessing.grid import (
    bounding_box,
    crop,
    resample_linear,
    resample_nearest,
    standard_grid,
)
from cmbkit.volume import Volume


@dataclass(frozen=True)
class Screen:
    """The first stage of a cascade.

    Attributes
    ----------
    predictor : Predictor
    zoom : float
        Voxels of the screen's grid per voxel of the image: the image's spacing over the
        spacing that the screen was trained at.
    """

    predictor: Predictor
    zoom: float = 1.0

    def suspicion(
        self, image: np.ndarray, brain: np.ndarray | None, background: float
    ) -> np.ndarray:
        """Probability of CMB by the screen, looked up at every voxel of ``image``.

        Parameters are those of `inference.predict_probability`, and so is the shape returned.
        Only the part of the image that holds brain is resampled (linearly; the mask by the
        nearest voxel); beyond it the probability is 0.
        """
        if self.zoom == 1:
            return predict_probability(self.predictor, image, brain=brain, background=background)
        inside = np.ones(image.shape, bool) if brain is None else brain
        box = bounding_box(inside)
        part, mask = (crop(Volume(data, np.eye(4)), box) for data in (image, inside))
        grid = standard_grid(part, 1 / self.zoom)
        found = predict_probability(
            self.predictor,
            resample_linear(part, *grid, fill=background).data,
            brain=resample_nearest(mask, *grid).data,
            background=background,
        )
        suspicion = np.zeros(image.shape, np.float32)
        suspicion[box] = resample_nearest(Volume(found, grid[1]), part.shape, part.affine).data
        return suspicion


def screen_hash(inference: Inference) -> str | None:
    """SHA-256 of the weights that ``inference.screen`` names; None where it names none.

    Raises
    ------
    cmbkit.detector.weights.WeightsError
        If there are no such weights.
    """
    return describe_weights(inference.screen)[1].sha256 if inference.screen else None


def read_screen(inference: Inference, spacing_mm: float) -> Screen | None:
    """Set up the weights that ``inference.screen`` names; None where it names none.

    Parameters
    ----------
    inference : Inference
        Of the network that looks second; its engine and precision hold for the screen too.
    spacing_mm : float
        Of the images that will be shown.
    """
    if inference.screen is None:
        return None
    _, found = describe_weights(inference.screen)
    changes = {"engine": inference.engine, "precision": inference.precision, "screen": None}
    settings = found.inference.model_copy(update=changes)
    model = network_for(
        found.sha256, found.network, settings, lambda: read_weights(inference.screen).model
    )
    zoom = spacing_mm / found.preprocessing.spacing_mm
    return Screen(Predictor(model, settings).first_pass, zoom)
