"""The real scan of the demo: where lesions are implanted."""

import numpy as np

from cmbkit.study.real_scan import implant_places
from cmbkit.volume import Volume


def test_implants_keep_8_mm_off_the_border_of_an_image_that_is_all_brain(monkeypatch):
    """Voxels of 1 mm: index 8 is the first whose middle is 9 mm from the middle of voxel -1."""
    image = Volume(np.ones((40, 40, 40), np.float32), np.eye(4))
    monkeypatch.setattr("cmbkit.anatomy.brain_mask.brain_mask", lambda image: (image, "all"))
    places = implant_places(image, 4, seed=1)
    assert places.shape == (4, 3) and places.min() >= 8 and places.max() <= 31
    apart = np.linalg.norm(places[:, None] - places, axis=-1) + 99 * np.eye(4)
    assert apart.min() >= 15
