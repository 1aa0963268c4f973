"""A path, a nibabel image and a volume are the same to whatever takes a scan or a mask."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.anatomy.brain_mask import brain_mask
from cmbkit.anatomy.parcellation import parcellate
from cmbkit.features.describe import describe_lesions
from cmbkit.phantom.implant import implant
from cmbkit.preprocessing.grid import crop
from cmbkit.volume import Volume

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
AFFINE[:3, 3] = -50, -60, -40
MM = np.moveaxis(np.indices((50, 60, 40)), 0, -1) * 2.0 - (50, 60, 40)
BRAIN = ((MM / (40, 50, 32)) ** 2).sum(-1) <= 1
LESION = (np.abs(MM - (10, 0, 0)) <= 2).all(-1)
IMAGES = {
    "image": np.where(LESION, 100, 400 * BRAIN + 7 * (MM.sum(-1) % 3) * BRAIN).astype(np.float32),
    "brain": BRAIN.astype(np.uint8),
    "lesions": LESION.astype(np.uint8),
    "labels": (2 * BRAIN).astype(np.uint8),
}


def volume(name):
    return Volume(IMAGES[name], AFFINE)


KINDS = {
    "path": lambda name, folder: volume(name).write(folder / f"{name}.nii.gz"),
    "nibabel": lambda name, folder: volume(name).to_nifti(),
}


def described(get):
    parts = get("image"), get("lesions"), get("labels")
    table = describe_lesions(*parts, uid="s", dataset="S", brain=get("brain"))
    assert list(table["n_voxels"]) == [27] and list(table["shell_mean"] > 390) == [True]
    return table


def masked(get):
    mask, _ = brain_mask(get("image"), "stand-in")
    np.testing.assert_array_equal(mask.data, BRAIN)
    return mask


def cropped(get):
    part = crop(get("image"), (slice(5, 50), slice(0, 9), slice(2, 8)))
    np.testing.assert_array_equal(part.affine[:3, 3], [-40, -60, -36])
    return part


WAYS = {
    "brain_mask": masked,
    "parcellate": lambda get: parcellate(
        get("image"), get("brain"), "stand-in", registration="affine", scan_to_mni=np.eye(4)
    )[0],
    "describe_lesions": described,
    "crop": cropped,
    "implant": lambda get: implant(get("image"), [[30, 30, 20]], [4], np.random.default_rng(0)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_it_is_one_to_what_takes_it(way, kind, tmp_path):
    expected = WAYS[way](volume)
    found = WAYS[way](lambda name: KINDS[kind](name, tmp_path))
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
        return
    np.testing.assert_array_equal(found.data, expected.data)
    np.testing.assert_array_equal(found.affine, expected.affine)
