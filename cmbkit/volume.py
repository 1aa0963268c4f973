"""A 3D image with its affine: the one way in which cmbkit reads and writes images."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip
from nibabel.spatialimages import SpatialImage

from cmbkit.atomic import whole_file
from cmbkit.image_file import GeometryError, geometry, load

GRID_TOLERANCE = 0.1
"""Share of a voxel by which two grids may differ and be the same."""
LABEL_TOLERANCE = 0.01


class VolumeError(ValueError):
    """A file is not the 3D image that was expected; the message names the file."""


def _whole(data: np.ndarray, path: Path | str) -> np.ndarray:
    """Scaled label values as integers; a scale factor such as 1/255 costs a little precision."""
    data = np.nan_to_num(data, nan=0.0, posinf=np.inf, neginf=-np.inf)
    if not np.isfinite(data).all():
        raise VolumeError(f"{path}: expected integer labels, found infinity")
    whole = np.rint(data)
    near = np.allclose(data, whole, rtol=0, atol=LABEL_TOLERANCE)
    if not near or (data.any() and not whole.any()):
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
    doubts : tuple of str
        What its header leaves open or contradicts (see `cmbkit.image_file.geometry`).
    sides_known : bool
        Whether its header tells left from right.

    Notes
    -----
    nilearn and nibabel take ``volume.to_nifti()``, TorchIO takes
    ``torchio.ScalarImage(tensor=volume.data[None], affine=volume.affine)``.
    """

    data: np.ndarray
    affine: np.ndarray
    path: Path | None = None
    doubts: tuple[str, ...] = ()
    sides_known: bool = True

    def __post_init__(self):
        where = self.path or "volume"
        if self.data.ndim != 3:
            raise VolumeError(f"{where}: expected a 3D image, found shape {self.data.shape}")
        if np.shape(self.affine) != (4, 4) or not np.isfinite(self.affine).all():
            raise VolumeError(
                f"{where}: expected a finite 4x4 affine, found {np.array(self.affine).tolist()}"
            )

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
        """Read an image file (`cmbkit.image_file.ENDINGS`); further axes of length 1 are dropped.

        Parameters
        ----------
        path : path-like
        dtype : numpy dtype
            Of the returned array; floats apply the header's scaling, integers
            require that the scaled values are integers to 0.01 (NaN counts as 0). ``np.integer``
            is the file's own integer type, else int32.

        Raises
        ------
        VolumeError
            If the file is missing, unreadable, truncated, or not one 3D image of real numbers,
            or if its header does not say where its voxels lie.
        """
        path = Path(path)
        if not path.is_file():
            raise VolumeError(f"{path}: expected a NIfTI file, found nothing")
        try:
            image = load(path)
            placed = geometry(image)
            data = _values(image.dataobj, dtype)
        except Exception as error:
            if isinstance(error, VolumeError | GeometryError):
                raise VolumeError(f"{path}: {error}") from None
            found = " ".join(str(error).split()) or type(error).__name__
            raise VolumeError(f"{path}: expected a readable NIfTI file, found: {found}") from error
        data = _three_axes(data)
        if dtype is np.integer:
            dtype = data.dtype if np.issubdtype(data.dtype, np.integer) else np.int32
        if np.issubdtype(dtype, np.integer) and not np.issubdtype(data.dtype, np.integer):
            data = _whole(data, path)
        data = data.astype(dtype, copy=False)
        return cls(data, placed.affine, path, placed.doubts, placed.sides_known)

    def write(self, path, *, dtype=None) -> Path:
        """Write to ``path`` (.nii or .nii.gz) through a temporary name, so no half file stays.

        Equal voxels give equal bytes: neither time nor name stand in them.
        ``dtype=np.int16`` for float data stores scaled integers (about 1e-4 of the range).
        """
        path = Path(path)
        image = self.to_nifti()
        if dtype is not None:
            image.set_data_dtype(dtype)
        with whole_file(path) as part:
            if path.name.endswith(".gz"):
                with open(part, "wb") as file, igzip.IGzipFile("", "wb", 1, file, 0) as stream:
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
            If the image has not three axes, or its header does not say where its voxels lie.
        """
        name = image.get_filename()
        try:
            placed = geometry(image)
        except GeometryError as error:
            raise VolumeError(f"{name or 'image'}: {error}") from None
        data = _three_axes(np.asanyarray(image.dataobj))
        path = Path(name) if name else None
        return cls(data, placed.affine, path, placed.doubts, placed.sides_known)

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
        return replace(self, data=np.copy(data, order="K"), affine=affine)

    def in_order_of(self, grid: Volume) -> Volume:
        """The same voxels in the array order of another volume of the same space.

        Raises
        ------
        VolumeError
            If they are not on its grid (see `require_same_grid`).
        """
        between = nib.io_orientation(np.linalg.inv(grid.affine) @ self.affine)
        if np.array_equal(between, [[0, 1], [1, 1], [2, 1]]):
            moved = self
        else:
            data = np.copy(nib.apply_orientation(self.data, between), order="K")
            affine = self.affine @ nib.orientations.inv_ornt_aff(between, self.shape)
            moved = replace(self, data=data, affine=affine)
        grid.require_same_grid(moved)
        return moved

    def to_mm(self, voxels) -> np.ndarray:
        """Voxel indices, shape (n, 3) or (3,), to RAS mm."""
        return nib.affines.apply_affine(self.affine, np.asarray(voxels, float))

    def to_voxels(self, mm) -> np.ndarray:
        """RAS mm, shape (n, 3) or (3,), to fractional voxel indices."""
        return nib.affines.apply_affine(np.linalg.inv(self.affine), np.asarray(mm, float))

    def require_same_grid(self, other: Volume) -> None:
        """Raise VolumeError unless shape and affine (to a tenth of a voxel) agree."""
        if self.shape != other.shape:
            raise VolumeError(
                f"{other.path or 'volume'}: expected shape {self.shape} as in "
                f"{self.path or 'the image'}, found {other.shape}"
            )
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        shift = np.abs(self.to_mm(corners) - other.to_mm(corners)).max()
        if shift > GRID_TOLERANCE * min(self.spacing):
            raise VolumeError(
                f"{other.path or 'volume'}: expected the affine of {self.path or 'the image'}, "
                f"found corners up to {shift:.3g} mm away"
            )


def is_image(given) -> bool:
    """Whether something is a path, a nibabel image or a volume: what `Volume.of` takes."""
    return isinstance(given, str | os.PathLike | Volume | SpatialImage)


def _three_axes(data: np.ndarray) -> np.ndarray:
    """Without the axes of length 1 after the third."""
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    return data


def _values(stored, dtype) -> np.ndarray:
    """Stored values with the header's scaling; for floats slice by slice, to save memory."""
    if stored.dtype.kind not in "biuf":
        raise VolumeError(f"expected real numbers, found voxels of {stored.dtype}")
    if 0 in stored.shape:
        raise VolumeError(f"expected voxels, found shape {stored.shape}")
    scaled = np.issubdtype(dtype, np.floating) and hasattr(stored, "get_unscaled")
    if not scaled or (stored.slope, stored.inter) == (1.0, 0.0):
        return np.asanyarray(stored)
    raw = stored.get_unscaled()
    values = np.empty(raw.shape, dtype, order="F")
    for k in range(raw.shape[-1]):
        values[..., k] = raw[..., k] * stored.slope + stored.inter
    return values
