"""Depth in the brain, shell, both grids, and reasons in the table of a scan."""

import json
from pathlib import Path

import numpy as np
import pytest

from cmbkit.features.describe import COLUMNS, MNI, describe_lesions
from cmbkit.features.edge import BrainEdge
from cmbkit.features.grids import describe_scan
from cmbkit.features.intensity import intensity_features
from cmbkit.features.location import assign_label, location_features, mars_region
from cmbkit.records import Acquisition, Annotation, Scan, StandardScan
from cmbkit.volume import Volume


def ball_of_brain(radius_mm=18.0, spacing=(1.0, 1.0, 2.0)):
    axes = [(np.arange(round(48 / s)) + 0.5) * s - 24 for s in spacing]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = [a[0] for a in axes]
    return Volume((x**2 + y**2 + z**2 <= radius_mm**2).astype(np.uint8), affine)


def test_depth_in_a_ball_is_radius_minus_distance_from_its_centre():
    edge = BrainEdge(ball_of_brain())
    places = np.array([[0, 0, 0], [10, 0, 0], [0, -15, 0], [6, 6, 6], [21, 0, 0]])
    expected = 18 - np.linalg.norm(places, axis=1)
    assert edge.depth_mm(places) == pytest.approx(expected, abs=1.25)  # half a voxel's diagonal


def test_brain_at_the_border_of_the_array_ends_there():
    brain = Volume(np.ones((9, 9, 9), np.uint8), np.eye(4))
    # centre of the corner voxel: half a voxel from three faces; -1 lies outside the array
    assert BrainEdge(brain).depth_mm([[0, 0, 0], [4, 4, 4], [-1, 4, 4]]) == pytest.approx(
        [0.5, 4.5, -0.5]
    )
    with pytest.raises(ValueError, match="found none"):
        BrainEdge(brain.with_data(brain.data * 0))


def test_a_scan_without_lesions_has_an_empty_table_with_all_columns():
    image = Volume(np.zeros((4, 4, 4), np.float32), np.eye(4))
    nothing = image.with_data(np.zeros((4, 4, 4), np.uint16))
    table = describe_lesions(image, nothing, None, uid="u", dataset="DOU", brain=nothing)
    assert len(table) == 0 and list(table.columns) == COLUMNS


def test_two_voxels_have_no_robust_deviation_and_say_so():
    image = np.array([[[1.0, 2.0]]])
    found = intensity_features(image, image > 0, image < 0, (1, 1, 1))
    assert np.isnan(found["robust_mad_intensity"]) and found["mad_intensity"] == 0.5
    assert "robust_mad_intensity" in found["intensity_reason"]


def test_surroundings_end_at_the_brain_and_at_other_lesions():
    image = np.full((9, 9, 9), 5.0)
    mask, others = np.zeros(image.shape, bool), np.zeros(image.shape, bool)
    mask[4, 4, 4] = True
    image[4, 4, 4], image[:, :4] = 1.0, -50.0  # outside the brain
    others[:, :4] = True
    found = intensity_features(image, mask, others, (1, 1, 1))
    assert (found["contrast"], found["shell_mean"], found["shell_sd"]) == (4.0, 5.0, 0.0)
    assert found["intensity_reason"] == ""
    alone = intensity_features(image, mask, ~mask, (1, 1, 1))
    assert np.isnan(alone["contrast"]) and "no surrounding voxel" in alone["intensity_reason"]


def test_values_that_are_not_finite_give_nan_and_say_so():
    image = np.ones((3, 3, 3))
    mask = np.zeros(image.shape, bool)
    mask[1, 1] = True
    image[1, 1, 0] = np.nan
    found = intensity_features(image, mask, np.zeros_like(mask), (1, 1, 1))
    assert np.isnan(found["mean_intensity"]) and np.isnan(found["contrast"])
    assert found["intensity_reason"] == "intensity: 1 of 3 voxels are not finite"


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ([1024, 1024, 1022, 10, 10], 3),  # areas of one side count together as cortex
        ([2035, 42, 41], 41),  # ... and white matter still wins over it
        ([0, 0, 1035], 3),
        ([28, 28, 28, 60, 16], 16),  # ventral diencephalon is no place for a microbleed
        ([3, 3, 2, 2], 2),  # a tie goes to white matter either way
        ([2, 3, 3, 3, 24, 24, 24, 24, 24], 2),
    ],
)
def test_location_rule_with_cortical_areas_and_ties(values, label):
    assert assign_label(values) == label


def test_labels_that_synthseg_does_not_have_are_refused():
    with pytest.raises(ValueError, match=r"expected SynthSeg labels .* found 77"):
        assign_label([2, 2, 77])


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([2028, 2028, 2022], "Frontal"),  # superior frontal over postcentral
        ([1022, 2], "Parietal"),  # white matter takes the lobe of the area in the lesion
        ([2011], "Occipital"),
        ([1035], "Insula"),
        ([17], "Temporal"),  # hippocampus
        ([12, 12, 2], "Basal Ganglia"),
        ([49], "Thalamus"),
        ([16], "Brainstem"),
        ([46], "Cerebellum"),
        ([3, 3], "Lobe unspecified"),
        ([41], "Lobe unspecified"),
        ([4], "Outside brain tissue"),
    ],
)
def test_mars_lines(values, line):
    assert mars_region(values) == line


def test_place_has_both_scales_and_a_side():
    assert location_features([8, 8, 0], "bombs") == {
        "region": "Cerebellum",
        "group": "Posterior fossa",
        "side": "left",
        "mars_region": "Cerebellum",
    }


def saved_scan(folder: Path) -> StandardScan:
    """A native LPS scan with thick slices, its standard RAS form, and two lesions."""
    affine = np.diag([-0.5, -0.5, 2.0, 1.0])
    affine[:3, 3] = [15, 15, -10]
    native = Volume(np.full((60, 60, 10), 100.0, np.float32), affine)
    shape, grid = (30, 30, 19), np.diag([1.0, 1.0, 1.0, 1.0])
    grid[:3, 3] = [-14.5, -14.5, -10]
    standard = Volume(np.zeros(shape, np.float32), grid)
    lesions = np.zeros(shape, np.uint16)
    lesions[10:14, 10:14, 8:12] = 1  # 4 mm cube, x and y -5 to -1, z -2.5 to 1.5
    lesions[20, 20, 6] = 3
    folder.mkdir()
    native.write(folder / "raw.nii.gz")
    acquisition = Acquisition((0.5, 0.5), 2.0)
    scan = Scan("DOU", "01", "01", "SWI", folder / "raw.nii.gz", Annotation("none"), acquisition)
    done = StandardScan(scan, folder)
    standard.write(done.image_path)
    standard.with_data(lesions).write(done.lesions_path)
    standard.with_data(np.ones(shape, np.uint8)).write(done.brain_path)
    standard.with_data(np.full(shape, 41, np.uint8)).write(done.labels_path)
    record = {"native": {"shape": list(native.shape), "affine": affine.tolist()}}
    record["scan_to_mni"] = np.diag([2.0, 2.0, 2.0, 1.0]).tolist()
    done.record_path.write_text(json.dumps(record))
    return done


def test_both_grids_describe_the_same_microbleeds(tmp_path):
    scan = saved_scan(tmp_path / "scan")
    standard, native = describe_scan(scan), describe_scan(scan, grid="native")
    assert list(standard.columns) == COLUMNS and list(native.columns) == COLUMNS
    assert standard["id"].tolist() == native["id"].tolist() == [1, 3]
    assert set(standard["grid"]) == {"standard"} and set(native["grid"]) == {"native"}
    # 4 x 4 x 4 voxels of 1 mm; natively 8 x 8 voxels of 0.5 mm in 2 slices of 2 mm
    assert standard.loc[0, ["n_voxels", "volume_mm3"]].tolist() == [64, 64]
    assert native.loc[0, ["n_voxels", "volume_mm3"]].tolist() == [8 * 8 * 2, 64]
    assert standard.loc[0, "mean_intensity"] == 0 and native.loc[0, "mean_intensity"] == 100
    assert native["side"].tolist() == ["right", "right"]
    place = ["x_mm", "y_mm", "z_mm"]
    shift = np.abs(native[place].to_numpy() - standard[place].to_numpy())
    assert (shift <= [0.25, 0.25, 1.0]).all()
    assert standard.loc[0, ["x_vox", "y_vox", "z_vox"]].tolist() == [11.5, 11.5, 9.5]
    for table in (standard, native):  # the record's registration doubles every length
        np.testing.assert_allclose(table[MNI], 2 * table[place])
    # the brain fills the array of 19 slices, -0.5 to 18.5: its upper end is nearest to 9.5
    assert standard.loc[0, "edge_mm"] == pytest.approx(18.5 - 9.5)
    # one voxel of the standard grid: 2 x 2 voxels in one thick slice, flat but not undefined
    assert "single voxel" in standard.loc[1, "reason"] and "voxel" not in native.loc[1, "reason"]
    assert native.loc[1, "inv_flatness"] == 0 and native.loc[1, "inv_elongation"] == 1


def test_predicted_lesions_are_described_alike_and_other_grids_refused(tmp_path):
    scan = saved_scan(tmp_path / "scan")
    predicted = scan.lesions()
    predicted = predicted.with_data((predicted.data == 1).astype(np.uint16) * 9)
    table = describe_scan(scan, predicted, grid="native", type="Pred")
    assert table[["id", "type", "n_voxels"]].to_numpy().tolist() == [[9, "Pred", 128]]
    with pytest.raises(ValueError, match="expected one of"):
        describe_scan(scan, grid="world")


def test_without_brain_and_labels_the_rest_is_there():
    data = np.zeros((5, 5, 5), np.uint16)
    data[1:3, 1:3, 1:3] = 1
    image = Volume(np.random.default_rng(0).normal(size=data.shape), np.eye(4))
    table = describe_lesions(image, image.with_data(data), None, uid="u", dataset="DOU")
    assert table.loc[0, "region"] is None and np.isnan(table.loc[0, "edge_mm"])
    assert table.loc[0, "reason"] == "direction of major, least axis: another is as long"
