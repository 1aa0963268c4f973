"""Which CMB stands out most."""

from types import SimpleNamespace

import numpy as np

from cmbkit.features.clearest import clearest_in_thin_slices, clearest_microbleed
from cmbkit.volume import Volume


def volumes(image, lesions, brain):
    return [Volume(data, np.eye(4)) for data in (image, lesions, brain)]


def scan_of(parts, thickness_mm):
    image, lesions, brain = volumes(*parts)
    return SimpleNamespace(
        image=lambda: image,
        lesions=lambda: lesions,
        brain=lambda: brain,
        scan=SimpleNamespace(acquisition=SimpleNamespace(slice_thickness_mm=thickness_mm)),
    )


def arrays():
    image = np.zeros((30, 20, 20), np.float32)
    lesions, brain = np.zeros(image.shape, np.uint16), np.ones(image.shape, np.uint8)
    image[:15] = -4.0  # the darkest voxels of all, but hardly darker than what is around them
    image[5:8, 8:11, 8:11], lesions[5:8, 8:11, 8:11] = -4.5, 1
    image[22:25, 8:11, 8:11], lesions[22:25, 8:11, 8:11] = -2.0, 3
    image[26:], brain[26:] = 50.0, 0  # within 2 mm, but outside the brain
    return image, lesions, brain


def test_the_clearest_microbleed_is_the_darkest_against_its_own_surroundings():
    image, lesions, brain = arrays()
    assert clearest_microbleed(*volumes(image, lesions, brain)) == (3, 2.0)
    assert clearest_microbleed(*volumes(image, 0 * lesions, brain)) is None


def test_thin_slices_come_first_if_they_show_a_microbleed():
    image, lesions, brain = arrays()
    thin = scan_of((image, 0 * lesions, brain), 0.5)
    middle, thick = (scan_of((image, lesions, brain), mm) for mm in (1.0, 5.0))
    assert clearest_in_thin_slices([thick, middle, thin]) == (middle, 3)
    assert clearest_in_thin_slices([thin]) is None
