"""Where in the brain a microbleed is: the rule of section 4.9.3."""

from collections import Counter

import numpy as np

from cmbkit.anatomy.cortical_labels import LOBE_OF_LABEL, without_areas
from cmbkit.anatomy.rating_scales import (
    BRAIN_LABELS,
    LOBE_UNSPECIFIED,
    group_of,
    mars_region_of,
    region_of,
    side_of,
)

CORTEX, WHITE_MATTER = {3: 2, 42: 41}, {2, 41}


def assign_label(values) -> int:
    """SynthSeg label of a lesion from the labels of its voxels.

    The label with the most voxels wins; background never does, labels that are no brain tissue
    only when no other is there. Where cortex wins but white matter is present, white matter
    is taken (of the same side if both are). Ties go to the smaller number. Cortical areas
    (option ``--parc``) count together as the cortex of their side.

    ``values`` (array-like of int): parcellation labels of the lesion's voxels.

    Returns
    -------
    int
        0 when there is only background.

    Raises
    ------
    ValueError
        If a label is not one of SynthSeg's.
    """
    found: Counter[int] = Counter()
    for label, count in _counts(values).items():
        plain = without_areas(label)
        region_of(plain)  # refuses labels that SynthSeg does not have
        found[plain] += count
    del found[0]
    chosen = {label: count for label, count in found.items() if label in BRAIN_LABELS} or found
    top = min(chosen, key=lambda label: (-chosen[label], label), default=0)
    present = WHITE_MATTER & set(chosen) if top in CORTEX else set()
    if present:
        return CORTEX[top] if CORTEX[top] in present else present.pop()
    return top


def mars_region(values) -> str:
    """Line of the MARS form for a lesion.

    The lesion's label is that of `assign_label`. Its lobe, where cortex or white matter is
    chosen, is that of the cortical area with most voxels in the lesion, on the same side.
    """
    label = assign_label(values)
    line = mars_region_of(label)
    if line == LOBE_UNSPECIFIED:
        areas = {
            area: count
            for area, count in _counts(values).items()
            if area in LOBE_OF_LABEL and side_of(area) == side_of(label)
        }
        if areas:
            return LOBE_OF_LABEL[min(areas, key=lambda area: (-areas[area], area))]
    return line


def location_features(values, grouping: str = "thesis") -> dict[str, str]:
    """BOMBS region, high-level group, side and MARS region of a lesion (see `assign_label`)."""
    label = assign_label(values)
    region = region_of(label)
    return {
        "region": region,
        "group": group_of(region, grouping),
        "side": side_of(label),
        "mars_region": mars_region(values),
    }


def _counts(values) -> dict[int, int]:
    labels, counts = np.unique(np.asarray(values).ravel(), return_counts=True)
    return {int(label): int(count) for label, count in zip(labels, counts, strict=True)}
