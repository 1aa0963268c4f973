"""Look into a scan's files before work begins: everything that is wrong, in one list."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np

from cmbkit.image_file import load_header
from cmbkit.records import DATASETS, Scan
from cmbkit.volume import Volume, VolumeError

NAN_OUTSIDE_BRAIN = ("VALDO",)
"""Datasets that are published with NaN around the brain."""
NO_NUMBER = "voxels held no number; background takes their place"


def check_scan(scan: Scan) -> list[str]:
    """List what is wrong with a scan's image and annotation.

    ``scan``: as a reader returned it; image and mask are read in full.

    Returns
    -------
    list of str
        One line per problem (file, expected, found, what to do), empty when there is none:
        unreadable file, voxels that are not of millimetres, no variation, NaN or infinity in a
        published dataset, mask on another grid, not of integers or empty, negative labels, point
        or landmark outside the image, point listed twice. NaN outside the brain is how VALDO is
        published and no problem there.
    """
    return inspect(scan)[0]


def inspect(scan: Scan) -> tuple[list[str], list[str], str | None]:
    """Problems of a scan (see `check_scan`), doubts, and a fingerprint of its image's voxels.

    Doubts are what a header leaves open or contradicts (`cmbkit.image_file.geometry`), and values
    of one's own scans that are not finite: preprocessing replaces them. Two images with the same
    voxels have the same fingerprint; it is None where there is nothing to tell
    images apart by (unreadable, or one value everywhere).
    """
    try:
        image = Volume.read(scan.image)
    except VolumeError as error:
        unread = f"{error}; copy it again from the source"
        return [unread, *_check_mask(scan, None)], [], None
    problems, replaced, varies = _check_values(scan, image)
    problems += _check_voxels(scan, image, "points", scan.annotation.points)
    landmarks = [mimic.voxel for mimic in scan.annotation.mimics]
    problems += _check_voxels(scan, image, "landmarks", landmarks)
    problems += _check_mask(scan, image)
    doubts = [f"{scan.image}: {doubt}" for doubt in (*image.doubts, *replaced)]
    return problems, doubts, _fingerprint(image) if varies else None


def _fingerprint(image: Volume) -> str:
    digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image.data.T))  # the order in which files store voxels
    return digest.hexdigest()


def _check_values(scan: Scan, image: Volume) -> tuple[list[str], list[str], bool]:
    """Problems of the voxel values, doubts, and whether they vary."""
    finite = np.isfinite(image.data)
    problems, doubts = [], []
    if not finite.any():
        problems.append(
            f"{scan.image}: expected voxel values, found none that is finite; "
            "copy it again from the source"
        )
        return problems, doubts, False
    wrong = ~finite
    if scan.dataset in NAN_OUTSIDE_BRAIN:
        wrong &= ~np.isnan(image.data)
    if wrong.any() and scan.dataset not in DATASETS:
        doubts.append(f"{wrong.sum()} {NO_NUMBER}")
    elif wrong.any():
        problems.append(
            f"{scan.image}: expected finite values, found NaN or infinity in "
            f"{wrong.sum()} voxels ({wrong.mean():.2%}); replace them, or convert the image again"
        )
    values = image.data[finite]
    varies = bool(values.min() != values.max())
    if not varies:
        problems.append(
            f"{scan.image}: expected an image, found {values[0]:g} in every voxel; "
            "copy it again from the source"
        )
    return problems, doubts, varies


def _check_voxels(scan: Scan, image: Volume, what: str, voxels) -> list[str]:
    counts = Counter(tuple(voxel) for voxel in voxels)
    problems = [
        f"{scan.image}: expected {what} within {image.shape}, found {voxel}; "
        "correct the coordinate, or check that the image is whole"
        for voxel in counts
        if any(not 0 <= index < size for index, size in zip(voxel, image.shape, strict=True))
    ]
    problems += [
        f"{scan.image}: expected {what} once, found {voxel} {count} times; remove the repetition"
        for voxel, count in counts.items()
        if count > 1
    ]
    return problems


def _check_mask(scan: Scan, image: Volume | None) -> list[str]:
    annotation = scan.annotation
    needed = annotation.kind in ("mask", "scribbles")
    if annotation.mask_path is None:
        if not needed:
            return []
        return [f"{scan.image}: expected a {annotation.kind} file, found none; add it"]
    path = annotation.mask_path
    try:
        mask = Volume.read(path, np.int32)
    except VolumeError as error:
        unread = f"{error}; save the mask with whole numbers, or copy it again"
        return [unread, *_check_grid(image, path)]
    problems = _check_grid(image, mask)
    strict = scan.dataset in DATASETS and scan.dataset not in NAN_OUTSIDE_BRAIN
    unknown = _nan_voxels(path) if strict else 0
    if unknown:
        problems.append(f"{path}: expected labels, found NaN in {unknown} voxels; set them to 0")
    labels = mask.data
    if (labels < 0).any():
        problems.append(f"{path}: expected labels from 0, found {labels.min()}; correct the label")
    if needed and not (labels > 0).any():
        problems.append(
            f"{path}: expected annotated voxels, found an empty mask; draw or export it again"
        )
    missing = {finding.segment for finding in annotation.findings} - set(np.unique(labels).tolist())
    if missing:
        problems.append(
            f"{path}: expected segments {sorted(missing)}, found none of them; "
            "export segmentation and findings together"
        )
    return problems


def _check_grid(image: Volume | None, mask: Volume | Path) -> list[str]:
    if image is None:
        return []
    if isinstance(mask, Path):
        try:
            mask = Volume.read(mask)
        except VolumeError:  # said before
            return []
    try:
        mask.in_order_of(image)
    except VolumeError as error:
        return [f"{error}; resample the mask to the image, or correct its header"]
    return []


def _nan_voxels(path: Path) -> int:
    if not np.issubdtype(load_header(path).get_data_dtype(), np.floating):
        return 0
    return int(np.isnan(Volume.read(path).data).sum())
