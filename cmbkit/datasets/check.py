"""Look into a scan's files before work begins: everything that is wrong, in one list."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from cmbkit.records import Scan
from cmbkit.volume import Volume, VolumeError

NAN_OUTSIDE_BRAIN = ("VALDO",)
"""Datasets that are published with NaN around the brain."""


def check_scan(scan: Scan) -> list[str]:
    """List what is wrong with a scan's image and annotation.

    Parameters
    ----------
    scan : Scan
        As a reader returned it; image and mask are read in full.

    Returns
    -------
    list of str
        One line per problem (file, expected, found), empty when there is none: unreadable
        file, unit other than mm, no variation, NaN or infinity, mask on another grid, not of
        integers or empty, negative labels, point or landmark outside the image, point listed
        twice. NaN outside the brain is how VALDO is published and no problem there.
    """
    try:
        image = Volume.read(scan.image)
    except VolumeError as error:
        return [str(error)]
    problems = _check_header(scan.image) + _check_values(scan, image)
    problems += _check_voxels(scan, image, "points", scan.annotation.points)
    landmarks = [mimic.voxel for mimic in scan.annotation.mimics]
    problems += _check_voxels(scan, image, "landmarks", landmarks)
    return problems + _check_mask(scan, image)


def _check_header(path: Path) -> list[str]:
    import nibabel as nib

    unit = nib.load(path).header.get_xyzt_units()[0]
    # many published files leave the unit open; nothing but mm is meant then
    return [] if unit in ("mm", "unknown") else [f"{path}: expected units of mm, found {unit}"]


def _check_values(scan: Scan, image: Volume) -> list[str]:
    finite = np.isfinite(image.data)
    problems = []
    if not finite.any():
        return [f"{scan.image}: expected voxel values, found none that is finite"]
    wrong = ~finite
    if scan.dataset in NAN_OUTSIDE_BRAIN:
        wrong &= ~np.isnan(image.data)
    if wrong.any():
        problems.append(
            f"{scan.image}: expected finite values, found NaN or infinity in "
            f"{wrong.sum()} voxels ({wrong.mean():.2%})"
        )
    values = image.data[finite]
    if values.min() == values.max():
        problems.append(f"{scan.image}: expected an image, found {values[0]:g} in every voxel")
    return problems


def _check_voxels(scan: Scan, image: Volume, what: str, voxels) -> list[str]:
    counts = Counter(tuple(voxel) for voxel in voxels)
    problems = [
        f"{scan.image}: expected {what} within {image.shape}, found {voxel}"
        for voxel in counts
        if any(not 0 <= index < size for index, size in zip(voxel, image.shape, strict=True))
    ]
    problems += [
        f"{scan.image}: expected {what} once, found {voxel} {count} times"
        for voxel, count in counts.items()
        if count > 1
    ]
    return problems


def _check_mask(scan: Scan, image: Volume) -> list[str]:
    annotation = scan.annotation
    needed = annotation.kind in ("mask", "scribbles")
    if annotation.mask_path is None:
        return [f"{scan.image}: expected a {annotation.kind} file, found none"] if needed else []
    try:
        mask = Volume.read(annotation.mask_path, np.int32)
    except VolumeError as error:
        return [str(error)]
    problems = _check_header(mask.path)
    try:
        image.require_same_grid(mask)
    except VolumeError as error:
        problems.append(str(error))
    if (mask.data < 0).any():
        problems.append(f"{mask.path}: expected labels from 0, found {mask.data.min()}")
    if needed and not (mask.data > 0).any():
        problems.append(f"{mask.path}: expected annotated voxels, found an empty mask")
    drawn = set(np.unique(mask.data).tolist())
    missing = {finding.segment for finding in annotation.findings} - drawn
    if missing:
        problems.append(f"{mask.path}: expected segments {sorted(missing)}, found none of them")
    return problems
