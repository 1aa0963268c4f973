"""Region growing against Algorithm 1 written out in plain Python, and on hand-made images."""

import re
from collections import deque

import numpy as np
import pytest

from cmbkit.params import Preprocessing
from cmbkit.preprocessing import growing_kernels as kernels
from cmbkit.preprocessing import region_growing as rg
from cmbkit.volume import Volume

ALL_SETTINGS = rg.settings(Preprocessing())


def algorithm_1(image, seeds, tolerance, setting, spacing, max_voxels, max_distance):
    """The thesis's listing, line by line, without any shortcut."""
    region, queue, inside, total = set(map(tuple, seeds)), deque(), [], 0
    for seed in map(tuple, seeds):
        queue.append(seed)
        inside.append(image[seed])
    values = float(sum(inside))
    while queue:
        p = queue.popleft()
        reference = image[p] if setting.reference == "parent" else values / len(region)
        for step in rg.neighbour_offsets(setting.connectivity):
            n = tuple(int(v) for v in np.add(p, step))
            if any(c < 0 or c >= m for c, m in zip(n, image.shape, strict=True)) or n in region:
                continue
            away = min(np.linalg.norm(np.subtract(n, s) * spacing) for s in seeds)
            if away >= max_distance:
                continue
            gap = abs(image[n] - reference)
            if setting.difference == "relative":
                gap = 100.0 * gap / abs(reference)
            if gap < tolerance:
                region.add(n)
                queue.append(n)
                values += image[n]
                total += 1
                if setting.reference == "running":
                    reference = values / len(region)
                if total > max_voxels:
                    queue.clear()
                    break
    mask = np.zeros(image.shape, bool)
    mask[tuple(np.array(sorted(region)).T)] = True
    return mask


def grow(image, seeds, tolerance, setting, *, spacing=(1, 1, 1), max_voxels, max_distance_mm):
    """The compiled Algorithm 1 at one tolerance, as a mask of the whole image."""
    values, allowed, local, origin = rg._box(image, seeds, spacing, max_distance_mm)
    running, relative = setting.reference == "running", setting.difference == "relative"
    offsets = rg.neighbour_offsets(setting.connectivity)
    region, *_ = kernels.breadth_first(
        values, allowed, local, offsets, float(tolerance), running, relative, max_voxels
    )
    full = np.zeros(image.shape, bool)
    full[tuple(slice(o, o + n) for o, n in zip(origin, region.shape, strict=True))] = region
    return full


@pytest.mark.parametrize("setting", ALL_SETTINGS, ids=str)
def test_same_mask_as_the_listing(setting):
    rng = np.random.default_rng(3)
    spacing = np.array([0.9, 1.1, 2.5])
    for tolerance in (3.0, 9.0, 25.0):
        image = rng.normal(100, 10, (9, 8, 6))
        seeds = [(4, 4, 3)] if tolerance != 9.0 else [(2, 2, 2), (6, 5, 3)]
        for cap in (12, 1000):
            expected = algorithm_1(image, seeds, tolerance, setting, spacing, cap, 5.0)
            found = grow(
                image,
                seeds,
                tolerance,
                setting,
                spacing=spacing,
                max_voxels=cap,
                max_distance_mm=5.0,
            )
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("setting", ALL_SETTINGS, ids=str)
def test_every_tolerance_from_one_pass(setting):
    """The size curve equals growing anew at each tolerance, and stops at the cap."""
    image = np.random.default_rng(5).normal(100, 10, (11, 10, 9))
    box = rg._box(image, (5, 5, 4), (1, 1, 1), 4.0)
    offsets = rg.neighbour_offsets(setting.connectivity)
    relative, cap = setting.difference == "relative", 60
    tolerances = np.linspace(0.5, 30, 60)
    if setting.reference == "parent":
        _, order = kernels.bottlenecks(*box[:3], offsets, relative, cap)
        sizes = np.searchsorted(order, tolerances)
    else:
        sizes = kernels.running_sizes(*box[:3], offsets, tolerances, relative, cap)
    for size, tolerance in zip(sizes, tolerances, strict=False):
        mask = grow(image, (5, 5, 4), tolerance, setting, max_voxels=cap, max_distance_mm=4.0)
        assert size == mask.sum() - 1
        if size > cap:
            break
    assert size == cap + 1


def test_the_box_reaches_as_far_as_the_distance_in_mm():
    """2 mm are 4, 4 and 2 voxels each way; within less than 2 mm lie voxels of all but the ends."""
    values, allowed, _, origin = rg._box(np.zeros((21, 21, 21)), (10, 10, 10), (0.5, 0.5, 1.0), 2.0)
    assert values.shape == (9, 9, 5) and origin == (6, 6, 8)
    assert [int(n) for n in np.ptp(np.argwhere(allowed), axis=0)] == [6, 6, 2]


def test_the_box_holds_all_seeds_and_what_is_near_them():
    """Seeds 10 voxels apart, 2 mm around them: 4 to 16 of 21; 2 to 5 of 8 along the last."""
    values, allowed, local, origin = rg._box(
        np.zeros((21, 21, 8)), [(6, 10, 4), (14, 10, 4)], (1.0, 1.0, 2.0), 2.0
    )
    assert values.shape == (13, 5, 3) and origin == (4, 8, 3)
    assert local.tolist() == [[2, 2, 1], [10, 2, 1]]
    # each seed and its neighbours in the plane, diagonals too: those above lie 2 mm away
    assert allowed.sum() == 2 * 9 and not allowed[:, :, [0, 2]].any()


def test_seeds_at_both_ends_are_inside():
    _, _, local, origin = rg._box(np.zeros((5, 5, 5)), [(0, 0, 0), (4, 4, 4)], (1, 1, 1), 5.0)
    assert local.tolist() == [[0, 0, 0], [4, 4, 4]] and origin == (0, 0, 0)


def test_differences_in_percent_of_zero():
    found = [kernels.difference(v, r, True) for v, r in [(0, 0), (5, 0), (1, 1), (2, 1), (1, -2)]]
    assert found == [0, np.inf, 0, 100, 150]
    assert kernels.difference(5.0, 0.0, False) == 5


def test_growing_reaches_every_end_of_the_box():
    """27 equal voxels around the seed, each of them by a step of 0."""
    seeds, cube = np.ones((1, 3), np.int64), np.full((3, 3, 3), 7.0)
    given = cube, np.ones(cube.shape, bool), seeds, rg.neighbour_offsets(26)
    reached, order = kernels.bottlenecks(*given, False, 100)
    assert order.tolist() == [0] * 26 and (np.delete(reached.ravel(), 13) == 0).all()
    region, added, _ = kernels.breadth_first(*given, 0.5, False, False, 100)
    assert region.all() and added == 26


def test_a_difference_as_large_as_the_tolerance_is_refused():
    """Algorithm 1 adds what differs by less; what was refused says which tolerance adds more."""
    image, seeds = np.array([100.0, 90, 70]).reshape(3, 1, 1), np.zeros((1, 3), np.int64)
    given = image, np.ones(image.shape, bool), seeds, rg.neighbour_offsets(6)
    region, added, refused = kernels.breadth_first(*given, 10.0, False, False, 10)
    assert (region.ravel().tolist(), added, refused) == ([True, False, False], 0, 10.0)
    region, added, refused = kernels.breadth_first(*given, 10.1, False, False, 10)
    assert (region.ravel().tolist(), added, refused) == ([True, True, False], 1, 20.0)


def test_a_step_is_relative_to_the_voxel_that_it_leaves():
    """From 100 to 80 are 20 %, from 80 to 60 are 25 %; of where it goes 25 and 33 %."""
    image, seeds = np.array([100.0, 80, 60]).reshape(3, 1, 1), np.zeros((1, 3), np.int64)
    allowed = np.ones(image.shape, bool)
    _, steps = kernels.bottlenecks(image, allowed, seeds, rg.neighbour_offsets(6), True, 10)
    assert steps.tolist() == [20, 25]


@pytest.mark.parametrize("setting", ALL_SETTINGS, ids=str)
def test_region_of_the_automatic_choice_is_that_of_the_listing(setting):
    """Grown anew by the listing at the tolerance that was picked: the same voxels."""
    rng = np.random.default_rng(11)
    spacing = np.array([0.8, 0.8, 2.0])
    image = rng.normal(100, 6, (13, 12, 9))
    image[4:8, 4:8, 3:6] -= 60
    volume = Volume(image, np.diag([*spacing, 1.0]))
    params = Preprocessing(
        growing_connectivities=[setting.connectivity],
        growing_references=[setting.reference],
        growing_differences=[setting.difference],
        growing_max_radius_mm=3.0,
        growing_max_distance_mm=4.0,
    )
    for seeds in ([(5, 5, 4)], [(5, 5, 4), (6, 7, 3)]):
        (growth,) = rg.grow_study(volume, [seeds], params)
        cap = rg.size_cap(0.8 * 0.8 * 2.0, 3.0)
        mask = algorithm_1(image, seeds, growth.tolerance, setting, spacing, cap, 4.0)
        expected = rg.largest_component(mask)
        box = tuple(
            slice(o, o + n) for o, n in zip(growth.origin, growth.region.shape, strict=True)
        )
        np.testing.assert_array_equal(growth.region, expected[box])
        assert growth.n_voxels == expected.sum()


def test_elbow_is_the_last_tolerance_before_the_leak():
    tolerances = np.arange(0.0, 10.0)
    sizes = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 400])
    assert rg.pick_tolerance(tolerances, sizes) == (8.0, True)


def test_no_elbow_takes_the_one_before_the_last():
    assert rg.pick_tolerance(np.array([1.0, 2.0, 3.0]), np.array([5, 5, 5])) == (2.0, False)
    assert rg.pick_tolerance(np.array([1.0]), np.array([999])) == (0.0, False)


def test_a_curve_that_only_leaps_has_no_elbow():
    """kneed puts one at the last point, where the region leaked."""
    assert rg.pick_tolerance(np.arange(1.0, 5.0), np.array([0, 9, 9, 9])) == (3.0, False)


def test_tolerances_that_are_tried():
    """Absolute: 0.001 by 0.05 below 100. Relative: 400 steps below 20, 80 below 100, 100 above."""
    absolute, relative = rg.tolerance_grid("absolute"), rg.tolerance_grid("relative")
    assert len(absolute) == 2000 and absolute[-1] == pytest.approx(99.951)
    assert len(relative) == 400 + 80 + 100
    assert relative[[0, 399, 400, 479, 480, -1]].tolist() == pytest.approx(
        [0.001, 19.951, 20, 99, 100, 10000]
    )


def test_size_cap_is_the_volume_of_the_largest_sphere():
    """Facts: about 340 voxels in MOMENI; 524 voxels (not 105) at 1 mm isotropic."""
    assert rg.size_cap(1.0, 5.0) == 524
    assert rg.size_cap(0.9375**2 * 1.75, 5.0) == 340


def test_dark_ball_is_found_whole_and_nothing_else():
    """A ball of value 40 on 100 with noise 1: the region is the ball."""
    grid = np.stack(np.meshgrid(*[np.arange(31)] * 3, indexing="ij"), -1)
    ball = ((grid - 15) ** 2).sum(-1) <= 3**2
    noise = np.random.default_rng(0).normal(0, 1, ball.shape)
    image = Volume(np.where(ball, 40.0, 100.0) + noise, np.eye(4))
    (growth,) = rg.grow_study(image, [(15, 15, 15)], Preprocessing())
    assert growth.n_voxels == ball.sum() == 123
    found = np.zeros(ball.shape, bool)
    found[
        tuple(slice(o, o + n) for o, n in zip(growth.origin, growth.region.shape, strict=True))
    ] = growth.region
    np.testing.assert_array_equal(found, ball)


def test_one_setting_per_scan_and_a_tolerance_per_microbleed():
    rng = np.random.default_rng(1)
    data = rng.normal(100, 0.3, (40, 20, 20))
    data[8:12, 8:12, 8:12] = 40 + rng.normal(0, 1, (4, 4, 4))
    data[28:31, 8:11, 8:11] = 70 + rng.normal(0, 3, (3, 3, 3))
    growths = rg.grow_study(Volume(data, np.eye(4)), [(9, 9, 9), (29, 9, 9)], Preprocessing())
    assert len({g.setting for g in growths}) == 1
    assert [g.n_voxels for g in growths] == [64, 27]


def test_seed_outside_is_an_error():
    with pytest.raises(ValueError, match=r"seed: expected a voxel inside .* found \[9, 0, 0\]"):
        rg.grow_study(Volume(np.zeros((4, 4, 4)), np.eye(4)), [(9, 0, 0)], Preprocessing())


def test_an_error_names_the_seed_that_lies_outside():
    for outside in ([9, 1, 1], [-1, 1, 1], [1, 5, 1]):
        with pytest.raises(ValueError, match=re.escape(f"found {outside}")):
            rg._box(np.zeros((5, 5, 5)), [(0, 0, 0), (4, 4, 4), outside], (1, 1, 1), 5.0)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("x.xxx.xx", "..xxx..."),
        ("xx.xx.x.", "xx......"),  # the first of equals
        ("x.x..xxx", ".....xxx"),
        (".xx.....", ".xx....."),
        ("........", "........"),
    ],
)
def test_the_largest_component_is_kept(line, kept):
    region, expected = (
        np.array([c == "x" for c in text]).reshape(1, 1, 8) for text in (line, kept)
    )
    np.testing.assert_array_equal(rg.largest_component(region), expected)


def test_components_touch_by_faces():
    """Two voxels across an edge are two, three in an L are one."""
    region = np.zeros((3, 3, 3), bool)
    region[[0, 1], [0, 1], 0] = True
    assert np.argwhere(rg.largest_component(region)).tolist() == [[0, 0, 0]]
    region[0, 1, 0] = True
    assert rg.largest_component(region).sum() == 3


def test_guard_stops_before_the_step_that_adds_too_much():
    tolerances, sizes = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3, 5, 60, 61])
    assert rg.before_leap(tolerances, sizes, 4.0, 10) == 2.0
    assert rg.before_leap(tolerances, sizes, 2.0, 10) == 2.0
    assert rg.before_leap(tolerances, sizes, 4.0, 55) == 4.0  # a step of just so many is none
    assert rg.before_leap(tolerances, sizes, 4.0, 2) == 0.0


def test_guard_keeps_a_region_out_of_what_it_leaks_into(monkeypatch):
    """A cube of 27 voxels at 50, joined to a block of 216 at 53; the tolerance picked is 10."""
    image = np.full((21, 21, 21), 200.0)
    image[9:12, 9:12, 9:12] = 50.0
    image[8:14, 8:14, 12:18] = 53.0
    volume = Volume(image, np.eye(4))
    monkeypatch.setattr(rg, "pick_tolerance", lambda tolerances, sizes: (10.0, True))
    for guard, voxels in ((False, 27 + 216), (True, 27)):
        (found,) = rg.grow_study(volume, [(10, 10, 10)], Preprocessing(growing_guard=guard))
        assert (found.n_voxels, found.leap) == (voxels, not guard)


@pytest.mark.parametrize(("beside", "leak"), [(0, False), (30, True)])
def test_guard_keeps_a_ball_of_coarse_voxels_whole_and_cuts_a_leak(monkeypatch, beside, leak):
    """Voxels of 8 mm3: a core of 20 in 26 of 50; 30 of 85 touch it, 130 around.

    The core takes in its 26 neighbours at 30, the slab beside them at 35; the tolerance picked
    is 40. 5 % of the size cap (65 voxels) are 3 voxels.
    """
    image = np.full((15, 15, 15), 130.0)
    image[6:9, 6:9, 6:9] = 50.0
    image[7, 7, 7] = 20.0
    if beside:
        image[9, 5:10, 5:11] = 85.0
    volume = Volume(image, np.diag([2.0, 2.0, 2.0, 1.0]))
    monkeypatch.setattr(rg, "pick_tolerance", lambda tolerances, sizes: (40.0, True))
    for guard, voxels in ((False, 27 + beside), (True, 27)):
        (found,) = rg.grow_study(volume, [(7, 7, 7)], Preprocessing(growing_guard=guard))
        assert (found.n_voxels, found.leap) == (voxels, leak and not guard)


def test_a_leap_is_more_than_a_share_of_the_cap_and_than_one_voxel_has_neighbours():
    assert rg.largest_step(rg.size_cap(2 * 2 * 2.2, 5.0)) == 26
    assert rg.largest_step(2594) == pytest.approx(129.7)  # DOU: 5 % of the cap


def test_only_what_the_seeds_reach_has_a_bottleneck():
    """Five equal voxels in a line, the second one not allowed, the seed at the end."""
    image, allowed = np.zeros((5, 1, 1)), np.ones((5, 1, 1), bool)
    allowed[1] = False
    steps = np.array([[-1, 0, 0], [1, 0, 0]])
    reached, order = kernels.bottlenecks(image, allowed, np.array([[4, 0, 0]]), steps, False, 9)
    assert reached.ravel().tolist() == [np.inf, np.inf, 0, 0, -1]
    assert order.tolist() == [0, 0]


def test_the_size_cap_is_a_sphere_and_at_least_a_voxel():
    """4/3 pi 3^3 = 113.1 voxels of 1 mm^3."""
    assert (rg.size_cap(1.0, 3.0), rg.size_cap(1e6, 3.0)) == (113, 1)
