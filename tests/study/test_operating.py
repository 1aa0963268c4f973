"""One scan with two microbleeds and a map with four candidates, counted by hand."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import logit

from cmbkit.detector.inference.files import map_file, write_logits
from cmbkit.params import Evaluation, Inference
from cmbkit.records import Acquisition, Annotation, Scan, StandardScan
from cmbkit.study.curves import calls
from cmbkit.study.operating import scan_counts
from cmbkit.volume import Volume

SHAPE = (40, 24, 24)


@pytest.fixture
def stored(tmp_path):
    """Found: CMB 1 in two pieces (4 and 2 voxels) at 0.9, 3 voxels in a ventricle, 1 voxel."""
    scan = Scan("DOU", "1", "1", "SWI", Path("x"), Annotation("none"), Acquisition((1, 1), 1))
    standard = StandardScan(scan, tmp_path / "scan")
    lesions, labels = np.zeros(SHAPE, np.uint16), np.full(SHAPE, 2, np.uint8)
    probability = np.zeros(SHAPE, np.float32)
    lesions[4:12, 5, 5] = 1
    lesions[30, 18, 18] = 2
    probability[4:8, 5, 5] = probability[9:11, 5, 5] = 0.9
    probability[20:23, 12, 12] = 0.8
    labels[20:23, 12, 12] = 4
    probability[35, 5, 20] = 0.6
    affine = np.eye(4)
    Volume(lesions, affine).write(standard.lesions_path)
    Volume(labels, affine).write(standard.labels_path)
    grid = Volume(probability, affine)
    write_logits(map_file(tmp_path / "map", standard), grid, logit(probability + 1e-9))
    return standard, tmp_path / "map"


def test_each_variant_is_counted_on_the_stored_map(stored):
    """The nearer piece is the TP, the other an FP (Figure 8.1); CMB 2 is missed."""
    variants = [
        Inference(drop_outside_brain_labels=False),
        Inference(),
        Inference(minimum_voxels=2),
        Inference(threshold=0.85),
        Inference(threshold=0.95),
    ]
    found = scan_counts(*stored, variants, Evaluation())
    expected = [(1, 3, 1), (1, 2, 1), (1, 1, 1), (1, 1, 1), (0, 0, 2)]
    assert list(found[["tp", "fp", "fn"]].itertuples(index=False, name=None)) == expected


def test_calls_of_a_curve_keep_every_candidate_with_what_it_adds(stored):
    """Two pieces of CMB 1 at 0.9: one adds the TP; the voxel at 0.6 a FP; CMB 2 is missed.

    Scores are their logits: log(0.9 / 0.1) = 2.20, log(0.6 / 0.4) = 0.41.
    """
    found = calls(*stored, Inference(threshold=0.1), Evaluation())
    rows = found.fillna(0).round(2).astype(str).to_numpy().tolist()
    assert rows == [
        ["TP", "2.2", "TP"],
        ["FN", "0.0", "0"],
        ["FP", "2.2", "FP"],
        ["FP", "0.41", "FP"],
    ]
