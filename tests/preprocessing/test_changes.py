"""Records of what preprocessing did."""

import pytest

from cmbkit.preprocessing.changes import DTYPES, KINDS, Change, change_table


def test_a_scans_own_changes_come_first_then_by_label_in_the_order_of_events():
    table = change_table(
        [
            Change("refinement", 2, "merged", 2, 1, 1),
            Change("refinement", 1, "merged", 2, 1, 2),
            Change("pruning", 1, "pruned", 3, 1),
            Change("intensities", None, "replaced", 5, 0),
        ]
    )
    assert table["kind"].tolist() == ["replaced", "merged", "pruned", "merged"]
    assert table["unit"].tolist() == ["voxels", "components", "components", "components"]
    assert table["other"].isna().tolist() == [True, False, True, False]
    assert change_table([]).columns.tolist() == list(DTYPES)


def test_an_unknown_kind_is_an_error():
    with pytest.raises(ValueError, match="found 'eaten'"):
        Change("closing", 1, "eaten", 2, 1)
    assert all(kind.text and kind.unit for kind in KINDS.values())
