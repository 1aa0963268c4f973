"""Microbleeds of which a rater was not certain: counted as others, or ignored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cmbkit.evaluation.instances import some_of
from cmbkit.evaluation.matching import match_instances
from cmbkit.params import Evaluation
from cmbkit.scoring.annotations import Annotated

WORDS = ("counted", "ignored", "both")
"""What can be done with them; both: the page shows the detection either way."""


def without_uncertain(
    reference: Annotated, predicted: Annotated, params: Evaluation, affine=None
) -> tuple[Annotated, Annotated]:
    """Leave out what a rater was not certain of, and what a detector found there.

    Certain microbleeds are matched first; what then matches an uncertain one is no false
    positive, and an uncertain one that nobody found is no miss.

    Parameters
    ----------
    reference, predicted : Annotated
    params : Evaluation
        How they match.
    affine : ndarray, shape (4, 4), optional
        See `matching.match_instances`.
    """
    if not reference.uncertain:
        return reference, predicted
    how = {
        "rule": params.matching,
        "max_distance_mm": params.max_distance_mm,
        "assignment": params.assignment,
        "affine": affine,
    }
    doubtful = np.isin(reference.instances.ids, reference.uncertain)
    certain = _kept(reference, ~doubtful)
    first = match_instances(certain.instances, predicted.instances, **how)
    spare = first.loc[first["match"] == "FP", "pred_id"]
    free = some_of(predicted.instances, np.isin(predicted.instances.ids, spare))
    second = match_instances(some_of(reference.instances, doubtful), free, **how)
    there = second.loc[second["match"] == "TP", "pred_id"]
    return certain, _kept(predicted, ~np.isin(predicted.instances.ids, there))


def _kept(annotated: Annotated, which: np.ndarray) -> Annotated:
    instances, volume = some_of(annotated.instances, which), annotated.volume
    if volume is not None:
        inside = np.isin(volume.data, instances.ids)
        volume = volume.with_data(np.where(inside, volume.data, 0))
    return replace(annotated, instances=instances, volume=volume)
