"""The training loss of section 6.5.1: focal Tversky and class-weighted cross-entropy.

All functions take ``y_true`` as integers (batch, x, y, z) or one-hot (batch, x, y, z, classes)
and ``y_pred`` as probabilities (batch, x, y, z, classes), compute in float32 and return a scalar.
"""

from collections.abc import Callable

from cmbkit.detector.network.backend import use_keras
from cmbkit.params import Training

SMALLEST_PROBABILITY = 1e-7
SMALLEST_COUNT = 1e-7  # voxels


def _pair(y_true, y_pred):
    ops = use_keras().ops
    y_pred = ops.cast(y_pred, "float32")
    if len(y_true.shape) < len(y_pred.shape):
        y_true = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1])
    return ops.cast(y_true, "float32"), y_pred


def weighted_cross_entropy(y_true, y_pred, weights):
    """Eq. 6.1, averaged over the voxels of the batch; ``weights`` has one entry per class."""
    ops = use_keras().ops
    y_true, y_pred = _pair(y_true, y_pred)
    weights = ops.convert_to_tensor(weights, "float32")
    log_p = ops.log(ops.clip(y_pred, SMALLEST_PROBABILITY, 1.0))
    return -ops.mean(ops.sum(weights * y_true * log_p, axis=-1))


def tversky_index(y_true, y_pred, alpha, beta, smooth):
    """Eq. 6.2 per class, shape (classes,), with ``smooth`` in numerator and denominator.

    TP, FP and FN are soft counts over all voxels of the batch: counted patch by patch, patches
    without a microbleed would reward an empty prediction and small batches would learn nothing
    else. With alpha = beta = 0.5 and smooth = 0 it is the soft Dice coefficient. A class that is
    neither there nor predicted has index 1, also without ``smooth``.
    """
    ops = use_keras().ops
    y_true, y_pred = _pair(y_true, y_pred)
    axes, smooth = (0, 1, 2, 3), smooth + SMALLEST_COUNT
    hits = ops.sum(y_true * y_pred, axes)
    false_positives = ops.sum(y_pred, axes) - hits
    false_negatives = ops.sum(y_true, axes) - hits
    return (hits + smooth) / (hits + alpha * false_positives + beta * false_negatives + smooth)


def focal_tversky(y_true, y_pred, alpha, beta, gamma, smooth):
    """Eq. 6.3: sum over classes of (1 - TI)^gamma."""
    ops = use_keras().ops
    missing = 1.0 - tversky_index(y_true, y_pred, alpha, beta, smooth)
    return ops.sum(ops.power(ops.maximum(missing, 0.0), gamma))


def combined_loss(training: Training) -> Callable:
    """Eq. 6.4 with the weights of ``training``: a function of (y_true, y_pred)."""
    share_tversky, share_entropy = training.loss_weights

    def loss(y_true, y_pred):
        tversky = focal_tversky(
            y_true,
            y_pred,
            training.tversky_alpha,
            training.tversky_beta,
            training.tversky_gamma,
            training.tversky_smooth,
        )
        entropy = weighted_cross_entropy(y_true, y_pred, training.cross_entropy_weights)
        return share_tversky * tversky + share_entropy * entropy

    return loss
