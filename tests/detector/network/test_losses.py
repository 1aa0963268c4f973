import numpy as np
import pytest

from cmbkit.detector.network.losses import (
    SMALLEST_COUNT,
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


def test_a_class_that_is_not_there_loses_by_what_is_predicted_of_it():
    """Without smoothing, 4 x 1e-7 voxels of a class: 1e-7 / (1e-7 + 0.5 x 4e-7), a third."""
    p = np.full(TRUTH.shape, 1e-7)
    predicted = np.stack([1 - p, p], axis=-1).astype(np.float32)
    index = np.asarray(tversky_index(0 * TRUTH, predicted, 0.5, 0.5, 0.0))
    np.testing.assert_allclose(index, [1, SMALLEST_COUNT / (SMALLEST_COUNT + 2e-7)], rtol=1e-5)


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


def by_definition(truth, p, training):
    """Equations 6.1 to 6.4 in numpy and double precision; p is the probability of CMB."""
    cross, index = 0.0, []
    for c, (y, q) in enumerate([(1 - truth, 1 - p), (truth, p)]):
        cross -= training.cross_entropy_weights[c] * np.mean(y * np.log(q))
        tp, fp, fn = (y * q).sum(), ((1 - y) * q).sum(), (y * (1 - q)).sum()
        a, b, s = training.tversky_alpha, training.tversky_beta, training.tversky_smooth
        index.append((tp + s) / (tp + a * fp + b * fn + s))
    focal = sum((1 - i) ** training.tversky_gamma for i in index)
    return training.loss_weights[0] * focal + training.loss_weights[1] * cross


def gradient(loss, truth, p):
    """Of ``loss`` with respect to the probability of CMB, by the backend."""
    import tensorflow as tf

    p = tf.Variable(p, dtype=tf.float32)
    with tf.GradientTape() as tape:
        value = loss(truth, tf.stack([1 - p, p], axis=-1))
    return np.asarray(tape.gradient(value, p))


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_the_gradient_is_that_of_the_equations(share):
    """Central differences of the equations in double precision; with and without microbleed."""
    training = Training(tversky_alpha=0.3, tversky_beta=0.7, loss_weights=[2.0, 3.0])
    rng = np.random.default_rng(0)
    truth = (rng.random((2, 3, 2, 2)) < share).astype(int)
    p = rng.uniform(0.05, 0.95, truth.shape)
    expected = np.empty(p.shape)
    for place in np.ndindex(p.shape):
        step = np.zeros(p.shape)
        step[place] = 1e-5
        up, down = (by_definition(truth, p + s * step, training) for s in (1, -1))
        expected[place] = (up - down) / 2e-5
    found = gradient(combined_loss(training), truth, p)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_sure_and_empty_patches_have_finite_losses_and_gradients(value, smooth):
    """All background, predicted as such or as CMB throughout, with certainty."""
    truth, loss = np.zeros((1, 2, 2, 2), int), combined_loss(Training(tversky_smooth=smooth))
    p = np.full(truth.shape, float(value))
    assert np.isfinite(float(loss(truth, np.stack([1 - p, p], axis=-1).astype(np.float32))))
    assert np.isfinite(gradient(loss, truth, p)).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_neither_overflows_nor_loses_the_microbleed(dtype):
    """2^18 voxels, more than float16 counts (65,504): the value is that of the rounded input."""
    import keras

    truth = np.zeros((1, 64, 64, 64), int)
    truth[0, :4, :4, :4] = 1
    p = np.where(truth, 0.75, 0.25)  # exact in half precision
    half = keras.ops.cast(np.stack([1 - p, p], axis=-1), dtype)
    training = Training()
    found = float(combined_loss(training)(truth, half))
    assert found == pytest.approx(by_definition(truth, p, training), rel=1e-4)
