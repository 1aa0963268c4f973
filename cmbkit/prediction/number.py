"""How many microbleeds a scan may have, by weights whose scores were calibrated."""

from __future__ import annotations

import numpy as np

from cmbkit.detector.inference.candidates import candidates, lowered
from cmbkit.evaluation.calibration import (
    LEVEL,
    Calibration,
    number_interval,
    number_of_microbleeds,
)
from cmbkit.params import Inference


def number_range(
    logits: np.ndarray,
    labels: np.ndarray,
    spacing,
    params: Inference,
    calibration: Calibration | None,
) -> dict[str, float] | None:
    """Interval of the number of microbleeds, from all candidates down to a low threshold.

    Parameters
    ----------
    logits, labels : ndarray, shape (x, y, z)
        Of the standard grid.
    spacing : (3,) float
        mm.
    params : Inference
    calibration : Calibration or None
        Of the weights.

    Returns
    -------
    dict or None
        low, high, and level, the probability that the number lies within, if the scan is like
        those of the calibration; None without a calibration.
    """
    if calibration is None:
        return None
    _, found = candidates(logits, labels, spacing, lowered(params))
    real = calibration.probability(found.loc[found["kept"], "score"])
    low, high = number_interval(number_of_microbleeds(real, calibration.recall))
    return {"low": low, "high": high, "level": LEVEL}
