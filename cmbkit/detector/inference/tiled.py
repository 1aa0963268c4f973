"""Probability of a microbleed at every voxel of a scan, tile by tile (section 6.4.2)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import cc3d
import numpy as np

from cmbkit.detector.inference import engines
from cmbkit.detector.inference.tiles import (
    brain_starts,
    covering_starts,
    gaussian_weights,
    holds_any,
    tile_starts,
)
from cmbkit.detector.network.position import with_coordinates
from cmbkit.detector.network.unet import logits_model, n_classes, resized, takes_coordinates
from cmbkit.detector.patches.sampling import region
from cmbkit.params import Inference
from cmbkit.records import StandardScan
from cmbkit.volume import Volume

if TYPE_CHECKING:
    from cmbkit.detector.inference.cascade import Screen


class Predictor:
    """A trained network set up for tiles of one size (made once, used for many scans).

    Parameters
    ----------
    model : keras.Model
        Two classes, from `cmbkit.detector.network.unet.build`.
    params : Inference
        ``tile_size`` None means the model's own patch size; ``engine`` as in `engines.choose`.
    ensemble : sequence of keras.Model
        Further networks of the same input; the mean of all logits counts.
    screen : cmbkit.detector.cascade.Screen, optional
        Makes a cascade: this (compact) network looks at the whole brain first, ``model`` only at
        tiles around places where it says ``params.screen_threshold`` or more.

    Attributes
    ----------
    engine, precision, reason : str
        What computes the tiles, in which number format, and why that.
    """

    def __init__(
        self, model, params: Inference, *, ensemble: Sequence = (), screen: Screen | None = None
    ):
        self.tile = list(params.tile_size or model.input_shape[1:4])
        self.params = params
        self.model = model
        self.screen = screen
        self.engine, why_engine = engines.choose(params.engine)
        self.precision, why_precision = engines.choose_precision(params.precision, self.engine)
        self.reason = why_engine
        self._why_precision = why_precision
        self._models = [model, *ensemble]
        for member in self._models:
            if n_classes(member) != 2:
                raise ValueError(f"expected a network of 2 classes, found {n_classes(member)}")
        self._sized = [resized(member, self.tile) for member in self._models]
        self._logits = [logits_model(member) for member in self._sized]
        self._runs = [self._start(logits) for logits in self._logits]

    @property
    def line(self) -> str:
        """One line for people: what computes, and why."""
        return (
            f"engine {self.engine} ({self.reason}), "
            f"precision {self.precision} ({self._why_precision})"
        )

    @property
    def first_pass(self) -> Predictor:
        """The same networks on as few tiles as cover the brain (for ``params.two_passes``)."""
        other = copy.copy(self)
        changes = {"overlap": 0.0, "two_passes": False, "weighting": "sum", "flips": False}
        other.params = self.params.model_copy(update=changes)
        return other

    def _start(self, logits) -> engines.Engine:
        return engines.ENGINES[self.engine](logits, self.precision, self.params.batch_size)

    def refresh(self) -> None:
        """Take over the models' weights after more training."""
        for sized, model in zip(self._sized, self._models, strict=True):
            if sized is not model:
                sized.set_weights(model.get_weights())
        self._runs = [self._start(logits) for logits in self._logits]

    def inputs(self, patches: np.ndarray, starts, shape) -> np.ndarray:
        """Patches (n, *tile) of a scan of ``shape`` as the network takes them, with channels.

        ``starts`` are the patches' first voxels, for a network that takes coordinates.
        """
        if takes_coordinates(self.model):
            return with_coordinates(patches, starts, shape)
        return patches[..., None]

    def evidence(self, patches: np.ndarray) -> np.ndarray:
        """Logit of CMB minus logit of background; (n, *tile) float32 out.

        Patches are (n, *tile), or (n, *tile, channels) as `inputs` gives them. The mean over the
        ensemble and, with ``params.flips``, over the eight mirror images (each voxel keeps its
        coordinates).
        """
        patches = patches[..., None] if patches.ndim == 4 else patches
        if patches.shape[-1] != self.model.input_shape[-1]:
            raise ValueError(
                f"patches: expected {self.model.input_shape[-1]} channels, "
                f"found {patches.shape[-1]}"
            )
        mirrors = list(product([False, True], repeat=3)) if self.params.flips else [(False,) * 3]
        total = np.zeros(patches.shape[:-1], np.float32)
        for run in self._runs:
            for mirror in mirrors:
                axes = tuple(axis + 1 for axis in range(3) if mirror[axis])
                total += np.flip(self._evidence(run, np.flip(patches, axes)), axes)
        total /= len(self._runs) * len(mirrors)
        return total

    def _evidence(self, run: engines.Engine, patches: np.ndarray) -> np.ndarray:
        found = np.empty(patches.shape[:-1], np.float32)
        for first in range(0, len(patches), self.params.batch_size):
            batch = slice(first, first + self.params.batch_size)
            logits = run(patches[batch])
            np.subtract(logits[..., 1], logits[..., 0], out=found[batch])
        return found

    def patch_probability(self, patches: np.ndarray) -> np.ndarray:
        """Probability of CMB in single patches, as `evidence` takes them; (n, *tile) out."""
        return _sigmoid(self.evidence(patches))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x))  # equals softmax over two classes; never overflows


def predict_probability(
    predictor: Predictor, image: np.ndarray, *, brain: np.ndarray | None = None, background: float
) -> np.ndarray:
    """Probability of CMB at every voxel, from the logits of overlapping tiles, then softmax.

    Parameters
    ----------
    predictor : Predictor
    image : ndarray (x, y, z)
        z-scored, on the standard grid.
    brain : ndarray (x, y, z), optional
        With ``params.skip_outside_brain``, tiles that hold no brain voxel are skipped. Inside
        the brain this changes nothing; voxels that no tile covers get probability 0. Needed
        where ``params.tiles`` is ``"brain"``.
    background : float
        z-score outside the brain; pads images smaller than a tile.

    Returns
    -------
    ndarray (x, y, z), float32
    """
    params, tile = predictor.params, predictor.tile
    if brain is not None and brain.shape != image.shape:
        raise ValueError(f"brain mask: expected shape {image.shape}, found {brain.shape}")
    padded = [max(n, t) for n, t in zip(image.shape, tile, strict=True)]
    volume = region(np.asarray(image, np.float32), (0, 0, 0), padded, np.float32(background))
    suspicion = None
    if params.two_passes:
        first = predictor.first_pass
        suspicion = predict_probability(first, image, brain=brain, background=background)
    elif predictor.screen is not None:
        suspicion = predictor.screen.suspicion(image, brain, background)
    starts = planned_starts(params, tile, padded, brain, suspicion)
    total = np.zeros(padded, np.float32)
    weight = np.ones(tile, np.float32)
    if params.weighting == "gaussian":
        weight = gaussian_weights(tile)
    covered = np.zeros(padded, bool if params.weighting == "sum" else np.float32)
    for first in range(0, len(starts), params.batch_size):
        chosen = starts[first : first + params.batch_size]
        cuts = [
            tuple(slice(s, s + t) for s, t in zip(start, tile, strict=True)) for start in chosen
        ]
        pieces = np.stack([volume[cut] for cut in cuts])
        evidence = predictor.evidence(predictor.inputs(pieces, chosen, image.shape))
        for cut, piece in zip(cuts, evidence, strict=True):
            if params.weighting == "sum":
                total[cut] += piece
                covered[cut] = True
            else:
                total[cut] += weight * piece
                covered[cut] += weight
    if params.weighting != "sum":
        np.divide(total, covered, out=total, where=covered > 0)
    probability = np.zeros(padded, np.float32)
    if len(starts):
        ends = starts.max(0) + tile
        box = tuple(slice(a, b) for a, b in zip(starts.min(0), ends, strict=True))
        probability[box] = np.where(covered[box] > 0, _sigmoid(total[box]), np.float32(0))
    return probability[tuple(slice(n) for n in image.shape)]


def predict_standard(predictor: Predictor, scan: StandardScan) -> tuple[Volume, np.ndarray]:
    """Image of a standardised scan, and the probability of CMB at each of its voxels."""
    image, brain = scan.image(), scan.brain()
    image.require_same_grid(brain)
    background = float(scan.record()["background_value"])
    return image, predict_probability(
        predictor, image.data, brain=brain.data, background=background
    )


def planned_starts(
    params: Inference, tile, shape, brain: np.ndarray | None, suspicion: np.ndarray | None = None
) -> np.ndarray:
    """Starts of the tiles that a plan looks at, shape (n, 3).

    Parameters
    ----------
    params : Inference
    tile, shape : 3 int
        Voxels per axis; the image is at least a tile along each.
    brain : ndarray or None
        Not larger than ``shape``.
    suspicion : ndarray, optional
        The screen's probability: only tiles near voxels of ``params.screen_threshold`` or more
        are looked at. With ``tiles`` "image" these are tiles of the grid, and there the result
        is that of the whole grid; else each is centred on the suspicious voxels it covers.
    """
    if suspicion is not None and params.tiles == "brain":
        parts = cc3d.connected_components(suspicion >= params.screen_threshold, connectivity=26)
        centres = cc3d.statistics(parts, no_slice_conversion=True)["centroids"][1:]
        return covering_starts(centres, shape, tile, margin=min(tile) // 4)
    if params.tiles == "brain":
        if brain is None:
            raise ValueError("tiles 'brain': expected a brain mask, found none")
        whole = region(np.asarray(brain) > 0, (0, 0, 0), list(shape), False)
        return brain_starts(whole, tile, params.overlap)
    starts = tile_starts(shape, tile, params.overlap)
    if brain is not None and params.skip_outside_brain:
        starts = starts[holds_any(brain, starts, tile)]
    if suspicion is not None:
        near = suspicion >= params.screen_threshold
        starts = starts[holds_any(near, starts, tile, margin=min(tile) // 8)]
    return starts
