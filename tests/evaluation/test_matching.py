"""A catalogue of matching cases: in words, with a tiny fixture and an answer derived by hand.

Grids are 1 mm isotropic unless a case says otherwise. A blob is a box given by its first and
last voxel along i (j = k = 4 unless given), so centres of mass can be read off.
"""

from inspect import signature
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from cmbkit.evaluation.instances import (
    MatchingError,
    from_labels,
    from_mask,
    from_points,
    on_grid,
)
from cmbkit.evaluation.matching import match, match_instances, overlaps
from cmbkit.volume import Volume, VolumeError

NAN = float("nan")


def grid(*blobs, shape=(40, 9, 9)):
    """Labels from (id, first i, last i) or (id, (i0, i1), (j0, j1), (k0, k1)) boxes."""
    labels = np.zeros(shape, np.int32)
    for number, *box in blobs:
        box = [tuple(box), (4, 4), (4, 4)] if isinstance(box[0], int) else box
        labels[tuple(slice(low, high + 1) for low, high in box)] = number
    return labels


def pairs(table):
    matched = table[table["match"] == "TP"]
    return list(zip(matched["gt_id"].astype(int), matched["pred_id"].astype(int), strict=True))


def counts(table):
    return tuple(int((table["match"] == name).sum()) for name in ("TP", "FP", "FN"))


# case: reference blobs, predicted blobs, options, (TP, FP, FN), pairs
CASES = {
    "one lesion, one candidate in the same place: 1 TP": (
        [(1, 10, 12)], [(1, 10, 12)], {}, (1, 0, 0), [(1, 1)],
    ),
    "two lesions 3 mm apart, one candidate in between but nearer the second: it takes the "
    "second, the first is missed": (
        [(1, 10, 10), (2, 13, 13)], [(1, 12, 12)], {}, (1, 0, 1), [(2, 1)],
    ),
    "one lesion, two candidates at 1 and 2 mm: the nearer is the TP, the other an FP": (
        [(1, 10, 10)], [(1, 8, 8), (2, 11, 11)], {}, (1, 1, 0), [(1, 2)],
    ),
    "one large candidate covers two lesions: it counts once (1 TP, 1 FN)": (
        [(1, 10, 10), (2, 14, 14)], [(1, 9, 14)], {"rule": "overlap"}, (1, 0, 1), [(1, 1)],
    ),
    "centres exactly 5 mm apart: no match, the limit is strict": (
        [(1, 10, 10)], [(1, 15, 15)], {}, (0, 1, 1), [],
    ),
    "centres 4.5 mm apart (a two-voxel candidate): a match": (
        [(1, 10, 10)], [(1, 14, 15)], {}, (1, 0, 0), [(1, 1)],
    ),
    "centres 4 mm apart without a shared voxel: a match by distance": (
        [(1, 10, 10)], [(1, 14, 14)], {}, (1, 0, 0), [(1, 1)],
    ),
    "the same pair by overlap: 1 FP and 1 FN": (
        [(1, 10, 10)], [(1, 14, 14)], {"rule": "overlap"}, (0, 1, 1), [],
    ),
    "one shared voxel but centres 9 mm apart: no match by distance": (
        [(1, 0, 9)], [(1, 9, 18)], {}, (0, 1, 1), [],
    ),
    "one shared voxel is enough by overlap": (
        [(1, 0, 9)], [(1, 9, 18)], {"rule": "overlap"}, (1, 0, 0), [(1, 1)],
    ),
    "nothing annotated, two candidates: 2 FP": (
        [], [(1, 5, 5), (2, 20, 20)], {}, (0, 2, 0), [],
    ),
    "two lesions, no candidate: 2 FN": (
        [(1, 5, 5), (2, 20, 20)], [], {}, (0, 0, 2), [],
    ),
    "nothing annotated and nothing predicted: no matches": ([], [], {}, (0, 0, 0), []),
    "two touching lesions with their own labels stay two: both are found": (
        [(1, 10, 11), (2, 12, 13)], [(1, 10, 10), (2, 13, 13)], {}, (2, 0, 0), [(1, 1), (2, 2)],
    ),
    "two lesions equally far (2 mm) from one candidate: the lower reference id gets it": (
        [(3, 12, 12), (7, 8, 8)], [(1, 10, 10)], {}, (1, 0, 1), [(3, 1)],
    ),
    "two candidates equally far (2 mm) from one lesion: the lower predicted id is the TP": (
        [(1, 10, 10)], [(4, 12, 12), (9, 8, 8)], {}, (1, 1, 0), [(1, 4)],
    ),
    "a chain, lesions at 10 and 14, candidates at 13 and 18: greedy takes the 1 mm pair first, "
    "and 10 to 18 is too far": (
        [(1, 10, 10), (2, 14, 14)], [(1, 13, 13), (2, 18, 18)], {}, (1, 1, 1), [(2, 1)],
    ),
    "the same chain, optimal: two pairs of 3 and 4 mm beat one of 1 mm": (
        [(1, 10, 10), (2, 14, 14)],
        [(1, 13, 13), (2, 18, 18)],
        {"assignment": "optimal"},
        (2, 0, 0),
        [(1, 1), (2, 2)],
    ),
    "lesions at 10 and 14, candidates at 12 (twice reachable) and 15: both ways agree": (
        [(1, 10, 10), (2, 14, 14)],
        [(1, 12, 12), (2, 15, 15)],
        {"assignment": "optimal"},
        (2, 0, 0),
        [(1, 1), (2, 2)],
    ),
    "greedy by overlap: the candidate shares 3 voxels with lesion 2 and 1 with lesion 1": (
        [(1, 8, 10), (2, 11, 15)], [(1, 10, 13)], {"rule": "overlap"}, (1, 0, 1), [(2, 1)],
    ),
    "a candidate broken in two beside one lesion: 1 TP and 1 FP also by overlap": (
        [(1, 10, 15)], [(1, 10, 12), (2, 14, 15)], {"rule": "overlap"}, (1, 1, 0), [(1, 1)],
    ),
    "ids need not be consecutive": (
        [(5, 10, 10), (900, 30, 30)], [(77, 30, 30)], {}, (1, 0, 1), [(900, 77)],
    ),
    "a lesion cut off by the border: its centre is that of the voxels inside (0-2, so 1); a "
    "candidate 4 mm from there": (
        [(1, 0, 2)], [(1, 5, 5)], {}, (1, 0, 0), [(1, 1)],
    ),
    "a lesion in the last voxel of the grid and its candidate beside it": (
        [(1, (39, 39), (8, 8), (8, 8))], [(1, (38, 38), (8, 8), (8, 8))], {}, (1, 0, 0), [(1, 1)],
    ),
    "lesions on opposite borders are far apart, not neighbours": (
        [(1, 0, 0)], [(1, 39, 39)], {}, (0, 1, 1), [],
    ),
    "two candidates share as many voxels (2) with one lesion: the lower id is the TP": (
        [(1, 10, 15)], [(3, 9, 11), (8, 14, 16)], {"rule": "overlap"}, (1, 1, 0), [(1, 3)],
    ),
    "optimal, two lesions equally far from one candidate: the lower reference id gets it": (
        [(3, 12, 12), (7, 8, 8)], [(1, 10, 10)], {"assignment": "optimal"}, (1, 0, 1), [(3, 1)],
    ),
    "optimal, four equal distances in a square: lower goes with lower": (
        [(1, (10, 10), (4, 4), (4, 4)), (2, (14, 14), (4, 4), (4, 4))],
        [(1, (12, 12), (2, 2), (4, 4)), (2, (12, 12), (6, 6), (4, 4))],
        {"assignment": "optimal"},
        (2, 0, 0),
        [(1, 1), (2, 2)],
    ),
    "greedy, the same square": (
        [(1, (10, 10), (4, 4), (4, 4)), (2, (14, 14), (4, 4), (4, 4))],
        [(1, (12, 12), (2, 2), (4, 4)), (2, (12, 12), (6, 6), (4, 4))],
        {},
        (2, 0, 0),
        [(1, 1), (2, 2)],
    ),
    "optimal by overlap: the candidate in between is left to the lesion that has no other": (
        [(1, 8, 10), (2, 11, 15)],
        [(1, 10, 12), (2, 14, 15)],
        {"rule": "overlap", "assignment": "optimal"},
        (2, 0, 0),
        [(1, 1), (2, 2)],
    ),
    "a lesion inside a large candidate: centres 6 mm apart, so only overlap matches": (
        [(1, 10, 10)], [(1, 9, 23)], {"rule": "overlap"}, (1, 0, 0), [(1, 1)],
    ),
    "the same pair by distance: 1 FP and 1 FN": (
        [(1, 10, 10)], [(1, 9, 23)], {}, (0, 1, 1), [],
    ),
    "a wider limit (6 mm) accepts what 5 mm refuses": (
        [(1, 10, 10)], [(1, 15, 15)], {"max_distance_mm": 6.0}, (1, 0, 0), [(1, 1)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_catalogue(case):
    reference, predicted, options, expected, expected_pairs = CASES[case]
    table = match(grid(*reference), grid(*predicted), 1.0, **options)
    assert counts(table) == expected
    assert pairs(table) == expected_pairs


def test_distance_is_in_mm_on_an_anisotropic_grid():
    """Two voxels apart is 1 mm in the plane (0.5 mm) and 6 mm across slices of 3 mm."""
    reference = grid((1, (10, 10), (4, 4), (4, 4)))
    in_plane = grid((1, (12, 12), (4, 4), (4, 4)))
    across = grid((1, (10, 10), (4, 4), (6, 6)))
    assert match(reference, in_plane, (0.5, 0.5, 3.0))["distance_mm"].tolist() == [1.0]
    assert counts(match(reference, across, (0.5, 0.5, 3.0))) == (0, 1, 1)


def test_exactly_five_mm_through_a_rotated_affine_is_still_no_match():
    angle = np.deg2rad(33)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine[:3, 3] = [-81.3, 40.7, 12.9]
    assert counts(match(grid((1, 10, 10)), grid((1, 15, 15)), affine)) == (0, 1, 1)


def test_distance_overlap_and_dice_of_a_pair():
    """Voxels 10-13 against 12-15: centres 11.5 and 13.5, 2 shared of 4 and 4: Dice 0.5."""
    row = match(grid((1, 10, 13)), grid((1, 12, 15)), 1.0).iloc[0]
    assert (row["distance_mm"], row["overlap_voxels"], row["dice"]) == (2.0, 2.0, 0.5)


def test_two_grids_are_an_error():
    one, other = (from_labels(np.ones(shape, int), np.eye(4)) for shape in ((2, 2, 2), (2, 2, 3)))
    with pytest.raises(MatchingError, match=r"shape \(2, 2, 2\), found \(2, 2, 3\)"):
        match_instances(one, other)


def test_points_in_one_voxel_each_share_it():
    """Microbleed 1 holds two points, 2 none, 3 one; centres in mm are voxels here."""
    reference = from_labels(grid((1, 2, 3), (2, 10, 11), (3, 20, 20)), np.eye(4))
    points = from_points([(3, 4, 4), (3, 4, 4), (20, 4, 4)])
    predicted = on_grid(points, (40, 9, 9), np.eye(4))
    assert overlaps(reference, predicted).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_a_millionth_of_a_mm_counts_before_the_order_of_ids():
    reference = from_points([(0, 0, 0)])
    predicted = from_points([(2.000001, 0, 0), (0, 4, 0), (0, 0, 2)])
    table = match_instances(reference, predicted, assignment="optimal")
    assert table.loc[table["match"] == "TP", "pred_id"].tolist() == [3]


def test_rows_without_a_partner_have_nan():
    table = match(grid((2, 3, 3)), grid((6, 30, 30)), 1.0)
    assert table["match"].tolist() == ["FN", "FP"]
    np.testing.assert_equal(table["gt_id"].tolist(), [2.0, NAN])
    np.testing.assert_equal(table["pred_id"].tolist(), [NAN, 6.0])
    assert table[["distance_mm", "overlap_voxels", "dice"]].isna().all().all()


@pytest.mark.parametrize("seed", range(20))
def test_random_scenes_against_all_assignments(seed):
    """Optimal: most pairs, then least distance, over all permutations. Greedy: nothing left."""
    rng = np.random.default_rng(seed)
    places = rng.permutation(14)[:9] * 2
    reference = grid(*[(i + 1, int(p), int(p)) for i, p in enumerate(places[:4])])
    predicted = grid(*[(i + 1, int(p), int(p)) for i, p in enumerate(places[4:])])
    gaps = np.abs(places[:4, None] - places[None, 4:]).astype(float)
    candidates = []
    for columns in permutations(range(5), 4):
        taken = [gaps[r, c] for r, c in enumerate(columns) if gaps[r, c] < 5]
        candidates.append((-len(taken), sum(taken)))
    best = match(reference, predicted, 1.0, assignment="optimal")
    assert (-len(pairs(best)), best["distance_mm"].sum()) == min(candidates)
    greedy = match(reference, predicted, 1.0)
    left_gt = greedy.loc[greedy["match"] == "FN", "gt_id"].astype(int) - 1
    left_pred = greedy.loc[greedy["match"] == "FP", "pred_id"].astype(int) - 1
    assert (gaps[np.ix_(left_gt, left_pred)] >= 5).all()
    assert greedy["distance_mm"].min() == gaps.min() or gaps.min() >= 5


def test_touching_lesions_of_a_mask_are_one_component():
    """Two lesions that share a face merge; 1 GT and 2 candidates leave an FP, labels do not."""
    labels = grid((1, 10, 12), (2, 13, 15))
    candidates = grid((1, 11, 11), (2, 14, 14))
    merged = match_instances(from_mask(labels, 1.0), from_labels(candidates, 1.0))
    assert counts(merged) == (1, 1, 0)
    assert counts(match(labels, candidates, 1.0)) == (2, 0, 0)


def test_components_follow_the_connectivity():
    """Two voxels that share an edge only: two components by faces, one by edges."""
    mask = np.zeros((4, 4, 4), bool)
    mask[1, 1, 1] = mask[2, 2, 1] = True
    assert [len(from_mask(mask, 1.0, c)) for c in (6, 18, 26)] == [2, 1, 1]


@pytest.mark.parametrize(
    ("reference", "predicted", "options", "message"),
    [
        (grid(), grid(shape=(3, 3, 3)), {}, r"predicted: expected shape \(40, 9, 9\)"),
        (grid().astype(float), grid(), {}, "reference: expected a 3D array of integer labels"),
        (grid((1, 1, 1)) * -1, grid(), {}, "expected 0 and positive integers, found -1"),
        (grid(), grid(), {"rule": "iou"}, "rule: expected 'distance' or 'overlap', found 'iou'"),
        (grid(), grid(), {"assignment": "best"}, "assignment: expected 'greedy' or 'optimal'"),
    ],
)
def test_errors_say_what_was_expected(reference, predicted, options, message):
    with pytest.raises(MatchingError, match=message):
        match(reference, predicted, 1.0, **options)


def test_images_match_on_their_own_grids(tmp_path):
    """A file, a nibabel image and arrays on 0.5 mm: centres 2 voxels, so 1 mm, apart."""
    reference = Volume(grid((1, 10, 12)), np.diag([0.5, 0.5, 0.5, 1.0]))
    predicted = reference.with_data(grid((1, 12, 14)))
    path = reference.write(tmp_path / "reference.nii.gz")
    for first, second in ((path, predicted), (reference, predicted.to_nifti())):
        assert match(first, second)["distance_mm"].item() == 1.0
    assert from_mask(path).centres_mm.tolist() == [[5.5, 2.0, 2.0]]
    assert match(reference.data, predicted.data, 0.5)["distance_mm"].item() == 1.0
    with pytest.raises(MatchingError, match="reference: expected no affine beside an image"):
        match(path, predicted, 0.5)
    with pytest.raises(MatchingError, match="reference: expected an affine or a voxel size"):
        match(reference.data, predicted.data)
    with pytest.raises(VolumeError, match="expected the affine"):
        match(reference, Volume(predicted.data, np.eye(4)))


@pytest.mark.parametrize("function", [match, match_instances])
def test_the_limit_is_that_of_the_thesis_where_none_is_given(function):
    assert signature(function).parameters["max_distance_mm"].default == 5.0


def test_what_each_candidate_adds_when_the_threshold_falls_to_its_score():
    """Two candidates beside one lesion: the surer one is the TP; the third finds the other."""
    blobs = [[(1, 10, 10), (2, 31, 31)], [(1, 9, 9), (2, 11, 11), (3, 30, 30)]]
    sides = [from_labels(grid(*each), np.eye(4), "side") for each in blobs]
    found = match_instances(*sides, scores=[0.8, 0.9, 0.7]).dropna(subset="pred_id")
    assert dict(zip(found["pred_id"], found["adds"], strict=True)) == {1: "FP", 2: "TP", 3: "TP"}


POINTS = st.lists(st.tuples(*[st.integers(-4, 4)] * 3), min_size=1, max_size=7, unique=True)


def nearest_first(gaps, limit):
    """The thesis's rule in plain words: the nearest pair of all, then of what is left."""
    found, rows, columns = [], set(range(len(gaps))), set(range(len(gaps[0])))
    while close := [(gaps[r][c], r, c) for r in rows for c in columns if gaps[r][c] < limit]:
        _, row, column = min(close)
        found.append((row + 1, column + 1))
        rows.remove(row), columns.remove(column)
    return sorted(found)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(POINTS, POINTS, st.sampled_from([1.0, 2.0, 5.0]))
def test_any_points_against_the_rule_in_words_and_a_largest_matching(reference, predicted, limit):
    """Lattice points: equal distances, and distances of just the limit, are common."""
    sides = from_points(reference), from_points(predicted)
    options = {"max_distance_mm": limit}
    gaps = [[round(sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) ** 0.5, 6)
             for q in predicted] for p in reference]  # fmt: skip
    greedy = match_instances(*sides, **options)
    assert pairs(greedy) == nearest_first(gaps, limit)
    tp, fp, fn = counts(greedy)
    assert (tp + fn, tp + fp) == (len(reference), len(predicted))
    best = match_instances(*sides, **options, assignment="optimal")
    near = csr_array(np.array(gaps) < limit)
    assert counts(best)[0] == (maximum_bipartite_matching(near) >= 0).sum()
    moved = [from_points(np.add(side, (7, -3, 11))) for side in (reference, predicted)]
    assert pairs(match_instances(*moved, **options)) == pairs(greedy)
