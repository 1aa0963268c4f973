"""Prediction for one standardised scan, written to files.

``<stem>_desc-cmb_logits.nii.gz`` (int16, hundredths of a logit, -6 to 327.67) is the map,
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

PER_LOGIT = 100
"""Steps in which logits are stored."""
LOWEST_LOGIT = -6.0
"""Stored for all below it (a probability of 0.0025), so that files stay small."""


def predict_map(predictor: Predictor, scan: StandardScan, folder: Path) -> None:
    """Predict the logits of ``scan`` and write them into ``folder``."""
    write_logits(map_file(folder, scan), *predict_standard(predictor, scan))


def find_in_map(scan: StandardScan, map_folder: Path, params: Inference, folder: Path) -> None:
    """Find candidates in a map that `predict_map` wrote into ``map_folder``; writes the others."""
    grid, labels = read_logits(map_file(map_folder, scan)), scan.labels()
    grid.require_same_grid(labels)
    found = candidates(grid.data, labels.data, grid.spacing, params)
    write_candidates(folder, scan, grid, *found)


def map_file(folder: Path, scan: StandardScan) -> Path:
    """Where the logits of a scan lie in a folder."""
    return Path(folder) / f"{scan.scan.bids_name}_desc-cmb_logits.nii.gz"


def write_logits(path: Path, image: Volume, logits: np.ndarray) -> None:
    """Write logits on the grid of ``image``: int16, hundredths, -6 to 327.67."""
    stored = np.clip(logits, LOWEST_LOGIT, np.iinfo(np.int16).max / PER_LOGIT) * PER_LOGIT
    image.with_data(np.rint(stored).astype(np.int16)).write(path)


def write_candidates(
    folder: Path, scan: StandardScan, grid: Volume, instances: np.ndarray, table: pd.DataFrame
) -> None:
    """Write candidates and their table (see the head of this module)."""
    stem = f"{scan.scan.bids_name}_desc-cmbpred"
    grid.with_data(instances).write(Path(folder) / f"{stem}_dseg.nii.gz")
    table = table.join(_centres(instances, table, grid))
    table.to_csv(Path(folder) / f"{stem}_table.tsv", sep="\t", index=False)


def read_logits(path: Path) -> Volume:
    """Read what `write_logits` wrote, float32."""
    stored = Volume.read(path, "int16")
    return stored.with_data(stored.data / np.float32(PER_LOGIT))


def _centres(instances: np.ndarray, table: pd.DataFrame, image: Volume) -> pd.DataFrame:
    """Centre of mass in mm of each kept candidate (NaN where dropped), rows as in ``table``."""
    where = true_places(instances)
    numbers = instances[where]
    count = np.bincount(numbers, minlength=1)
    sums = [np.bincount(numbers, axis, minlength=1) for axis in where]
    centres = image.to_mm(np.stack(sums, axis=1) / np.maximum(count, 1)[:, None])
    centres[0] = np.nan
    return pd.DataFrame(centres[table["id"]], columns=["x_mm", "y_mm", "z_mm"], index=table.index)
