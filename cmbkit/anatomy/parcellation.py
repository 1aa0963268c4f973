"""Brain regions of a scan: SynthSeg where it is installed, else a registered atlas.

The thesis reads the location of a microbleed from SynthSeg's labels (section 4.9.3).
`parcellate` says with each result which way it was made.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from nibabel.affines import apply_affine
from scipy import ndimage

from cmbkit.anatomy.atlas import filled_atlas
from cmbkit.anatomy.deformation import class_shares, fit_deformation, look_up_moved
from cmbkit.anatomy.programs import ProgramError, command_for, finished_file, run
from cmbkit.atomic import temporary_folder
from cmbkit.params import Tool
from cmbkit.volume import Volume

SYNTHSEG = "SynthSeg (robust)"
BEFOREHAND = "made beforehand"
STAND_IN = {
    "affine": "stand-in (registered MNI atlas, not SynthSeg)",
    "elastic": "stand-in (elastically registered MNI atlas, not SynthSeg)",
}

WORKING_MM = 5.0
NEAR_MM = 12.0
LEAST_SPREAD_MM = 1.0
STOP = {"ftol": 1e-3, "xtol": 1e-4, "max_nfev": 20}


class ParcellationError(ProgramError):
    """SynthSeg failed or is missing; the message names the image."""


def parcellate(
    image,
    brain,
    method: str = "auto",
    tool: Tool | None = None,
    uid: str | None = None,
    registration: str = "elastic",
    scan_to_mni: np.ndarray | None = None,
) -> tuple[Volume, str]:
    """Label every brain voxel with a SynthSeg number.

    Parameters
    ----------
    image : path-like, nibabel image or Volume
    brain : path-like, nibabel image or Volume
        Voxels > 0, on the same grid, axes along the scanner's, RAS.
    method : {"auto", "synthseg", "stand-in"}
        ``auto`` takes SynthSeg where ``mri_synthseg`` is on the PATH.
    tool : cmbkit.params.Tool, optional
        Where SynthSeg is: a program, a docker image, or a folder with labels made beforehand
        (``<uid>.nii.gz``, any grid in the scan's mm). Named there, it must be there.
    registration : {"elastic", "affine"}
        Of the stand-in's atlas, see `register_atlas`.

    Returns
    -------
    labels : Volume of uint8
        0 outside the brain.
    name : str
        How the labels were made.
    """
    if method not in ("auto", "synthseg", "stand-in"):
        raise ValueError(f"method: expected auto, synthseg or stand-in, found {method}")
    image, brain = Volume.of(image), Volume.of(brain)
    image.require_same_grid(brain)
    tool = tool or Tool()
    if tool.folder:
        done = Volume.read(finished_file(tool, uid, "the parcellation"), np.int32)
        return _onto(done, image), BEFOREHAND
    if method != "stand-in":
        with temporary_folder() as folder:
            command = command_for(tool, "mri_synthseg", folder, method == "synthseg")
            if command:
                return _synthseg(image, command, folder), SYNTHSEG
    return register_atlas(image, brain, registration, scan_to_mni), STAND_IN[registration]


def _synthseg(image: Volume, command: list[str], folder: Path) -> Volume:
    source, target = folder / "image.nii.gz", folder / "labels.nii.gz"
    image.write(source)
    options = ["--i", str(source), "--o", str(target), "--robust", "--cpu", "--threads", "1"]
    run([*command, *options], target, image.path)
    return _onto(Volume.read(target, np.int32), image)


def _onto(labels: Volume, image: Volume) -> Volume:
    """Nearest neighbour on the image's grid; 0 beyond the edge of the labels' grid."""
    framed = labels.affine.copy()
    framed[:3, 3] = labels.to_mm([-1, -1, -1])
    result = look_up(Volume(np.pad(labels.data, 1), framed), image, np.eye(4))
    largest = int(result.data.max())
    return result.with_data(result.data.astype(np.uint8 if largest < 256 else np.uint16))


def register_atlas(
    image: Volume,
    brain: Volume,
    registration: str = "elastic",
    scan_to_mni: np.ndarray | None = None,
) -> Volume:
    """Labels of the MNI atlas after affine and, if asked, elastic registration to a scan.

    Affine: see `fit_to_mni`, whose result may be given. Then the tissue inside is matched
    (`cmbkit.anatomy.deformation`), whatever the contrast, unless the image is constant within the
    brain. The same input gives the same labels.

    Returns
    -------
    Volume of uint8
        SynthSeg numbers within the brain mask, where every voxel gets one; 0 outside.
    """
    affine = fit_to_mni(brain) if scan_to_mni is None else scan_to_mni
    atlas, _ = filled_atlas()
    values = image.data[brain.data > 0]
    if registration == "affine" or values.min() == values.max():
        return brain.with_data(look_up(atlas, brain, affine).data * (brain.data > 0))
    to_atlas = np.linalg.inv(atlas.affine) @ affine @ image.affine
    field = fit_deformation(image, brain, _atlas_shares(), to_atlas)
    return brain.with_data(look_up_moved(atlas, image, to_atlas, *field) * (brain.data > 0))


def fit_to_mni(brain: Volume) -> np.ndarray:
    """Affine registration of a brain mask to the MNI152 brain, outline to outline.

    The signed distance to the brain's surface is matched over the voxels within 12 mm of it, on
    a 5 mm grid (Levenberg-Marquardt on 12 parameters). What lies inside is not looked at, so
    deep structures may be a few millimetres off.

    ``brain``: RAS axes.

    Returns
    -------
    ndarray, shape (4, 4)
        From the scan's RAS mm to MNI mm.
    """
    if not (brain.data > 0).any():
        raise ParcellationError(f"{brain.path or 'brain mask'}: expected voxels > 0, found none")
    return fit_affine(_coarse(brain), _coarse(filled_atlas()[1]))


def to_mni(points_mm, scan_to_mni) -> np.ndarray:
    """Places of a scan, shape (n, 3), RAS mm of either grid, in MNI mm.

    ``scan_to_mni`` is from `fit_to_mni`; the record of a preprocessed scan holds it. NaN where it
    is None, no registration being stored.
    """
    points = np.asarray(points_mm, float).reshape(-1, 3)
    if scan_to_mni is None:
        return np.full(points.shape, np.nan)
    return apply_affine(np.asarray(scan_to_mni, float), points)


@lru_cache(maxsize=1)
def _atlas_shares():
    atlas, mask = filled_atlas()
    return class_shares(atlas, mask.data > 0)


def _coarse(mask: Volume) -> Volume:
    """Signed distance (mm, positive inside) on a grid of about 5 mm with a margin around."""
    step = np.maximum(1, np.round(WORKING_MM / mask.spacing)).astype(int)
    thin = mask.data[tuple(slice(s // 2, None, s) for s in step)] > 0
    pad = np.ceil(NEAR_MM / (mask.spacing * step)).astype(int) + 1
    thin = np.pad(thin, [(p, p) for p in pad])
    affine = mask.affine @ np.diag([*step, 1.0])
    affine[:3, 3] = mask.to_mm(step // 2 - pad * step)
    spacing = mask.spacing * step
    distance = ndimage.distance_transform_edt(thin, sampling=spacing)
    distance -= ndimage.distance_transform_edt(~thin, sampling=spacing)
    return Volume(np.clip(distance, -NEAR_MM, NEAR_MM), affine)


def fit_affine(scan: Volume, atlas: Volume) -> np.ndarray:
    """Affine that carries a scan's brain outline onto the atlas's.

    ``scan``, ``atlas``: signed distances to the outline in mm, positive inside.

    Returns
    -------
    ndarray, shape (4, 4)
        From scan mm to atlas mm.
    """
    from scipy.optimize import least_squares

    mm, atlas_mm = (v.to_mm(np.argwhere(v.data > 0)) for v in (scan, atlas))
    spread = mm.std(axis=0) if len(mm) else np.zeros(3)
    if spread.min() < LEAST_SPREAD_MM:
        found = " x ".join(f"{sd:.2g}" for sd in spread)
        raise ParcellationError(f"brain mask: expected a brain, found a spread of {found} mm")
    near = np.argwhere(np.abs(scan.data) < NEAR_MM)
    values = scan.data[tuple(near.T)]
    points = (scan.to_mm(near) - mm.mean(axis=0)) / 100.0
    points = np.column_stack([points, np.ones(len(points))])
    slopes = np.gradient(atlas.data)
    inverse = np.linalg.inv(atlas.affine)

    def sample(field, matrix):
        where = (points @ matrix.reshape(3, 4).T + atlas_mm.mean(axis=0)) @ inverse[:3, :3].T
        return ndimage.map_coordinates(field, (where + inverse[:3, 3]).T, order=1, mode="nearest")

    def residuals(matrix):
        return sample(atlas.data, matrix) - values

    def jacobian(matrix):
        slope = np.column_stack([sample(field, matrix) for field in slopes]) @ inverse[:3, :3]
        return (slope[:, :, None] * points[:, None, :]).reshape(len(points), 12)

    start = np.zeros((3, 4))
    start[:, :3] = np.diag(100.0 * atlas_mm.std(axis=0) / mm.std(axis=0))
    fit = least_squares(residuals, start.ravel(), jacobian, loss="soft_l1", f_scale=3, **STOP)
    matrix = np.eye(4)
    matrix[:3, :3] = fit.x.reshape(3, 4)[:, :3] / 100.0
    matrix[:3, 3] = atlas_mm.mean(axis=0) + fit.x.reshape(3, 4)[:, 3] - matrix[:3, :3] @ mm.mean(0)
    return matrix


def look_up(labels: Volume, grid: Volume, grid_to_labels_mm: np.ndarray) -> Volume:
    """Nearest label for every voxel of a grid, beyond the labels' edge that of the edge.

    Parameters
    ----------
    grid : Volume
        Its shape and affine are used.
    grid_to_labels_mm : ndarray, shape (4, 4)
        From the grid's mm to the labels' mm.
    """
    matrix = (np.linalg.inv(labels.affine) @ grid_to_labels_mm @ grid.affine).astype(np.float32)
    _, ny, nz = grid.shape
    top = np.array(labels.shape) - 1
    strides = (labels.shape[1] * labels.shape[2], labels.shape[2], 1)
    flat = np.ascontiguousarray(labels.data).ravel()
    plane = [
        (row[1] * np.arange(ny))[:, None] + row[2] * np.arange(nz) + row[3] + 0.5
        for row in matrix[:3].astype(np.float64)
    ]
    plane = [p.astype(np.float32) for p in plane]
    result = np.empty(grid.shape, labels.data.dtype)
    for i in range(grid.shape[0]):
        index = np.zeros((ny, nz), np.int32)
        for axis in range(3):
            voxel = np.clip(plane[axis] + matrix[axis, 0] * i, 0, top[axis]).astype(np.int32)
            index += voxel * np.int32(strides[axis])
        result[i] = flat[index]
    return grid.with_data(result)
