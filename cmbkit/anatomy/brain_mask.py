"""Brain masks: SynthStrip where it is installed, the image's own background, or a stand-in.

The stand-in's settings were chosen on four people's heads and judged on four others' (T2*-like,
with bone, scalp and coils of many kinds; benchmarks/brain_masks.md).

The thesis strips the skull with SynthStrip (section 5.2, step 3). `brain_mask` says with each
mask which way it was made, and the name goes into the scan's record.
"""

from pathlib import Path

import numpy as np
from scipy import ndimage

from cmbkit.anatomy.blocks import block_mean, refine
from cmbkit.anatomy.programs import ProgramError, command_for, finished_file, run
from cmbkit.atomic import temporary_folder
from cmbkit.boxes import bounding_box
from cmbkit.params import Tool
from cmbkit.volume import Volume

METHODS = ("auto", "synthstrip", "stand-in", "deepbet")
SYNTHSTRIP = "SynthStrip"
DEEPBET = "deepbet"
BEFOREHAND = "made beforehand"
ZERO_BACKGROUND = "zero background"
STAND_IN = "stand-in (intensity, not SynthStrip)"

STRIPPED_SHARE = 0.3
LARGEST_BRAIN_L = 2.5
SLAB_L = 0.6
SLAB_DEPTH_MM = 5.0
SKULL_MM = 5.0
WORKING_MM = 3.0
AROUND_MM = 12.0
BRIGHT = 0.75
DEPTHS_MM = (6.5, 8.0, 9.5, 11.0, 13.0)
SCALP_SHARE = 0.005
NO_SCALP_SHARE = 0.02
OUTLINE_CLOSING_MM = 10.0
CLOSING_MM = 7.0
INWARD_MM = 1.0


class BrainMaskError(ProgramError):
    """No brain was found; the message names the image."""


def brain_mask(
    image, method: str = "auto", tool: Tool | None = None, uid: str | None = None
) -> tuple[Volume, str]:
    """Mask of the brain on the image's own grid.

    Parameters
    ----------
    image : path-like, nibabel image or Volume
        Finite values, any orientation.
    method : {"auto", "synthstrip", "stand-in", "deepbet"}
        ``auto`` takes SynthStrip where ``mri_synthstrip`` is on the PATH, and gives it a
        z-scored copy as the thesis did. Without it, an image that was stripped already (at least
        30% of its voxels are one constant, and what is left is no larger than a brain, 2.5 l,
        and has no skull in it) is masked by its own background; any other image gets the
        stand-in. ``stand-in`` is ``auto`` without SynthStrip. ``deepbet`` needs that package
        (``pip install deepbet``, with torch).
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
    if method not in METHODS:
        raise ValueError(f"method: expected {', '.join(METHODS)}, found {method}")
    image, tool = Volume.of(image), tool or Tool()
    if tool.folder:
        found = Volume.read(finished_file(tool, uid, "the brain mask"))
        return _checked(image, found), BEFOREHAND
    if method == "deepbet":
        return _deepbet(image), DEEPBET
    if method != "stand-in":
        with temporary_folder() as folder:
            required = method == "synthstrip"
            command = command_for(tool, "mri_synthstrip", folder, required)
            if command:
                return _synthstrip(image, command, folder), SYNTHSTRIP
    mask, name = _by_intensity(image.reoriented("RAS"))
    return image.with_data(mask.reoriented(image.orientation).data), name


def _synthstrip(image: Volume, command: list[str], folder: Path) -> Volume:
    source, mask = folder / "image.nii.gz", folder / "mask.nii.gz"
    standard = (image.data - image.data.mean()) / max(float(image.data.std()), 1e-6)
    image.with_data(standard.astype(np.float32)).write(source)
    files = ["-i", str(source), "-o", str(folder / "stripped.nii.gz"), "-m", str(mask)]
    run([*command, *files], mask, image.path)
    return _checked(image, Volume.read(mask))


def _deepbet(image: Volume) -> Volume:
    try:
        from deepbet import run_bet
    except ImportError:
        found = "deepbet: expected the package (pip install deepbet), found none"
        raise ProgramError(found) from None
    with temporary_folder() as folder:
        source, mask = folder / "image.nii.gz", folder / "mask.nii.gz"
        image.with_data(image.data.astype(np.float32)).write(source)
        run_bet([str(source)], None, [str(mask)], None, no_gpu=True)
        return _checked(image, Volume.read(mask))


def _checked(image: Volume, mask: Volume) -> Volume:
    inside = mask.in_order_of(image).data > 0.5
    if not inside.any():
        raise BrainMaskError(f"{image.path}: expected a brain, found an empty mask")
    return image.with_data(inside.astype(np.uint8))


def _off_background(image: Volume) -> tuple[Volume | None, float]:
    """Largest part that differs from most corners, holes filled, and litres of all that differs.

    None where less than `STRIPPED_SHARE` of the image is of that value.
    """
    background = np.median(image.data[np.ix_(*[(0, -1)] * 3)])
    different = image.data != background
    share = np.count_nonzero(different) / different.size
    litres = share * different.size * image.voxel_volume_mm3 / 1e6
    if share > 1 - STRIPPED_SHARE or not different.any():
        return None, litres
    import cc3d

    box = bounding_box(different)
    brain = cc3d.largest_k(different[box], k=1, connectivity=6) > 0
    outside = np.pad(~brain, 1, constant_values=True)
    outside = cc3d.connected_components(outside, connectivity=6, out_dtype=np.uint32)
    mask = np.zeros_like(different, np.uint8)
    mask[box] = outside[1:-1, 1:-1, 1:-1] != outside[0, 0, 0]
    return image.with_data(mask), litres


def _by_intensity(image: Volume) -> tuple[Volume, str]:
    """Mask of an image in RAS order: its own background, unless a skull lies within, or found.

    A background of one value counts as dark, whatever the value.
    """
    factors = np.maximum(1, np.round(WORKING_MM / image.spacing)).astype(int)
    spacing = image.spacing * factors
    (own, litres), data = _off_background(image), image.data
    if own is not None:
        inside = own.data > 0
        data = np.where(inside, data, np.percentile(data[inside], 0.1).astype(np.float32))
    found = _stand_in(image.with_data(data), factors, spacing)
    if own is not None and litres <= LARGEST_BRAIN_L:
        whole = block_mean(own.data.astype(np.float32), factors) > 0.5
        if not found.any() or _reaches_surface(found, whole, spacing):
            return own, ZERO_BACKGROUND
    if not found.any():
        thick = 2 * SLAB_DEPTH_MM
        raise BrainMaskError(f"{image.path}: expected a brain, found no tissue {thick:g} mm thick")
    soft = ndimage.gaussian_filter(found.astype(np.float32), 0.7)
    mask = refine(soft, factors, image.shape) > 0.5
    return image.with_data(mask.astype(np.uint8)), STAND_IN


def _reaches_surface(brain: np.ndarray, whole: np.ndarray, spacing) -> bool:
    """Whether a quarter of the brain's surface lies less than a scalp and skull below another."""
    rim = brain & (_depth(brain, spacing) <= spacing.max())
    return bool(np.quantile(_depth(whole, spacing)[rim], 0.25) < SKULL_MM)


def _parts(mask: np.ndarray, share: float) -> np.ndarray:
    """Connected parts of at least ``share`` of the largest one's voxels."""
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=2)
    sizes[0] = 0
    return (sizes >= share * sizes.max())[labels] if count else mask


def _depth(mask: np.ndarray, spacing) -> np.ndarray:
    """Distance in mm to what is outside; the mask goes on beyond the field of view."""
    if mask.all():
        return np.full(mask.shape, np.inf)
    depth = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"), sampling=spacing)
    return depth[1:-1, 1:-1, 1:-1]


def _stand_in(image: Volume, factors, spacing) -> np.ndarray:
    """Voxels bright for their surroundings, cut loose from scalp and neck, smoothed.

    On blocks of about 3 mm: voxels over `BRIGHT` of the mean of the foreground around them
    (Gaussian, `AROUND_MM`), which follows a coil's sensitivity; the largest part deeper than some
    millimetres (`_cut_loose`), grown back by as much; closed, and moved in by a millimetre.
    """
    coarse = block_mean(image.data, factors)
    low, high = np.percentile(coarse, [0.1, 99.9])
    if high <= low:
        raise BrainMaskError(f"{image.path}: expected a brain, found a constant image")
    smooth = ndimage.gaussian_filter(np.clip(coarse, low, high) - low, 1.0 / spacing)
    foreground = _foreground(smooth)
    head = _parts(_closed(foreground, spacing, OUTLINE_CLOSING_MM), 1.0)
    scalp = head & (_depth(head, spacing) < SKULL_MM)
    tissue = _bright(smooth, foreground, spacing)
    return _closed(_cut_loose(tissue, scalp, spacing), spacing, CLOSING_MM, INWARD_MM)


def _cut_loose(tissue: np.ndarray, scalp: np.ndarray, spacing) -> np.ndarray:
    """Largest part deeper than the first of `DEPTHS_MM` that leaves the scalp out, grown back.

    Left out is a scalp of which no more than `SCALP_SHARE` of the part is, or half more than at
    the best of the depths. Where over `NO_SCALP_SHARE` is left at each, the brain itself lies under
    the head's outline, and the first depth counts. Where what is left is a small part of a brain,
    the halves of its top may lie apart: then all parts deeper than `SLAB_DEPTH_MM` and no smaller
    than a fifth of the largest.
    """
    depth = _depth(tissue, spacing)
    brains, shares = [], []
    for bridge in DEPTHS_MM:
        core = _parts(depth > bridge, 1.0)
        if not core.any():
            break
        brains.append((_depth(~core, spacing) <= bridge + 1) & tissue)
        shares.append(np.count_nonzero(brains[-1] & scalp) / np.count_nonzero(brains[-1]))
    brain = np.zeros_like(tissue)
    if brains:
        most = max(SCALP_SHARE, 1.5 * min(shares)) if min(shares) < NO_SCALP_SHARE else 1.0
        brain = brains[np.argmax(np.array(shares) <= most)]
    if brain.sum() * np.prod(spacing) / 1e6 < SLAB_L:
        core = _parts(depth > SLAB_DEPTH_MM, 0.2)
        if core.any():
            brain = (_depth(~core, spacing) <= SLAB_DEPTH_MM + 1) & tissue
    return brain


def _foreground(smooth: np.ndarray) -> np.ndarray:
    from skimage.filters import threshold_otsu

    return smooth > 0.35 * threshold_otsu(smooth)


def _bright(smooth: np.ndarray, foreground: np.ndarray, spacing) -> np.ndarray:
    share = ndimage.gaussian_filter(foreground.astype(np.float32), AROUND_MM / spacing)
    around = ndimage.gaussian_filter(smooth * foreground, AROUND_MM / spacing)
    return foreground & (smooth * share > BRIGHT * around)


def _closed(mask: np.ndarray, spacing, by_mm: float, inward_mm: float = 0.0) -> np.ndarray:
    """Closing by ``by_mm``, holes filled, the surface moved in by ``inward_mm``."""
    margin = np.ceil((by_mm + 3) / spacing).astype(int)
    wide = np.pad(mask, [(m, m) for m in margin], mode="edge")
    filled = _depth(_depth(~wide, spacing) <= by_mm, spacing) > by_mm + inward_mm
    return ndimage.binary_fill_holes(filled[tuple(slice(m, -m) for m in margin)])
