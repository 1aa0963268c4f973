"""Elastic registration of the atlas's tissue classes to a scan, whatever the scan's contrast.

After the affine fit of the outline (`cmbkit.anatomy.parcellation.fit_affine`), each class of
tissue (`CLASSES`) gets the mean signal that it has in this scan, by robust least squares; the
picture painted with these means is then registered to the scan by SimpleITK's demons. Twice:
the second painting starts from the first registration. All on a grid of about 3 mm.
"""

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from cmbkit.anatomy.blocks import block_mean, refine
from cmbkit.volume import Volume

WORKING_MM = 3.0
SHARE_STEP = 2
ITERATIONS = (40, 40)
FIELD_SIGMA = 1.4
SMOOTHING = 0.4
BIAS_MM = 20.0
CLASSES = (
    *((2, 41), (3, 42), (4, 5, 14, 15, 24, 43, 44), (7, 46), (8, 47), (10, 49)),
    *((11, 50), (12, 26, 51, 58), (13, 52), (16, 28, 60), (17, 18, 53, 54)),
)
"""SynthSeg labels that share one mean signal."""


def fit_deformation(
    image: Volume, brain: Volume, shares: sitk.Image, to_atlas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Displacement of a scan's points towards the atlas's tissue.

    Parameters
    ----------
    image, brain : Volume
        Same grid. The signal may have any contrast.
    shares : SimpleITK.Image
        From `class_shares`.
    to_atlas : ndarray, shape (4, 4)
        Scan voxels to atlas voxels.

    Returns
    -------
    moved : ndarray, shape (3, a, b, c), float32
        In scan voxels, on the centres of blocks of scan voxels.
    factors : ndarray, shape (3,)
        Size of the blocks in scan voxels.
    """
    factors = np.maximum(1, np.round(WORKING_MM / image.spacing)).astype(int)
    weight = block_mean((brain.data > 0).astype(np.float32), factors)
    total = block_mean(np.where(brain.data > 0, image.data, 0).astype(np.float32), factors)
    inside = weight > 0.5
    signal = np.where(inside, total / np.maximum(weight, 0.5), 0)
    signal -= signal[inside].min()
    blocks = np.diag([*factors, 1.0])
    blocks[:3, 3] = (factors - 1) / 2
    affine_shares = _sampled(shares, to_atlas @ blocks, signal.shape)
    smoothing = BIAS_MM / (image.spacing * factors)
    demons = sitk.FastSymmetricForcesDemonsRegistrationFilter()
    demons.SetStandardDeviations(FIELD_SIGMA)
    field, bias, found = None, np.ones_like(signal), affine_shares
    for iterations in ITERATIONS:
        means, noise, bias = _paint(signal, bias, inside, _array(found), smoothing)
        limits = means.min() - 2 * noise, means.max() + 2 * noise
        fixed = np.where(inside, np.clip(signal / bias, *limits), 0)
        scale = 1 / max(float(fixed[inside].std()), 1e-6)
        pair = [_image(scale * fixed), _image(scale * (_array(affine_shares) @ means))]
        demons.SetNumberOfIterations(iterations)
        pair = [sitk.DiscreteGaussian(picture, SMOOTHING) for picture in pair]
        field = demons.Execute(*pair) if field is None else demons.Execute(*pair, field)
        found = sitk.Warp(affine_shares, field)
    moved = sitk.GetArrayFromImage(field)[..., ::-1] * factors
    return np.ascontiguousarray(np.moveaxis(moved, -1, 0), np.float32), factors


def class_shares(atlas: Volume, brain: np.ndarray) -> sitk.Image:
    """Share of each of the `CLASSES` on every second voxel of an atlas, smoothed a little."""
    labels = np.where(brain, atlas.data, 0)
    thin = (slice(None, None, SHARE_STEP),) * 3
    parts = [
        ndimage.gaussian_filter(np.isin(labels, members).astype(np.float32), 0.8)[thin]
        for members in CLASSES
    ]
    return sitk.GetImageFromArray(np.stack(parts, axis=-1), isVector=True)


def look_up_moved(atlas: Volume, grid: Volume, to_atlas, moved, factors) -> np.ndarray:
    """Nearest label of an atlas for every voxel of a grid, after an affine and a displacement.

    Parameters
    ----------
    to_atlas : ndarray, shape (4, 4)
        Grid voxels to atlas voxels.
    moved, factors
        From `fit_deformation`.

    Returns
    -------
    ndarray
        Of the grid's shape and the atlas's type.
    """
    matrix = np.asarray(to_atlas, np.float32)
    shift = np.tensordot(matrix[:3, :3], moved, 1)
    i, j, k = (np.arange(n, dtype=np.float32) for n in grid.shape)
    index = []
    for axis, size in enumerate(atlas.shape):
        where = refine(shift[axis], factors, grid.shape)
        where += (matrix[axis, 0] * i + matrix[axis, 3] + np.float32(0.5))[:, None, None]
        where += (matrix[axis, 1] * j)[:, None] + matrix[axis, 2] * k
        index.append(np.clip(where, 0, size - 1, out=where).astype(np.int16))
    found = np.empty(grid.shape, atlas.data.dtype)
    for plane, where in enumerate(zip(*index, strict=True)):  # numpy widens an index to 8 bytes
        found[plane] = atlas.data[where]
    return found


def _paint(signal, bias, inside, shares, smoothing):
    """Mean signal of each class, noise around them, and the smooth ratio of scan and painting."""
    use = inside & (shares.sum(axis=-1) > 0.7)
    parts, values = shares[use], signal[use] / bias[use]
    weights = np.ones(len(values), np.float32)
    for _ in range(3):
        normal = (parts * weights[:, None]).T @ parts + 1e-3 * np.eye(parts.shape[1])
        means = np.linalg.solve(normal, (parts * weights[:, None]).T @ values)
        away = np.abs(values - parts @ means)
        noise = 1.48 * float(np.median(away)) + 1e-6
        weights = 1 / np.maximum(1, away / (1.5 * noise))
    painted = shares @ means
    good = use & (np.abs(signal / bias - painted) < 3 * noise)
    above, below = (
        ndimage.gaussian_filter(np.where(good, v * painted, 0).astype(np.float32), smoothing)
        for v in (signal, painted)
    )
    return means.astype(np.float32), noise, np.clip((above + 1e-3) / (below + 1e-3), 0.5, 2)


def _sampled(shares: sitk.Image, to_atlas: np.ndarray, shape) -> sitk.Image:
    """Linear interpolation on a grid whose voxels ``to_atlas`` carries to atlas voxels."""
    matrix = np.diag([1 / SHARE_STEP] * 3 + [1]) @ to_atlas
    flipped = matrix[:3, :3][::-1, ::-1]  # SimpleITK counts the axes from the last
    move = sitk.AffineTransform(flipped.ravel().tolist(), matrix[2::-1, 3].tolist())
    return sitk.Resample(shares, [int(n) for n in shape[::-1]], move, sitk.sitkLinear)


def _image(data) -> sitk.Image:
    return sitk.GetImageFromArray(np.ascontiguousarray(data, np.float32))


def _array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)
