"""A 3D image with its affine: the one way in which cmbkit reads and writes NIfTI files."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip
from nibabel.spatialimages import SpatialImage

from cmbkit.atomic import whole_file

AFFINE_TOLERANCE_MM = 1e-3
LABEL_TOLERANCE = 1e-4


class VolumeError(ValueError):
    """A file is not the 3D image that was expected; the message names the file."""


def _whole(data: np.ndarray, path: Path | str) -> np.ndarray:
    """Scaled label values as integers; a scale factor such as 1/255 costs a little precision."""
    data = np.nan_to_num(data, nan=0.0, posinf=np.inf, neginf=-np.inf)
    if not np.isfinite(data).all():
        raise VolumeError(f"{path}: expected integer labels, found infinity")
    whole = np.rint(data)
    if not np.allclose(data, whole, rtol=0, atol=LABEL_TOLERANCE):
        raise VolumeError(f"{path}: expected integer labels, found fractional values")
    return whole


@dataclass(frozen=True)
class Volume:
    """A 3D array on a grid in scanner space.

    Attributes
    ----------
    data : ndarray, shape (i, j, k)
        Voxel values, in the array order of the file.
    affine : ndarray, shape (4, 4)
        Maps voxel indices (0-based) to RAS millimetres.
    path : Path or None
        Where it was read from; used in error messages.

    Notes
    -----
    nilearn and nibabel take ``volume.to_nifti()``, TorchIO takes
    ``torchio.ScalarImage(tensor=volume.data[None], affine=volume.affine)``.
    """

    data: np.ndarray
    affine: np.ndarray
    path: Path | None = None

    def __post_init__(self):
        where = self.path or "volume"
        if self.data.ndim != 3:
            raise VolumeError(f"{where}: expected a 3D image, found shape {self.data.shape}")
        if np.shape(self.affine) != (4, 4) or not np.isfinite(self.affine).all():
            raise VolumeError(f"{where}: expected a finite 4x4 affine, found {self.affine}")

    @classmethod
    def of(cls, given, dtype=np.float32) -> Volume:
        """Volume of whatever holds an image: a file, a nibabel image or a volume.

        Parameters
        ----------
        given : path-like, nibabel image or Volume
        dtype : numpy dtype
            Of what is read from a file (see `read`). Other voxels keep their type, unless
            integers are wanted and they are none.

        Raises
        ------
        VolumeError
            As `read`, or if ``given`` is none of these.
        """
        if isinstance(given, str | os.PathLike):
            return cls.read(given, dtype)
        if not is_image(given):
            found = type(given).__name__
            raise VolumeError(f"expected a path, a nibabel image or a Volume, found {found}")
        volume = given if isinstance(given, cls) else cls.from_nifti(given)
        if np.issubdtype(dtype, np.integer) and not np.issubdtype(volume.data.dtype, np.integer):
            whole = _whole(volume.data, volume.path or "volume")
            return volume.with_data(whole.astype(dtype))
        return volume

    @classmethod
    def read(cls, path, dtype=np.float32) -> Volume:
        """Read a .nii or .nii.gz file; a 4D file with one volume counts as 3D.

        Parameters
        ----------
        path : path-like
        dtype : numpy dtype
            Of the returned array; floats apply the header's scaling, integers
            require that the scaled values are integers (NaN counts as 0).

        Raises
        ------
        VolumeError
            If the file is missing, unreadable, truncated, or not one 3D image.
        """
        path = Path(path)
        if not path.is_file():
            raise VolumeError(f"{path}: expected a NIfTI file, found nothing")
        try:
            image = _load(path)
            data = _values(image.dataobj, dtype)
        except Exception as error:
            raise VolumeError(f"{path}: expected a readable NIfTI file, found: {error}") from error
        if data.ndim == 4 and data.shape[3] == 1:
            data = data[..., 0]
        if data.dtype.kind not in "biuf":
            raise VolumeError(f"{path}: expected real numbers, found voxels of {data.dtype}")
        if np.issubdtype(dtype, np.integer) and not np.issubdtype(data.dtype, np.integer):
            data = _whole(data, path)
        return cls(data.astype(dtype, copy=False), np.asarray(image.affine, float), path)

    def write(self, path, *, dtype=None) -> Path:
        """Write to ``path`` (.nii or .nii.gz) through a temporary name, so no half file stays.

        ``dtype=np.int16`` for float data stores scaled integers (about 1e-4 of the range).
        """
        path = Path(path)
        image = self.to_nifti()
        if dtype is not None:
            image.set_data_dtype(dtype)
        with whole_file(path) as part:
            if path.name.endswith(".gz"):
                with igzip.open(part, "wb", compresslevel=1) as stream:
                    image.to_stream(stream)
            else:
                nib.save(image, part)
        return path

    @classmethod
    def from_nifti(cls, image) -> Volume:
        """Volume of a nibabel image with one 3D volume; its file's name goes along.

        Raises
        ------
        VolumeError
            If the image has not three axes.
        """
        data = np.asanyarray(image.dataobj)
        if data.ndim == 4 and data.shape[3] == 1:
            data = data[..., 0]
        name = image.get_filename()
        return cls(data, np.asarray(image.affine, float), Path(name) if name else None)

    def to_nifti(self) -> nib.Nifti1Image:
        """The same voxels and affine for nibabel, nilearn and others; bool becomes uint8."""
        data = self.data.astype(np.uint8) if self.data.dtype == bool else self.data
        image = nib.Nifti1Image(data, self.affine, dtype=data.dtype)
        image.header.set_xyzt_units("mm")
        return image

    @property
    def spacing(self) -> np.ndarray:
        """Voxel size in mm along the three array axes, shape (3,)."""
        return np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along the three array axes."""
        return self.data.shape

    @property
    def orientation(self) -> str:
        """Direction in which each axis increases, e.g. ``"RAS"`` or ``"LPS"``."""
        return "".join(nib.aff2axcodes(self.affine))

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel in mm^3."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def with_data(self, data) -> Volume:
        """Return another array on the same grid (shape must match)."""
        if data.shape != self.data.shape:
            raise VolumeError(f"expected shape {self.data.shape}, found {data.shape}")
        return replace(self, data=data)

    def reoriented(self, axes="RAS") -> Volume:
        """Flip and permute axes so that they increase towards ``axes``; no resampling.

        Returns a copy whose memory layout follows the original's.
        """
        source = nib.io_orientation(self.affine)
        transform = nib.orientations.ornt_transform(source, nib.orientations.axcodes2ornt(axes))
        data = nib.apply_orientation(self.data, transform)
        affine = self.affine @ nib.orientations.inv_ornt_aff(transform, self.data.shape)
        return Volume(np.copy(data, order="K"), affine, self.path)

    def to_mm(self, voxels) -> np.ndarray:
        """Voxel indices, shape (n, 3) or (3,), to RAS mm."""
        return nib.affines.apply_affine(self.affine, np.asarray(voxels, float))

    def to_voxels(self, mm) -> np.ndarray:
        """RAS mm, shape (n, 3) or (3,), to fractional voxel indices."""
        return nib.affines.apply_affine(np.linalg.inv(self.affine), np.asarray(mm, float))

    def require_same_grid(self, other: Volume) -> None:
        """Raise VolumeError unless shape and affine (to 1e-3 mm) agree."""
        if self.shape != other.shape:
            raise VolumeError(
                f"{other.path or 'volume'}: expected shape {self.shape} as in "
                f"{self.path or 'the image'}, found {other.shape}"
            )
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        shift = np.abs(self.to_mm(corners) - other.to_mm(corners)).max()
        if shift > AFFINE_TOLERANCE_MM:
            raise VolumeError(
                f"{other.path or 'volume'}: expected the affine of {self.path or 'the image'}, "
                f"found corners up to {shift:.3g} mm away"
            )


def is_image(given) -> bool:
    """Whether something is a path, a nibabel image or a volume: what `Volume.of` takes."""
    return isinstance(given, str | os.PathLike | Volume | SpatialImage)


def _load(path: Path):
    """As `nibabel.load`; gzip is unpacked by isal, in a third of the time."""
    if not path.name.endswith(".nii.gz"):
        return nib.load(path)
    with igzip.open(path, "rb") as stream:
        content = stream.read()
    size = int.from_bytes(content[:4], sys.byteorder)
    swapped = int.from_bytes(content[:4], "little" if sys.byteorder == "big" else "big")
    second = nib.Nifti2Header.sizeof_hdr in (size, swapped)
    return (nib.Nifti2Image if second else nib.Nifti1Image).from_bytes(content)


def _values(stored, dtype) -> np.ndarray:
    """Stored values with the header's scaling; for floats slice by slice, to save memory."""
    scaled = np.issubdtype(dtype, np.floating) and hasattr(stored, "get_unscaled")
    if not scaled or (stored.slope, stored.inter) == (1.0, 0.0):
        return np.asanyarray(stored)
    raw = stored.get_unscaled()
    values = np.empty(raw.shape, dtype, order="F")
    for k in range(raw.shape[-1]):
        values[..., k] = raw[..., k] * stored.slope + stored.inter
    return values
