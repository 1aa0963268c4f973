"""The stand-in parcellation finds a known affine again; labels are looked up exactly."""

import numpy as np
import pytest
from nibabel.eulerangles import euler2mat

from cmbkit.anatomy import parcellation as pc
from cmbkit.anatomy.atlas import load_atlas
from cmbkit.anatomy.programs import ProgramError
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
    _, atlas_mask = pc.filled_atlas()
    found = pc.fit_affine(pc._coarse(brain), pc._coarse(atlas_mask))
    corners = np.array(np.meshgrid(*[(-60, 60)] * 3)).reshape(3, -1)
    difference = (found - matrix)[:3, :3] @ corners + (found - matrix)[:3, 3:]
    assert np.linalg.norm(difference, axis=0).max() < 1.5


def test_places_follow_the_affine_to_mni(known):
    truth, matrix = known
    brain = truth.with_data((truth.data > 0).astype(np.uint8))
    places = np.array([[0.0, 0, 0], [30, -40, 20]])
    by_hand = places @ matrix[:3, :3].T + matrix[:3, 3]
    np.testing.assert_allclose(pc.to_mni(places, matrix), by_hand)
    # the brain was cut from MNI space by this matrix: its own registration finds it again
    away = np.linalg.norm(pc.to_mni(places, pc.fit_to_mni(brain)) - by_hand, axis=1)
    assert away.max() < 1.5
    assert np.isnan(pc.to_mni(places, None)).all() and pc.to_mni([], None).shape == (0, 3)


def painted(labels):
    """T2*-like: fluid bright, grey matter brighter than white, deep nuclei dark; noise."""
    signal = np.full(256, 120.0)
    signal[[2, 41, 7, 46, 16]] = 100
    signal[[4, 43, 5, 44, 14, 15, 24]] = 170
    signal[[11, 50, 12, 51, 13, 52]] = 80
    noise = np.random.default_rng(0).normal(0, 3, labels.shape)
    return labels.with_data(np.where(labels.data, signal[labels.data] + noise, 0).astype("f4"))


def test_every_brain_voxel_gets_a_label_and_nothing_outside(known):
    truth, _ = known
    brain = truth.with_data((truth.data > 0).astype(np.uint8))
    image = painted(truth)
    labels, name = pc.parcellate(image, brain, "stand-in")
    assert name == "stand-in (elastically registered MNI atlas, not SynthSeg)"
    np.testing.assert_array_equal(labels.data > 0, brain.data > 0)
    assert (labels.data == truth.data)[brain.data > 0].mean() > 0.93
    again, _ = pc.parcellate(image, brain, "stand-in")
    np.testing.assert_array_equal(again.data, labels.data)


def test_structures_that_the_outline_does_not_tell_are_found(known):
    """The ventricles of this brain are wide: pulled apart by up to 5 mm within the outline."""
    truth, _ = known
    mm = truth.to_mm(np.argwhere(np.ones(truth.shape))).T.reshape(3, *truth.shape)
    centre = truth.to_mm(np.argwhere(np.isin(truth.data, (4, 43))).mean(0))[:, None, None, None]
    away = mm - centre
    pull = 0.3 * np.exp(-((away / np.reshape([30, 40, 20], (3, 1, 1, 1))) ** 2).sum(0) / 2)
    where = truth.to_voxels((mm - pull * away).reshape(3, -1).T).T
    where = np.clip(np.rint(where).astype(int), 0, np.array(truth.shape)[:, None] - 1)
    wide = truth.with_data(truth.data[tuple(where)].reshape(truth.shape))
    brain = wide.with_data((wide.data > 0).astype(np.uint8))
    labels = pc.register_atlas(painted(wide), brain)
    outline = pc.register_atlas(brain.with_data(brain.data.astype(np.float32)), brain)
    deep = np.isin(wide.data, (4, 43, 10, 49, 11, 50, 12, 51))
    assert (labels.data == wide.data)[deep].mean() > 0.78
    assert (outline.data == wide.data)[deep].mean() < 0.7


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
    with pytest.raises(ProgramError, match="mri_synthseg: expected the program"):
        pc.parcellate(image, brain, "synthseg")
    with pytest.raises(pc.ParcellationError, match="expected voxels > 0"):
        pc.parcellate(image, brain, "auto")
