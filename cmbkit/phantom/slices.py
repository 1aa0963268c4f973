"""One bleed in slices of growing thickness: complex sum against averaged magnitudes.

A scanner sums complex signal over the slice. A simulator that averages magnitudes, as the contrast
model of this package and implants into magnitude images do, lets thick slices dilute a bleed faster
than they do: it leaves out what dephases between the layers of a slice.
"""

from __future__ import annotations

import numpy as np

from cmbkit.phantom.dephasing import sphere_modulation
from cmbkit.phantom.field import phase_per_ppm
from cmbkit.phantom.scanner import Grid
from cmbkit.phantom.tissues import GradientEcho, iron_r2star

IN_PLANE_MM = 0.5
LAYER_MM = 0.025  # a thin slice within which magnitude and complex sum are one


def peak_loss(
    thickness_mm: float,
    acquisition: GradientEcho,
    *,
    radius_mm: float = 0.75,
    chi_ppm: float = 1.0,
) -> tuple[float, float]:
    """Share of the signal lost in the voxel that has the bleed at its centre.

    Of ``acquisition`` echo time and field count; the main field is along the slice axis.

    Returns
    -------
    complex_sum, averaged : float
        By complex sum over the voxel, and by averaging over the slice the magnitudes of thin
        layers, each a complex sum over the pixel. Both are the same in a very thin slice.
    """
    turn = phase_per_ppm(acquisition.te_ms, acquisition.tesla) * chi_ppm
    left = np.exp(-acquisition.te_ms / 1000 * iron_r2star(chi_ppm, acquisition.tesla))
    sphere = [[0, 0, 0, radius_mm, turn, left]]
    voxel = np.array([IN_PLANE_MM, IN_PLANE_MM, thickness_mm])
    _, whole = sphere_modulation(
        sphere, Grid(np.zeros(3), voxel, voxel, (1, 1, 1)), (0, 0, 1), LAYER_MM
    )
    count = round(thickness_mm / LAYER_MM)
    layer = np.array([IN_PLANE_MM, IN_PLANE_MM, thickness_mm / count])
    start = np.array([0, 0, (layer[2] - thickness_mm) / 2])
    _, parts = sphere_modulation(
        sphere, Grid(start, layer, layer, (1, 1, count)), (0, 0, 1), LAYER_MM
    )
    lost = (1 - np.abs(parts)).sum() / count  # layers out of reach lose nothing
    return float(1 - np.abs(whole[0, 0, 0])), float(lost)
