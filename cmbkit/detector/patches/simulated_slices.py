"""Training patches as a scan with thick slices would show them after standardisation.

A scanner averages the tissue over the slice profile; the pipeline then brings the slices to the
isotropic grid, the image linearly between slice centres, the label of the nearest slice
(`cmbkit.preprocessing.grid`). Here the same is done to a patch of a finer scan: a box average
over slices of a drawn thickness along one axis, and the way back. What is drawn on a thick
slice is where the microbleed is seen on it: where it fills at least half as much of the slice
as in the slice that it fills most. So labels become blocks as high as slices, as they are in
scans with thick slices, and none is lost.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cmbkit.params import Augmentation

SHOWN_SHARE = 0.5


@dataclass(frozen=True)
class Slices:
    """Slices across one axis of a patch."""

    axis: int
    thickness: float  # in voxels of the patch, at least 1
    phase: float  # lower face of a slice, 0 to 1 in units of the thickness

    @property
    def reach(self) -> int:
        """Voxels beyond each end of a patch that its values depend on."""
        return int(np.ceil(1.5 * self.thickness)) + 1

    def faces(self, n: int) -> np.ndarray:
        """Faces of all whole slices within ``n`` voxels (voxel i reaches from i to i + 1)."""
        first = self.phase * self.thickness
        return first + self.thickness * np.arange(int((n - first) / self.thickness) + 1)


def draw_slices(params: Augmentation, rng: np.random.Generator, spacing_mm: float) -> Slices | None:
    """Slices for one patch, or None: not drawn, or no thicker than a voxel."""
    if params.thick_slices == 0 or rng.random() >= params.thick_slices:
        return None
    weights = np.array(params.thick_slices_axes) / sum(params.thick_slices_axes)
    axis = int(rng.choice(3, p=weights))
    thickness, phase = rng.uniform(*params.thick_slices_mm) / spacing_mm, float(rng.random())
    return Slices(axis, float(thickness), phase) if thickness > 1 else None


def averaging(faces: np.ndarray, n: int) -> np.ndarray:
    """Matrix (slices, n): the mean of ``n`` voxels over each slice, parts of voxels counted."""
    voxels = np.arange(n)
    low = np.maximum(faces[:-1, None], voxels)
    high = np.minimum(faces[1:, None], voxels + 1)
    return (np.clip(high - low, 0, None) / np.diff(faces)[:, None]).astype(np.float32)


def thicken(image: np.ndarray, mask: np.ndarray, slices: Slices) -> tuple[np.ndarray, np.ndarray]:
    """Show image and mask as a scan with these slices would (see the module's text).

    Parameters
    ----------
    image : ndarray (x, y, z), float32
        At least ``slices.reach`` voxels longer than needed at both ends of the axis.
    mask : ndarray (x, y, z), uint8
        0/1; each 6-connected component is a microbleed.

    Returns
    -------
    image, mask : ndarrays of the same shapes and dtypes
        Beyond the outermost slice centres the outermost slice is repeated.
    """
    n = image.shape[slices.axis]
    faces = slices.faces(n)
    if len(faces) < 2:
        raise ValueError(
            f"slices of {slices.thickness:.3g} voxels: expected a longer axis, found {n} voxels"
        )
    average = averaging(faces, n)
    place = (np.arange(n) + 0.5 - (faces[0] + faces[1]) / 2) / slices.thickness
    place = np.clip(place, 0, len(average) - 1)
    interpolate = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(len(average))))
    through = interpolate.astype(np.float32) @ average
    nearest = np.floor(place + 0.5).astype(int)
    return _along(through, image, slices.axis), _thick_mask(mask, average, nearest, slices.axis)


def _along(matrix: np.ndarray, array: np.ndarray, axis: int) -> np.ndarray:
    moved = np.tensordot(matrix, array.astype(np.float32, copy=False), (1, axis))
    return np.ascontiguousarray(np.moveaxis(moved, 0, axis))


def _thick_mask(mask, average, nearest, axis: int) -> np.ndarray:
    if not mask.any():
        return mask
    shown = np.zeros_like(mask)
    pieces = ndimage.label(mask)[0]
    for number, box in enumerate(ndimage.find_objects(pieces), 1):
        whole = tuple(slice(None) if a == axis else box[a] for a in range(3))
        share = _along(average, pieces[whole] == number, axis)
        if share.max() > 0:
            drawn = share >= SHOWN_SHARE * share.max()
            shown[whole] |= np.take(drawn, nearest, axis).astype(mask.dtype)
        else:  # beyond the outermost whole slice: not within the patch
            shown[whole] |= (pieces[whole] == number).astype(mask.dtype)
    return shown
