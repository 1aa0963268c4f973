"""Label refinement: from what the raters left behind to one integer per microbleed (5.1).

Masks are taken as they are, one label per microbleed. Points and scribbles are grown
(`region_growing`); the grown region gives a radius, and the microbleed becomes a sphere of
that radius around its centre. Everything happens on the scan's native grid.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import ndimage

from cmbkit.params import Preprocessing
from cmbkit.preprocessing.region_growing import SIX, Growth, grow_study
from cmbkit.records import Scan
from cmbkit.volume import Volume

COLUMNS = {
    "id": "int64",
    "source": "object",
    "i": "float64",
    "j": "float64",
    "k": "float64",
    "n_voxels": "int64",
    "radius_mm": "float64",
    "connectivity": "Int64",
    "reference": "object",
    "difference": "object",
    "tolerance": "float64",
    "elbow": "boolean",
    "grown_voxels": "Int64",
}


class LabelError(ValueError):
    """An annotation cannot become labels; the message names the file."""


def sphere_radius(n_voxels: float, voxel_volume_mm3: float) -> float:
    """Radius in mm of the sphere with the volume of ``n_voxels`` voxels."""
    return float((3 * n_voxels * voxel_volume_mm3 / (4 * np.pi)) ** (1 / 3))


def draw_spheres(grid: Volume, centres_voxel, radii_mm) -> np.ndarray:
    """Draw spheres of given radii in mm as labels 1 to n.

    A voxel belongs to a sphere when its centre lies within the radius; where spheres overlap
    it goes to the nearest centre. A sphere always holds the voxel nearest to its centre, so
    that none is lost between thick slices.

    Parameters
    ----------
    grid : Volume
        Its shape and affine are used.
    centres_voxel : array-like, shape (n, 3)
        Fractional voxel indices.
    radii_mm : array-like, shape (n,)

    Returns
    -------
    ndarray of uint16, shape of the grid

    Raises
    ------
    LabelError
        If two centres lie in the same voxel.
    """
    centres = np.asarray(centres_voxel, float).reshape(-1, 3)
    labels = np.zeros(grid.shape, np.uint16)
    nearest = np.full(grid.shape, np.inf, np.float32) if len(centres) else None
    for label, (centre, radius) in enumerate(zip(centres, radii_mm, strict=True), 1):
        reach = np.ceil(radius * np.linalg.norm(np.linalg.inv(grid.affine[:3, :3]), axis=1)) + 1
        low = np.clip(np.floor(centre - reach), 0, grid.shape).astype(int)
        high = np.clip(np.ceil(centre + reach) + 1, 0, grid.shape).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        steps = np.stack(np.meshgrid(*[np.arange(s.start, s.stop) for s in box], indexing="ij"), -1)
        away = np.linalg.norm((steps - centre) @ grid.affine[:3, :3].T, axis=-1)
        mine = (away <= radius) & (away < nearest[box])
        labels[box][mine] = label
        nearest[box][mine] = away[mine]
    own = np.rint(centres).astype(int)
    if len(np.unique(own, axis=0)) < len(own):
        raise LabelError(f"{grid.path or 'scan'}: expected one centre per voxel, found two in one")
    labels[tuple(own.T)] = np.arange(1, len(own) + 1)
    return labels


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


def _read_labels(scan: Scan, image: Volume) -> Volume:
    if scan.annotation.mask_path is None:
        raise LabelError(f"{scan.image}: expected a {scan.annotation.kind} file, found none")
    labels = Volume.read(scan.annotation.mask_path, np.int32)
    image.require_same_grid(labels)
    if not (labels.data > 0).any():
        raise LabelError(f"{labels.path}: expected annotated voxels, found an empty mask")
    return labels


def _table(rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _from_mask(scan: Scan, image: Volume) -> tuple[Volume, pd.DataFrame]:
    found = _read_labels(scan, image).data
    voxels = np.argwhere(found > 0)
    if scan.labelled:
        _, inverse = np.unique(found[tuple(voxels.T)], return_inverse=True)
        values = inverse + 1
    else:
        low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        values = ndimage.label(found[box] > 0, SIX)[0][tuple((voxels - low).T)]
    labels = np.zeros(found.shape, np.uint16)
    labels[tuple(voxels.T)] = values
    sizes = np.bincount(values)[1:]
    centres = np.stack([np.bincount(values, weights=v)[1:] / sizes for v in voxels.T], axis=1)
    rows = [
        {
            "id": label,
            "source": "mask",
            "i": centre[0],
            "j": centre[1],
            "k": centre[2],
            "n_voxels": size,
            "radius_mm": sphere_radius(size, image.voxel_volume_mm3),
        }
        for label, (centre, size) in enumerate(zip(centres, sizes, strict=True), 1)
    ]
    return image.with_data(labels), _table(rows)


def _scribbles(scan: Scan, image: Volume, params: Preprocessing) -> list[np.ndarray]:
    drawn = _read_labels(scan, image)
    multiple = {finding.segment for finding in scan.annotation.findings if finding.multiple}
    segments = np.unique(drawn.data[drawn.data > 0]).tolist()
    missing = {finding.segment for finding in scan.annotation.findings} - set(segments)
    if missing:
        raise LabelError(f"{drawn.path}: expected segments {sorted(missing)}, found {segments}")
    seeds = []
    for segment in segments:
        voxels = np.argwhere(drawn.data == segment)
        if segment in multiple:
            seeds += split_scribble(voxels, image.affine, params.scribble_link_mm)
        else:
            seeds.append(voxels)
    return seeds


def _row(label: int, source: str, centre, growth: Growth, n_voxels: int, radius: float) -> dict:
    return {
        "id": label,
        "source": source,
        "i": centre[0],
        "j": centre[1],
        "k": centre[2],
        "n_voxels": n_voxels,
        "radius_mm": radius,
        "connectivity": growth.setting.connectivity,
        "reference": growth.setting.reference,
        "difference": growth.setting.difference,
        "tolerance": growth.tolerance,
        "elbow": growth.elbow,
        "grown_voxels": growth.n_voxels,
    }


def refine(scan: Scan, image: Volume, params: Preprocessing) -> tuple[Volume, pd.DataFrame]:
    """Turn a scan's annotation into instance labels on its native grid (section 5.1).

    Parameters
    ----------
    scan : Scan
    image : Volume
        The scan's image, native grid, finite values.
    params : Preprocessing

    Returns
    -------
    labels : Volume of uint16
        0 is background, 1 to n the microbleeds.
    table : DataFrame
        One row per microbleed: id, source ("mask", "point" or "scribble"), i, j, k (centre in
        voxels), n_voxels (of the label), radius_mm; for grown ones also connectivity,
        reference, difference, tolerance, elbow and grown_voxels.

    Raises
    ------
    LabelError
        If the annotation's file is missing or empty, a flagged segment is not drawn, or two
        microbleeds share a voxel as centre.
    """
    kind = scan.annotation.kind
    if kind in ("none", "unknown"):
        return image.with_data(np.zeros(image.shape, np.uint16)), _table([])
    if kind == "mask":
        return _from_mask(scan, image)
    if kind == "points":
        source = "point"
        seeds = [np.array([point]) for point in scan.annotation.points]
    elif kind == "scribbles":
        source = "scribble"
        seeds = _scribbles(scan, image, params)
    else:
        raise LabelError(
            f"{scan.image}: expected an annotation of kind mask, points, scribbles or none, "
            f"found {kind}"
        )
    growths = grow_study(image, seeds, params)
    centres = [voxels.mean(axis=0) for voxels in seeds]
    radii = [sphere_radius(g.n_voxels, image.voxel_volume_mm3) for g in growths]
    labels = draw_spheres(image, centres, radii)
    sizes = np.bincount(labels[labels > 0], minlength=len(seeds) + 1)[1:]
    rows = [
        _row(label, source, *values)
        for label, values in enumerate(zip(centres, growths, sizes, radii, strict=True), 1)
    ]
    return image.with_data(labels), _table(rows)
