"""Figures of notebook 04 that follow a microbleed through a training (7.2, A.5)."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from cmbkit.plotting.canvas import nothing_to_show
from cmbkit.plotting.cuts import cut_examples, prediction_evolution

UNFOLLOWED = "No training from scratch in this run, or no microbleed in its validation scans."


def figure_7_2(snapshots: Mapping[tuple[str, int], list[dict]], columns: int = 6) -> Figure:
    """The followed CMB that is found last, predicted after epochs spread over a phase, with Dice.

    Of several that are found in the same epoch, the one with the lowest Dice there. A voxel is
    predicted from a probability of 0.5. ``snapshots``: by uid and CMB, from
    `cmbkit.detector.training.snapshots.read_snapshots`.
    """
    if not snapshots:
        return nothing_to_show(UNFOLLOWED)
    series = max(snapshots.values(), key=_found_late)
    picked = np.unique(np.linspace(0, len(series) - 1, columns).round().astype(int))
    predictions = [
        (f"Epoch {int(series[i]['epoch'])}\nDice {_dice(series[i]):.2f}", _predicted(series[i]))
        for i in picked
    ]
    first = series[0]
    spacing = float(first["spacing_mm"])
    return prediction_evolution(first["image"], first["lesion"], predictions, spacing)


def _found_late(series: list[dict]) -> tuple[int, float]:
    """Position of the first snapshot whose outline touches the CMB, and the Dice missing there."""
    dice = [_dice(each) for each in series]
    first = next((n for n, value in enumerate(dice) if value > 0), len(dice))
    return first, -max(dice[first : first + 1], default=0.0)


def _predicted(snapshot: dict) -> np.ndarray:
    return np.asarray(snapshot["probability"]) >= 0.5


def _dice(snapshot: dict) -> float:
    truth, predicted = np.asarray(snapshot["lesion"]) > 0, _predicted(snapshot)
    return 2 * (truth & predicted).sum() / (truth.sum() + predicted.sum())


def figure_a_5(snapshots: Mapping[tuple[str, int], list[dict]], threshold: float) -> Figure:
    """Each followed CMB at the end of a phase.

    Parameters
    ----------
    snapshots : mapping of (uid, CMB) to list of dict
        From `cmbkit.detector.training.snapshots.read_snapshots`.
    threshold : float
        Probability from which a voxel is outlined.
    """
    if not snapshots:
        return nothing_to_show(UNFOLLOWED)
    examples = []
    for (uid, number), series in snapshots.items():
        last = series[-1]
        image = last["image"]
        rows = [
            ("Raw", image, {}),
            ("Annotated", image, {"annotated": last["lesion"]}),
            ("Predicted", image, {"predicted": last["probability"] >= threshold}),
        ]
        examples.append((f"{uid}, CMB {number}", rows, np.array(image.shape) // 2))
    return cut_examples(examples, float(last["spacing_mm"]))
