"""Random deformations of training patches (section 6.3).

Spatial, intensity and blur transformations follow each other, each with its own probability;
thick slices, where asked for, come after the spatial ones.
Spatial ones read a larger region than the patch, so that no border is made up. After intensity
and blur the patch gets back the mean and standard deviation it came with, which stands for the
z-scoring of the whole scan before and after augmentation. What depends on the lowest and highest
value (salt and pepper, gamma, inversion) takes those of the whole scan.
"""

import numpy as np
from scipy import ndimage

from cmbkit.detector.patches.elastic import displacements, reach
from cmbkit.detector.patches.simulated_slices import draw_slices, thicken
from cmbkit.params import Augmentation

THESIS_SPACING_MM = 0.5
NO_NODES = np.zeros((3, 0, 0, 0), np.float32)


def margin(patch_size, params: Augmentation | None, spacing_mm: float = THESIS_SPACING_MM) -> int:
    """Voxels that `augment` wants on each side of the patch (0 without spatial ones)."""
    if params is None:
        return 0
    beyond = 0
    if params.thick_slices:
        beyond = int(np.ceil(1.5 * max(params.thick_slices_mm) / spacing_mm)) + 1
    if params.spatial == 0:
        return beyond
    return beyond + _spatial_margin(max(patch_size) + 2 * beyond, params)


def _spatial_margin(size: int, params: Augmentation) -> int:
    stretch = params.scaling + 2 * params.shear + np.sqrt(2) * np.sin(params.rotation_rad)
    return int(np.ceil(size / 2 * stretch)) + 2 + reach(params)


def affine_matrix(params: Augmentation, rng: np.random.Generator, patch_size) -> np.ndarray:
    """Random 3x3 matrix: scaling, shearing, rotation and, if asked, quarter turns.

    Quarter turns only exchange axes along which the patch has equal sizes.
    """
    angles = rng.uniform(-params.rotation_rad, params.rotation_rad, 3)
    matrix = np.diag(rng.uniform(1 - params.scaling, 1 + params.scaling, 3))
    shear = np.eye(3)
    shear[~np.eye(3, dtype=bool)] = rng.uniform(-params.shear, params.shear, 6)
    matrix = matrix @ shear
    for axis, angle in enumerate(angles):
        first, second = (k for k in range(3) if k != axis)
        matrix = matrix @ _rotation(first, second, angle)
        if params.rotate90:
            turns = int(rng.integers(4))
            if patch_size[first] != patch_size[second]:
                turns -= turns % 2
            matrix = matrix @ np.rint(_rotation(first, second, turns * np.pi / 2))
    return matrix


def _rotation(first: int, second: int, angle: float) -> np.ndarray:
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    return matrix


def _copied(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Copies in C order: the image as it is, the mask as `_marks`."""
    return image.copy("C"), _marks(mask)


def _marks(mask: np.ndarray) -> np.ndarray:
    """Copy in C order as uint8, larger labels as 0/1."""
    if mask.dtype == np.uint8:
        return mask.copy("C")
    return np.greater(mask, 0, order="C").view(np.uint8)


def _at_most(region: np.ndarray, shape) -> np.ndarray:
    """Central part of at most ``shape``."""
    return _centre_crop(region, [min(n, m) for n, m in zip(shape, region.shape, strict=True)])


def _centre_crop(region: np.ndarray, shape) -> np.ndarray:
    starts = [(n - m) // 2 for n, m in zip(region.shape, shape, strict=True)]
    return region[tuple(slice(s, s + m) for s, m in zip(starts, shape, strict=True))]


def deform(image, mask, shape, params: Augmentation, rng: np.random.Generator, patch):
    """Affine and elastic deformation of a region; returns patches of ``shape``.

    ``patch`` is the shape that says which quarter turns are possible.
    The image is interpolated linearly, the mask by nearest neighbour. With neither
    transformation drawn, it is the central crop.
    """
    affine = rng.random() < params.affine
    elastic = rng.random() < params.elastic
    if not affine and not elastic:
        return _centre_crop(image.astype(np.float32), shape), _marks(_centre_crop(mask, shape))
    matrix = affine_matrix(params, rng, patch) if affine else np.eye(3)
    nodes = displacements(params, shape, rng) if elastic else NO_NODES
    return warp_region(image, mask, shape, matrix, nodes)


def warp_region(image, mask, shape, matrix, nodes=NO_NODES):
    """Turn a region about its centre by ``matrix``, displace it, and crop it to ``shape``.

    Parameters
    ----------
    matrix : ndarray (3, 3)
        Takes offsets from the centre, in voxels, of the patch to those of the region.
    nodes : ndarray (3, m, m, m)
        See `elastic.displacements`; interpolated linearly between the corners of the patch.

    Returns
    -------
    image, mask : ndarrays of ``shape``
        As `augment`'s: float32 unless there are quarter turns and flips alone; uint8.
    """
    from cmbkit.detector.patches.warp_kernel import warp

    offset = (np.array(image.shape) - 1) / 2 - matrix @ ((np.array(shape) - 1) / 2)
    if not nodes.size and _only_turns(image.shape, shape, matrix, offset):
        return _copied(*(_turned(part, shape, matrix, offset) for part in (image, mask)))
    image, mask = np.ascontiguousarray(image, np.float32), _marks(mask)
    return warp(image, mask, np.ascontiguousarray(matrix), offset, nodes, *map(int, shape))


def _only_turns(region_shape, shape, matrix, offset) -> bool:
    """Whether every voxel of the patch is one of the region: quarter turns and flips alone."""
    permutes = (np.abs(matrix).sum(0) == 1).all() and (np.abs(matrix).sum(1) == 1).all()
    whole = (matrix == np.rint(matrix)).all() and (offset == np.rint(offset)).all()
    ends = np.array([offset, matrix @ (np.array(shape) - 1) + offset])
    return bool(permutes and whole and (ends >= 0).all() and (ends < region_shape).all())


def _turned(region: np.ndarray, shape, matrix, offset) -> np.ndarray:
    """View of the region's voxels at ``matrix`` @ (i, j, k) + ``offset``."""
    windows = []
    for first, last in zip(offset, matrix @ (np.array(shape) - 1) + offset, strict=True):
        first, last = int(first), int(last)
        step = 1 if last >= first else -1
        stop = last + step
        windows.append(slice(first, stop if stop >= 0 else None, step))
    return region[tuple(windows)].transpose(np.abs(matrix).argmax(axis=0))


def change_intensity(
    image: np.ndarray,
    params: Augmentation,
    rng: np.random.Generator,
    intensity_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """Gaussian noise, salt and pepper, gamma and contrast inversion, each if drawn; float32.

    ``intensity_range`` is the lowest and highest value of the whole scan (default: of ``image``);
    where noise goes beyond, those of the noisy image count.
    """
    image = image.astype(np.float32)
    if rng.random() < params.noise:
        sd = np.float32(rng.uniform(0, params.noise_sd_max))
        image += sd * rng.standard_normal(image.shape, dtype=np.float32)
    low, high = float(image.min()), float(image.max())
    if intensity_range is not None:
        low, high = min(low, intensity_range[0]), max(high, intensity_range[1])
    if rng.random() < params.salt_pepper:
        share = rng.uniform(0, params.salt_pepper_max)
        places = rng.integers(image.size, size=int(share * image.size))
        image.ravel()[places] = np.where(rng.random(places.size) < 0.5, low, high)
    if rng.random() < params.gamma:
        gamma = np.float32(np.exp(rng.normal(0, params.gamma_sd)))
        if high > low:
            unit = (image - low) / (high - low)
            image = low + (high - low) * unit**gamma
    if rng.random() < params.inversion:
        image = low + high - image
    return image


def _standardize_like(image: np.ndarray, mean: float, sd: float) -> np.ndarray:
    now = float(image.std())
    if now < 1e-6 or sd < 1e-6:
        return image
    return (image - image.mean()) * np.float32(sd / now) + np.float32(mean)


def augment(
    image: np.ndarray,
    mask: np.ndarray,
    shape,
    params: Augmentation | None,
    rng: np.random.Generator,
    *,
    spacing_mm: float = THESIS_SPACING_MM,
    intensity_range: tuple[float, float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Augment one region around a patch (section 6.3) and crop it to the patch.

    Parameters
    ----------
    image : ndarray of floats
        z-scored, ``shape`` plus `margin` on every side (any larger region will do).
    mask : ndarray of integers
        0/1, or labels in a type other than uint8; same shape as ``image``.
    shape : 3 int
        Of the patch, in voxels.
    params : Augmentation or None
        None: only the central crop.
    spacing_mm : float
        The blur's standard deviation is in voxels of the thesis's 0.5 mm grid.
    intensity_range : 2 float, optional
        Lowest and highest value of the whole scan; default: of the patch.

    Returns
    -------
    image, mask : ndarrays of ``shape``
        The image as float32, or in the type it had where it is a mere crop, turned or not;
        the mask as uint8.
    """
    patch = shape = tuple(shape)
    if params is None:
        return _copied(_at_most(image, shape), _at_most(mask, shape))
    slices = draw_slices(params, rng, spacing_mm)
    if slices:
        shape = tuple(n + 2 * slices.reach * (a == slices.axis) for a, n in enumerate(patch))
    if rng.random() < params.spatial:
        wide = [n + 2 * _spatial_margin(max(shape), params) for n in shape]
        image, mask = _at_most(image, wide), _at_most(mask, wide)
        image, mask = deform(image, mask, shape, params, rng, patch)
    else:
        image, mask = _copied(_at_most(image, shape), _at_most(mask, shape))
    if slices:
        image, mask = (_centre_crop(part, patch) for part in thicken(image, mask, slices))
    changed = image
    if rng.random() < params.intensity:
        changed = change_intensity(changed, params, rng, intensity_range)
    if rng.random() < params.blur:
        sigma = rng.uniform(*params.blur_sigma) * THESIS_SPACING_MM / spacing_mm
        changed = changed.astype(np.float32, copy=False)
        changed = ndimage.gaussian_filter(changed, sigma, mode="nearest", truncate=3)
    if changed is not image:
        image = image.astype(np.float32, copy=False)
        changed = _standardize_like(changed, float(image.mean()), float(image.std()))
    return changed, mask
