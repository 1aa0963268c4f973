"""Brain masks on a drawn head: air, scalp, skull and brain, as ellipsoids in mm."""

import sys
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from cmbkit.anatomy import brain_mask as bm
from cmbkit.anatomy.blocks import refine
from cmbkit.anatomy.programs import ProgramError
from cmbkit.volume import Volume

AFFINE = np.diag([-1.5, -1.5, 3.0, 1.0])


@pytest.fixture(scope="module")
def head():
    """Brain (500) of half-axes 65 x 80 x 60 mm in a dark skull of 9 mm and a bright scalp."""
    shape = (120, 140, 56)
    mm = np.indices(shape).T @ np.diag([1.5, 1.5, 3.0])
    mm = (mm - mm.reshape(-1, 3).mean(axis=0)).T

    def ellipsoid(a, b, c):
        return (mm[0] / a) ** 2 + (mm[1] / b) ** 2 + (mm[2] / c) ** 2 <= 1

    brain = ellipsoid(65, 80, 60)
    data = np.random.default_rng(0).rayleigh(10, shape)
    data[ellipsoid(80, 95, 75)] = 350
    data[ellipsoid(74, 89, 69)] = 15
    data[brain] = 500
    data[ellipsoid(8, 15, 10)] = 5
    data = data + np.random.default_rng(1).normal(0, 8, shape)
    return Volume(data.astype(np.float32), AFFINE), brain


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_stand_in_finds_the_brain_and_leaves_the_scalp(head):
    image, brain = head
    mask, name = bm.brain_mask(image, "stand-in")
    assert name == "stand-in (intensity, not SynthStrip)"
    assert mask.data.dtype == np.uint8 and set(np.unique(mask.data)) == {0, 1}
    assert dice(mask.data > 0, brain) > 0.95
    assert mask.data[60, 70, 28] == 1, "the ventricle belongs to the brain"


def test_stripped_image_keeps_its_own_mask(head):
    """Also a dark spot inside of exactly the background's value belongs to the brain."""
    image, brain = head
    data = np.where(brain, image.data, 0)
    data[60:63, 70, 28] = 0
    mask, name = bm.brain_mask(image.with_data(data), "stand-in")
    assert name == "zero background"
    np.testing.assert_array_equal(mask.data > 0, brain)


def test_head_on_zero_background_is_not_taken_for_a_brain(head):
    """Air set to 0 by the scanner: the head has more than 2.5 litres, so the stand-in runs."""
    image, brain = head
    data = np.where(image.data < 60, 0, image.data)
    big = Volume(data, np.diag([1.8, 1.8, 3.6, 1.0]))
    mask, name = bm.brain_mask(big, "stand-in")
    assert name == bm.STAND_IN
    assert dice(mask.data > 0, brain) > 0.93


def test_refine_is_linear_between_block_centres():
    """Blocks of 4 voxels with values 0, 4, 8: centres at 1.5, 5.5, 9.5."""
    coarse = np.array([0.0, 4.0, 8.0], np.float32).reshape(3, 1, 1)
    fine = refine(coarse, (4, 1, 1), (12, 1, 1)).ravel()
    np.testing.assert_allclose(fine[2:10], np.arange(0.5, 8.5))


def test_errors_name_what_is_missing(head, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProgramError, match="mri_synthstrip: expected the program"):
        bm.brain_mask(head[0], "synthstrip")
    with pytest.raises(ValueError, match="method: expected auto"):
        bm.brain_mask(head[0], "bet")
    flat = Volume(np.full((40, 40, 40), 7.0, np.float32), np.eye(4))
    with pytest.raises(bm.BrainMaskError, match="found a constant image"):
        bm.brain_mask(flat)


def test_scalp_on_zeroed_air_is_not_taken_for_a_stripped_brain(head):
    """A head of less than 2.5 litres and a slab of one; air alone is 0, or air and bone."""
    image, brain = head
    inner = ndimage.binary_fill_holes(ndimage.binary_closing(image.data > 200, iterations=3))
    for part, data in product(
        (slice(None), slice(20, 40)),
        (np.where(inner, image.data, 0), np.where(image.data < 60, 0, image.data)),
    ):
        small = Volume(data[:, :, part], np.diag([1.3, 1.3, 2.6, 1.0]))
        mask, _ = bm.brain_mask(small, "stand-in")
        assert dice(mask.data > 0, brain[:, :, part]) > 0.93


def test_deepbet_is_taken_where_it_is_installed(head, monkeypatch):
    """Its place is taken by a function that keeps what is over 400; without it, one line."""
    image, brain = head

    def run_bet(inputs, brains, masks, volumes, no_gpu):
        found = Volume.read(inputs[0])
        found.with_data((found.data > 400).astype(np.uint8)).write(masks[0])

    monkeypatch.setitem(sys.modules, "deepbet", SimpleNamespace(run_bet=run_bet))
    mask, name = bm.brain_mask(image, "deepbet")
    assert name == "deepbet" and dice(mask.data > 0, brain) > 0.95
    monkeypatch.setitem(sys.modules, "deepbet", None)
    with pytest.raises(ProgramError, match=r"deepbet: expected the package \(pip install"):
        bm.brain_mask(image, "deepbet")


def ball_and_stem(stem_mm: float):
    """A ball of 2 l with a stem below that is twice ``stem_mm`` wide, on blocks of 3 mm."""
    x, y, z = (3.0 * axis for axis in np.ogrid[-32:33, -32:33, -45:33])
    ball = x**2 + y**2 + z**2 <= 78.0**2
    return ball, (x**2 + y**2 <= stem_mm**2) & (z < 0) & (z > -125), x**2 + y**2 + z**2


def test_a_large_brain_keeps_its_stem():
    """Nothing of it is scalp at the first depth, which a stem 22 mm wide outlasts."""
    ball, stem, _ = ball_and_stem(11.0)
    found = bm._cut_loose(ball | stem, np.zeros_like(ball), np.full(3, 3.0))
    assert (found & stem & ~ball).sum() > 0.8 * (stem & ~ball).sum()
    assert (found & ball).sum() > 0.97 * ball.sum()


@pytest.mark.parametrize("bridge_mm", [8.0, 10.0])
def test_scalp_is_cut_loose_at_the_first_depth_that_does(bridge_mm):
    """A shell 9 mm away hangs on a bridge; it goes, and the ball stays whole."""
    ball, bridge, distance2 = ball_and_stem(bridge_mm)
    scalp = (distance2 > 87.0**2) & (distance2 <= 96.0**2)
    bridge = bridge & (distance2 <= 96.0**2)
    found = bm._cut_loose(ball | bridge | scalp, scalp, np.full(3, 3.0))
    assert (found & scalp).sum() <= 0.01 * scalp.sum()
    assert (found & ball).sum() > 0.97 * ball.sum()


def test_a_head_whose_scalp_cannot_be_seen_is_taken_at_the_first_depth():
    """What lies under the head's outline is brain then, at whatever depth."""
    ball, stem, distance2 = ball_and_stem(9.0)
    found = bm._cut_loose(ball | stem, ball & (distance2 > 73.0**2), np.full(3, 3.0))
    assert (found & stem & ~ball).sum() > 0.8 * (stem & ~ball).sum()
