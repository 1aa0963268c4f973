"""Microbleeds of one scan as a short list: number, size, centre, voxels (section 6.7.1).

Microbleeds fill a millionth of a scan, so everything here works on the few voxels that are
not background; the grid is gone through once.
"""

from dataclasses import dataclass

import cc3d
import nibabel as nib
import numpy as np

from cmbkit.volume import Volume, is_image

CONNECTIVITY = (6, 18, 26)


class MatchingError(ValueError):
    """The label arrays or points cannot be matched; one line says why."""


@dataclass(frozen=True)
class Instances:
    """The microbleeds that one rater, or one detector, marked in a scan.

    Attributes
    ----------
    owner : ndarray of int, shape (m,)
        Position in ``ids`` of the microbleed that each voxel belongs to.
    """

    ids: np.ndarray  # int, shape (n,), ascending; at least 1
    centres_mm: np.ndarray  # (n, 3), centres of mass in the millimetres of the affine
    sizes: np.ndarray  # int, shape (n,), voxels of each
    voxels: np.ndarray  # int, shape (m,), flat C-order indices of all their voxels, ascending
    owner: np.ndarray
    shape: tuple[int, int, int] | None  # of the grid; None for points, which have no voxels

    def __len__(self) -> int:
        return self.ids.size


def foreground(array: np.ndarray) -> np.ndarray:
    """Flat C-order indices of the non-zero voxels, ascending.

    Zeros are skipped eight bytes at a time; any memory order will do.
    """
    array = np.asarray(array)
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    flat = (array.T if fortran else array).reshape(-1)
    if flat.dtype.kind in "biu" and flat.itemsize in (1, 2, 4):
        per_word = 8 // flat.itemsize
        whole = flat.size // per_word * per_word
        words = np.flatnonzero(flat[:whole].view(np.uint64))
        near = (words[:, None] * per_word + np.arange(per_word)).reshape(-1)
        near = np.concatenate([near, np.arange(whole, flat.size)])
        found = near[flat[near] != 0]
    else:
        found = np.flatnonzero(flat)
    if not fortran:
        return found
    axes = np.unravel_index(found, array.shape[::-1])
    return np.sort(np.ravel_multi_index(axes[::-1], array.shape))


def components(mask, connectivity: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Connected components of a mask.

    Parameters
    ----------
    mask : ndarray, shape (i, j, k)
        Non-zero is microbleed.
    connectivity : {6, 18, 26}
        Neighbours of a voxel; 6 in the thesis.

    Returns
    -------
    voxels : ndarray of int, shape (m,)
        Flat C-order indices of the non-zero voxels, ascending.
    number : ndarray of int32, shape (m,)
        Component of each: 1, 2, ... in the order of their first voxels.
    """
    if connectivity not in CONNECTIVITY:
        raise MatchingError(f"connectivity: expected 6, 18 or 26, found {connectivity!r}")
    mask = np.asarray(mask)
    if mask.ndim != 3:
        raise MatchingError(f"mask: expected a 3D array, found shape {mask.shape}")
    voxels = foreground(mask)
    return voxels, _grouped(voxels, mask.shape, connectivity)


def _grouped(voxels, shape, connectivity: int) -> np.ndarray:
    """Component of each voxel, int32: 1, 2, ... in the order of their first voxels."""
    if not voxels.size:
        return np.zeros(0, np.int32)
    place = np.unravel_index(voxels, shape)
    low = [axis.min() for axis in place]
    place = tuple(axis - start for axis, start in zip(place, low, strict=True))
    inside = np.zeros([axis.max() + 1 for axis in place], bool)
    inside[place] = True
    return cc3d.connected_components(inside, connectivity=connectivity)[place].astype(np.int32)


def to_affine(affine_or_spacing) -> np.ndarray:
    """4x4 affine from an affine, three voxel sizes or one, in mm."""
    given = np.asarray(affine_or_spacing, float)
    if given.shape == (4, 4):
        return given
    if given.shape in ((), (3,)) and (given > 0).all():
        return np.diag([*np.broadcast_to(given, 3), 1.0])
    raise MatchingError(
        f"affine_or_spacing: expected a 4x4 affine, 3 sizes or 1 size in mm, found {given}"
    )


def on_its_grid(given, affine_or_spacing, name: str = "mask") -> Volume:
    """What somebody marked, on its grid.

    Parameters
    ----------
    given : ndarray, shape (i, j, k); path-like; nibabel image or Volume
    affine_or_spacing : array-like, shape (4, 4), (3,) or (), or None
        Of an array; an image has its own.
    name : str
        How an error names it.
    """
    if is_image(given):
        if affine_or_spacing is not None:
            raise MatchingError(f"{name}: expected no affine beside an image, found one")
        return Volume.of(given, np.int32)
    array = np.asarray(given)
    if array.ndim != 3:
        raise MatchingError(f"{name}: expected a 3D array, found shape {array.shape}")
    if affine_or_spacing is None:
        raise MatchingError(f"{name}: expected an affine or a voxel size beside an array")
    return Volume(array, to_affine(affine_or_spacing))


def _gather(voxels, numbers, shape, affine) -> Instances:
    ids, owner, sizes = np.unique(numbers, return_inverse=True, return_counts=True)
    if ids.size and ids[0] < 0:
        raise MatchingError(f"labels: expected 0 and positive integers, found {ids[0]}")
    axes = np.unravel_index(voxels, shape)
    sums = np.stack([np.bincount(owner, axis, ids.size) for axis in axes], axis=1)
    centres = nib.affines.apply_affine(affine, sums / sizes[:, None]) if ids.size else sums
    return Instances(ids.astype(int), centres, sizes, voxels, owner, tuple(shape))


def from_labels(labels, affine_or_spacing=None, name: str = "labels") -> Instances:
    """Microbleeds of labels: 0 is background, each has its own integer.

    Parameters
    ----------
    labels : ndarray of int, shape (i, j, k); path-like; nibabel image or Volume
    affine_or_spacing : array-like, shape (4, 4), (3,) or ()
        Voxel-to-mm affine, or the voxel size in mm: of an array; an image has its own.
    name : str
        How an error names the array.
    """
    volume = on_its_grid(labels, affine_or_spacing, name)
    labels = volume.data
    if labels.dtype != bool and not np.issubdtype(labels.dtype, np.integer):
        raise MatchingError(
            f"{name}: expected a 3D array of integer labels, found {labels.dtype} "
            "(see from_mask for a mask)"
        )
    voxels = foreground(labels)
    numbers = labels[np.unravel_index(voxels, labels.shape)]
    return _gather(voxels, numbers, volume.shape, volume.affine)


def from_mask(mask, affine_or_spacing=None, connectivity: int = 6) -> Instances:
    """Microbleeds of a mask: its connected components; parameters as in `from_labels`.

    ``connectivity``: neighbours of a voxel, 6 (the thesis), 18 or 26.
    """
    volume = on_its_grid(mask, affine_or_spacing)
    voxels, number = components(volume.data, connectivity)
    return _gather(voxels, number, volume.shape, volume.affine)


def from_points(points_mm) -> Instances:
    """Microbleeds given by their centres alone, shape (n, 3) in mm, numbered from 1."""
    points = np.asarray(points_mm, float).reshape(-1, 3)
    if not np.isfinite(points).all():
        raise MatchingError("points: expected finite coordinates in mm, found NaN or infinity")
    empty = np.zeros(0, int)
    n = len(points)
    return Instances(np.arange(1, n + 1), points, np.zeros(n, int), empty, empty, None)


def some_of(instances: Instances, which) -> Instances:
    """Some microbleeds, with their ids; ``which``, bool, shape (n,)."""
    which = np.asarray(which, bool)
    inside = which[instances.owner]
    owner = (np.cumsum(which) - 1)[instances.owner[inside]]
    ids, centres, sizes = instances.ids, instances.centres_mm, instances.sizes
    voxels = instances.voxels[inside]
    return Instances(ids[which], centres[which], sizes[which], voxels, owner, instances.shape)


def on_grid(points: Instances, shape, affine) -> Instances:
    """Points as one-voxel marks on a grid; those outside keep no voxel.

    Two points in one voxel share it in the list of voxels, the first of them owning it.
    """
    where = np.rint(nib.affines.apply_affine(np.linalg.inv(affine), points.centres_mm)).astype(int)
    inside = np.flatnonzero(((where >= 0) & (where < shape)).all(axis=1))
    flat = np.ravel_multi_index(tuple(where[inside].T), shape)
    order = np.argsort(flat, kind="stable")
    return Instances(
        points.ids, points.centres_mm, points.sizes, flat[order], inside[order], tuple(shape)
    )


def regrouped(instances: Instances, affine, connectivity: int) -> Instances:
    """The same voxels as connected components, whatever they were before; points as they are."""
    if instances.shape is None:
        return instances
    numbers = _grouped(instances.voxels, instances.shape, connectivity)
    return _gather(instances.voxels, numbers, instances.shape, affine)


def footprints(instances: Instances, affine, reach_mm: float) -> tuple[Instances, Instances]:
    """Microbleeds whose surroundings touch become one (26 neighbours).

    Parameters
    ----------
    instances : Instances
        On a grid.
    affine : ndarray, shape (4, 4)
    reach_mm : float
        Voxel centres up to so far from a microbleed's are its surroundings.

    Returns
    -------
    merged, grown : Instances
        The voxels of each, without and with the surroundings; the same ids.
    """
    shape = instances.shape
    if shape is None:
        raise MatchingError("footprints: expected microbleeds on a grid, found points")
    spacing = np.sqrt((np.asarray(affine)[:3, :3] ** 2).sum(axis=0))
    steps = [np.arange(-n, n + 1) for n in (reach_mm / spacing + 1e-9).astype(int)]
    offsets = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    offsets = offsets[((offsets * spacing) ** 2).sum(axis=1) <= reach_mm**2 + 1e-9]
    place = np.stack(np.unravel_index(instances.voxels, shape), axis=1)
    near = (place[:, None] + offsets).reshape(-1, 3)
    near = near[((near >= 0) & (near < shape)).all(axis=1)]
    voxels = np.unique(np.ravel_multi_index(tuple(near.T), shape))
    numbers = _grouped(voxels, shape, 26)
    own = numbers[np.searchsorted(voxels, instances.voxels)]
    return _gather(instances.voxels, own, shape, affine), _gather(voxels, numbers, shape, affine)
