"""Where in the brain a microbleed is: the rule of section 4.9.3."""

from __future__ import annotations

import numpy as np

from cmbkit.anatomy.rating_scales import BRAIN_LABELS, group_of, region_of, side_of

CORTEX, WHITE_MATTER = {3: 2, 42: 41}, {2, 41}


def assign_label(values) -> int:
    """SynthSeg label of a lesion from the labels of its voxels.

    The label with the most voxels wins; background never does, labels that are no brain tissue
    only when no other is there. Where cortex wins but white matter is present, white matter
    is taken (of the same side if both are). Ties go to the smaller number.

    Parameters
    ----------
    values : array-like of int
        Parcellation labels of the lesion's voxels.

    Returns
    -------
    int
        0 when there is only background.
    """
    labels, counts = np.unique(np.asarray(values).ravel(), return_counts=True)
    found = {int(n): int(c) for n, c in zip(labels, counts, strict=True) if n != 0}
    tissue = {label: count for label, count in found.items() if label in BRAIN_LABELS}
    chosen = tissue or found
    if not chosen:
        return 0
    top = min(chosen, key=lambda label: (-chosen[label], label))
    if top in CORTEX:
        same_side = CORTEX[top]
        present = WHITE_MATTER & set(chosen)
        if present:
            return same_side if same_side in present else present.pop()
    return top


def location_features(values, grouping: str = "thesis") -> dict[str, str]:
    """BOMBS region, high-level group and side of a lesion (see `assign_label`)."""
    label = assign_label(values)
    region = region_of(label)
    return {"region": region, "group": group_of(region, grouping), "side": side_of(label)}
