"""Brain masks: SynthStrip where it is installed, the image's own background, or a stand-in.

The thesis strips the skull with SynthStrip (section 5.2, step 3). `brain_mask` says with each
mask which way it was made, and the name goes into the scan's record.
"""

import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage

from cmbkit.anatomy.blocks import block_mean, refine
from cmbkit.anatomy.programs import ProgramError, command_for, finished_file, run
from cmbkit.boxes import bounding_box
from cmbkit.params import Tool
from cmbkit.volume import Volume

SYNTHSTRIP = "SynthStrip"
BEFOREHAND = "made beforehand"
ZERO_BACKGROUND = "zero background"
STAND_IN = "stand-in (intensity, not SynthStrip)"

STRIPPED_SHARE = 0.3
LARGEST_BRAIN_ML = 2500.0
WORKING_MM = 3.0
BRIDGE_MM = 7.0
SIX = ndimage.generate_binary_structure(3, 1)


class BrainMaskError(ProgramError):
    """No brain was found; the message names the image."""


def brain_mask(
    image: Volume, method: str = "auto", tool: Tool | None = None, uid: str | None = None
) -> tuple[Volume, str]:
    """Mask of the brain on the image's own grid.

    Parameters
    ----------
    image : Volume
        Finite values, any orientation.
    method : {"auto", "synthstrip", "stand-in"}
        ``auto`` takes SynthStrip where ``mri_synthstrip`` is on the PATH, and gives it a
        z-scored copy as the thesis did. Without it, an image
        that was stripped already (at least 30% of its voxels are one constant, and what is
        left is no larger than a brain, 2.5 l) is masked by its own background; any other image
        gets the stand-in. ``stand-in`` is ``auto`` without SynthStrip.
    tool : cmbkit.params.Tool, optional
        Where SynthStrip is: a program, a docker image, or a folder with masks made beforehand
        (``<uid>.nii.gz``, voxels > 0, on the image's grid). Named there, it must be there.

    Returns
    -------
    mask : Volume of uint8
        0 or 1.
    name : str
        How the mask was made.
    """
    if method not in ("auto", "synthstrip", "stand-in"):
        raise ValueError(f"method: expected auto, synthstrip or stand-in, found {method}")
    tool = tool or Tool()
    if tool.folder:
        found = Volume.read(finished_file(tool, uid, "the brain mask"))
        return _checked(image, found), BEFOREHAND
    if method != "stand-in":
        with tempfile.TemporaryDirectory() as folder:
            required = method == "synthstrip"
            command = command_for(tool, "mri_synthstrip", Path(folder), required)
            if command:
                return _synthstrip(image, command, Path(folder)), SYNTHSTRIP
    own = _own_background(image)
    if own is not None:
        return own, ZERO_BACKGROUND
    return _stand_in(image), STAND_IN


def _synthstrip(image: Volume, command: list[str], folder: Path) -> Volume:
    source, mask = folder / "image.nii.gz", folder / "mask.nii.gz"
    standard = (image.data - image.data.mean()) / max(float(image.data.std()), 1e-6)
    image.with_data(standard.astype(np.float32)).write(source)
    files = ["-i", str(source), "-o", str(folder / "stripped.nii.gz"), "-m", str(mask)]
    run([*command, *files], mask, image.path)
    return _checked(image, Volume.read(mask))


def _checked(image: Volume, mask: Volume) -> Volume:
    image.require_same_grid(mask)
    inside = mask.data > 0.5
    if not inside.any():
        raise BrainMaskError(f"{image.path}: expected a brain, found an empty mask")
    return image.with_data(inside.astype(np.uint8))


def _own_background(image: Volume) -> Volume | None:
    background = image.data[0, 0, 0]
    tissue = image.data != background
    share = np.count_nonzero(tissue) / tissue.size
    if share > 1 - STRIPPED_SHARE or not tissue.any():
        return None
    if share * tissue.size * image.voxel_volume_mm3 / 1000 > LARGEST_BRAIN_ML:
        return None
    import cc3d

    box = bounding_box(tissue)
    brain = cc3d.largest_k(tissue[box], k=1, connectivity=6) > 0
    outside = np.pad(~brain, 1, constant_values=True)
    outside = cc3d.connected_components(outside, connectivity=6, out_dtype=np.uint32)
    mask = np.zeros_like(tissue, np.uint8)
    mask[box] = outside[1:-1, 1:-1, 1:-1] != outside[0, 0, 0]
    return image.with_data(mask)


def _largest(mask: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(mask, SIX)
    return labels == np.bincount(labels.ravel())[1:].argmax() + 1 if count else mask


def _within(mask: np.ndarray, spacing, distance_mm: float) -> np.ndarray:
    return ndimage.distance_transform_edt(~mask, sampling=spacing) <= distance_mm


def _stand_in(image: Volume) -> Volume:
    """Bright tissue, cut loose from the scalp: coarse grid, threshold, opening, largest part."""
    from skimage.filters import threshold_otsu

    factors = np.maximum(1, np.round(WORKING_MM / image.spacing)).astype(int)
    coarse = block_mean(image.data, factors)
    spacing = image.spacing * factors
    smooth = ndimage.gaussian_filter(coarse, 2.0 / spacing)
    if smooth.max() <= smooth.min():
        raise BrainMaskError(f"{image.path}: expected a brain, found a constant image")
    tissue = smooth > 0.8 * threshold_otsu(smooth)
    padded = np.pad(tissue, 1)
    depth = ndimage.distance_transform_edt(padded, sampling=spacing)[1:-1, 1:-1, 1:-1]
    core = _largest(depth > BRIDGE_MM)
    if not core.any():
        raise BrainMaskError(f"{image.path}: expected a brain, found no tissue 14 mm thick")
    brain = _within(core, spacing, BRIDGE_MM + 1.0) & tissue
    margin = np.ceil(12 / spacing).astype(int)
    brain = np.pad(_largest(brain), [(m, m) for m in margin])
    closed = _within(brain, spacing, 8.0)
    closed = ndimage.distance_transform_edt(closed, sampling=spacing) > 8.0
    inner = tuple(slice(m, -m) for m in margin)
    brain = ndimage.binary_fill_holes(brain | closed)[inner]
    soft = ndimage.gaussian_filter(brain.astype(np.float32), 0.7)
    return image.with_data((refine(soft, factors, image.shape) > 0.5).astype(np.uint8))
