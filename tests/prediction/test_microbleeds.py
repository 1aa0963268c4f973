"""Flags of a microbleed on drawn shapes, and the table's places."""

import numpy as np
import pandas as pd
import pytest

from cmbkit.params import Preprocessing
from cmbkit.prediction.microbleed_table import FLAGS, dark_run_mm, microbleed_table
from cmbkit.prediction.scan_warnings import scan_remarks, thresholds_reached
from cmbkit.preprocessing.changes import Change, change_table
from cmbkit.volume import Volume

SPACING = (0.5, 0.5, 1.0)


def drawn(tube_mm):
    """A dark ball of 2 mm in bright tissue, with a dark tube of 1.5 mm width along x."""
    shape = (61, 61, 31)
    mm = (np.moveaxis(np.indices(shape), 0, -1) - (30, 30, 15)) * SPACING
    ball = (mm**2).sum(-1) <= 2.0**2
    tube = (np.hypot(mm[..., 1], mm[..., 2]) <= 0.75) & (mm[..., 0] >= 0) & (mm[..., 0] <= tube_mm)
    image = np.full(shape, 1.0)
    image[ball | tube] = -2.0
    return image, ball


@pytest.mark.parametrize(("tube_mm", "run_mm"), [(0, 0), (4, 2), (6, 4), (20, 6)])
def test_dark_structure_is_followed_beyond_the_ball(tube_mm, run_mm):
    """A tube that ends ``tube_mm`` from the centre runs 2 mm less beyond the ball, 6 at most."""
    image, ball = drawn(tube_mm)
    assert dark_run_mm(image, ball, SPACING, 6.0) == pytest.approx(run_mm, abs=0.26)


def test_another_dark_ball_nearby_does_not_count():
    image, ball = drawn(0)
    image[40:44, 28:33, 14:17] = -2.0  # 5 mm away, bright tissue between
    assert dark_run_mm(image, ball, SPACING, 6.0) == 0


@pytest.mark.parametrize(
    ("count", "reached"), [(0, []), (1, [1]), (4, [1, 3]), (10, [1, 3, 5]), (11, [1, 3, 5, 11])]
)
def test_thresholds(count, reached):
    assert [limit for limit, holds, _ in thresholds_reached(count) if holds] == reached


def remarks(spacing=(0.5, 0.5, 1.0), mask="SynthStrip", regions="SynthSeg (robust)", replaced=0,
            used=0.5, slice_mm=None):  # fmt: skip
    methods = {"brain_mask": mask, "parcellation": regions}
    changes = [Change("intensities", None, "replaced", replaced, 0)] if replaced else []
    trained, used = Preprocessing(spacing_mm=0.5), Preprocessing(spacing_mm=used)
    return scan_remarks(methods, change_table(changes), spacing, slice_mm, trained, used)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"spacing": (0.5, 0.5, 3.0)}, "Slices 3 mm apart. At"),
        ({"spacing": (3.5, 0.5, 0.5)}, "Slices 3.5 mm apart. At"),
        ({"spacing": (0.9, 0.9, 7.07), "slice_mm": 5.0}, "Slices of 5 mm, 7.07 mm apart. At"),
        ({"spacing": (1.5, 1.5, 1.5)}, "1.5 mm within the slice"),
        ({"mask": "stand-in (intensity, not SynthStrip)"}, "brain mask came from a stand-in"),
        ({"regions": "stand-in (registered MNI atlas, not SynthSeg)"}, "brain regions came from"),
        ({"replaced": 7}, "7 voxels held no number"),
        ({"used": 1.0}, "trained on a 0.5 mm grid and ran on one of 1 mm"),
    ],
)
def test_each_warning_comes_alone(given, said):
    assert remarks() == []
    (line,) = remarks(**given)
    assert said in line


def test_a_stand_in_is_known_by_what_made_it_not_by_how_its_name_begins():
    assert remarks(mask="stand-in-free masks", regions="stand-ins of mine") == []


def test_a_gap_between_slices_is_no_thickness():
    """2 mm slices 3.5 mm apart are thin; overlapping slices of 4 mm, 2 mm apart, are thick."""
    assert remarks(spacing=(0.5, 0.5, 3.5), slice_mm=2.0) == []
    (line,) = remarks(spacing=(0.5, 0.5, 2.0), slice_mm=4.0)
    assert "Slices of 4 mm, 2 mm apart." in line


TISSUE, DARK, GRID_MM = 1.0, -2.0, 0.5
RADIUS_MM, TUBE_RADIUS_MM = 2.0, 0.75


def near_vessel(beside_mm=0.0, from_mm=-12.0, to_mm=12.0, darkness=DARK, brain_to_mm=99.0):
    """Whether a ball at the origin is flagged, with a tube along x, ``beside_mm`` off it in y.

    The tube reaches ``from_mm`` to ``to_mm``; the brain ends at x = ``brain_to_mm``.
    """
    shape = (61, 41, 41)
    affine = np.diag([GRID_MM] * 3 + [1.0])
    affine[:3, 3] = [-GRID_MM * (n // 2) for n in shape]
    x, y, z = (GRID_MM * (at - n // 2) for at, n in zip(np.indices(shape), shape, strict=True))
    ball = x**2 + y**2 + z**2 <= RADIUS_MM**2
    tube = (np.hypot(y - beside_mm, z) <= TUBE_RADIUS_MM) & (x >= from_mm) & (x <= to_mm)
    image = np.where(tube, darkness, TISSUE)
    image[ball] = DARK
    parts = (image, ball.astype(np.uint16), np.full(shape, 2), (x <= brain_to_mm).astype(np.uint8))
    volumes = [Volume(part, affine) for part in parts]
    found = pd.DataFrame({"id": [1], "kept": True, "score": 4.5})
    table, _ = microbleed_table(*volumes, found, native=volumes[0], slice_mm=1.0)
    assert table.loc[0, ["x_mm", "y_mm", "z_mm"]].tolist() == pytest.approx([0, 0, 0])
    assert set(table.loc[0, "flags"]) <= set(FLAGS)
    return "near-vessel" in table.loc[0, "flags"]


@pytest.mark.parametrize(
    ("tube", "flagged"),
    [
        ({}, True),  # through the ball, 10 mm beyond it on either side
        ({"from_mm": 0.0}, True),  # out of it on one side
        ({"from_mm": -1.5, "to_mm": 1.5}, False),  # all of it within the ball
        ({"from_mm": 0.0, "to_mm": 6.0}, False),  # ends 4 mm beyond the ball
        ({"from_mm": 0.0, "to_mm": 7.5}, True),  # ends 5.5 mm beyond
        ({"beside_mm": 2.5}, True),  # alongside: 2.5 < 2 + 0.75, they touch
        ({"beside_mm": 4.0}, False),  # alongside, 1.25 mm (more than a voxel) of tissue between
        ({"beside_mm": 8.0}, False),  # far
        # followed where nearer to the ball than to tissue by two to one: under (2 * -2 + 1) / 3
        ({"darkness": -1.1}, True),
        ({"darkness": -0.9}, False),
        ({"from_mm": 0.0, "brain_to_mm": 5.0}, False),  # outside the brain nothing is followed
    ],
)
def test_near_vessel_is_flagged_where_a_dark_tube_runs_on_from_the_ball(tube, flagged):
    assert near_vessel(**tube) is flagged
