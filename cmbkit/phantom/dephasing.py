"""Small sources averaged over voxels as a scanner does: as complex numbers.

A source multiplies the signal of the tissue around it by exp(i kappa dB) outside and by a share
below 1 inside, kappa = 2 pi gamma B0 TE in rad per ppm. What a voxel shows is the mean of that
over its extent, slice profile and pixel: turned by the mean phase, and weaker by what dephases.
The tissue's own signal is taken as even over the voxel.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cmbkit.phantom.field import cylinder_at, sphere_at

FADED_RAD = 0.05  # a source's phase is left out where it is smaller
FARTHEST_MM = 25.0
POINTS = 6  # per radius of the smallest sphere that are averaged, near it
FINEST_MM, COARSEST_MM = 0.05, 0.4  # distance between these points
TUBE_REACH = 3.0  # radii of a vein around its axis that are drawn


def reach_mm(radius: float, phase: float) -> float:
    """How far from a sphere's centre its phase counts (mm); ``phase`` = |kappa chi| in rad."""
    return float(min(radius * max(1.2, (2 * phase / 3 / FADED_RAD) ** (1 / 3)), FARTHEST_MM))


def sphere_modulation(
    spheres, grid, direction, fine_mm: float | None = None
) -> tuple[tuple, np.ndarray] | None:
    """Mean factor by which a group of spheres changes each voxel's signal.

    Parameters
    ----------
    spheres : ndarray, shape (n, 6)
        x, y, z, radius (mm), kappa chi (rad), share of the signal that is left inside.
    grid : Grid
    direction : (3,)
        Main field in the grid's axes.
    fine_mm : float, optional
        Distance between the points that are averaged near a sphere; by its radius if None.

    Returns
    -------
    (tuple of slice, ndarray complex64) or None
        Where in the grid, and the factors; None when it lies outside.
    """
    spheres = np.atleast_2d(np.asarray(spheres, float))
    reach = np.array([reach_mm(s[3], abs(s[4])) for s in spheres])
    low = grid.to_voxels((spheres[:, :3] - reach[:, None]).min(axis=0) - grid.width / 2)
    high = grid.to_voxels((spheres[:, :3] + reach[:, None]).max(axis=0) + grid.width / 2)
    low, high = np.maximum(np.ceil(low), 0), np.minimum(np.floor(high), np.array(grid.shape) - 1)
    if (high < low).any():
        return None
    box = tuple(slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
    fine = fine_mm or np.clip(spheres[:, 3].min() / POINTS, FINEST_MM, COARSEST_MM)
    parts = np.maximum(np.ceil(grid.width / fine), 2).astype(int)
    shape = tuple(s.stop - s.start for s in box)
    first = grid.start + low * grid.spacing
    out = _average_spheres(shape, first, grid.spacing, grid.width, parts, spheres, reach,
                           np.asarray(direction, float))  # fmt: skip
    return box, out


@njit(cache=True, fastmath=True)
def _average_spheres(shape, first, spacing, width, parts, spheres, reach, b):
    """Mean over each voxel; far from all spheres a third of the points per axis is enough."""
    out = np.empty(shape, np.complex64)
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                x, y = first[0] + i * spacing[0], first[1] + j * spacing[1]
                z = first[2] + k * spacing[2]
                near = _is_near(x, y, z, width, spheres)
                n = parts if near else np.maximum(parts // 3, 2)
                total = 0j
                for p in range(n[0]):
                    px = x + ((p + 0.5) / n[0] - 0.5) * width[0]
                    for q in range(n[1]):
                        py = y + ((q + 0.5) / n[1] - 0.5) * width[1]
                        for r in range(n[2]):
                            pz = z + ((r + 0.5) / n[2] - 0.5) * width[2]
                            total += _at_spheres(px, py, pz, spheres, reach, b)
                out[i, j, k] = total / (n[0] * n[1] * n[2])
    return out


@njit(cache=True, fastmath=True)
def _is_near(x, y, z, width, spheres):
    for s in range(len(spheres)):
        close = 2.5 * spheres[s, 3]
        if (
            abs(x - spheres[s, 0]) < close + width[0] / 2
            and abs(y - spheres[s, 1]) < close + width[1] / 2
            and abs(z - spheres[s, 2]) < close + width[2] / 2
        ):
            return True
    return False


@njit(cache=True, fastmath=True)
def _at_spheres(x, y, z, spheres, reach, b):
    phase, left = 0.0, 1.0
    for s in range(len(spheres)):
        dx, dy, dz = x - spheres[s, 0], y - spheres[s, 1], z - spheres[s, 2]
        square = dx * dx + dy * dy + dz * dz
        if square < spheres[s, 3] ** 2:
            left = min(left, spheres[s, 5])
        elif square < reach[s] ** 2:
            fade = min(1.0, 4 * (1 - square / reach[s] ** 2))  # no edge where it ends
            field = sphere_at(dx, dy, dz, spheres[s, 3], b[0], b[1], b[2])
            phase += fade * spheres[s, 4] * field
    return left * (np.cos(phase) + 1j * np.sin(phase))


def tube_changes(segments, grid, direction) -> np.ndarray:
    """Mean factor, less 1, by which veins change each voxel's signal.

    Parameters
    ----------
    segments : ndarray, shape (n, 9)
        Start and end of each straight piece (mm), radius (mm), kappa chi (rad), share of the
        signal that is left inside.

    Returns
    -------
    ndarray of ``grid.shape``, complex64
        Where veins meet they add up, to no more than the whole signal turned.
    """
    changes = np.zeros(grid.shape, np.complex64)
    parts = np.maximum(np.ceil(grid.width / 0.25), 2).astype(int)
    _add_tubes(changes, np.asarray(segments, float), grid.start, grid.spacing, grid.width, parts,
               np.asarray(direction, float))  # fmt: skip
    _limit(changes.reshape(-1))
    return changes


@njit(cache=True)
def _limit(changes):
    for i in range(len(changes)):
        if changes[i] == 0:
            continue
        size = abs(1 + changes[i])
        if size > 1:
            changes[i] = (1 + changes[i]) / size - 1


@njit(cache=True, fastmath=True)
def _add_tubes(changes, segments, start, spacing, width, parts, b):
    count = parts[0] * parts[1] * parts[2]
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for s in range(len(segments)):
        reach = TUBE_REACH * segments[s, 6]
        far_off = (reach + np.sqrt((width**2).sum()) / 2) ** 2
        for a in range(3):
            near = min(segments[s, a], segments[s, 3 + a]) - reach - width[a] / 2
            far = max(segments[s, a], segments[s, 3 + a]) + reach + width[a] / 2
            low[a] = max(int(np.ceil((near - start[a]) / spacing[a])), 0)
            high[a] = min(int(np.floor((far - start[a]) / spacing[a])), changes.shape[a] - 1)
        ux = segments[s, 3] - segments[s, 0]
        uy = segments[s, 4] - segments[s, 1]
        uz = segments[s, 5] - segments[s, 2]
        length = np.sqrt(ux * ux + uy * uy + uz * uz)
        ux, uy, uz = ux / length, uy / length, uz / length
        for i in range(low[0], high[0] + 1):
            for j in range(low[1], high[1] + 1):
                for k in range(low[2], high[2] + 1):
                    x = start[0] + i * spacing[0] - segments[s, 0]
                    y = start[1] + j * spacing[1] - segments[s, 1]
                    z = start[2] + k * spacing[2] - segments[s, 2]
                    t = x * ux + y * uy + z * uz
                    if x * x + y * y + z * z - t * t > far_off:
                        continue
                    total = 0j
                    for p in range(parts[0]):
                        x = start[0] + i * spacing[0] - segments[s, 0]
                        x += ((p + 0.5) / parts[0] - 0.5) * width[0]
                        for q in range(parts[1]):
                            y = start[1] + j * spacing[1] - segments[s, 1]
                            y += ((q + 0.5) / parts[1] - 0.5) * width[1]
                            for r in range(parts[2]):
                                z = start[2] + k * spacing[2] - segments[s, 2]
                                z += ((r + 0.5) / parts[2] - 0.5) * width[2]
                                t = x * ux + y * uy + z * uz
                                if t < 0 or t >= length:
                                    continue
                                square = x * x + y * y + z * z - t * t
                                if square >= reach * reach:
                                    continue
                                left, fade = 1.0, 1.0
                                if square <= segments[s, 6] ** 2:
                                    left = segments[s, 8]
                                else:
                                    fade = min(1.0, 2 * (1 - square / reach**2))
                                phase = (
                                    fade
                                    * segments[s, 7]
                                    * cylinder_at(
                                        x, y, z, ux, uy, uz, segments[s, 6], b[0], b[1], b[2]
                                    )
                                )
                                total += left * (np.cos(phase) + 1j * np.sin(phase)) - 1
                    changes[i, j, k] += total / count
