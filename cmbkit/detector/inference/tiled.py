"""Logit of a microbleed at every voxel of a scan, tile by tile (section 6.4.2).

A logit is log(p / (1 - p)) of the network's softmax p for a microbleed. Logits are kept, since
nearly every p in a candidate rounds to 1 and ranks none. A second look, where weights have one,
lowers them (`cmbkit.detector.inference.second_look`).
"""

from __future__ import annotations

import cc3d
import numpy as np
from scipy import ndimage
from scipy.special import logit

from cmbkit.boxes import cut_box
from cmbkit.detector.inference.candidates import LOWEST_SOFTMAX, true_places
from cmbkit.detector.inference.engines import Engine, engine_of
from cmbkit.detector.inference.second_look import SecondLook
from cmbkit.detector.inference.tiles import (
    MIRRORS,
    gaussian_weights,
    holds_any,
    odd_tiles,
    tile_starts,
)
from cmbkit.params import Inference
from cmbkit.records import StandardScan
from cmbkit.volume import Volume

SMOOTHING = 0.4
"""Standard deviation of the Gaussian before an image is sampled more coarsely, in voxels of the
coarser grid."""


class Predictor:
    """A trained network of two classes set up for tiles of one size, to be used for many scans.

    ``look``: at what it finds, if its weights have such a network.
    """

    def __init__(self, engine: Engine, params: Inference, look: SecondLook | None = None):
        self.engine = engine
        self.params = params
        self.look = look
        self.tile = list(engine.input_shape[:3])
        classes = engine.output_shape[-1]
        if classes != 2:
            raise ValueError(f"expected a network of 2 classes, found {classes}")

    @classmethod
    def of(cls, model, params: Inference) -> Predictor:
        """Of a Keras network (`cmbkit.detector.network.unet.build`)."""
        return cls(engine_of(model, params), params)

    def on_one_grid(self, **changes) -> Predictor:
        """The same on the grid of the image alone, with ``changes`` of its parameters."""
        params = self.params.model_copy(update={"coarser": [], **changes})
        return Predictor(self.engine, params, self.look)

    @property
    def first_pass(self) -> Predictor:
        """The same network on as few tiles as cover the brain (for ``params.two_passes``)."""
        changes = {"overlap": 0.0, "two_passes": False, "weighting": "sum", "flips": False}
        params = self.params.model_copy(update={"coarser": [], **changes})
        return Predictor(self.engine, params)

    def evidence(self, patches: np.ndarray, odd: np.ndarray | None = None) -> np.ndarray:
        """Logit of CMB minus logit of background of patches (n, *tile); the same shape, float32.

        With ``odd``, boolean, shape (n,): the mean over four mirror images, those along one or
        three axes where it holds, along none or two elsewhere.
        """
        if odd is None:
            return self._evidence(patches)
        views = [(i, m) for i, turned in enumerate(odd) for m in MIRRORS if len(m) % 2 == turned]
        seen = self._evidence(np.concatenate([np.flip(patches[i : i + 1], m) for i, m in views]))
        total = np.zeros(patches.shape, np.float32)
        for (i, axes), answer in zip(views, seen, strict=True):
            total[i] += np.flip(answer[None], axes)[0]
        return total / 4

    def _evidence(self, patches: np.ndarray) -> np.ndarray:
        found = np.empty(patches.shape, np.float32)
        for first in range(0, len(patches), self.params.batch_size):
            batch = slice(first, first + self.params.batch_size)
            logits = self.engine.run(patches[batch][..., None])
            np.subtract(logits[..., 1], logits[..., 0], out=found[batch])
        return found


def predict_logits(
    predictor: Predictor, image: np.ndarray, *, brain: np.ndarray | None = None, background: float
) -> np.ndarray:
    """Logit of CMB at every voxel, from those of overlapping tiles, on the surest of all grids.

    Parameters
    ----------
    image : ndarray (x, y, z)
        z-scored, on the standard grid.
    brain : ndarray (x, y, z), optional
        With ``params.skip_outside_brain``, tiles that hold no brain voxel are skipped. Inside
        the brain this changes nothing; voxels that no tile covers get minus infinity.
    background : float
        z-score outside the brain; pads images smaller than a tile.

    Returns
    -------
    ndarray (x, y, z), float32
        With a second look, on each grid no higher than what that says of the candidate.
    """
    params, tile = predictor.params, predictor.tile
    if brain is not None and brain.shape != image.shape:
        raise ValueError(f"brain mask: expected shape {image.shape}, found {brain.shape}")
    if params.coarser:
        fine, coarse = predictor.on_one_grid(), predictor.on_one_grid(flips=False)
        highest = predict_logits(fine, image, brain=brain, background=background)
        for share in params.coarser:
            logits = _on_coarser_grid(coarse, share, image, brain, background)
            highest = _surest(highest, logits - np.float32(params.coarser_margin))
        return highest
    padded = [max(n, t) for n, t in zip(image.shape, tile, strict=True)]
    image = np.asarray(image, np.float32)
    volume = cut_box(image, (0, 0, 0), padded, np.float32(background))
    starts = tile_starts(padded, tile, params.overlap)
    if brain is not None and params.skip_outside_brain:
        starts = starts[holds_any(brain, starts, tile)]
    if params.two_passes:
        found = predict_logits(predictor.first_pass, image, brain=brain, background=background)
        near = found >= logit(params.screen_threshold)
        # without the margin fewer implants in real tissue are found (benchmarks/compact.md)
        starts = starts[holds_any(near, starts, tile, margin=min(tile) // 8)]
    gaussian = params.weighting == "gaussian"
    weight = gaussian_weights(tile) if gaussian else np.ones(tile, np.float32)
    total, covered = np.zeros(padded, np.float32), np.zeros(padded, np.float32)
    for first in range(0, len(starts), params.batch_size):
        chosen = starts[first : first + params.batch_size]
        cuts = [
            tuple(slice(s, s + t) for s, t in zip(start, tile, strict=True)) for start in chosen
        ]
        odd = odd_tiles(chosen, tile, params.overlap) if params.flips else None
        evidence = predictor.evidence(np.stack([volume[cut] for cut in cuts]), odd)
        for cut, piece in zip(cuts, evidence, strict=True):
            total[cut] += weight * piece
            covered[cut] += weight
    if params.weighting != "sum":
        np.divide(total, covered, out=total, where=covered > 0)
    total[covered == 0] = -np.inf
    logits = total[tuple(slice(n) for n in image.shape)]
    return predictor.look(logits, image, background) if predictor.look else logits


def _on_coarser_grid(predictor: Predictor, share: float, image, brain, background) -> np.ndarray:
    """Logits of an image sampled with ``share`` of the voxels along each axis, on its own grid."""
    smooth = ndimage.gaussian_filter(np.asarray(image, np.float32), SMOOTHING / share)
    shape = [max(1, round(share * n)) for n in image.shape]
    small = _resized(smooth, shape, order=1)
    if brain is not None:
        brain = _resized(np.asarray(brain, np.uint8), shape, order=0)
    logits = predict_logits(predictor, small, brain=brain, background=background)
    return _resized(logits, image.shape, order=0)


def _resized(array: np.ndarray, shape, order: int) -> np.ndarray:
    factor = np.divide(shape, array.shape)
    return ndimage.zoom(array, factor, order=order, mode="nearest", grid_mode=True)


def _surest(fine: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Fine logits, raised in components of `LOWEST_SOFTMAX` on the coarser grid that are surer.

    Where the finer grid is as sure at its surest voxel, its outline stands.
    """
    parts = cc3d.connected_components(coarse >= logit(LOWEST_SOFTMAX), connectivity=26)
    where = true_places(parts)
    numbers, most = parts[where], np.full((2, parts.max() + 1), -np.inf)
    for row, logits in zip(most, (fine, coarse), strict=True):
        np.maximum.at(row, numbers, logits[where])
    surer = (most[1] > most[0])[numbers]
    where = tuple(axis[surer] for axis in where)
    fine[where] = np.maximum(fine[where], coarse[where])
    return fine


def predict_standard(predictor: Predictor, scan: StandardScan) -> tuple[Volume, np.ndarray]:
    """Image of a standardised scan, and the logit of CMB at each of its voxels."""
    image, brain = scan.image(), scan.brain()
    image.require_same_grid(brain)
    background = float(scan.record()["background_value"])
    return image, predict_logits(predictor, image.data, brain=brain.data, background=background)
