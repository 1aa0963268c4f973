"""Flags of a microbleed on drawn shapes, and the table's places."""

import numpy as np
import pytest

from cmbkit.params import Preprocessing
from cmbkit.prediction.microbleeds import dark_run_mm
from cmbkit.prediction.remarks import scan_remarks, thresholds_reached

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


def remarks(spacing=(0.5, 0.5, 1.0), mask="SynthStrip", regions="SynthSeg (robust)", ml=1300.0,
            count=3, replaced=0, used=0.5):  # fmt: skip
    record = {
        "methods": {"brain_mask": mask, "parcellation": regions},
        "replaced_voxels": replaced,
    }
    trained = Preprocessing(spacing_mm=0.5)
    return scan_remarks(record, spacing, count, ml, trained, Preprocessing(spacing_mm=used))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"spacing": (0.5, 0.5, 3.0)}, "Slices of 3 mm"),
        ({"spacing": (3.5, 0.5, 0.5)}, "Slices of 3.5 mm"),
        ({"spacing": (1.5, 1.5, 1.5)}, "1.5 mm within the slice"),
        ({"mask": "stand-in (intensity, not SynthStrip)"}, "brain mask came from a stand-in"),
        ({"regions": "stand-in (registered MNI atlas, not SynthSeg)"}, "brain regions came from"),
        ({"ml": 400.0}, "holds 400 ml"),
        ({"count": 51}, "51 microbleeds are many"),
        ({"replaced": 7}, "7 voxels held no number"),
        ({"used": 1.0}, "trained on a 0.5 mm grid and ran on one of 1 mm"),
    ],
)
def test_each_warning_comes_alone(given, said):
    assert remarks() == []
    (line,) = remarks(**given)
    assert said in line
