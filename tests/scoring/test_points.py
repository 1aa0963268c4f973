import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from cmbkit.scoring.annotations import AnnotationError, read_mask
from cmbkit.scoring.pairing import stem
from cmbkit.scoring.points import is_points, read_points


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
    unset = [
        {"position": [0, 0, 0], "positionStatus": status}
        for status in ("undefined", "missing", "preview")
    ]
    for system, x, y in (("LPS", -20, -1), ("RAS", 20, 1)):
        placed = {"position": [x, y, 12], "positionStatus": "defined"}
        points = {"controlPoints": [placed, *unset], "coordinateSystem": system}
        points |= {"type": "Fiducial", "coordinateUnits": "mm"}
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
        (
            "a.mrk.json",
            '{"markups": [{"type": "ROI", "controlPoints": []}]}',
            r"a.mrk.json: expected .* found: a markup of type 'ROI', expected 'Fiducial'",
        ),
        (
            "a.mrk.json",
            '{"markups": [{"coordinateUnits": "cm", "controlPoints": []}]}',
            r"a.mrk.json: expected .* found: coordinateUnits 'cm', expected 'mm'",
        ),
        ("a.xlsx", "no workbook", "expected a table, found"),
    ],
)
def test_lists_of_other_programs_that_cannot_be_used(tmp_path, name, text, said):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(AnnotationError, match=said):
        read_points(tmp_path / name)


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
        ("x_mm,y_mm,z_mm,score\n1,2,3,inf\n", "expected numbers, found infinity"),
        ("", "expected a table, found"),
    ],
)
def test_lists_of_points_that_cannot_be_used(tmp_path, mask, text, message):
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(AnnotationError, match=message):
        read_points(path, read_mask(mask).volume)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(*[st.floats(-300, 300, width=32)] * 3), max_size=5, unique=True),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["x_mm y_mm z_mm", "R A S", "l p s", "x_RAS_mm y_RAS_mm z_RAS_mm"]),
    st.permutations(range(4)),
    st.booleans(),
)
def test_any_list_of_points_reads_back(tmp_path_factory, points, separator, names, order, bom):
    """Whatever separates cells, in whatever order columns stand; left is minus right."""
    table = pd.DataFrame(points, columns=names.split(), dtype=float).assign(note="a b")
    expected = np.array(points, float).reshape(-1, 3)
    if names == "l p s":
        table[["l", "p"]] *= -1
    path = tmp_path_factory.getbasetemp() / ("points.tsv" if separator == "\t" else "points.csv")
    text = table[table.columns[list(order)]].to_csv(sep=separator, index=False)
    path.write_text(text, encoding="utf-8-sig" if bom else "utf-8")
    np.testing.assert_allclose(read_points(path).instances.centres_mm, expected, rtol=1e-12)
