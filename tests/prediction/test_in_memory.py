"""A scan that nibabel holds goes in, what is found goes to nilearn: without a file."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import cmbkit
from cmbkit.params import ParameterError
from cmbkit.volume import VolumeError


def test_image_in_memory_is_looked_at_like_its_file(write_scan, weights):
    from nilearn.image import load_img
    from nilearn.plotting import plot_roi

    scan = write_scan("a_swi.nii.gz")
    read = nib.load(scan)
    image = nib.Nifti1Image(np.asanyarray(read.dataobj), read.affine)
    first = cmbkit.predict(scan, weights=weights)
    found = cmbkit.predict(image, weights=weights)
    np.testing.assert_array_equal(found.mask.data, first.mask.data)
    pd.testing.assert_frame_equal(found.table, first.table)
    assert found.name == "scan" and found.record["source"]["path"] == "in memory"
    assert list(found.record["source"]["files"]) == ["in memory"]
    again = cmbkit.predict(image, weights=weights)
    other = cmbkit.predict(nib.Nifti1Image(image.get_fdata() + 1, image.affine), weights=weights)
    keys = [result.record["key"] for result in (found, again, other)]
    assert keys[0] == keys[1] != keys[2]
    # two balls, as nilearn and nibabel see them
    mask = load_img(found.mask.to_nifti())
    assert sorted(np.unique(mask.dataobj)) == [0, 1, 2] and mask.shape == image.shape
    np.testing.assert_allclose(mask.affine, image.affine)
    plot_roi(mask, bg_img=image, cut_coords=(10, 5, 0)).close()


def test_brain_mask_may_be_an_image(write_scan, phantom, weights):
    """Half of the head is masked out: the ball on the other side is found alone."""
    scan, _ = phantom()
    half = scan.data > 0
    half[:40] = False  # voxel 52 of the first axis is left, voxel 30 is not
    given = nib.Nifti1Image(half.astype(np.uint8), scan.affine)
    found = cmbkit.predict(scan, weights=weights, brain_mask=given)
    np.testing.assert_allclose(found.table[["x_mm", "y_mm", "z_mm"]], [(-12, -5, -4)], atol=1e-4)


def test_an_array_alone_is_no_scan(weights):
    with pytest.raises(VolumeError, match="a nibabel image or a Volume, found ndarray"):
        cmbkit.predict(np.zeros((3, 3, 3)), weights=weights)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ({"treshold": 0.9}, "cmbkit.predict: treshold: no such option; did you mean threshold?"),
        ({"threshold": "0.9"}, "threshold: Input should be a valid number; found '0.9'"),
        ({"threshold": 2}, "threshold: Input should be less than 1; found 2"),
    ],
)
def test_a_wrong_option_is_one_line(option, told, weights):
    with pytest.raises(ParameterError) as raised:
        cmbkit.predict("scan.nii.gz", weights=weights, **option)
    assert str(raised.value).startswith(told) and "\n" not in str(raised.value)
