"""Prediction for one standardised scan, written to files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.detector.inference import Predictor, predict_probability
from cmbkit.detector.postprocessing import candidates
from cmbkit.records import StandardScan
from cmbkit.volume import Volume

VERSION = 2
PROBABILITY_STEPS = 255


def predict_scan(predictor: Predictor, scan: StandardScan, folder: Path) -> None:
    """Predict the microbleeds of ``scan`` and write them into ``folder`` (see `write`).

    Parameters
    ----------
    predictor : Predictor
        A trained network with its inference parameters.
    scan : StandardScan
    folder : Path
    """
    params = predictor.params
    image, brain, labels = scan.image(), scan.brain(), scan.labels()
    image.require_same_grid(brain)
    image.require_same_grid(labels)
    background = float(scan.record()["background_value"])
    probability = predict_probability(
        predictor, image.data, brain=brain.data, background=background
    )
    instances, table = candidates(probability, labels.data, image.spacing, params)
    write(folder, scan.scan.bids_name, image, probability, instances, table)


def write(
    folder: Path,
    stem: str,
    image: Volume,
    probability: np.ndarray,
    instances: np.ndarray,
    table: pd.DataFrame,
) -> None:
    """Write a prediction on the grid of ``image`` as three files.

    ``<stem>_desc-cmb_probseg.nii.gz`` (uint8, probability times 255),
    ``<stem>_desc-cmbpred_dseg.nii.gz`` (uint16, one integer per candidate) and
    ``<stem>_desc-cmbpred_table.tsv`` (columns of `postprocessing.candidates` plus the centre of
    mass ``x_mm``, ``y_mm``, ``z_mm``).
    """
    folder = Path(folder)
    rounded = np.rint(probability * PROBABILITY_STEPS).astype(np.uint8)
    image.with_data(rounded).write(folder / f"{stem}_desc-cmb_probseg.nii.gz")
    image.with_data(instances).write(folder / f"{stem}_desc-cmbpred_dseg.nii.gz")
    table = table.join(_centres(instances, table, image))
    table.to_csv(folder / f"{stem}_desc-cmbpred_table.tsv", sep="\t", index=False)


def read_probability(path: Path) -> Volume:
    """Read a ``probseg`` file back as float32 probabilities in [0, 1]."""
    stored = Volume.read(path, "uint8")
    return stored.with_data(stored.data.astype(np.float32) / PROBABILITY_STEPS)


def _centres(instances: np.ndarray, table: pd.DataFrame, image: Volume) -> pd.DataFrame:
    """Centre of mass in mm of each kept candidate (NaN where dropped), rows as in ``table``."""
    where = np.nonzero(instances)
    numbers = instances[where]
    count = np.bincount(numbers, minlength=1)
    sums = [np.bincount(numbers, axis, minlength=1) for axis in where]
    centres = image.to_mm(np.stack(sums, axis=1) / np.maximum(count, 1)[:, None])
    centres[0] = np.nan
    return pd.DataFrame(centres[table["id"]], columns=["x_mm", "y_mm", "z_mm"], index=table.index)
