"""How deep a place lies in the brain."""

import numpy as np

from cmbkit.boxes import bounding_box
from cmbkit.volume import Volume


class BrainEdge:
    """The surface of a brain mask: the faces between voxels inside and outside.

    Parameters
    ----------
    brain : Volume of int
        Voxels > 0 are brain; what lies beyond the array is not.

    Raises
    ------
    ValueError
        If the mask is empty.
    """

    def __init__(self, brain: Volume):
        self._brain = brain
        inside = brain.data > 0
        if not inside.any():
            raise ValueError(f"{brain.path or 'brain mask'}: expected voxels > 0, found none")
        box = bounding_box(inside)
        corner = np.array([side.start for side in box])
        padded = np.pad(inside[box], 1)
        self._faces = []
        for axis in range(3):
            change = np.diff(padded, axis=axis)
            where = np.unravel_index(np.flatnonzero(change), change.shape)
            where = np.stack(where).astype(np.float32) + (corner - 1)[:, None].astype(np.float32)
            where[axis] += 0.5
            self._faces.append(where)

    def depth_mm(self, mm) -> np.ndarray:
        """Distance to the nearest face in mm, negative outside the brain.

        ``mm``, array-like, shape (n, 3): places in RAS mm.

        Returns
        -------
        ndarray, shape (n,)
            Good to half a voxel: the faces of a mask are steps.
        """
        voxels = self._brain.to_voxels(np.atleast_2d(np.asarray(mm, float)))
        away = np.array([self._nearest(voxel) for voxel in voxels])
        voxels = np.rint(voxels).astype(int)
        within = ((voxels >= 0) & (voxels < self._brain.shape)).all(axis=1)
        inside = np.zeros(len(voxels), bool)
        inside[within] = self._brain.data[tuple(voxels[within].T)] > 0
        return np.where(inside, away, -away)

    def _nearest(self, voxel) -> float:
        """Distance in mm to the nearest face, a rectangle of one voxel's size."""
        nearest = np.inf
        for axis, faces in enumerate(self._faces):
            squares = np.zeros(faces.shape[1], np.float32)
            for other in range(3):
                offset = np.abs(faces[other] - np.float32(voxel[other]))
                if other != axis:
                    offset = np.maximum(offset - np.float32(0.5), 0)
                squares += (offset * np.float32(self._brain.spacing[other])) ** 2
            nearest = min(nearest, float(squares.min(initial=np.inf)))
        return float(np.sqrt(nearest))
