"""The stand-in parcellation finds a known affine again; labels are looked up exactly."""

import numpy as np
import pytest
from nibabel.eulerangles import euler2mat

from cmbkit.anatomy import parcellation as pc
from cmbkit.anatomy.atlas import load_atlas
from cmbkit.volume import Volume


@pytest.fixture(scope="module")
def known():
    """A brain cut from the atlas by a known affine: turned, stretched, moved, on 2 mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = euler2mat(0.05, -0.12, 0.08) @ np.diag([1.08, 0.93, 1.05])
    matrix[:3, 3] = 5, -12, 9
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = -75, -105, -75
    grid = Volume(np.zeros((76, 100, 80), np.uint8), affine)
    return pc.look_up(load_atlas(), grid, matrix), matrix


def test_known_affine_is_found(known):
    truth, matrix = known
    brain = truth.with_data((truth.data > 0).astype(np.uint8))
    _, atlas_mask = pc._filled_atlas()
    found = pc.fit_affine(pc._coarse(brain), pc._coarse(atlas_mask))
    corners = np.array(np.meshgrid(*[(-60, 60)] * 3)).reshape(3, -1)
    difference = (found - matrix)[:3, :3] @ corners + (found - matrix)[:3, 3:]
    assert np.linalg.norm(difference, axis=0).max() < 1.5


def test_every_brain_voxel_gets_a_label_and_nothing_outside(known):
    truth, _ = known
    brain = truth.with_data((truth.data > 0).astype(np.uint8))
    image = truth.with_data(truth.data.astype(np.float32))
    labels, name = pc.parcellate(image, brain, "stand-in")
    assert name == "stand-in (registered MNI atlas, not SynthSeg)"
    np.testing.assert_array_equal(labels.data > 0, brain.data > 0)
    assert (labels.data == truth.data)[brain.data > 0].mean() > 0.93
    again, _ = pc.parcellate(image, brain, "stand-in")
    np.testing.assert_array_equal(again.data, labels.data)


def test_look_up_shifts_by_whole_voxels():
    labels = Volume(np.arange(60, dtype=np.uint8).reshape(3, 4, 5), np.eye(4))
    shift = np.eye(4)
    shift[:3, 3] = 1, 0, 2
    found = pc.look_up(labels, labels, shift)
    np.testing.assert_array_equal(found.data[:2, :, :3], labels.data[1:, :, 2:])


def test_missing_program_and_empty_brain_are_errors(monkeypatch):
    image = Volume(np.zeros((4, 4, 4), np.float32), np.eye(4))
    brain = Volume(np.zeros((4, 4, 4), np.uint8), np.eye(4))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pc.ParcellationError, match="mri_synthseg: expected the program"):
        pc.parcellate(image, brain, "synthseg")
    with pytest.raises(pc.ParcellationError, match="expected voxels > 0"):
        pc.parcellate(image, brain, "auto")
