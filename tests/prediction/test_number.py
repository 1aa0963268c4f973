"""The range of the number, from hand-made maps whose distribution is known."""

import numpy as np
import pytest
from scipy.stats import binom

from cmbkit.evaluation.calibration import LEVEL, Calibration
from cmbkit.params import Inference
from cmbkit.prediction.number import number_range

SURE = Calibration(slope=1.0, intercept=0.0, recall=1 - 1e-12, n=100, real=50)


def map_of(scores):
    """A cube of 3 voxels of each logit, apart, in a map of -6."""
    logits = np.full((12, 12, 8 * len(scores) + 8), -6.0, np.float32)
    for number, score in enumerate(scores):
        logits[4:7, 4:7, 8 * number + 4 : 8 * number + 7] = score
    return logits, np.full(logits.shape, 2, np.int16)


def ends(scores, calibration, **inference):
    logits, labels = map_of(scores)
    found = number_range(logits, labels, 1.0, Inference(**inference), calibration)
    assert found["level"] == LEVEL
    return found["low"], found["high"]


def test_without_a_calibration_there_is_no_range():
    logits, labels = map_of([3.0])
    assert number_range(logits, labels, 1.0, Inference(), None) is None


def test_sure_candidates_and_no_missed_ones_give_their_number():
    assert ends([30.0] * 4, SURE) == (4, 4)


def test_candidates_below_the_threshold_count_with_their_probability():
    # 10 candidates of probability 1/2 (logit 0), all under the operating threshold
    assert ends([0.0] * 10, SURE, threshold=0.99) == tuple(binom.interval(0.9, 10, 0.5))


@pytest.mark.parametrize("recall", [0.5, 0.8])
def test_nothing_found_leaves_what_may_be_missed(recall):
    """With a flat prior the number is geometric: P(n) = recall (1 - recall)^n."""
    low, high = ends([], Calibration(1.0, 0.0, recall, 100, 50))
    share = np.cumsum(recall * (1 - recall) ** np.arange(50))
    assert low == 0
    assert high == int(np.argmax(share >= 0.95))
