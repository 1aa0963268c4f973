"""From masks, points and scribbles to one integer per microbleed; expected values by hand."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.params import Preprocessing
from cmbkit.preprocessing import labels as lb
from cmbkit.records import Acquisition, Annotation, Finding, Scan
from cmbkit.volume import Volume

AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])


def scan_of(dataset, annotation, path="image.nii.gz"):
    return Scan(dataset, "p1", "01", "SWI", path, annotation, Acquisition((1.0, 1.0), 2.0))


def masked_scan(folder, dataset, data, kind="mask", findings=()):
    path = Volume(data.astype(np.uint8), AFFINE).write(folder / "mask.nii.gz")
    return scan_of(dataset, Annotation(kind, path, findings=findings))


def test_sphere_holds_the_lattice_points_within_its_radius():
    """Lattice points within 2 and 3 of the origin: 33 and 123 (Gauss's sphere problem)."""
    grid = Volume(np.zeros((20, 20, 20)), np.eye(4))
    labels = lb.draw_spheres(grid, [(6, 6, 6), (14, 14, 14)], [2.0, 3.0])
    assert np.bincount(labels.ravel())[1:].tolist() == [33, 123]


def test_sphere_on_a_fine_grid_is_whole():
    """Radius 2 mm is 4 voxels of 0.5 mm: 257 lattice points; far from others, at an odd place."""
    grid = Volume(np.zeros((12, 12, 12)), np.diag([0.5, 0.5, 0.5, 1.0]))
    assert (lb.draw_spheres(grid, [(6, 5, 5)], [2.0]) > 0).sum() == 257


def test_sphere_is_round_in_mm_not_in_voxels():
    """Radius 2 mm with 2 mm slices: 13 in the plane, and one voxel above and below."""
    labels = lb.draw_spheres(Volume(np.zeros((9, 9, 9)), AFFINE), [(4, 4, 4)], [2.0])
    assert [int((labels[:, :, k] > 0).sum()) for k in (3, 4, 5)] == [1, 13, 1]
    assert labels.sum() == 15


def test_sphere_smaller_than_a_voxel_still_marks_its_centre():
    labels = lb.draw_spheres(Volume(np.zeros((5, 5, 5)), AFFINE), [(2.3, 1.8, 3.4)], [0.1])
    assert np.argwhere(labels).tolist() == [[2, 2, 3]]


def test_touching_spheres_keep_their_own_label():
    """Centres 3 voxels apart, radius 2: the plane between them divides the voxels evenly."""
    grid = Volume(np.zeros((12, 9, 9)), np.eye(4))
    labels = lb.draw_spheres(grid, [(4, 4, 4), (7, 4, 4)], [2.0, 2.0])
    first, second = (labels == 1), (labels == 2)
    assert first.sum() == second.sum() == 33 - 1
    assert np.argwhere(first)[:, 0].max() == 5 and np.argwhere(second)[:, 0].min() == 6


def test_a_voxel_as_near_to_two_centres_is_the_first_ones():
    """Centres 4 voxels apart, radius 2: the voxel between them lies on both spheres."""
    grid = Volume(np.zeros((13, 9, 9)), np.eye(4))
    for centres in ([(4, 4, 4), (8, 4, 4)], [(8, 4, 4), (4, 4, 4)]):
        labels = lb.draw_spheres(grid, centres, [2.0, 2.0])
        assert labels[6, 4, 4] == 1
        assert np.bincount(labels.ravel())[1:].tolist() == [33, 32]


@pytest.mark.parametrize("corner", [0, 8])
def test_sphere_at_the_border_is_cut_there(corner):
    """An eighth of radius 2, with the planes through its centre: 1 + 3 + 3 + 3 + 1 voxels."""
    labels = lb.draw_spheres(Volume(np.zeros((9, 9, 9)), np.eye(4)), [(corner,) * 3], [2.0])
    assert labels.sum() == 11


def test_same_voxel_twice_is_an_error():
    with pytest.raises(lb.LabelError, match="scan: expected one centre per voxel"):
        lb.draw_spheres(Volume(np.zeros((5, 5, 5)), AFFINE), [(2, 2, 2), (2, 2, 2)], [1, 1])


def test_valdo_mask_any_value_and_six_neighbours(tmp_path):
    """Values 1 to 3 in one blob are one CMB; voxels touching by a corner are two."""
    data = np.zeros((8, 8, 8))
    data[1, 1, 1:4] = (1, 2, 3)
    data[5, 5, 5] = data[6, 6, 5] = 2
    scan = masked_scan(tmp_path, "VALDO", data)
    labels, table = lb.refine(scan, Volume(np.zeros((8, 8, 8)), AFFINE), Preprocessing())
    assert table.n_voxels.tolist() == [3, 1, 1] and labels.data.max() == 3
    assert table.loc[0, ["i", "j", "k"]].tolist() == [1, 1, 2]
    assert table.radius_mm[0] == pytest.approx((3 * 3 * 2 / (4 * np.pi)) ** (1 / 3))


def test_rodeja_labels_are_kept_apart_when_they_touch(tmp_path):
    data = np.zeros((8, 8, 8))
    data[1:3, 1, 1] = 4
    data[3:6, 1, 1] = 9
    scan = masked_scan(tmp_path, "RODEJA", data)
    labels, table = lb.refine(scan, Volume(np.zeros((8, 8, 8)), AFFINE), Preprocessing())
    assert table.n_voxels.tolist() == [2, 3]
    assert labels.data[1:6, 1, 1].tolist() == [1, 1, 2, 2, 2]
    data[3, 1, 1], data[7, 3, 3] = 0, 2  # a gap between labels is none
    scan = masked_scan(tmp_path, "RODEJA", data)
    _, table = lb.refine(scan, Volume(np.zeros((8, 8, 8)), AFFINE), Preprocessing())
    assert table.n_voxels.tolist() == [1, 2, 2] and table.mark.tolist() == [2, 4, 9]


def dark_balls(centres, radius=2.0):
    """Value 30 within the radius (mm) of each centre, 100 elsewhere, on 1 x 1 x 2 mm."""
    steps = np.stack(np.meshgrid(*[np.arange(n) for n in (40, 30, 20)], indexing="ij"), -1)
    data = 100 + np.random.default_rng(0).normal(0, 0.5, steps.shape[:3])
    for centre in centres:
        inside = (((steps - centre) * (1, 1, 2)) ** 2).sum(-1) <= radius**2
        data[inside] -= 70
    return Volume(data.astype(np.float32), AFFINE)


def test_point_becomes_a_sphere_of_the_grown_radius():
    """The dark ball has 15 voxels of 2 mm^3, so r = (3 * 30 / 4 pi)^(1/3) = 1.928 mm."""
    image = dark_balls([(10, 10, 8)])
    scan = scan_of("DOU", Annotation("points", points=((10, 10, 8),)))
    labels, table = lb.refine(scan, image, Preprocessing())
    assert table.grown_voxels.tolist() == [15]
    assert table.radius_mm[0] == pytest.approx(1.9276, abs=1e-3)
    assert labels.data[10, 10, 8] == 1 and table.n_voxels[0] == 9
    assert table.source[0] == "point" and bool(table.elbow[0])


def test_multiple_scribble_is_split_and_single_is_not(tmp_path):
    """Segment 1 is flagged and covers two balls; segment 2 is not flagged and covers one."""
    centres = [(8, 8, 5), (20, 8, 5), (30, 20, 12)]
    image = dark_balls(centres)
    data = np.zeros(image.shape)
    data[7:10, 8, 5] = data[19:22, 8, 5] = 1
    data[30, 19:22, 12] = 2
    findings = (Finding(1, multiple=True), Finding(2))
    scan = masked_scan(tmp_path, "CRB", data, "scribbles", findings)
    _, table = lb.refine(scan, image, Preprocessing())
    np.testing.assert_allclose(table[["i", "j", "k"]], centres)
    assert table.grown_voxels.tolist() == [15, 15, 15]


def test_what_the_rater_said_follows_the_scribble():
    """Scribble 4 is split in two, 9 was not described, 2 is not in the findings."""
    found = pd.DataFrame({"id": [1, 2, 3, 4], "mark": [4, 9, 4, 2]})
    findings = (Finding(4, True, " Uncertain", location="thalamus "), Finding(9))
    rated = lb.with_ratings(found, findings)
    assert rated["certainty"].fillna("-").tolist() == ["uncertain", "-", "uncertain", "-"]
    assert rated["rater_location"].fillna("-").tolist() == ["thalamus", "-", "thalamus", "-"]
    assert rated["id"].tolist() == [1, 2, 3, 4]
    assert lb.with_ratings(found, ())[["certainty", "rater_location"]].isna().all(axis=None)


def test_finding_without_a_scribble_is_an_error(tmp_path):
    data = np.zeros((40, 30, 20))
    data[3, 3, 3] = 1
    scan = masked_scan(tmp_path, "CRB", data, "scribbles", (Finding(1), Finding(5)))
    with pytest.raises(lb.LabelError, match=r"expected segments \[5\], found \[1\]"):
        lb.refine(scan, dark_balls([]), Preprocessing())


def test_empty_mask_is_an_error_and_no_annotation_is_not(tmp_path):
    image = Volume(np.zeros((4, 4, 4)), AFFINE)
    with pytest.raises(lb.LabelError, match="found an empty mask"):
        lb.refine(masked_scan(tmp_path, "VALDO", np.zeros((4, 4, 4))), image, Preprocessing())
    labels, table = lb.refine(scan_of("CRBneg", Annotation("none")), image, Preprocessing())
    assert labels.data.sum() == 0 and len(table) == 0 and "radius_mm" in table
