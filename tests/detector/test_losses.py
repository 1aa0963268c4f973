import numpy as np
import pytest

from cmbkit.detector.losses import (
    combined_loss,
    focal_tversky,
    tversky_index,
    weighted_cross_entropy,
)
from cmbkit.params import Training

# One patch of four voxels, one of them a microbleed: p(CMB) = 0.6 there, 0.2 in the others.
TRUTH = np.array([1, 0, 0, 0]).reshape(1, 4, 1, 1)
P = np.array([0.6, 0.2, 0.2, 0.2]).reshape(1, 4, 1, 1)
PREDICTED = np.stack([1 - P, P], axis=-1).astype(np.float32)


def test_cross_entropy_by_hand():
    by_hand = -(5 * np.log(0.6) + 3 * 0.1 * np.log(0.8)) / 4
    assert float(weighted_cross_entropy(TRUTH, PREDICTED, [0.1, 5])) == pytest.approx(by_hand)


def test_tversky_by_hand():
    # CMB: TP .6, FP 3 x .2, FN .4. Background: TP 2.4, FP .4, FN .6.
    index = np.asarray(tversky_index(TRUTH, PREDICTED, 0.3, 0.7, 1.0))
    cmb = 1.6 / (0.6 + 0.3 * 0.6 + 0.7 * 0.4 + 1)
    background = 3.4 / (2.4 + 0.3 * 0.4 + 0.7 * 0.6 + 1)
    np.testing.assert_allclose(index, [background, cmb], rtol=1e-5)
    focal = float(focal_tversky(TRUTH, PREDICTED, 0.3, 0.7, 3.0, 1.0))
    assert focal == pytest.approx((1 - background) ** 3 + (1 - cmb) ** 3, rel=1e-4)


def test_tversky_with_equal_weights_is_dice():
    index = np.asarray(tversky_index(TRUTH, PREDICTED, 0.5, 0.5, 0.0))[1]
    assert index == pytest.approx(2 * 0.6 / (1 + 1.2))


def test_tversky_counts_over_the_whole_batch():
    """The patch with a microbleed and an empty one with the same false positives, together."""
    truth = np.concatenate([TRUTH, 0 * TRUTH])
    index = np.asarray(tversky_index(truth, np.concatenate([PREDICTED] * 2), 0.5, 0.5, 0.0))
    assert index[1] == pytest.approx(0.6 / (0.6 + 0.5 * (0.6 + 1.2) + 0.5 * 0.4))


def test_one_hot_and_integers_agree_and_the_weights_add_up():
    training = Training(loss_weights=[2.0, 3.0])
    loss = combined_loss(training)
    expected = 2 * focal_tversky(TRUTH, PREDICTED, 0.5, 0.5, 3, 1)
    expected += 3 * weighted_cross_entropy(TRUTH, PREDICTED, [0.1, 5])
    one_hot = np.eye(2, dtype=np.float32)[TRUTH]
    assert float(loss(TRUTH, PREDICTED)) == pytest.approx(float(expected), rel=1e-5)
    assert float(loss(one_hot, PREDICTED)) == pytest.approx(float(expected), rel=1e-5)


def test_a_perfect_prediction_costs_nothing():
    perfect = np.eye(2, dtype=np.float32)[TRUTH]
    assert float(combined_loss(Training())(TRUTH, perfect)) == pytest.approx(0, abs=1e-6)
