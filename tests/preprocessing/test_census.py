"""Counting by hand: pieces, labels that touch, and what a step did to them."""

import numpy as np
import pytest
from scipy import ndimage

from cmbkit.preprocessing import census as cs


def row(values):
    """A label image with the values along its last axis."""
    return np.array(values, np.uint16).reshape(1, 1, -1)


def test_pieces_and_touching_labels():
    """1 1 . 1 2 . 3: label 1 in two pieces, the second touching 2; three components."""
    found = cs.take_census(row([1, 1, 0, 1, 2, 0, 3]))
    assert found.pieces == {1: 2, 2: 1, 3: 1}
    assert found.touching == {1: (2,), 2: (1,)}
    assert (found.components, found.voxels) == (3, 5)


def test_corners_and_the_far_border_do_not_touch():
    """Voxels sharing an edge only; and the last voxel of one row beside the first of the next."""
    labels = np.zeros((2, 3, 3), np.uint16)
    labels[0, 0, 2] = labels[0, 1, 0] = labels[1, 1, 1] = 4
    assert cs.take_census(labels).pieces == {4: 3}


def test_components_equal_those_of_scipy():
    labels = (np.random.default_rng(0).random((12, 11, 10)) < 0.3) * np.uint16(1)
    labels[6:] *= 2
    found = cs.take_census(labels)
    assert found.components == ndimage.label(labels > 0)[1]
    assert found.pieces == {v: ndimage.label(labels == v)[1] for v in (1, 2)}


def test_nothing_is_nothing():
    assert cs.take_census(np.zeros((3, 3, 3), np.uint16)) == cs.NOTHING


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([1, 1, 0, 2], [1, 1, 0, 0], [(2, "lost", 1, 0, None)]),
        ([1, 1, 1], [1, 0, 1], [(1, "fragmented", 1, 2, None)]),
        ([1, 0, 1], [1, 1, 1], [(1, "reduced", 2, 1, None)]),
        ([1, 2, 0], [1, 0, 2], [(1, "parted", 1, 2, 2), (2, "parted", 1, 2, 1)]),
        ([1, 0, 2, 2], [1, 2, 2, 2], [(1, "merged", 2, 1, 2), (2, "merged", 2, 1, 1)]),
        ([1, 2, 3], [1, 2, 3], []),
    ],
    ids=["lost", "fragmented", "reduced", "parted", "merged", "unchanged"],
)
def test_what_a_step_did(before, after, expected):
    censuses = [cs.take_census(row(values)) for values in (before, after)]
    found = cs.compare(*censuses, "thinning")
    assert [(c.id, c.kind, c.before, c.after, c.other) for c in found] == expected
    assert {c.step for c in found} <= {"thinning"}


def test_lost_and_new_labels_are_an_error():
    ledger = cs.Ledger("DOU-07")
    ledger.enter("final", row([1, 0, 4]))
    ledger.require((1, 4), "final")
    with pytest.raises(cs.CountError, match=r"DOU-07: .* after closing.*lost \[2\], new \[4\]"):
        ledger.require((1, 2), "final")
