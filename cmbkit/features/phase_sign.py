"""Blood or calcium: the sign of a small source's dipole in a phase image."""

import numpy as np

from cmbkit.volume import Volume

NEAREST_MM, FARTHEST_MM = 1.0, 4.0


def susceptibility_sign(phase: Volume, place_mm) -> float:
    """How far the phase around a place is that of a paramagnetic source, e.g. blood.

    A small source shifts the field by (3 cos^2 - 1) / r^3 around it, which adds up with the phase
    from 1 to 4 mm away; calcium, diamagnetic, has it with the opposite sign.

    Parameters
    ----------
    phase : Volume
        High-pass filtered; negative where the field is higher (a vein along the main field),
        which is along z of its RAS mm.
    place_mm : array-like, shape (3,)
        RAS mm.

    Returns
    -------
    float
        -1 to 1: above 0 blood, below 0 calcium; NaN where there is no phase.
    """
    half = np.ceil(FARTHEST_MM / phase.spacing).astype(int) + 1
    middle = np.rint(phase.to_voxels(place_mm)).astype(int)
    low = np.clip(middle - half, 0, phase.shape)
    high = np.clip(middle + half + 1, 0, phase.shape)
    voxels = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), -1)
    steps = phase.to_mm(voxels.reshape(-1, 3)).reshape(voxels.shape) - place_mm
    away = np.linalg.norm(steps, axis=-1)
    near = (away >= NEAREST_MM) & (away <= FARTHEST_MM)
    dipole = (3 * (steps[near][:, 2] / away[near]) ** 2 - 1) / away[near] ** 3
    values = phase.data[tuple(map(slice, low, high))][near].astype(float)
    size = np.linalg.norm(values) * np.linalg.norm(dipole)
    return float(-(values @ dipole) / size) if size > 0 else np.nan
