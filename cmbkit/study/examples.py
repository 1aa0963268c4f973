"""Which scans and microbleeds the notebooks show: chosen by rule from the tables, not by hand."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cmbkit.features.intensity import SHELL_MM, intensity_features
from cmbkit.records import StandardScan


def clearest_microbleed(standard: StandardScan) -> tuple[int, float] | None:
    """The annotated CMB that stands out most from its surroundings; None for a scan without.

    Returns
    -------
    id : int
    contrast : float
        See `cmbkit.features.intensity.intensity_features`.
    """
    image, lesions = standard.image(), standard.lesions().data
    outside, reach = standard.brain().data == 0, np.ceil(SHELL_MM / image.spacing).astype(int)
    found = []
    for id, box in enumerate(ndimage.find_objects(lesions), 1):
        if box is None:
            continue
        pairs = zip(box, reach, strict=True)
        near = tuple(slice(max(0, part.start - n), part.stop + n) for part, n in pairs)
        others = outside[near] | (lesions[near] > 0)
        of_one = intensity_features(image.data[near], lesions[near] == id, others, image.spacing)
        if np.isfinite(of_one["contrast"]):
            found.append((id, of_one["contrast"]))
    return max(found, key=lambda one: one[1], default=None)
