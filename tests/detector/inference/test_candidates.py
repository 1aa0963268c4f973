import numpy as np
import pytest

from cmbkit.detector.inference.candidates import BRAIN_LABELS, candidates
from cmbkit.params import Inference


def test_two_voxels_that_share_a_corner_are_two_microbleeds_with_six_neighbours():
    p = np.full((4, 4, 4), -9.0)
    p[1, 1, 1], p[2, 2, 2] = 2, 1
    assert len(candidates(p, None, 1, Inference())[1]) == 2
    assert len(candidates(p, None, 1, Inference(connectivity=26))[1]) == 1


def test_scores_sizes_and_the_three_fates():
    """A pair in cortex stays, one in a ventricle goes, one half in CSF stays, a speck is small."""
    p = np.full((12, 6, 6), -9.0)
    labels = np.full(p.shape, 24, np.uint8)
    p[1, 1, 1:3] = 3, 1
    labels[1, 1, 1:3] = 3
    p[4, 1, 1:3] = 4
    labels[4, 1, 1:3] = 4
    p[7, 1, 1:3] = 0
    labels[7, 1, 1] = 41
    p[10, 1, 1] = 50
    labels[10, 1, 1] = 2
    instances, table = candidates(p, labels, (0.5, 0.5, 1), Inference(minimum_voxels=2))
    table = table.sort_values("score").reset_index(drop=True)
    assert table["score"].tolist() == [0, 2, 4, 50]
    assert table["kept"].tolist() == [True, True, False, False]
    assert table["reason"].tolist()[2:] == [
        "no voxel in a brain label",
        "smaller than minimum_voxels",
    ]
    assert table["n_voxels"].tolist() == [2, 2, 2, 1]
    assert table["volume_mm3"].tolist() == [0.5, 0.5, 0.5, 0.25]
    assert sorted(np.unique(instances)) == [0, 1, 2]
    for id, voxel in zip(table["id"], [(7, 1, 1), (1, 1, 1), (4, 1, 1), (10, 1, 1)], strict=True):
        assert instances[voxel] == id


def test_a_score_is_the_mean_of_the_highest_logits():
    """A ball of 2.5 mm holds 8.2 voxels of 1 mm.

    Of 10 voxels 1, 2, ... 10: the mean of 3 to 10 is 6.5; of two of 4 and 5: 4.5.

    A probability of 0.8 is a logit of log 4 = 1.386, and 10 voxels from 1 on less one are 9.
    """
    p = np.full((12, 4, 4), -9.0)
    p[1:11, 1, 1] = np.random.default_rng(0).permutation(np.arange(1, 11))
    p[3:5, 3, 3] = 4, 5
    table = candidates(p, None, 1, Inference())[1]
    assert table.sort_values("n_voxels")["score"].tolist() == [4.5, 6.5]
    assert candidates(p, None, 1, Inference(threshold=0.8))[1]["n_voxels"].sum() == 11


def test_nothing_found_is_an_empty_table():
    instances, table = candidates(np.full((3, 3, 3), -0.01), None, 1, Inference())
    assert instances.max() == 0 and len(table) == 0


def test_fluid_and_ventral_dc_are_not_brain():
    assert not BRAIN_LABELS & {0, 4, 5, 14, 15, 24, 28, 43, 44, 60}
    assert len(BRAIN_LABELS) == 33 - 10


def test_labels_on_another_grid_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 3, 3\)"):
        candidates(np.zeros((3, 3, 3)), np.zeros((3, 3, 4)), 1, Inference())
