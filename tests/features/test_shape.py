"""Digitised shapes against closed forms, crops against whole volumes, tiny lesions."""

from itertools import product

import numpy as np
import pytest

from cmbkit.features import analytic
from cmbkit.features.intensity import BIN_WIDTH, FIRST_ORDER, first_order
from cmbkit.features.shape import axis_directions, shape_features

SHAPE_NAMES = {
    "sphericity": "Sphericity",
    "max_diameter_mm": "Maximum3DDiameter",
    "surface_mm2": "SurfaceArea",
    "mesh_volume_mm3": "MeshVolume",
    "inv_flatness": "Flatness",
    "inv_elongation": "Elongation",
    "major_axis_mm": "MajorAxisLength",
    "minor_axis_mm": "MinorAxisLength",
    "least_axis_mm": "LeastAxisLength",
}


def pyradiomics(image, mask, spacing, kind, names):
    import SimpleITK as sitk

    parts = [sitk.GetImageFromArray(np.ascontiguousarray(a.transpose(2, 1, 0))) for a in
             (image, mask.astype(np.uint8))]  # fmt: skip
    for part in parts:
        part.SetSpacing([float(s) for s in spacing])
    found = kind(*parts, label=1, binWidth=BIN_WIDTH)
    found._initCalculation()
    return {k: float(np.squeeze(getattr(found, f"get{n}FeatureValue")())) for k, n in names.items()}


def test_closed_forms_of_a_ball_a_rod_and_a_known_ellipsoid():
    ball = analytic.closed_form("ball", (3, 3, 3))
    assert ball["sphericity"] == pytest.approx(1) and ball["max_diameter_mm"] == 6
    assert ball["major_axis_mm"] == pytest.approx(4 * np.sqrt(9 / 5))
    # a cylinder's variance is h^2 / 12 along and r^2 / 4 across its axis
    rod = analytic.closed_form("rod", (1.5, 12))
    assert rod["inv_elongation"] == pytest.approx((1.5 / 2) / (12 / np.sqrt(12)))
    # surface of the ellipsoid 4 x 3 x 2 by summing a fine triangle net of its parametrisation
    t, p = np.meshgrid(np.linspace(0, np.pi, 1201), np.linspace(0, 2 * np.pi, 2401), indexing="ij")
    net = np.stack([4 * np.sin(t) * np.cos(p), 3 * np.sin(t) * np.sin(p), 2 * np.cos(t)], -1)
    a, b = net[1:, :-1] - net[:-1, :-1], net[:-1, 1:] - net[:-1, :-1]
    c, d = net[1:, :-1] - net[1:, 1:], net[:-1, 1:] - net[1:, 1:]
    area = sum(np.linalg.norm(np.cross(u, v), axis=-1).sum() / 2 for u, v in ((a, b), (c, d)))
    assert analytic.closed_form("ellipsoid", (4, 3, 2))["surface_mm2"] == pytest.approx(
        area, rel=1e-5
    )


def test_digitised_shapes_agree_with_closed_forms_within_the_digitisation_error():
    table = analytic.analytic_table()
    assert len(table) == 4 * 3 * 8
    assert (table["difference"].abs() <= table["allowed"]).all()


def test_volume_of_a_ball_converges_and_its_sphericity_does_not():
    # the mesh of a binary mask is a staircase: a ball of 60 voxels across still has 0.918
    errors = []
    for step in (1.0, 0.5, 0.1):
        found = analytic.measured(analytic.digitise("ball", (3, 3, 3), (step,) * 3), (step,) * 3)
        errors.append(abs(found["volume_mm3"] / (36 * np.pi) - 1))
    assert errors[2] < 0.002 < errors[0]
    assert found["sphericity"] == pytest.approx(0.918, abs=0.003)


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 0.5), (0.45, 0.45, 5.0)])
def test_crop_gives_every_value_of_pyradiomics_on_the_whole_volume(spacing):
    from radiomics.firstorder import RadiomicsFirstOrder
    from radiomics.shape import RadiomicsShape

    rng = np.random.default_rng(3)
    image = rng.normal(100, 40, size=(40, 36, 30))
    i, j, k = np.indices(image.shape)
    mask = ((i - 14) / 2.6) ** 2 + ((j - 21) / 1.4) ** 2 + ((k - 11.4) / 3.3) ** 2 <= 1
    crop = (slice(11, 19), slice(18, 25), slice(7, 17))
    found = shape_features(mask[crop], spacing)
    for key, value in pyradiomics(image, mask, spacing, RadiomicsShape, SHAPE_NAMES).items():
        assert found[key] == pytest.approx(value, rel=1e-6, abs=1e-6), key
    found = first_order(image[crop], mask[crop], spacing)
    for key, value in pyradiomics(image, mask, spacing, RadiomicsFirstOrder, FIRST_ORDER).items():
        assert found[key] == pytest.approx(value, rel=1e-6, abs=1e-6), key


def test_every_first_order_feature_of_pyradiomics_runs():
    from radiomics.firstorder import RadiomicsFirstOrder

    names = RadiomicsFirstOrder.getFeatureNames()
    assert set(FIRST_ORDER.values()) == {n for n, deprecated in names.items() if not deprecated}


def test_first_order_of_four_values_by_hand():
    found = first_order(np.array([[[1.0, 2.0, 3.0, 30.0]]]), np.ones((1, 1, 4), bool), (1, 1, 2))
    assert found["mean_intensity"] == 9 and found["median_intensity"] == 2.5
    assert found["energy"] == 1 + 4 + 9 + 900 and found["total_energy"] == 2 * 914
    # bins from 0 of width 25: three values in one, one in the next
    assert found["uniformity"] == pytest.approx((3 / 4) ** 2 + (1 / 4) ** 2)
    assert found["entropy"] == pytest.approx(-(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25)))


def tiny_lesions():
    """All connected lesions of up to 4 voxels that lie in one slice of 3 x 3."""
    cells = list(product(range(3), range(3)))
    seen = {frozenset([cell]) for cell in cells}
    grown = seen
    for _ in range(3):
        grown = {
            one | {(i + di, j + dj)}
            for one in grown
            for i, j in one
            for di, dj in ((0, 1), (1, 0), (0, -1), (-1, 0))
            if 0 <= i + di < 3 and 0 <= j + dj < 3
        }
        seen = seen | grown
    return seen


def test_tiny_flat_lesions_have_real_values_or_nan_with_a_reason():
    for lesion in tiny_lesions():
        mask = np.zeros((3, 3, 1), bool)
        mask[tuple(np.array(list(lesion)).T)] = True
        found = shape_features(mask, (0.5, 0.7, 4.0))
        reason = found.pop("shape_reason")
        assert all(type(value) is float for value in found.values())
        undefined = [name for name, value in found.items() if np.isnan(value)]
        assert undefined == (["inv_flatness", "inv_elongation"] if len(lesion) == 1 else [])
        assert all(name in reason for name in undefined)
        if len(lesion) > 1:
            assert found["inv_flatness"] == pytest.approx(0, abs=1e-6)
        assert 0 < found["sphericity"] <= 1


def test_the_mesh_of_voxels_that_touch_along_an_edge_only_is_open_and_said_to_be():
    from radiomics.shape import RadiomicsShape

    corner = np.zeros((9, 9, 9), bool)
    corner[0, 1, 2] = corner[1, 0, 2] = True
    assert "mesh open" in shape_features(corner, (1, 1, 1))["shape_reason"]
    # no fault of the crop: pyradiomics itself answers differently elsewhere in the array
    name, moved = {"v": "Sphericity"}, np.roll(corner, 5, (0, 1, 2))
    first, second = (
        pyradiomics(np.zeros(m.shape), m, (1, 1, 1), RadiomicsShape, name)["v"]
        for m in (corner, moved)
    )
    assert abs(first - second) > 0.01
    assert shape_features(np.ones((2, 3, 1), bool), (1, 1, 1))["shape_reason"] == ""


def test_values_do_not_depend_on_where_the_lesion_lies_in_its_crop():
    mask = np.zeros((9, 9, 9), bool)
    mask[2, 2:5, 3] = mask[3, 4, 4] = True
    first, second = shape_features(mask, (1, 2, 3)), shape_features(mask[2:4, 2:6, 1:7], (1, 2, 3))
    assert first == second


def test_directions_of_a_bar_and_a_plate_are_those_of_the_scanner():
    # array axes: 1st to the left, 2nd up, 3rd forward
    affine = np.array([[-1.0, 0, 0, 9], [0, 0, 2, 9], [0, 3, 0, 9], [0, 0, 0, 1]])
    plate = axis_directions(np.ones((4, 9, 1), bool), affine)
    assert [plate[f"major_{a}"] for a in "xyz"] == pytest.approx([0, 0, 1])
    assert [plate[f"least_{a}"] for a in "xyz"] == pytest.approx([0, 1, 0])
    assert plate["direction_reason"] == ""
    ball = axis_directions(analytic.digitise("ball", (3, 3, 3), (1, 1, 1)), np.eye(4))
    assert ball.pop("direction_reason") == "direction of major, least axis: another is as long"
    assert np.isnan(list(ball.values())).all()
    line = axis_directions(np.ones((1, 3, 1), bool), affine)
    assert line["major_z"] == 1 and line["direction_reason"].startswith("direction of least axis")


def test_an_empty_mask_is_refused():
    with pytest.raises(ValueError, match="expected voxels > 0"):
        shape_features(np.zeros((3, 3, 3), bool), (1, 1, 1))
    with pytest.raises(ValueError, match="expected one of"):
        analytic.digitise("torus", (1,), (1, 1, 1))


def test_a_perfect_ball_of_few_voxels_is_not_round():
    table = analytic.ball_floor([1, 8, 100], draws=6, seed=1)
    one = table[table["n_voxels"] == 1]
    # the mesh of one voxel is an octahedron: cube root of (pi / (3 sqrt 3)) = 0.8456
    assert one["sphericity"].to_numpy() == pytest.approx((np.pi / (3 * np.sqrt(3))) ** (1 / 3))
    assert table["sphericity"].between(0.75, 0.96).all()
