import json

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from cmbkit.evaluation.instances import MatchingError
from cmbkit.scoring.annotations import (
    AnnotationError,
    is_points,
    labelled_sides,
    read_mask,
    read_pair,
    read_points,
)
from cmbkit.scoring.pairing import stem
from cmbkit.volume import Volume, VolumeError

AFFINE = np.array([[0, 2.0, 0, 10], [1, 0, 0, -5], [0, 0, 3, 0], [0, 0, 0, 1]])


@pytest.fixture
def mask(tmp_path):
    """Two microbleeds; the first of two voxels, each with its own value."""
    data = np.zeros((9, 8, 7), np.uint8)
    data[1, 1, 1] = data[2, 1, 1] = 3
    data[6, 5, 4] = 9
    return Volume(data, AFFINE).write(tmp_path / "mask.nii.gz")


def test_a_mask_is_counted_by_components_or_by_labels(mask):
    assert read_mask(mask).instances.ids.tolist() == [1, 2]
    labelled = read_mask(mask, labelled=True)
    assert labelled.instances.ids.tolist() == [3, 9]
    assert labelled.instances.sizes.tolist() == [2, 1]


def test_a_binary_mask_is_no_labelled_one(tmp_path):
    """Two pieces of value 1: apart by 10 voxels of 2 mm they are no one microbleed, by 2 they may.

    A single piece is one microbleed either way.
    """
    for apart, fits in ((10, False), (2, True), (0, True)):
        data = np.zeros((16, 4, 4), np.uint8)
        data[[1, 1 + apart], 2, 2] = 1
        path = Volume(data, np.diag([2.0, 2, 2, 1])).write(tmp_path / f"{apart}.nii.gz")
        if fits:
            assert len(read_mask(path, labelled=True).instances) == 1
            continue
        with pytest.raises(AnnotationError, match="found 1 in all of 2 pieces; --labelled") as told:
            read_mask(path, labelled=True)
        assert path.name in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("by name", (False, True)),
        ("reference", (True, False)),
        ("predictions", (False, True)),
        ("both", (True, True)),
        ("none", (False, False)),
    ],
)
def test_each_side_is_labelled_or_not(word, expected):
    sides = "VALDO/sub-101_CMB.nii.gz", "result/sub-101/sub-101_desc-cmb_dseg.nii.gz"
    assert labelled_sides(word, *sides) == expected
    with pytest.raises(AnnotationError, match=r"expected one of by name, predictions, .*'yes'"):
        labelled_sides("yes", *sides)


def test_points_as_dou_and_as_bids_have_them(tmp_path, mask):
    """Voxel (6, 5, 4), which DOU counts from 1, lies at 20, 1, 12 mm."""
    savemat(tmp_path / "01.mat", {"cen": [[7, 6, 5]]})
    savemat(tmp_path / "02.mat", {"cen": []})
    (tmp_path / "sub-1_desc-cmb_points.tsv").write_text("x\ty\tz\n20\t1\t12\n")
    (tmp_path / "sub-2_desc-cmb_points.tsv").write_text("i\tj\tk\n6\t5\t4\n")
    grid = read_mask(mask).volume
    for name in ("01.mat", "sub-1_desc-cmb_points.tsv", "sub-2_desc-cmb_points.tsv"):
        found = read_points(tmp_path / name, grid)
        np.testing.assert_allclose(found.instances.centres_mm, [[20, 1, 12]])
    assert len(read_points(tmp_path / "02.mat", grid).instances) == 0
    (tmp_path / "plain.csv").write_text("x,y,z\n20,1,12\n")  # may be voxels
    with pytest.raises(AnnotationError, match="expected columns x_mm"):
        read_points(tmp_path / "plain.csv", grid)


SLICER = """# Markups fiducial file version = 4.11
# CoordinateSystem = {}
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
1,{}20.0,{}1.0,12.0,0,0,0,1,1,1,0,F-1,,
"""


def test_points_of_slicer_and_excel(tmp_path):
    """One point at 20, 1, 12 mm in RAS; Slicer's LPS has x and y negated."""
    for number, system in enumerate(("LPS", "1", "RAS", "0")):
        signs = ("-", "-") if number < 2 else ("", "")
        (tmp_path / f"{number}.fcsv").write_text(SLICER.format(system, *signs))
    unset = {"position": [0, 0, 0], "positionStatus": "undefined"}
    for system, x, y in (("LPS", -20, -1), ("RAS", 20, 1)):
        points = {"controlPoints": [{"position": [x, y, 12]}, unset], "coordinateSystem": system}
        (tmp_path / f"{system}.mrk.json").write_text(json.dumps({"markups": [points]}))
    table = pd.DataFrame({"x_mm": [20, None], "y_mm": [1, None], "z_mm": [12.0, None]})
    table.to_excel(tmp_path / "a.xlsx", index=False)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 7 and all(is_points(path) for path in files)
    for path in files:
        np.testing.assert_allclose(read_points(path).instances.centres_mm, [[20, 1, 12]])
    assert stem(files[-1]) == "a" and {stem(path) for path in files} >= {"LPS", "RAS", "0"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.fcsv", SLICER.format("2", "", ""), "coordinate system RAS or LPS, found '2'"),
        ("a.fcsv", "x_mm,y_mm\n1,2\n", "a list of points of 3D Slicer, found"),
        ("a.mrk.json", "{}", "a list of points of 3D Slicer, found: 'markups'"),
        ("a.xlsx", "no workbook", "expected a table, found"),
    ],
)
def test_lists_of_other_programs_that_cannot_be_used(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(AnnotationError, match=said):
        read_points(tmp_path / name)


def test_float_masks_must_hold_whole_numbers(tmp_path):
    whole = np.zeros((3, 3, 3), np.float32)
    whole[1, 1, 1] = 1
    path = Volume(whole, np.eye(4)).write(tmp_path / "whole.nii.gz")
    assert len(read_mask(path).instances) == 1
    soft = Volume(whole * 0.4, np.eye(4)).write(tmp_path / "soft.nii.gz")
    with pytest.raises(VolumeError, match="found fractional values"):
        read_mask(soft)


def test_points_in_mm_and_in_voxels_are_the_same_place(tmp_path, mask):
    """Voxel (6, 5, 4) lies at x = 2 * 5 + 10, y = 6 - 5, z = 3 * 4."""
    (tmp_path / "mm.csv").write_text("x_mm,y_mm,z_mm,score\n20,1,12,0.7\n")
    (tmp_path / "voxel.tsv").write_text("i\tj\tk\n6\t5\t4\n")
    (tmp_path / "none.csv").write_text("x_mm,y_mm,z_mm\n")
    grid = read_mask(mask).volume
    first, second = read_points(tmp_path / "mm.csv"), read_points(tmp_path / "voxel.tsv", grid)
    np.testing.assert_allclose(first.instances.centres_mm, [[20, 1, 12]])
    np.testing.assert_allclose(second.instances.centres_mm, [[20, 1, 12]])
    assert first.scores == {1: 0.7} and second.scores == {}
    assert len(read_points(tmp_path / "none.csv").instances) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "expected columns x_mm, y_mm, z_mm or i, j, k, found a, b"),
        ("x_mm,y_mm,z_mm\n1,2,left\n", "expected a number in z_mm, found 'left' in line 2"),
        ("i,j,k\n1,2,99\n", r"expected voxels inside \(9, 8, 7\), found \[1.0, 2.0, 99.0\]"),
        ("", "expected a table, found"),
    ],
)
def test_lists_of_points_that_cannot_be_used(tmp_path, mask, text, message):
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(AnnotationError, match=message):
        read_points(path, read_mask(mask).volume)


def test_voxels_need_a_mask_on_the_other_side(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("i,j,k\n1,2,3\n")
    with pytest.raises(AnnotationError, match="where neither side is a mask"):
        read_pair(path, path)


def test_scores_are_the_highest_probability_inside(tmp_path, mask):
    values = np.zeros((9, 8, 7), np.float32)
    values[1, 1, 1], values[2, 1, 1], values[6, 5, 4], values[0, 0, 0] = 0.5, 0.75, 0.25, 1.0
    soft = Volume(values, AFFINE).write(tmp_path / "soft.nii.gz")
    assert read_pair(mask, mask, soft)[2] == {1: 0.75, 2: 0.25}


def test_errors_of_files(tmp_path, mask):
    moved = Volume(Volume.read(mask, "uint8").data, AFFINE + np.diag([0, 0, 0.1, 0]))
    with pytest.raises(VolumeError, match="expected the affine"):
        read_pair(mask, moved.write(tmp_path / "moved.nii.gz"))
    with pytest.raises(VolumeError, match="expected a NIfTI file, found nothing"):
        read_mask(tmp_path / "lost.nii.gz")
    negative = Volume(-Volume.read(mask, "int16").data, AFFINE).write(tmp_path / "minus.nii.gz")
    with pytest.raises(MatchingError, match="expected 0 and positive integers"):
        read_mask(negative, labelled=True)
