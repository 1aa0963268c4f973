"""Synthetic microbleeds put into a scan: the Gaussian model of thesis section 4.5."""

from __future__ import annotations

import numpy as np

from cmbkit.volume import Volume

_SUBSAMPLE_MM = 0.25  # spacing at which a voxel's extent is integrated
_HALF_MAXIMUM = np.sqrt(2 * np.log(2))  # radius over sd of a Gaussian at half its peak


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """Rotation matrix, shape (3, 3), uniform over orientations."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def gaussian_loss(spacing, offset_mm, half_voxels, radii_mm, rotation) -> np.ndarray:
    """Mean of an ellipsoidal Gaussian of peak 1 over each voxel of a small box.

    Parameters
    ----------
    spacing : (3,)
        Voxel size, mm.
    offset_mm : (3,)
        Centre of the Gaussian relative to the centre of the box's middle voxel, mm.
    half_voxels : (3,) int
        The box has ``2 * half_voxels + 1`` voxels.
    radii_mm : (3,)
        Distance at which the Gaussian is half its peak, along its own axes.
    rotation : ndarray, shape (3, 3)
        Turns scanner axes into the Gaussian's own.

    Returns
    -------
    ndarray, shape ``2 * half_voxels + 1``, values 0 to 1
    """
    fine, counts = [], []
    for a in range(3):
        n = max(4, int(np.ceil(spacing[a] / _SUBSAMPLE_MM)))
        inside = ((np.arange(n) + 0.5) / n - 0.5) * spacing[a]
        centres = np.arange(-half_voxels[a], half_voxels[a] + 1) * spacing[a] - offset_mm[a]
        fine.append((centres[:, None] + inside).ravel())
        counts += [len(centres), len(inside)]
    x = np.stack(np.meshgrid(*fine, indexing="ij"), axis=-1) @ np.asarray(rotation).T
    sigma = np.asarray(radii_mm) / _HALF_MAXIMUM
    values = np.exp(-0.5 * ((x / sigma) ** 2).sum(axis=-1))
    return values.reshape(counts).mean(axis=(1, 3, 5))


def implant(image, centres_voxel, radii_mm, rng: np.random.Generator, depth=(0.6, 0.95)) -> Volume:
    """Put synthetic microbleeds into a scan (Momeni et al. 2021, thesis section 4.5).

    Each is a 3D Gaussian loss of signal, ellipsoidal (axes up to 20 % off) and turned at random;
    the signal is pulled towards the void: ``image * (1 - loss)``. The loss is averaged over each
    voxel's full extent, so thick slices dilute a small microbleed as a scanner would.

    Parameters
    ----------
    image : path-like, nibabel image or Volume
        Magnitude image with background near 0; not changed.
    centres_voxel : array, shape (n, 3)
        Centres in 0-based voxel indices; fractions are allowed.
    radii_mm : array, shape (n,)
        Radius at which the loss is half its peak, mm.
    rng : numpy Generator
    depth : (float, float)
        Range of the peak loss: 1 is a complete signal void.

    Returns
    -------
    Volume
        float32, on the same grid.

    Raises
    ------
    ValueError
        If a centre lies outside the image, a radius is not positive, or the numbers differ.
    """
    image = Volume.of(image)
    centres = np.atleast_2d(np.asarray(centres_voxel, float)).reshape(-1, 3)
    radii = np.atleast_1d(np.asarray(radii_mm, float))
    if len(centres) != len(radii):
        raise ValueError(f"implant: expected as many radii as centres, found {len(radii)}, "
                         f"{len(centres)}")  # fmt: skip
    shape, spacing = np.array(image.shape), image.spacing
    outside = ~((centres >= -0.5) & (centres <= shape - 0.5)).all(axis=1)
    if outside.any():
        raise ValueError(f"implant: expected centres inside {image.shape}, "
                         f"found {centres[outside][0].tolist()}")  # fmt: skip
    if (radii <= 0).any():
        raise ValueError(f"implant: expected radii over 0 mm, found {radii.min():g}")
    data = image.data.astype(np.float32, copy=True)
    for centre, radius in zip(centres, radii, strict=True):
        axes = radius * np.exp(rng.uniform(-0.18, 0.18, 3))
        rotation, peak = random_rotation(rng), rng.uniform(*depth)
        middle = np.rint(centre).astype(int)
        half = np.ceil(2.6 * axes.max() / spacing).astype(int)
        loss = gaussian_loss(spacing, (centre - middle) * spacing, half, axes, rotation)
        low, high = np.maximum(middle - half, 0), np.minimum(middle + half + 1, shape)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        part = tuple(slice(a, b) for a, b in zip(low - middle + half, high - middle + half,
                                                 strict=True))  # fmt: skip
        data[box] *= (1 - peak * loss[part]).astype(np.float32)
    return image.with_data(data)
