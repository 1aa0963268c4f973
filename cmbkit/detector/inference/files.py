"""Prediction for one standardised scan, written to files.

``<stem>_desc-cmb_probseg.nii.gz`` (uint16, probability times 65535) is the map,
``<stem>_desc-cmbpred_dseg.nii.gz`` (uint16, one integer per candidate) and
``<stem>_desc-cmbpred_table.tsv`` (columns of `candidates.candidates` plus the centre of mass
``x_mm``, ``y_mm``, ``z_mm``) are what was found in it.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.detector.inference.candidates import candidates, true_places
from cmbkit.detector.inference.tiled import Predictor, predict_standard
from cmbkit.params import Inference
from cmbkit.records import StandardScan
from cmbkit.volume import Volume

PROBABILITY_STEPS = 65535
PROBABILITY_FLOOR = 0.002
"""Stored as 0, so that files stay small."""


def predict_map(predictor: Predictor, scan: StandardScan, folder: Path) -> None:
    """Predict the probability map of ``scan`` and write it into ``folder``."""
    write_probability(folder, scan, *predict_standard(predictor, scan))


def find_in_map(scan: StandardScan, map_folder: Path, params: Inference, folder: Path) -> None:
    """Find candidates in a map that `predict_map` wrote into ``map_folder``; writes the others."""
    grid, labels = read_probability(_map_file(map_folder, scan)), scan.labels()
    grid.require_same_grid(labels)
    found = candidates(grid.data, labels.data, grid.spacing, params)
    write_candidates(folder, scan, grid, *found)


def _map_file(folder: Path, scan: StandardScan) -> Path:
    return Path(folder) / f"{scan.scan.bids_name}_desc-cmb_probseg.nii.gz"


def write_probability(
    folder: Path, scan: StandardScan, image: Volume, probability: np.ndarray
) -> None:
    """Write a probability map on the grid of ``image``."""
    stored = np.rint(probability * np.float32(PROBABILITY_STEPS)).astype(np.uint16)
    stored[probability < PROBABILITY_FLOOR] = 0
    image.with_data(stored).write(_map_file(folder, scan))


def write_candidates(
    folder: Path, scan: StandardScan, grid: Volume, instances: np.ndarray, table: pd.DataFrame
) -> None:
    """Write candidates and their table (see the head of this module)."""
    stem = f"{scan.scan.bids_name}_desc-cmbpred"
    grid.with_data(instances).write(Path(folder) / f"{stem}_dseg.nii.gz")
    table = table.join(_centres(instances, table, grid))
    table.to_csv(Path(folder) / f"{stem}_table.tsv", sep="\t", index=False)


def read_probability(path: Path) -> Volume:
    """Read a ``probseg`` file back as float32 probabilities in [0, 1]."""
    stored = Volume.read(path, "uint16")
    return stored.with_data(stored.data.astype(np.float32) / np.float32(PROBABILITY_STEPS))


def _centres(instances: np.ndarray, table: pd.DataFrame, image: Volume) -> pd.DataFrame:
    """Centre of mass in mm of each kept candidate (NaN where dropped), rows as in ``table``."""
    where = true_places(instances)
    numbers = instances[where]
    count = np.bincount(numbers, minlength=1)
    sums = [np.bincount(numbers, axis, minlength=1) for axis in where]
    centres = image.to_mm(np.stack(sums, axis=1) / np.maximum(count, 1)[:, None])
    centres[0] = np.nan
    return pd.DataFrame(centres[table["id"]], columns=["x_mm", "y_mm", "z_mm"], index=table.index)
