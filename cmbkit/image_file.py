"""Image files: which are read, and what their headers say of millimetres, left and right."""

from __future__ import annotations

import bz2
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip

BY_SIMPLEITK = (".nrrd", ".nhdr", ".mha", ".mhd")
ENDINGS = (
    *(".nii.gz", ".nii.bz2", ".nii", ".img.gz", ".img", ".hdr", ".mgz", ".mgh"),
    *BY_SIMPLEITK,
)
VOXEL_MM = (0.1, 25.0)
"""Sizes that a voxel of an MR image of a head can have; others come from another unit."""
LARGEST_MM, SMALLEST_MM = 320.0, 60.0
"""Of a field of view: more without any voxel size is none; less is a part of a head at most."""
SCALE_TOLERANCE = 0.02
IN_MM = {"meter": 1000.0, "micron": 0.001}
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # `geometry` says it by file
TEMPLATE_CODE = 3  # of the sform: Talairach, MNI and other templates from here on


class GeometryError(ValueError):
    """A header does not say where its voxels lie."""


@dataclass(frozen=True)
class Geometry:
    """Where the voxels of an image lie.

    Attributes
    ----------
    affine : ndarray, shape (4, 4)
        Voxel indices (0-based) to RAS mm.
    doubts : tuple of str
        What the header leaves open or contradicts, one clause each.
    sides_known : bool
        Whether left and right can be told apart.
    """

    affine: np.ndarray  # (4, 4): voxel indices (0-based) to RAS mm
    doubts: tuple[str, ...] = ()  # what the header leaves open or contradicts, one clause each
    sides_known: bool = True  # whether left and right can be told apart


def ending_of(name) -> str:
    """Ending of an image file's name as it stands there (``.NII.GZ``); empty of other files."""
    name = Path(name).name
    found = next((end for end in ENDINGS if name.lower().endswith(end)), "")
    return name[len(name) - len(found) :]


def stem(path) -> str:
    """File name without the ending of an image."""
    name = Path(path).name
    return name.removesuffix(ending_of(name) or "\0")


def is_image_file(path) -> bool:
    """Whether a name in a folder is that of an image; of ``.hdr`` and ``.img`` it is the latter."""
    ending = ending_of(path).lower()
    return bool(ending) and not (ending == ".hdr" and Path(path).with_suffix(".img").exists())


def load(path: Path):
    """Open an image of any of `ENDINGS` as nibabel's; packed files are unpacked by content.

    gzip is unpacked by isal, in a third of the time.
    """
    ending = ending_of(path).lower()
    if ending in BY_SIMPLEITK:
        return _by_simpleitk(path)
    if not ending.startswith(".nii"):
        return nib.load(path)
    with path.open("rb") as stream:
        start = stream.read(3)
    if start[:2] == b"\x1f\x8b":
        with igzip.open(path, "rb") as stream:
            return _from_bytes(stream.read())
    if start == b"BZh":
        return _from_bytes(bz2.decompress(path.read_bytes()))
    return nib.load(path) if ending == ".nii" else _from_bytes(path.read_bytes())


def load_header(path: Path):
    """As `load`, without unpacking the voxels where that can be helped."""
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    honest = ending_of(path).lower() in (".nii.gz" if packed else ".nii", ".mgz", ".mgh")
    return nib.load(path) if honest else load(path)


def _from_bytes(content: bytes):
    size = int.from_bytes(content[:4], sys.byteorder)
    swapped = int.from_bytes(content[:4], "little" if sys.byteorder == "big" else "big")
    second = nib.Nifti2Header.sizeof_hdr in (size, swapped)
    return (nib.Nifti2Image if second else nib.Nifti1Image).from_bytes(content)


def _by_simpleitk(path: Path):
    """NRRD and MetaImage; ITK's millimetres are LPS. Without a space, sides are not known."""
    import SimpleITK as sitk

    image = sitk.ReadImage(str(path))
    affine = np.eye(4)
    size = image.GetDimension()
    direction = np.reshape(image.GetDirection(), (size, size))
    affine[:size, :size] = direction * np.array(image.GetSpacing())
    affine[:size, 3] = image.GetOrigin()
    affine[:2] *= -1
    data = sitk.GetArrayFromImage(image)
    made = nib.Nifti1Image(np.moveaxis(data.T, 0, -1) if data.ndim > size else data.T, affine)
    if path.suffix.lower() in (".nrrd", ".nhdr") and not image.HasMetaDataKey("NRRD_space"):
        made.set_sform(affine, 0)
    return made


def geometry(image) -> Geometry:
    """Where the voxels of a nibabel image lie: its affine in mm, and what is open about it.

    A unit of metres or microns is converted. The sform counts where there is one, as in nibabel;
    where it leads to a template and scales, its directions count with the voxel sizes of pixdim.

    Raises
    ------
    GeometryError
        If the affine is not finite or not of full rank, or voxels are of another unit's size.
    """
    header = image.header
    affine = image.affine if image.affine is not None else header.get_best_affine()
    found = Geometry(np.asarray(affine, float))
    if isinstance(header, nib.Nifti1Header):
        found = _of_nifti(header, found.affine)
    elif not _says_sides(image):
        found = Geometry(found.affine, ("its format leaves left and right open",), False)
    return _plausible(found, image.shape)


def _says_sides(image) -> bool:
    if isinstance(image, nib.MGHImage):
        return int(image.header["goodRASFlag"]) > 0
    default = isinstance(image, nib.AnalyzeImage)
    return not (default and np.allclose(image.affine, image.header.get_best_affine()))


def _of_nifti(header, affine: np.ndarray) -> Geometry:
    sform, qform = int(header["sform_code"]), int(header["qform_code"])
    doubts, known = [], bool(sform or qform)
    if not known:
        doubts.append("qform and sform have code 0: left and right are not known")
    if sform:
        affine, said = _sizes_of(header, affine, sform)
        doubts += said
    if sform and qform:
        other = header.get_qform()
        if np.linalg.det(other[:3, :3]) * np.linalg.det(affine[:3, :3]) < 0:
            known = False
            doubts.append("qform and sform mirror each other: left and right are not known")
        elif nib.aff2axcodes(other) != nib.aff2axcodes(affine):
            one, two = ("".join(nib.aff2axcodes(a)) for a in (affine, other))
            doubts.append(f"sform says {one} and qform {two}: the sform counts")
    unit = header.get_xyzt_units()[0]
    scaled = np.array(affine, float)
    scaled[:3] *= IN_MM.get(unit, 1.0)
    return Geometry(scaled, tuple(doubts), known)


def _sizes_of(header, affine: np.ndarray, sform: int) -> tuple[np.ndarray, list[str]]:
    """The sform, in the voxel sizes that count; and what is to be said of a difference."""
    stored, sizes = np.abs(header["pixdim"][1:4]).astype(float), _sizes(affine)
    if not ((stored > 0).all() and np.isfinite(affine).all() and (sizes > 0).all()):
        return affine, []
    if np.abs(sizes / stored - 1).max() <= SCALE_TOLERANCE:
        return affine, []
    one, two = _mm(sizes), _mm(stored)
    if sform < TEMPLATE_CODE:
        return affine, [f"sform says voxels of {one}, pixdim {two}: the sform counts"]
    left, _, right = np.linalg.svd(affine[:3, :3] / sizes)
    rigid = affine.copy()
    rigid[:3, :3] = left @ right * stored
    return rigid, [f"sform leads to a template and scales to {one}: voxels are {two}, as in pixdim"]


def _plausible(found: Geometry, shape) -> Geometry:
    affine, shape = found.affine, shape[:3]
    if not (np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) > 0):
        raise GeometryError(
            f"expected a finite affine of full rank, found {affine.tolist()}; repair the header"
        )
    sizes = _sizes(affine)
    if sizes.min() < VOXEL_MM[0] or sizes.max() > VOXEL_MM[1]:
        raise GeometryError(
            f"expected voxels of {VOXEL_MM[0]:g} to {VOXEL_MM[1]:g} mm, found {_mm(sizes)}; "
            "are these millimetres? say the unit in the header, or repair the affine"
        )
    extent = sizes[: len(shape)] * shape
    one = np.array_equal(np.abs(affine[:3, :3]), np.eye(3))  # as where nobody gave a size
    if one and extent.max() > LARGEST_MM:
        raise GeometryError(
            f"expected voxel sizes, found 1 mm along each axis and a field of view of "
            f"{_mm(extent)}; repair the header"
        )
    if one and (not found.sides_known or not affine[:3, 3].any()):
        said = "its affine is the identity: voxel size, left and right may be lost"
        return Geometry(affine, (*found.doubts, said), False)
    if 0 < extent.max() < SMALLEST_MM:
        said = f"its field of view is {_mm(extent)}: a part of a head, or not in millimetres"
        return Geometry(affine, (*found.doubts, said), found.sides_known)
    return found


def _sizes(affine: np.ndarray) -> np.ndarray:
    return np.sqrt((affine[:3, :3] ** 2).sum(axis=0))


def _mm(lengths) -> str:
    return " x ".join(f"{length:.3g}" for length in lengths) + " mm"
