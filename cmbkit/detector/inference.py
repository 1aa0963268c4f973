"""Probability of a microbleed at every voxel of a scan, tile by tile (section 6.4.2)."""

from __future__ import annotations

import numpy as np

from cmbkit.detector import engines
from cmbkit.detector.network import logits_model, n_classes, resized, takes_coordinates
from cmbkit.detector.position import with_coordinates
from cmbkit.detector.sampling import region
from cmbkit.detector.tiling import holds_any, tile_starts
from cmbkit.params import Inference


class Predictor:
    """A trained network set up for tiles of one size (made once, used for many scans).

    Parameters
    ----------
    model : keras.Model
        Two classes, from `cmbkit.detector.network.build`.
    params : Inference
        ``tile_size`` None means the model's own patch size; ``engine`` as in `engines.choose`.

    Attributes
    ----------
    engine, reason : str
        What computes the tiles, and why that.
    """

    def __init__(self, model, params: Inference):
        if n_classes(model) != 2:
            raise ValueError(f"expected a network of 2 classes, found {n_classes(model)}")
        self.tile = list(params.tile_size or model.input_shape[1:4])
        self.params = params
        self.model = model
        self.engine, self.reason = engines.choose(params.engine)
        self._sized = resized(model, self.tile)
        self._logits = logits_model(self._sized)
        self._run = engines.ENGINES[self.engine](self._logits)

    def refresh(self) -> None:
        """Take over the model's weights after more training."""
        if self._sized is not self.model:
            self._sized.set_weights(self.model.get_weights())
        self._run = engines.ENGINES[self.engine](self._logits)

    def inputs(self, patches: np.ndarray, starts, shape) -> np.ndarray:
        """Patches (n, *tile) of a scan of ``shape`` as the network takes them, with channels.

        ``starts`` are the patches' first voxels, for a network that takes coordinates.
        """
        if takes_coordinates(self.model):
            return with_coordinates(patches, starts, shape)
        return patches[..., None]

    def evidence(self, patches: np.ndarray) -> np.ndarray:
        """Logit of CMB minus logit of background; (n, *tile) float32 out.

        Patches are (n, *tile), or (n, *tile, channels) as `inputs` gives them.
        """
        patches = patches[..., None] if patches.ndim == 4 else patches
        if patches.shape[-1] != self.model.input_shape[-1]:
            raise ValueError(
                f"patches: expected {self.model.input_shape[-1]} channels, "
                f"found {patches.shape[-1]}"
            )
        found = np.empty(patches.shape[:-1], np.float32)
        for first in range(0, len(patches), self.params.batch_size):
            batch = slice(first, first + self.params.batch_size)
            logits = self._run(patches[batch])
            found[batch] = logits[..., 1] - logits[..., 0]
        return found

    def patch_probability(self, patches: np.ndarray) -> np.ndarray:
        """Probability of CMB in single patches, as `evidence` takes them; (n, *tile) out."""
        return _sigmoid(self.evidence(patches))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x))  # equals softmax over two classes; never overflows


def predict_probability(
    predictor: Predictor, image: np.ndarray, *, brain: np.ndarray | None = None, background: float
) -> np.ndarray:
    """Probability of CMB at every voxel; logits of overlapping tiles are summed, then softmax.

    Parameters
    ----------
    predictor : Predictor
    image : ndarray (x, y, z)
        z-scored, on the standard grid.
    brain : ndarray (x, y, z), optional
        With ``params.skip_outside_brain``, tiles that hold no brain voxel are skipped. Inside
        the brain this changes nothing; voxels that no tile covers get probability 0.
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
    starts = tile_starts(padded, tile, params.overlap)
    if brain is not None and params.skip_outside_brain:
        starts = starts[holds_any(brain, starts, tile)]
    total = np.zeros(padded, np.float32)
    covered = np.zeros(padded, bool)
    for first in range(0, len(starts), params.batch_size):
        chosen = starts[first : first + params.batch_size]
        cuts = [
            tuple(slice(s, s + t) for s, t in zip(start, tile, strict=True)) for start in chosen
        ]
        pieces = np.stack([volume[cut] for cut in cuts])
        evidence = predictor.evidence(predictor.inputs(pieces, chosen, image.shape))
        for cut, piece in zip(cuts, evidence, strict=True):
            total[cut] += piece
            covered[cut] = True
    probability = np.where(covered, _sigmoid(total), np.float32(0))
    return probability[tuple(slice(n) for n in image.shape)].astype(np.float32, copy=False)
