"""DOU: 1-based centres in .mat files, in the array order of each file."""

import numpy as np
import pytest
from scipy.io import savemat

from cmbkit.datasets import dou
from cmbkit.datasets.sources import DatasetError

LPS, RAS = np.diag([-1.0, -1.0, 1.0, 1.0]), np.eye(4)
SHAPE = (10, 11, 12)


@pytest.fixture
def scan(tmp_path, write_nifti):
    def write(name, centres, orientation=RAS):
        data = np.ones(SHAPE, np.int16)
        write_nifti(tmp_path / "nii" / f"{name}.nii", data, (0.449, 0.449, 1.0), orientation)
        (tmp_path / "ground_truth").mkdir(exist_ok=True)
        savemat(tmp_path / "ground_truth" / f"{name}.mat", {"cen": centres})

    return write


def test_points_do_not_depend_on_the_orientation(tmp_path, scan):
    centres = np.array([[1, 2, 3], [10, 11, 12]], np.uint16)
    scan("01", centres, RAS)
    scan("02", centres, LPS)
    for found in dou.read(tmp_path):
        assert found.annotation.points == ((0, 1, 2), (9, 10, 11))
        assert (found.acquisition.field_strength, found.acquisition.te_ms) == ("3", 24)
        assert found.acquisition.slice_thickness_mm == pytest.approx(1.0)


def test_no_centres(tmp_path, scan):
    scan("01", np.empty((0, 3)))
    assert dou.read(tmp_path)[0].annotation.kind == "none"


@pytest.mark.parametrize(
    ("centres", "message"),
    [
        (np.array([[11, 1, 1]]), r"01.mat: 01.nii: expected coordinates from 1 to \(10, 11, 12\)"),
        (np.array([[0, 1, 1]]), r"found \[0.0, 1.0, 1.0\]"),
        (np.array([[1, 2], [3, 4]]), r"expected rows x, y, z, found shape \(2, 2\)"),
    ],
)
def test_centres_that_do_not_fit(tmp_path, scan, centres, message):
    scan("01", centres)
    with pytest.raises(DatasetError, match=message):
        dou.read(tmp_path)


def test_pairs_are_complete(tmp_path, scan):
    scan("01", np.array([[1, 1, 1]]))
    scan("02", np.array([[1, 1, 1]]))
    (tmp_path / "nii" / "02.nii").unlink()
    with pytest.raises(DatasetError, match=r"02.mat: expected an image 02.nii, found none"):
        dou.read(tmp_path)
    (tmp_path / "ground_truth" / "01.mat").rename(tmp_path / "ground_truth" / "02.mat")
    (tmp_path / "nii" / "01.nii").rename(tmp_path / "nii" / "03.nii")
    with pytest.raises(DatasetError):
        dou.read(tmp_path)


def test_mat_without_cen(tmp_path, scan):
    scan("01", np.array([[1, 1, 1]]))
    savemat(tmp_path / "ground_truth" / "01.mat", {"centres": np.ones((1, 3))})
    with pytest.raises(DatasetError, match=r"expected a variable cen, found \['centres'\]"):
        dou.read(tmp_path)


def test_cropped_and_packed_files_with_their_own_orientation(tmp_path, scan, write_nifti):
    """A cropped file counts its own voxels: the last is its own size, not the others'."""
    scan("01", np.array([[10, 11, 12]]))
    scan("02", np.array([[4, 5, 6]]))
    (tmp_path / "nii" / "02.nii").unlink()
    las = np.diag([-1.0, 1.0, 1.0, 1.0])
    cropped = tmp_path / "nii" / "02.nii.gz"
    write_nifti(cropped, np.ones((4, 5, 6), np.uint16), (0.449, 0.449, 1.0), las)
    whole, part = dou.read(tmp_path)
    assert whole.annotation.points == ((9, 10, 11),)
    assert part.image == cropped and part.annotation.points == ((3, 4, 5),)


def test_all_coordinates_outside_are_listed_and_the_scan_stays_readable(tmp_path, scan):
    scan("01", np.array([[11, 1, 1], [1, 1, 1], [1, 12, np.nan]]))
    scan("02", np.array([[1, 1, 1]]))
    with pytest.raises(DatasetError) as caught:
        dou.read(tmp_path)
    first, second = str(caught.value).splitlines()
    assert "[11.0, 1.0, 1.0]" in first and "[1.0, 12.0, nan]" in second
    kinds = {s.uid: s.annotation.kind for s in caught.value.readable}
    assert kinds == {"DOU-01": "unknown", "DOU-02": "points"}
