"""Which CMBs Figure 8.3 shows."""

from cmbkit.study.examples import balanced


def test_as_many_found_as_missed_sorted_by_size():
    """Two found (positions 1 and 4) of six: both, and the smallest and largest missed."""
    radii = [3.0, 2.0, 1.0, 5.0, 4.0, 2.5]
    found = [False, True, False, False, True, False]
    assert balanced(radii, found, 16) == [2, 1, 4, 3]
    assert balanced(radii, found, 4) == [2, 1, 4, 3]
    assert balanced(radii, found, 2) == [2, 1]  # the smallest of each


def test_where_nothing_was_found_all_shown_are_missed():
    assert balanced([2.0, 1.0, 3.0], [False] * 3, 2) == [1, 2]
    assert balanced([], [], 4) == []
