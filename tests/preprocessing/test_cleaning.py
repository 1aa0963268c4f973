"""Pruning and closing on cases small enough to count by hand."""

import numpy as np

from cmbkit.preprocessing import cleaning
from cmbkit.preprocessing.changes import Change


def test_fragment_away_from_the_centre_is_pruned():
    """One CMB in two pieces, centre in the first: 8 voxels stay, 1 goes."""
    labels = np.zeros((20, 8, 8), np.uint16)
    labels[2:4, 2:4, 2:4] = 1
    labels[9, 3, 3] = 1
    changes = cleaning.prune(labels, {1: np.array([2.5, 2.5, 2.5])}, 2.0)
    assert changes == [Change("pruning", 1, "pruned", 2, 1)]
    assert labels.sum() == 8 and labels[9, 3, 3] == 0


def test_tolerance_decides_whether_a_neighbour_piece_stays():
    """The second piece's nearest voxel lies 1.8 voxels from the centre."""
    for tolerance, kept in ((2.0, 2), (1.5, 1)):
        labels = np.zeros((9, 5, 5), np.uint16)
        labels[2, 2, 2] = labels[4, 2, 2] = 3
        cleaning.prune(labels, {3: np.array([2.2, 2.0, 2.0])}, tolerance)
        assert (labels == 3).sum() == kept


def test_centre_outside_every_piece_keeps_the_nearest():
    """A CMB is never pruned away altogether."""
    labels = np.zeros((20, 5, 5), np.uint16)
    labels[1, 2, 2] = labels[12:15, 2, 2] = 1
    changes = cleaning.prune(labels, {1: np.array([6.0, 2.0, 2.0])}, 2.0)
    assert changes == [Change("pruning", 1, "nearest", 2, 1)]
    assert np.argwhere(labels).tolist() == [[1, 2, 2]]


def test_pruning_one_label_leaves_its_neighbour():
    labels = np.zeros((12, 5, 5), np.uint16)
    labels[2, 2, 2], labels[3, 2, 2], labels[9, 2, 2] = 1, 2, 1
    cleaning.prune(labels, {1: np.array([2.0, 2, 2]), 2: np.array([3.0, 2, 2])}, 1.5)
    assert labels[:, 2, 2].tolist() == [0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0]


def test_hole_is_filled_and_a_gap_of_two_is_bridged():
    """A 5-cube with a hole (125), and two 5 x 5 plates two voxels apart become one block."""
    labels = np.zeros((11, 11, 30), np.uint16)
    labels[3:8, 3:8, 3:8] = 1
    labels[5, 5, 5] = 0
    labels[3:8, 3:8, 20] = labels[3:8, 3:8, 23] = 2
    changes = cleaning.close(labels, 2)
    assert (labels == 1).sum() == 125
    assert changes[0] == Change("closing", 1, "added", 124, 125)
    block = labels[3:8, 3:8, 20:24] == 2
    assert block[2, 2].all() and (labels == 2).sum() == block.sum()


def test_single_voxel_at_the_border_survives_closing():
    labels = np.zeros((4, 4, 4), np.uint16)
    labels[0, 0, 0] = 1
    assert cleaning.close(labels, 2) == []
    assert labels.sum() == 1


def test_far_fragment_goes_with_the_largest_component():
    labels = np.zeros((20, 6, 6), np.uint16)
    labels[2:4, 2:4, 2:4] = 1
    labels[15, 3, 3] = 1
    changes = cleaning.close(labels, 2)
    assert (labels == 1).sum() == 8 and changes == [Change("closing", 1, "removed", 9, 8)]


def test_closing_does_not_take_a_neighbours_voxel():
    """Label 2 sits in the gap of label 1."""
    labels = np.zeros((9, 9, 9), np.uint16)
    labels[2:7, 2:7, 3] = labels[2:7, 2:7, 5] = 1
    labels[4, 4, 4] = 2
    cleaning.close(labels, 2)
    assert labels[4, 4, 4] == 2
