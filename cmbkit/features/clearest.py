"""Which microbleed of a scan stands out most: the one to look at."""

from collections.abc import Iterable

import numpy as np

from cmbkit.boxes import widened
from cmbkit.features.intensity import SHELL_MM, intensity_features
from cmbkit.preprocessing.grid import label_boxes
from cmbkit.records import StandardScan
from cmbkit.volume import Volume


def clearest_microbleed(image: Volume, lesions: Volume, brain: Volume) -> tuple[int, float] | None:
    """The CMB that stands out most from its surroundings, which voxels outside the brain are not.

    Returns
    -------
    (id, contrast) : int, float
        In the image's units (`cmbkit.features.intensity.intensity_features`); None without a CMB
        that has surroundings. Of equals the first.
    """
    outside, labels = brain.data == 0, lesions.data
    reach = np.ceil(SHELL_MM / image.spacing).astype(int)
    found = []
    for id, box in label_boxes(labels):
        near = widened(box, reach, labels.shape)
        others = outside[near] | (labels[near] > 0)
        of_one = intensity_features(image.data[near], labels[near] == id, others, image.spacing)
        if np.isfinite(of_one["contrast"]):
            found.append((id, of_one["contrast"]))
    return max(found, key=lambda one: one[1], default=None)


def clearest_of(standard: StandardScan) -> tuple[int, float] | None:
    """`clearest_microbleed` of a scan on the standard grid."""
    return clearest_microbleed(standard.image(), standard.lesions(), standard.brain())


def clearest_in_thin_slices(scans: Iterable[StandardScan]) -> tuple[StandardScan, int] | None:
    """Of the scan with the thinnest slices that has a CMB, the scan and its clearest CMB."""
    for standard in sorted(scans, key=lambda scan: scan.scan.acquisition.slice_thickness_mm):
        clearest = clearest_of(standard)
        if clearest is not None:
            return standard, clearest[0]
    return None
