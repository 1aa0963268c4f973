"""Label refinement: from what the raters marked to one integer per microbleed (5.1).

Masks are taken as they are, one label per microbleed. Points and scribbles are grown
(`region_growing`); the grown region gives a radius, and the microbleed becomes a sphere of
that radius around its centre. The thesis did so on the scan's native grid (`refine`) and names
the standard grid as the better place (section 9.4); `read_marks`, `Seeds.moved` and
`grow_spheres` do the same there.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import ndimage

from cmbkit.ball import ball_radius
from cmbkit.boxes import bounding_box
from cmbkit.params import Preprocessing
from cmbkit.preprocessing.region_growing import SIX, grow_study
from cmbkit.preprocessing.seeds import LabelError, Seeds, read_labels, read_marks
from cmbkit.records import Finding, Scan
from cmbkit.volume import Volume

TIE_MM = 1e-6
COLUMNS = {
    "id": "int64",
    "source": "object",
    "mark": "int64",
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
    "leap": "boolean",
    "grown_voxels": "Int64",
}


def draw_spheres(grid: Volume, centres_voxel, radii_mm) -> np.ndarray:
    """Draw spheres of given radii in mm as labels 1 to n.

    A voxel belongs to a sphere when its centre lies within the radius; where spheres overlap
    it goes to the nearest centre (the earlier of two as near). A sphere always holds the voxel
    nearest to its centre, so that none is lost between thick slices.

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
    matrix = grid.affine[:3, :3].T
    for label, (centre, radius) in enumerate(zip(centres, radii_mm, strict=True), 1):
        reach = np.ceil(radius * np.linalg.norm(np.linalg.inv(grid.affine[:3, :3]), axis=1)) + 1
        low = np.clip(np.floor(centre - reach), 0, grid.shape).astype(int)
        high = np.clip(np.ceil(centre + reach) + 1, 0, grid.shape).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        steps = np.stack(np.meshgrid(*[np.arange(s.start, s.stop) for s in box], indexing="ij"), -1)
        away = np.linalg.norm((steps - centre) @ matrix, axis=-1)
        mine = away <= radius
        taken = mine & (labels[box] > 0)
        others = centres[labels[box][taken] - 1]
        theirs = np.linalg.norm((steps[taken] - others) @ matrix, axis=-1)
        mine[taken] = away[taken] < theirs - TIE_MM
        labels[box][mine] = label
    own = np.rint(centres).astype(int)
    if len(np.unique(own, axis=0)) < len(own):
        raise LabelError(f"{grid.path or 'scan'}: expected one centre per voxel, found two in one")
    labels[tuple(own.T)] = np.arange(1, len(own) + 1)
    return labels


def _table(**columns) -> pd.DataFrame:
    table = pd.DataFrame(columns).assign(id=lambda found: np.arange(1, len(found) + 1))
    return table.reindex(columns=list(COLUMNS)).astype(COLUMNS)


def _from_mask(scan: Scan, image: Volume) -> tuple[Volume, pd.DataFrame]:
    found = read_labels(scan, image).data
    box = bounding_box(found > 0)
    part = found[box]
    inside = np.argwhere(part > 0)
    if scan.labelled:
        marks, inverse = np.unique(part[tuple(inside.T)], return_inverse=True)
        values = inverse + 1
    else:
        values = ndimage.label(part > 0, SIX)[0][tuple(inside.T)]
        marks = np.arange(1, values.max() + 1)
    voxels = inside + [s.start for s in box]
    labels = np.zeros(found.shape, np.uint16)
    labels[tuple(voxels.T)] = values
    sizes = np.bincount(values)[1:]
    centres = np.stack([np.bincount(values, weights=v)[1:] / sizes for v in voxels.T], axis=1)
    table = _table(
        source="mask",
        mark=marks,
        **dict(zip("ijk", centres.T, strict=True)),
        n_voxels=sizes,
        radius_mm=[ball_radius(size * image.voxel_volume_mm3) for size in sizes],
    )
    return image.with_data(labels), table


def with_ratings(found: pd.DataFrame, findings: tuple[Finding, ...]) -> pd.DataFrame:
    """Microbleeds with what the rater said of the scribble that each comes from.

    Parameters
    ----------
    found : DataFrame
        From `refine`: its ``mark`` is the scribble's label.
    findings : tuple of Finding
        Of the same scan; empty where the dataset has none.

    Returns
    -------
    DataFrame
        With certainty (lower case: "certain", "uncertain") and rater_location, missing where
        nothing was said. Microbleeds of one scribble ("multiple") have the same.
    """
    certainty = {finding.segment: (finding.certainty or "").lower() for finding in findings}
    location = {finding.segment: finding.location or "" for finding in findings}
    said = {"certainty": certainty, "rater_location": location}
    words = {name: [of.get(mark, "").strip() or None for mark in found["mark"]]
             for name, of in said.items()}  # fmt: skip
    return found.assign(**words)


def grow_spheres(image: Volume, marks: Seeds, params: Preprocessing):
    """Grow every mark and draw a sphere of the grown volume around its centre (steps 1 and 2).

    ``image`` has finite values, on the native grid or the standard one, and ``marks`` are on
    its grid. Returns labels and table as `refine` does.
    """
    growths = grow_study(image, marks.voxels, params)
    radii = [ball_radius(g.n_voxels * image.voxel_volume_mm3) for g in growths]
    labels = draw_spheres(image, marks.centres, radii)
    sizes = np.bincount(labels[labels > 0], minlength=len(growths) + 1)[1:]
    table = _table(
        source=marks.source,
        mark=marks.numbers,
        **dict(zip("ijk", np.reshape(marks.centres, (-1, 3)).T, strict=True)),
        n_voxels=sizes,
        radius_mm=radii,
        connectivity=[growth.setting.connectivity for growth in growths],
        reference=[growth.setting.reference for growth in growths],
        difference=[growth.setting.difference for growth in growths],
        tolerance=[growth.tolerance for growth in growths],
        elbow=[growth.elbow for growth in growths],
        leap=[growth.leap for growth in growths],
        grown_voxels=[growth.n_voxels for growth in growths],
    )
    return image.with_data(labels), table


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
        One row per microbleed: id, source ("mask", "point" or "scribble"), mark (number of the
        point, label of the scribble or in the mask), i, j, k (centre in voxels), n_voxels (of
        the label), radius_mm; for grown ones also connectivity, reference, difference,
        tolerance, elbow, leap and grown_voxels.

    Raises
    ------
    LabelError
        If the annotation's file is missing or empty, a flagged segment is not drawn, or two
        microbleeds share a voxel as centre.
    """
    kind = scan.annotation.kind
    if kind in ("none", "unknown"):
        return image.with_data(np.zeros(image.shape, np.uint16)), _table()
    if kind == "mask":
        return _from_mask(scan, image)
    return grow_spheres(image, read_marks(scan, image, params), params)
