"""Files that are read, and are not what they are taken for."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from cmbkit.params import Evaluation
from cmbkit.running.map_scans import ScanFailures
from cmbkit.scoring.annotations import AnnotationError, read_mask
from cmbkit.scoring.points import read_points
from cmbkit.scoring.run import evaluate_files
from cmbkit.scoring.sides import read_pair
from cmbkit.scoring.suspicions import is_no_chance
from cmbkit.volume import Volume

LAS = np.array([[-0.5, 0, 0, 30], [0, 0.5, 0, -20], [0, 0, 2, -40], [0, 0, 0, 1.0]])
SHAPE = (120, 120, 40)
PLACES = [(10, 20, 5), (30, 80, 12), (45, 50, 30), (70, 15, 22), (20, 100, 35)]


def lesions(places=PLACES, values=None, size=3) -> Volume:
    """Blocks of ``size`` voxels along the first two axes, two along the third."""
    data = np.zeros(SHAPE, np.int16)
    for (i, j, k), value in zip(places, values or [1] * len(places), strict=True):
        data[i : i + size, j : j + size, k : k + 2] = value
    return Volume(data, LAS)


def scored(predicted, reference=None, **options):
    row = {"uid": "01", "dataset": "d", "patient": "p", "predicted": predicted}
    row["reference"] = reference or lesions()
    scans = evaluate_files(pd.DataFrame([row]), **options).scans
    return scans[["tp", "fp", "fn"]].to_numpy().tolist()[0], scans["remarks"][0]


def test_what_is_meant_so_is_not_remarked():
    assert scored(lesions(PLACES[:4])) == ([4, 0, 1], "")
    ids = lesions(values=[1, 2, 3, 4, 5])
    assert scored(ids, labelled="predictions") == ([5, 0, 0], "")
    assert scored(lesions([(60, 60, 20)]), labelled="none") == ([0, 1, 5], "")


@pytest.mark.parametrize(
    ("axes", "how"),
    [
        ((0,), "mirrored left to right, 5 of 5 would match, 0 do"),
        ((2,), "mirrored top to bottom, 5 of 5"),
        ((0, 1), "mirrored left to right and front to back, 5 of 5"),
    ],
)
def test_a_mirrored_array(axes, how):
    mirrored = lesions().with_data(np.flip(lesions().data, axes))
    counts, said = scored(mirrored)
    assert counts == [0, 5, 5] and how in said


def test_swapped_axes_of_a_square_grid():
    swapped = lesions().with_data(lesions().data.transpose(1, 0, 2))
    counts, said = scored(swapped)
    # (45, 50) goes to (50, 45), 3.5 mm away: one match by chance
    assert counts == [1, 4, 4] and "axes 0 and 1 swapped, 5 of 5 would match, 1 do" in said


def test_points_of_slicer(tmp_path):
    """LPS: x and y of the other sign. Inside the image they match once mirrored."""
    path = tmp_path / "01.csv"
    shifted = LAS.copy()
    shifted[:3, 3] = 30, -30, -40  # centred, so that mirrored points lie inside, too
    reference = Volume(lesions().data, shifted)
    moved = reference.to_mm(np.add(PLACES, [1, 1, 0.5])) * [-1, -1, 1]
    pd.DataFrame(moved, columns=["x_mm", "y_mm", "z_mm"]).to_csv(path, index=False)
    counts, said = scored(path, reference)
    assert counts == [0, 5, 5] and "with x and y negated (LPS), 5 of 5 would match" in said


def test_many_scans_of_one_microbleed_speak_together():
    """One mirrored microbleed may be chance, in eight scans of nine it is not."""
    rows = []
    for number in range(9):
        one = lesions([(10 + 5 * number, 20, 5)])
        said = one.with_data(one.data[::-1]) if number else one
        rows.append({"uid": f"{number}", "dataset": "d", "patient": f"{number}"})
        rows[-1] |= {"reference": one, "predicted": said}
    assert evaluate_files(pd.DataFrame(rows[1:2])).scans["remarks"].tolist() == [""]
    remarks = evaluate_files(pd.DataFrame(rows)).scans["remarks"]
    told = ["mirrored left to right, 1 of 1" in line for line in remarks]
    assert told == [i not in (0, 9) for i in range(9)]


def test_chance():
    """A ball of 5 mm is 524 of 1.2 million mm^3: two of five by chance once in 1e4; of 3 in 300."""
    assert is_no_chance(2, [(5, 5)], Evaluation())
    assert not is_no_chance(1, [(1, 1)], Evaluation())
    assert not is_no_chance(2, [(3, 100)], Evaluation())


def test_the_scan_itself_and_a_tissue_mask():
    scan = lesions().with_data(np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE))
    with pytest.raises(AnnotationError, match="of the image other than 0; is it the scan itself"):
        read_mask(scan)
    tissue = np.zeros((200, 200, 200), np.uint8)
    tissue[50:100, 50:100, 50:100] = 2
    with pytest.raises(AnnotationError, match="found one of 125 ml; is it a brain"):
        read_mask(Volume(tissue, np.diag([1, 1, 1, 1.0])))
    tissue[70:] = 0  # 20 x 50 x 50 mm
    (said,) = read_mask(Volume(tissue, np.diag([1, 1, 1, 1.0]))).remarks
    assert "one microbleed has 50.0 ml" in said


def test_touching_ids_that_are_counted_as_pieces():
    """Two that touch have ids 1 and 2: one piece, or two integers."""
    two = lesions([(10, 20, 5), (13, 20, 5)], [1, 2])
    counts, said = scored(two, two)
    assert counts == [1, 0, 0] and said.count("1 pieces counted, which hold 2 integers") == 2
    assert scored(two, two, labelled="both") == ([2, 0, 0], "")


def test_ids_after_linear_interpolation():
    """Rounded rims: 1 to 4 around 5, in all lesions the 1."""
    ids = lesions(values=[1, 2, 3, 4, 5], size=5).data.astype(float)
    soft = sum(np.roll(ids, step, 0) for step in (-1, 0, 1)) / 3
    with pytest.raises(AnnotationError, match="nearest neighbour"):
        read_mask(lesions().with_data(np.rint(soft).astype(int)), labelled=True)
    one = lesions([(30, 30, 20)], [5], size=5)
    one.data[31:34, 31:34, 20:22] = 9  # alone, and in the middle of a rim
    with pytest.raises(AnnotationError, match="found 5 around 9; resample"):
        read_mask(one, labelled=True)


def test_one_stray_voxel_of_a_label_is_said():
    ids = lesions(values=[1, 2, 3, 4, 5])
    ids.data[100, 100, 5] = 1
    (said,) = read_mask(ids, labelled=True).remarks
    assert "1 in all of 2 pieces, over 10 mm apart" in said


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("900,0,0", r"inside the image of the other side, found \[900.0, 0.0, 0.0\], 870 mm"),
        ("9000,0,0", "expected millimetres, found .* in microns"),
        ("0.01,0.02,0\n0.02,0.02,0.01", "all within 1 mm; in metres"),
        ("-20,40,0", "with x and y negated .LPS. all lie inside"),
    ],
)
def test_points_that_cannot_lie_there(tmp_path, rows, message):
    """The image reaches from -29.5 to 30, -20 to 39.5 and -40 to 38 mm, voxels from a half more.

    (900, 0, 0) lies 869.75 mm outside.
    """
    path = tmp_path / "01.csv"
    path.write_text(f"x_mm,y_mm,z_mm\n{rows}\n")
    if "LPS" in message:
        path.write_text("x_mm,y_mm,z_mm\n20,-35,0\n")
    with pytest.raises(AnnotationError, match=message):
        read_points(path, lesions())


def test_the_same_space_in_another_order_gives_the_same_score():
    said = lesions(PLACES[:4])
    for axes in ("RAS", "LPI", "SPL"):
        assert scored(said.reoriented(axes))[0] == [4, 0, 1]


def test_units_that_are_said_and_that_are_not(tmp_path):
    """Both masks in metres matched perfectly, since 5 mm became 5 m."""
    import nibabel as nib

    for unit, factor in (("meter", 0.001), ("micron", 1000)):
        paths = []
        for name, volume in (("r", lesions()), ("p", lesions([*PLACES[:4], (60, 60, 20)]))):
            image = nib.Nifti1Image(volume.data, np.diag([factor] * 3 + [1]) @ LAS)
            image.header.set_xyzt_units(unit)
            paths.append(tmp_path / f"{name}_{unit}.nii")
            nib.save(image, paths[-1])
        assert scored(paths[1], paths[0]) == ([4, 1, 1], "")
        image.header.set_xyzt_units("mm")
        nib.save(image, paths[1])
        with pytest.raises(ScanFailures, match=r"expected voxels of 0\.1 to 25 mm"):
            scored(paths[1], paths[0])


def test_a_probability_map_in_another_order(tmp_path):
    soft = lesions().with_data(np.zeros(SHAPE, np.float32))
    soft.data[10, 20, 5] = 0.75
    _, _, scores = read_pair(lesions(), lesions(PLACES[:1]), soft.reoriented("PIR"))
    assert scores == {1: 0.75}


def test_voxels_that_are_no_count_of_microbleeds(tmp_path):
    """-1 is no mask; NaN counts as 0 and is remarked, of an array and of a file."""
    below = lesions()
    below.data[0, 0, 0] = -1
    with pytest.raises(AnnotationError, match="found -1 as the least, 1 voxels below 0"):
        read_mask(below)
    hole = lesions().data.astype(np.float32)
    hole[0, 0, :2] = np.nan
    nib.Nifti1Image(hole, LAS).to_filename(path := tmp_path / "mask.nii.gz")
    for given, name in ((Volume(hole, LAS), "volume"), (path, path)):
        found = read_mask(given)
        said = f"{name}: not a number in 2 of 576000 voxels, which count as 0"
        assert found.remarks == (said,) and len(found.instances) == 5
