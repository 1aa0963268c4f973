import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from cmbkit.evaluation import metrics

# Four scans by hand. A: 2 of 3 found, 1 FP. B: 1 of 1. C: nothing annotated, 1 FP. D: all wrong.
SCANS = pd.DataFrame(
    {
        "uid": list("ABCD"),
        "tp": [2, 1, 0, 0],
        "fp": [1, 0, 1, 2],
        "fn": [1, 0, 0, 2],
        "dice_tp": [0.5, 0.8, np.nan, np.nan],
    }
)


def test_scan_averages_skip_nan():
    """P: 2/3, 1, 0, 0; R: 2/3, 1, -, 0; F1: 2/3, 1, -, 0; FPcmb: 1/3, 0, -, 1."""
    found = metrics.aggregate(SCANS)
    assert found["scan_precision"] == pytest.approx(5 / 12)
    assert found["scan_recall"] == pytest.approx(5 / 9)
    assert found["scan_f1"] == pytest.approx(5 / 9)
    assert found["scan_fp_cmb"] == pytest.approx(4 / 9)
    assert found["fp_scan"] == 1.0
    assert found["scan_f1_star"] == pytest.approx(2 * (5 / 12) * (5 / 9) / (5 / 12 + 5 / 9))
    assert found["scan_dice_tp"] == pytest.approx(0.65)


def test_the_codes_rule_leaves_out_scans_where_everything_is_wrong():
    assert metrics.aggregate(SCANS, None, "code")["scan_f1"] == pytest.approx(5 / 6)
    with pytest.raises(ValueError, match="nan_rule: expected 'text' or 'code', found 'paper'"):
        metrics.aggregate(SCANS, None, "paper")


def test_glob_averages_sum_first():
    """3 TP, 4 FP, 3 FN; Dice over the TPs (0.5 + 0.5 + 0.8) / 3."""
    found = metrics.aggregate(SCANS)
    assert found["pooled_precision"] == pytest.approx(3 / 7)
    assert found["pooled_f1"] == pytest.approx(6 / 13)
    assert found["pooled_fp_cmb"] == pytest.approx(4 / 6)
    assert found["pooled_dice_tp"] == pytest.approx(0.6)


def test_the_two_ways_of_averaging_differ_on_one_dominant_scan():
    """Nine scans of 1 CMB found; one scan of 11 missed: scanRecall 0.9, globRecall 0.45."""
    scans = pd.DataFrame({"tp": [1] * 9 + [0], "fp": 0, "fn": [0] * 9 + [11]})
    found = metrics.aggregate(scans)
    assert found["scan_recall"] == pytest.approx(0.9)
    assert found["pooled_recall"] == pytest.approx(0.45)


def test_weights_repeat_scans():
    """A weighting (2, 0, 1, 0) is the table with A twice, C once."""
    repeated = SCANS.iloc[[0, 0, 2]]
    weighted = metrics.aggregate(SCANS, np.array([[2.0, 0, 1, 0]]))
    for name, value in metrics.aggregate(repeated).items():
        np.testing.assert_allclose(weighted[name], value, err_msg=name)


def test_denominators_by_hand():
    """A and B have calls and CMBs, C a call and no CMB, D two of each; Dice for A and B."""
    found = metrics.denominators(SCANS.assign(dice_scan=[0.5, np.nan, 0, 0]))
    assert {name: values.tolist() for name, values in found.items()} == {
        "scan_precision": [1, 1, 1, 1], "scan_recall": [1, 1, 0, 1], "scan_f1": [1, 1, 0, 1],
        "scan_fp_cmb": [1, 1, 0, 1], "scan_f1_star": [0.75] * 4, "fp_scan": [1, 1, 1, 1],
        "pooled_precision": [3, 1, 1, 2], "pooled_recall": [3, 1, 0, 2],
        "pooled_f1": [4, 1, 1, 4], "pooled_fp_cmb": [3, 1, 0, 2], "scan_dice": [1, 0, 1, 1],
        "scan_dice_tp": [1, 1, 0, 0], "pooled_dice_tp": [2, 1, 0, 0],
    }  # fmt: skip


def test_nothing_at_all_gives_nan_not_an_error():
    found = metrics.aggregate(SCANS.iloc[:0])
    assert all(np.isnan(value).all() for value in found.values())


@pytest.mark.parametrize("threshold", [1, 3, 5, 11])
@pytest.mark.parametrize("positive", metrics.POSITIVE)
def test_scan_classification_against_scikit_learn(threshold, positive):
    rng = np.random.default_rng(5)
    n_gt, n_pred = rng.integers(0, 15, 60), rng.integers(0, 15, 60)
    truth, said = n_gt >= threshold, n_pred >= threshold
    if positive == "fewer_than":
        truth, said = ~truth, ~said
    found = metrics.scan_classification(n_gt, n_pred, threshold, positive)
    assert found["precision"] == pytest.approx(precision_score(truth, said))
    assert found["recall"] == pytest.approx(recall_score(truth, said))
    assert found["f1"] == pytest.approx(f1_score(truth, said))
    assert found["specificity"] == pytest.approx(recall_score(~truth, ~said))


def test_the_conventions_swap_recall_and_specificity():
    n_gt, n_pred = [0, 2, 3, 7, 12], [0, 4, 3, 2, 12]
    one = metrics.scan_classification(n_gt, n_pred, 3, "at_least")
    other = metrics.scan_classification(n_gt, n_pred, 3, "fewer_than")
    assert (one["recall"], one["specificity"]) == (other["specificity"], other["recall"])
