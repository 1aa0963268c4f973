"""Features of analytic shapes, tiny lesions, and places."""

import numpy as np
import pytest

from cmbkit.features.describe import COLUMNS, MNI, describe_lesions
from cmbkit.features.location import assign_label
from cmbkit.features.shape import shape_features
from cmbkit.volume import Volume


def ball(radius_mm, spacing, margin=3):
    half = int(np.ceil(radius_mm / spacing)) + margin
    axis = (np.arange(-half, half) + 0.5) * spacing
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    return x**2 + y**2 + z**2 <= radius_mm**2


def test_ball_of_15_mm_has_the_values_measured_with_pyradiomics():
    # reference of a separate pyradiomics run on a ball of radius 15 mm at 0.5 mm
    found = shape_features(ball(15, 0.5), (0.5, 0.5, 0.5))
    assert found["sphericity"] == pytest.approx(0.91786, abs=1e-5)
    assert found["max_diameter_mm"] == pytest.approx(30.4549, abs=1e-4)
    assert found["inv_flatness"] == pytest.approx(1, abs=1e-6)
    assert found["inv_elongation"] == pytest.approx(1, abs=1e-6)


def test_crop_gives_what_pyradiomics_gives_on_the_whole_volume():
    import SimpleITK as sitk
    from radiomics.shape import RadiomicsShape

    i, j, k = np.indices((40, 36, 30))
    blob = ((i - 14) / 2.6) ** 2 + ((j - 21) / 1.4) ** 2 + ((k - 11.4) / 3.3) ** 2 <= 1
    blob = blob.astype(np.uint8)
    image = sitk.GetImageFromArray(blob.transpose(2, 1, 0))
    image.SetSpacing((0.5, 0.75, 2.0))
    whole = RadiomicsShape(image, image, label=1)
    found = shape_features(blob[10:19, 18:25, 7:17] > 0, (0.5, 0.75, 2.0))
    assert found["sphericity"] == pytest.approx(whole.getSphericityFeatureValue(), abs=1e-6)
    assert found["inv_elongation"] == pytest.approx(whole.getElongationFeatureValue(), abs=1e-6)
    assert found["inv_flatness"] == pytest.approx(whole.getFlatnessFeatureValue(), abs=1e-6)
    assert found["surface_mm2"] == pytest.approx(whole.getSurfaceAreaFeatureValue(), abs=1e-4)


def test_cuboid_axes_follow_from_the_variance_of_its_voxel_centres():
    # n voxels in a row have variance (n^2 - 1) / 12; 5 x 3 x 2 voxels of 1 mm
    found = shape_features(np.ones((5, 3, 2), bool), (1, 1, 1))
    assert found["inv_elongation"] == pytest.approx(np.sqrt(8 / 24))
    assert found["inv_flatness"] == pytest.approx(np.sqrt(3 / 24))


@pytest.mark.parametrize("voxels", [1, 2, 3, 4])
def test_tiny_lesions_in_one_line_have_defined_values_or_nan(voxels):
    mask = np.zeros((6, 3, 3), bool)
    mask[1 : 1 + voxels, 1, 1] = True
    found = shape_features(mask, (0.5, 0.5, 0.5))
    reason = found.pop("shape_reason")
    assert all(isinstance(value, float) for value in found.values())
    assert bool(reason) == (voxels == 1)
    if voxels == 1:
        assert np.isnan(found["inv_elongation"]) and np.isnan(found["inv_flatness"])
    else:
        assert found["inv_elongation"] == found["inv_flatness"] == 0


def test_a_row_per_lesion_with_radius_contrast_and_place_in_mm():
    affine = np.diag([0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] = [-10, 0, 5]
    image = np.full((40, 40, 40), 3.0, np.float32)
    lesions = np.zeros(image.shape, np.uint16)
    lesions[10:12, 20:22, 30:32] = 1
    lesions[30, 5, 5] = 4
    image[lesions > 0] = -1
    labels = np.full(image.shape, 2, np.uint8)
    labels[30, 5, 5] = 4
    volumes = [Volume(data, affine) for data in (image, lesions, labels)]
    table = describe_lesions(*volumes, uid="DOU-1", dataset="DOU").set_index("id")
    assert list(table.index) == [1, 4]
    # 8 voxels of 0.125 mm^3 are 1 mm^3: radius (3 / (4 pi))^(1/3) = 0.62035 mm
    assert table.loc[1, "volume_mm3"] == pytest.approx(1.0)
    assert table.loc[1, "radius_mm"] == pytest.approx(0.62035, abs=1e-5)
    assert table.loc[1, ["contrast", "mean_intensity"]].tolist() == [4.0, -1.0]
    assert table.loc[1, ["x_mm", "y_mm", "z_mm"]].tolist() == [-4.75, 10.25, 20.25]
    assert table.loc[1, ["region", "side"]].tolist() == ["Subcortical White Matter", "left"]
    assert table.loc[4, "region"] == "Outside brain tissue"


def test_place_in_mni_space_is_that_of_the_registration_and_nan_without_one():
    affine = np.diag([0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] = [-10, 0, 5]
    lesions = np.zeros((40, 40, 40), np.uint16)
    lesions[10:12, 20:22, 30:32] = 1  # centre at -4.75, 10.25, 20.25 mm
    image = Volume(np.zeros(lesions.shape, np.float32), affine)
    volumes, who = (image, image.with_data(lesions), None), {"uid": "DOU-1", "dataset": "DOU"}
    # x and y exchanged, z doubled, then moved by 1, 2, 3 mm
    turned = [[0, 1, 0, 1], [1, 0, 0, 2], [0, 0, 2, 3], [0, 0, 0, 1]]
    table = describe_lesions(*volumes, **who, scan_to_mni=turned)
    assert table.loc[0, MNI].tolist() == [11.25, -2.75, 43.5]
    assert describe_lesions(*volumes, **who)[MNI].isna().all(axis=None)
    nothing = describe_lesions(image, image.with_data(0 * lesions), None, **who, scan_to_mni=turned)
    assert nothing.empty and list(nothing) == COLUMNS


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ([0, 0, 0], 0),  # background alone
        ([4, 4, 4, 10], 10),  # ventricle is ignored when brain tissue is there
        ([4, 4, 24], 4),  # ... and kept when it is not
        ([3, 3, 3, 2], 2),  # white matter over cortex
        ([42, 42, 41, 2], 41),  # of the same side
        ([3, 3, 10], 3),  # no white matter: cortex stays
        ([10, 10, 12], 10),  # largest overlap
        ([0, 0, 0, 8], 8),
    ],
)
def test_location_rule(values, label):
    assert assign_label(values) == label
