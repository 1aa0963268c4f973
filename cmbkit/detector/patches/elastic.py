"""Elastic displacements of a patch (section 6.3.1): as in SynthSeg, or plain nodes.

The thesis takes SynthSeg's RandomSpatialDeformation at its defaults (Billot et al., Medical Image
Analysis 86, 2023; class of the package lab2im): normal velocities on a grid of 0.0625 times the
image's size, their standard deviation uniform up to 4 voxels, interpolated linearly to half the
resolution and integrated there by scaling and squaring in 7 steps, so that nothing folds. That
class deforms the whole image; here each patch is deformed, with the same distance of nodes.
"""

import numpy as np
from scipy import ndimage

from cmbkit.params import Augmentation

SCALE = 0.0625
SQUARINGS = 7


def displacements(params: Augmentation, shape, rng: np.random.Generator) -> np.ndarray:
    """Random displacements of a patch of ``shape``, in voxels.

    Returns
    -------
    ndarray (3, m, m, m), float32
        On a grid whose corners are the patch's corner voxels; interpolated linearly between.
    """
    sd = rng.uniform(0, params.elastic_sd_voxels)
    if params.elastic_nodes is not None:
        return rng.normal(0, sd, (3, *[params.elastic_nodes] * 3)).astype(np.float32)
    size = max(shape)
    nodes = max(2, int(np.ceil(size * SCALE)))
    half = max(size // 2, nodes)
    velocity = rng.normal(0, sd, (3, *[nodes] * 3)).astype(np.float32)
    finer = [ndimage.zoom(part, half / nodes, order=1) for part in velocity]
    return integrated(np.stack(finer))


def integrated(velocity: np.ndarray) -> np.ndarray:
    """Where a stationary velocity field takes each point in unit time, by scaling and squaring.

    ``velocity``, ndarray (3, x, y, z): in voxels of its own grid; beyond the border it is that
    of the border.

    Returns
    -------
    ndarray (3, x, y, z), float32
        Displacements in the same voxels.
    """
    moved = velocity.astype(np.float32) / 2**SQUARINGS
    here = np.indices(velocity.shape[1:]).astype(np.float32)
    for _ in range(SQUARINGS):
        there = here + moved
        moved = moved + np.stack(
            [ndimage.map_coordinates(part, there, order=1, mode="nearest") for part in moved]
        )
    return moved


def reach(params: Augmentation) -> int:
    """Voxels that `displacements` may look beyond the patch: three standard deviations.

    Plain nodes end at the border of the region that the affine part needs.
    """
    wide = params.elastic and params.elastic_nodes is None
    return int(np.ceil(3 * params.elastic_sd_voxels)) if wide else 0
