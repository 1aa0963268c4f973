"""Every matching rule on hand-made cases, and against plain dense versions of challenges' code.

Grids are 1 mm isotropic; blobs as in `test_matching.grid`.
"""

import cc3d
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from scipy.stats import kendalltau

from cmbkit.evaluation.instances import (
    MatchingError,
    footprints,
    from_labels,
    from_mask,
    from_points,
)
from cmbkit.evaluation.rules import RULES, calls_by_rule, changed_calls, compare_rules
from cmbkit.params import Evaluation

MM = np.eye(4)


def blobs(*ranges):
    """Labels 1, 2, ... from (first i, last i) on one line, or boxes ((i, i), (j, j), (k, k))."""
    labels = np.zeros((40, 12, 9), np.int32)
    for number, box in enumerate(ranges, 1):
        box = [box, (4, 4), (4, 4)] if isinstance(box[0], int) else box
        labels[tuple(slice(low, high + 1) for low, high in box)] = number
    return from_labels(labels, MM)


def counts(reference, predicted):
    table = calls_by_rule(reference, predicted, MM)[0].set_index("rule")
    return {name: tuple(row) for name, row in table[["tp", "fp", "fn"]].iterrows()}


def check(given, **expected):
    for name, value in expected.items():
        assert given[name.replace("_", " ")] == value, name


def test_four_mm_apart_counts_by_five_mm_alone():
    got = counts(blobs((10, 10)), blobs((14, 14)))
    assert {name for name, value in got.items() if value == (1, 0, 0)} == {
        "5 mm", "6 neighbours", "18 neighbours", "26 neighbours", "VALDO",
    }  # fmt: skip
    assert set(got.values()) == {(1, 0, 0), (0, 1, 1)} and set(got) == set(RULES)


def test_neighbouring_voxels_share_a_footprint_not_a_voxel():
    got = counts(blobs((10, 10)), blobs((11, 11)))
    check(got, overlap=(0, 1, 1), centre_in_mask=(0, 1, 1), footprint=(1, 0, 0))
    assert counts(blobs((10, 10)), blobs((12, 12)))["footprint"] == (0, 1, 1)


def test_intersection_over_union_at_its_limits():
    # 2 of 4 voxels shared: 0.5; 1 of 4: 0.25; 1 of 10: 0.1; 1 of 11: less
    for second, expected in (
        ((10, 13), [1, 1, 1]), ((11, 13), [1, 1, 0]), ((11, 19), [1, 0, 0]), ((11, 20), [0, 0, 0]),
    ):  # fmt: skip
        got = counts(blobs((10, 11)), blobs(second))
        assert [got[f"IoU {limit}"][0] for limit in (0.1, 0.25, 0.5)] == expected


def test_one_candidate_over_two_microbleeds():
    got = counts(blobs((10, 10), (14, 14)), blobs((9, 14)))
    check(got, overlap=(1, 0, 1), many_to_one=(2, 0, 0), centre_in_mask=(0, 1, 2))
    assert got["footprint"] == (2, 0, 0)  # footprints 9-11 and 13-15 do not touch


def test_two_candidates_in_one_microbleed():
    got = counts(blobs((10, 20)), blobs((10, 11), (16, 17)))
    check(got, overlap=(1, 1, 0), many_to_one=(1, 0, 0), centre_in_mask=(1, 0, 0))
    assert got["VALDO"] == (1, 1, 0)  # both nearest to it


def test_nearest_gives_no_second_choice():
    # candidates at 12 and 13, microbleeds at 12 and 16: both go to the first one
    reference, predicted = blobs((12, 12), (16, 16)), blobs((12, 12), ((13, 13), (6, 6), (4, 4)))
    got = counts(reference, predicted)
    check(got, VALDO=(1, 1, 1))
    assert got["5 mm"] == (2, 0, 0)


def test_connectivity_divides_and_joins():
    corner = [((10, 10), (4, 4), (4, 4)), ((11, 11), (5, 5), (5, 5))]  # share a corner
    edge = [((20, 20), (4, 4), (4, 4)), ((21, 21), (5, 5), (4, 4))]  # share an edge
    reference = blobs(*corner, *edge)
    table = calls_by_rule(reference, reference, MM)[0].set_index("rule")
    named = [f"{n} neighbours" for n in (6, 18, 26)]
    assert table.loc[named, "n_gt"].tolist() == table.loc[named, "tp"].tolist() == [4, 3, 2]


def test_halves_that_share_a_corner_are_one_of_26_neighbours():
    """One half is touched: of the halves apart the other is missed, together they are found."""
    halves = ((10, 10), (4, 4), (4, 4)), ((11, 11), (5, 5), (5, 5))
    got = counts(blobs(*halves), blobs(halves[0], ((20, 20), (4, 4), (4, 4))))
    check(got, many_to_one=(1, 1, 1))
    assert got["many to one, 26"] == (1, 1, 0)
    got = counts(blobs(((10, 12), (4, 4), (4, 4))), blobs((10, 10), (12, 12), (20, 20)))
    assert got["many to one, 26"] == got["many to one"] == (1, 1, 0)


def test_touching_footprints_are_one_microbleed_and_all_its_parts_are_found():
    reference, predicted = blobs((10, 10), (13, 13), (20, 20)), blobs((10, 10))
    rows, found = calls_by_rule(reference, predicted, MM)
    row = rows.set_index("rule").loc["footprint"]
    assert (row["n_gt"], row["tp"], row["fn"]) == (2, 1, 1)
    assert found.query("rule == 'footprint'")["found"].tolist() == [True, True, False]


def test_points_allow_what_needs_no_outline():
    points, mask = from_points([[10, 4, 4], [30, 4, 4]]), blobs((9, 11))
    got = counts(points, points)
    assert set(got) == {n for n, r in RULES.items() if r.criterion == "distance"}
    got = counts(mask, points)
    assert not any(name.startswith("IoU") for name in got)
    check(got, overlap=(1, 1, 0), centre_in_mask=(1, 1, 0), footprint=(1, 1, 0))
    assert "centre in mask" not in counts(points, mask)
    assert set(counts(blobs(), blobs()).values()) == {(0, 0, 0)}


def valdo_plainly(truth, said, limit):
    """TP, FP and FN of the challenge's code: nearest below the limit, then the nearest wins."""
    structure = np.ones((3, 3, 3))
    sides = [ndimage.label(side, structure) for side in (truth, said)]
    centres = [
        np.array(ndimage.center_of_mass(labels > 0, labels, range(1, n + 1))).reshape(-1, 3)
        for labels, n in sides
    ]
    taken = {}
    for centre in centres[1]:
        away = np.linalg.norm(centres[0] - centre, axis=1)
        if len(away) and away.min() < limit:
            taken[int(away.argmin())] = taken.get(int(away.argmin()), 0) + 1
    tp = len(taken)
    return tp, len(centres[1]) - tp, len(centres[0]) - tp


def brats_plainly(truth, said):
    """TP, FP and FN as BraTS-METS counts them on a grid of 1 mm."""
    structure = ndimage.generate_binary_structure(3, 2)
    grown = cc3d.connected_components(ndimage.binary_dilation(truth, structure), connectivity=26)
    candidates = cc3d.connected_components(said, connectivity=26)
    touched, found = set(), 0
    for lesion in range(1, grown.max() + 1):
        mine = set(np.unique(candidates[grown == lesion])) - {0}
        touched, found = touched | mine, found + bool(mine)
    return found, candidates.max() - len(touched), grown.max() - found


@pytest.mark.parametrize("seed", range(12))
def test_as_dense_versions_of_the_challenges_code(seed):
    rng = np.random.default_rng(seed)
    truth, said = (rng.random((24, 24, 24)) < density for density in (0.002, 0.004))
    truth = ndimage.binary_dilation(truth) & (rng.random(truth.shape) < 0.8)
    said = said | (truth & (rng.random(truth.shape) < 0.3))
    got = counts(from_mask(truth, MM), from_mask(said, MM))
    assert got["VALDO"] == valdo_plainly(truth, said, 5)
    assert got["footprint"] == brats_plainly(truth, said)


def test_footprints_of_points_are_refused():
    with pytest.raises(MatchingError, match="expected microbleeds on a grid, found points"):
        footprints(from_points([[1, 1, 1]]), MM, 1.0)
    with pytest.raises(MatchingError, match="expected that of the masks' grid"):
        calls_by_rule(blobs((1, 1)), blobs((1, 1)))


def test_ranks_stability_and_changed_calls():
    """Three models in six scans, each with one microbleed of 3 voxels."""
    said = {"exact": (10, 12), "near": (13, 15), "none": None}
    rows, calls = [], []
    for patient in range(6):
        for model, box in said.items():
            table, found = calls_by_rule(blobs((10, 12)), blobs(*([box] if box else [])), MM)
            who = {"model": model, "uid": str(patient), "dataset": "D", "patient": str(patient)}
            rows.append(table.assign(**who))
            calls.append(found.assign(**who))
    found = pd.concat(calls)
    table = compare_rules(pd.concat(rows), found, Evaluation()).set_index(["rule", "model"])
    assert table.loc["5 mm", "rank"].tolist() == [1, 1, 3]
    assert table.loc["3 mm", "rank"].tolist() == [1, 2, 2]  # centres exactly 3 mm apart
    assert table.loc[("5 mm", "exact"), "tau"] == pytest.approx(1)
    expected = kendalltau([1, 1, 0], [1, 0, 0]).statistic
    assert table.loc[("overlap", "near"), "tau"] == pytest.approx(expected) == pytest.approx(0.5)
    assert table.loc[("overlap", "near"), ["gained", "lost"]].tolist() == [0, 6]
    assert table.loc[("VALDO", "none"), ["median_f1", "count_difference"]].tolist() == [0, 1]
    assert (table[["n_scans", "median_f1_n", "count_difference_n"]] == 6).all(axis=None)
    changed = changed_calls(found)
    assert changed["model"].unique().tolist() == ["near"] and len(changed) == 6
    # found by 5 mm, its three connectivities, VALDO, and the footprint that it touches
    assert changed["n_rules"].tolist() == [6] * 6 and not changed["3 mm"].any()


@pytest.mark.filterwarnings("error")
def test_scans_without_microbleeds_have_counts_and_nothing_changes():
    """One candidate where none is annotated: a false positive by every rule."""
    table, found = calls_by_rule(blobs(), blobs((10, 12)), MM)
    who = {"model": "m", "uid": "1", "dataset": "D", "patient": "1"}
    compared = compare_rules(table.assign(**who), found.assign(**who), Evaluation())
    assert set(compared["fp"]) == {1} and len(compared) > 5
    assert set(compared["gained"]) == set(compared["lost"]) == {0}
    assert compared["pooled_f1"].eq(0).all() and compared["tau"].isna().all()
    assert changed_calls(found.assign(**who)).empty
    assert compared["median_f1"].isna().all() and compared["median_f1_n"].eq(0).all()
    assert compared["count_difference_n"].eq(1).all()
