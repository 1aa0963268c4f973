import numpy as np
import pytest

from cmbkit.evaluation.scan import MATCH_COLUMNS, evaluate_scan
from cmbkit.params import Evaluation
from cmbkit.volume import Volume, VolumeError

AFFINE = np.diag([0.5, 0.5, 0.5, 1.0])
WHO = {"uid": "DOU-01", "dataset": "DOU", "patient": "01"}


def volume(*blobs):
    labels = np.zeros((60, 9, 9), np.int32)
    for number, first, last in blobs:
        labels[first : last + 1, 4, 4] = number
    return Volume(labels, AFFINE)


def test_one_found_one_missed_one_invented():
    """Lesions at 10-13 and 40; candidates at 12-15 (1 mm off at 0.5 mm voxels) and 25."""
    matches, row = evaluate_scan(
        volume((1, 10, 13), (2, 40, 40)),
        volume((1, 12, 15), (2, 25, 25)),
        scores={1: 0.9, 2: 0.6},
        **WHO,
    )
    assert list(matches.columns) == MATCH_COLUMNS
    assert matches["match"].tolist() == ["TP", "FN", "FP"]
    np.testing.assert_equal(matches["score"].tolist(), [0.9, float("nan"), 0.6])
    assert matches["distance_mm"].iloc[0] == 1.0
    assert {k: row[k] for k in ("n_gt", "n_pred", "tp", "fp", "fn")} == {
        "n_gt": 2, "n_pred": 2, "tp": 1, "fp": 1, "fn": 1,
    }  # fmt: skip
    assert (row["precision"], row["recall"], row["f1"], row["dice_tp"]) == (0.5, 0.5, 0.5, 0.5)
    assert row["dice_scan"] == pytest.approx(2 * 2 / (5 + 5))


def test_empty_scans_are_nan_where_a_denominator_is_missing():
    matches, row = evaluate_scan(volume(), volume(), **WHO)
    assert len(matches) == 0
    assert all(np.isnan(row[k]) for k in ("precision", "recall", "f1", "dice_tp", "dice_scan"))
    _, row = evaluate_scan(volume(), volume((1, 3, 3)), **WHO)
    assert row["precision"] == 0
    assert np.isnan(row["recall"])
    assert np.isnan(row["f1"])
    assert row["dice_scan"] == 0


@pytest.mark.parametrize(("rule", "expected"), [("text", 0.0), ("code", float("nan"))])
def test_f1_when_everything_is_wrong_depends_on_the_rule(rule, expected):
    _, row = evaluate_scan(
        volume((1, 3, 3)), volume((1, 50, 50)), params=Evaluation(nan_rule=rule), **WHO
    )
    np.testing.assert_equal(row["f1"], expected)


def test_another_grid_is_refused():
    other = Volume(volume().data, np.diag([0.5, 0.5, 0.6, 1.0]))
    with pytest.raises(VolumeError, match="expected the affine"):
        evaluate_scan(volume(), other, **WHO)
