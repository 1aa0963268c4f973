"""One microbleed as simulated thick slices show it, thicker and thicker."""

import numpy as np

from cmbkit.boxes import cut_box
from cmbkit.detector.patches.simulated_slices import Slices, thicken
from cmbkit.volume import Volume

SIDE_MM = 24.0


def in_thick_slices(
    image: Volume, lesion: np.ndarray, background: float, thicknesses_mm
) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """The surroundings of a microbleed as scanned, and in slices across the third axis.

    The ``image`` lies on an isotropic grid; ``background`` is its value beyond its border. The
    microbleed (``lesion``, bool) lies in the middle of a slice.

    Returns
    -------
    dict
        By thickness in mm, first 0 for what was scanned: image (float32) and mask (uint8), cubes
        of `SIDE_MM`.
    """
    spacing_mm = float(image.spacing[0])
    voxels = np.argwhere(lesion)
    centre = voxels[((voxels - voxels.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    side = round(SIDE_MM / spacing_mm)
    margin = round(1.5 * max(thicknesses_mm) / spacing_mm) + 1  # what slices reach beyond
    longer = np.array([side, side, side + 2 * margin])
    start = centre - longer // 2
    patch = cut_box(image.data.astype(np.float32), start, longer, np.float32(background))
    mask = cut_box(lesion.astype(np.uint8), start, longer, 0)
    found = {0.0: (patch, mask)}
    for thickness_mm in thicknesses_mm:
        thickness = thickness_mm / spacing_mm
        phase = ((longer[2] // 2 + 0.5) / thickness + 0.5) % 1
        found[float(thickness_mm)] = thicken(patch, mask, Slices(2, thickness, phase))
    seen = slice(margin, margin + side)
    return {mm: (image[:, :, seen], mask[:, :, seen]) for mm, (image, mask) in found.items()}
