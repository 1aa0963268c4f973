"""Where a network sees microbleeds that are none, in the scans it is trained on.

Training goes on around these places (hard negatives: Dou et al. 2016 train the second stage of
their detector on the first one's false alarms).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from cmbkit.detector.inference.candidates import candidates
from cmbkit.detector.inference.tiled import Predictor, predict_standard
from cmbkit.params import Inference
from cmbkit.records import StandardScan
from cmbkit.running.report import report_progress

FILE = "false_alarms.csv"
SEARCH = {
    "overlap": 0.0, "two_passes": False, "flips": False, "coarser": [], "coarser_margin": 0.0
}  # fmt: skip
ALARM = {"threshold": 0.9, "minimum_voxels": 5}
MOST = 50
APART_MM = 5.0
COLUMNS = ["uid", "x", "y", "z", "n_voxels", "score"]


@dataclass(frozen=True)
class FalseAlarms:
    """Places to draw patches around.

    Attributes
    ----------
    places : dict of str to ndarray (n, 3)
        By the scan's uid, in voxels of the standard grid.
    """

    share: float = 0.0  # of the patches without a CMB that hold one
    places: Mapping[str, np.ndarray] = field(default_factory=dict)  # (n, 3), voxels, by uid

    @classmethod
    def read(cls, path: Path, share: float) -> FalseAlarms:
        """Read a table of `find_false_alarms`."""
        table = pd.read_csv(path, dtype={"uid": str})
        groups = table.groupby("uid")
        return cls(share, {uid: part[["x", "y", "z"]].to_numpy(float) for uid, part in groups})

    def of(self, scan: StandardScan) -> np.ndarray:
        """Places of one scan, shape (n, 3); none for an unknown scan."""
        return self.places.get(scan.scan.uid, np.empty((0, 3))) if self.share else np.empty((0, 3))


NO_ALARMS = FalseAlarms()


def searched(inference: Inference) -> Inference:
    """How scans are searched: tiles side by side, components of at least 5 voxels at 0.9."""
    return inference.model_copy(update=SEARCH | ALARM)


def find_false_alarms(
    predictor: Predictor, scans: list[StandardScan], *, step: str
) -> pd.DataFrame:
    """Candidates of a network, set up as `searched`, in annotated scans that are no microbleed.

    Returns
    -------
    DataFrame
        The at most 50 largest of each scan: ``uid``, centre of mass ``x``, ``y``, ``z`` in voxels,
        ``n_voxels``, ``score`` (of `candidates`). None overlaps a microbleed or has its centre
        within 5 mm of one's.
    """
    found = []
    for number, scan in enumerate(scans):
        report_progress(step, number, len(scans))
        found.append(_of_scan(predictor, scan))
    report_progress(step, len(scans), len(scans))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS)


def places_in(folder: Path) -> int:
    """Number of places in the table that a phase keeps in its folder; 0 without one."""
    path = Path(folder) / FILE
    return len(pd.read_csv(path)) if path.is_file() else 0


def _of_scan(predictor: Predictor, scan: StandardScan) -> pd.DataFrame:
    (image, logits), lesions = predict_standard(predictor, scan), scan.lesions().data
    labels = scan.labels().data
    instances, table = candidates(logits, labels, image.spacing, predictor.params)
    table = table[table["kept"]]
    ids = table["id"].to_numpy()
    centres = _centres(instances, ids)
    bleeds = _centres(lesions, np.unique(lesions[lesions > 0]))
    apart = np.linalg.norm((centres[:, None] - bleeds[None]) * image.spacing, axis=2)
    wrong = ~np.isin(ids, instances[lesions > 0]) & (apart >= APART_MM).all(axis=1)
    places = pd.DataFrame(centres, columns=["x", "y", "z"], index=table.index)
    table = places.join(table[["n_voxels", "score"]])[wrong]
    table.insert(0, "uid", scan.scan.uid)
    return table.sort_values("n_voxels", ascending=False, kind="stable")[:MOST]


def _centres(labels: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Centre of mass of each label in voxels, shape (n, 3)."""
    return np.array(ndimage.center_of_mass(labels > 0, labels, ids)).reshape(-1, 3)
