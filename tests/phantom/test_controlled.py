"""One brain scanned again: what is not varied stays."""

from dataclasses import replace

import numpy as np
import pytest

from cmbkit.phantom.controlled import Condition, ControlledBrain, Physics

SETTING = Condition(thickness_mm=2.0, radius_mm=2.0, contrast=0.8, count=4)


@pytest.fixture(scope="module")
def brain():
    return ControlledBrain((5, 90, 0), 4, 2.0, slab_mm=40.0)


@pytest.fixture(scope="module")
def base(brain):
    return brain.scan(SETTING, 1.2)


def test_places_stay_apart_within_the_slab_whatever_the_slices(brain, base):
    image, centres = base
    thick, same = brain.scan(replace(SETTING, thickness_mm=6.0), 1.2)
    np.testing.assert_array_equal(centres, same)
    assert image.spacing == pytest.approx([1.2, 1.2, 2]) and thick.spacing[2] == pytest.approx(6)
    low, high = brain.slab
    assert high - low == pytest.approx(40)
    assert (centres[:, 2] >= low + 6).all() and (centres[:, 2] <= high - 6).all()
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2)[np.triu_indices(4, 1)]
    assert gaps.min() > 7  # 10 mm apart in the template, a little else in the patient


def test_one_microbleed_less_changes_the_image_around_it_alone(brain, base):
    image, centres = base
    fewer, kept = brain.scan(replace(SETTING, count=3), 1.2)
    np.testing.assert_array_equal(kept, centres[:3])
    changed = image.to_mm(np.argwhere(image.data != fewer.data)) - centres[3]
    assert len(changed) > 10
    assert np.abs(changed).max() < 2 * 2.0 + 0.5 + 2.0  # drawing, and half a voxel each way
    assert image.data.sum() < fewer.data.sum()


def test_thick_slices_dilute_the_signal_loss_but_keep_its_amount(brain):
    """A ball of 2 mm fills a slice of 1 mm and a third of one of 6 mm."""
    deepest, lost = [], []
    for thickness in (1.0, 6.0):
        scans = [
            brain.scan(replace(SETTING, thickness_mm=thickness, count=count), 1.2)[0]
            for count in (0, 1)
        ]
        share = 1 - scans[1].data / np.maximum(scans[0].data, 1)
        share[scans[0].data == 0] = 0
        deepest.append(share.max())
        lost.append(share.sum() * scans[0].voxel_volume_mm3)
    assert deepest[0] > 0.6 > deepest[1]
    assert lost[1] == pytest.approx(lost[0], rel=0.35)  # noise, and tissue is not even


def test_more_microbleeds_than_places_is_an_error(brain):
    with pytest.raises(ValueError, match="count: expected at most 4, found 5"):
        brain.scan(replace(SETTING, count=5), 1.2)


def test_the_physical_model_averages_complex_signal_or_magnitudes_which_agree_at_1_mm(brain):
    """In thick slices a bleed of 1 ppm stays darker where complex signal is summed (`slices`)."""

    def scan(averaging, thickness):
        setting = replace(SETTING, thickness_mm=thickness)
        image, centres = brain.scan(setting, 1.2, Physics(averaging, 3.0, 20.0))
        return image.data, image.data[tuple(np.rint(image.to_voxels(centres)).astype(int).T)].mean()

    thin, dark = scan("complex", 1.0)
    np.testing.assert_array_equal(thin, scan("magnitude", 1.0)[0])
    assert dark < 0.4 * 400  # white matter
    assert scan("complex", 4.0)[1] < 0.85 * scan("magnitude", 4.0)[1]
    with pytest.raises(ValueError, match="averaging: expected one of"):
        brain.scan(SETTING, 1.2, Physics("mean"))
