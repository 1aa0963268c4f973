"""What the raters marked as seeds: points and scribbles, one set of voxels per microbleed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cmbkit.params import Preprocessing
from cmbkit.records import Scan
from cmbkit.volume import Volume


class LabelError(ValueError):
    """An annotation cannot become labels; the message names the file."""


@dataclass(frozen=True)
class Seeds:
    """Seeds of the microbleeds that are to be grown, on one grid.

    ``source`` is ``"point"`` or ``"scribble"``. Per microbleed: ``numbers`` has the rater's
    mark it comes from (number of the point, from 1, or label of the scribble; one flagged
    "multiple" occurs several times), ``voxels`` its seeds, integers of shape (n, 3), and
    ``centres`` their mean, fractional voxels of shape (3,).
    """

    source: str
    numbers: tuple[int, ...]
    voxels: tuple[np.ndarray, ...]
    centres: tuple[np.ndarray, ...]

    def moved(self, here: Volume, there: Volume) -> Seeds:
        """Return the same places on another grid: each seed in the voxel nearest to it."""
        last = np.array(there.shape) - 1
        voxels = [there.to_voxels(here.to_mm(v)) for v in self.voxels]
        voxels = [np.unique(np.clip(np.rint(v), 0, last).astype(int), axis=0) for v in voxels]
        centres = tuple(there.to_voxels(here.to_mm(c)) for c in self.centres)
        return replace(self, voxels=tuple(voxels), centres=centres)

    def painted(self, grid: Volume) -> Volume:
        """Seeds as labels 1 to n (uint16) on the grid they belong to."""
        data = np.zeros(grid.shape, np.uint16)
        for label, voxels in enumerate(self.voxels, 1):
            data[tuple(voxels.T)] = label
        return grid.with_data(data)


def split_scribble(voxels: np.ndarray, affine: np.ndarray, link_mm: float) -> list[np.ndarray]:
    """Split a scribble over several microbleeds by single-linkage clustering (4.1.3).

    Parameters
    ----------
    voxels : ndarray of int, shape (n, 3)
    affine : ndarray, shape (4, 4)
    link_mm : float
        Voxels within this distance belong together; never less than a voxel's diagonal, so
        touching voxels always do.

    Returns
    -------
    list of ndarray
        One array of voxels per microbleed, in the order in which they first appear.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(voxels) == 1:
        return [voxels]
    matrix = np.asarray(affine)[:3, :3]
    link = max(link_mm, 1.001 * np.linalg.norm(matrix.sum(axis=1)))
    groups = fcluster(linkage(voxels @ matrix.T, "single"), link, "distance")
    firsts = [np.flatnonzero(groups == g)[0] for g in np.unique(groups)]
    return [voxels[groups == groups[first]] for first in sorted(firsts)]


def read_labels(scan: Scan, image: Volume) -> Volume:
    """Annotated labels of a mask or of scribbles (int32), on the image's grid and not empty."""
    if scan.annotation.mask_path is None:
        raise LabelError(f"{scan.image}: expected a {scan.annotation.kind} file, found none")
    labels = Volume.read(scan.annotation.mask_path, np.int32).in_order_of(image)
    if not (labels.data > 0).any():
        raise LabelError(f"{labels.path}: expected annotated voxels, found an empty mask")
    return labels


def _scribbles(scan: Scan, image: Volume, params: Preprocessing) -> Seeds:
    drawn = read_labels(scan, image)
    multiple = {finding.segment for finding in scan.annotation.findings if finding.multiple}
    segments = np.unique(drawn.data[drawn.data > 0]).tolist()
    missing = {finding.segment for finding in scan.annotation.findings} - set(segments)
    if missing:
        raise LabelError(f"{drawn.path}: expected segments {sorted(missing)}, found {segments}")
    seeds, numbers = [], []
    for segment in segments:
        voxels = np.argwhere(drawn.data == segment)
        parts = [voxels]
        if segment in multiple:
            parts = split_scribble(voxels, image.affine, params.scribble_link_mm)
        seeds += parts
        numbers += [segment] * len(parts)
    return Seeds("scribble", tuple(numbers), tuple(seeds), tuple(v.mean(axis=0) for v in seeds))


def read_marks(scan: Scan, image: Volume, params: Preprocessing) -> Seeds:
    """Seeds of a scan whose annotation is points or scribbles, on its native grid.

    Raises
    ------
    LabelError
        If the annotation is of another kind, its file is missing or empty, or a flagged
        segment is not drawn.
    """
    kind = scan.annotation.kind
    if kind == "scribbles":
        return _scribbles(scan, image, params)
    if kind != "points":
        raise LabelError(
            f"{scan.image}: expected an annotation of kind mask, points, scribbles or none, "
            f"found {kind}"
        )
    points = [np.array([point], int) for point in scan.annotation.points]
    numbers = tuple(range(1, len(points) + 1))
    return Seeds("point", numbers, tuple(points), tuple(p[0].astype(float) for p in points))
