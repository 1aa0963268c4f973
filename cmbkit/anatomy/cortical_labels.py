"""Cortical labels of SynthSeg's option ``--parc``, and the lobe that each belongs to.

The Desikan-Killiany-Tourville areas carry 1000 + number on the left and 2000 + number on the
right; the lobes follow FreeSurfer's list. The cingulate areas go to frontal (front half) and
parietal (back half).
"""

_AREAS = {
    "Frontal": (2, 3, 12, 14, 17, 18, 19, 20, 24, 26, 27, 28, 32),
    "Parietal": (8, 10, 22, 23, 25, 29, 31),
    "Temporal": (1, 6, 7, 9, 15, 16, 30, 33, 34),
    "Occipital": (5, 11, 13, 21),
    "Insula": (35,),
}
LOBE_OF_LABEL = {
    side + area: lobe for lobe, areas in _AREAS.items() for area in areas for side in (1000, 2000)
}
"""Lobe of each of the 68 cortical labels."""


def without_areas(label: int) -> int:
    """SynthSeg's plain cortex, 3 or 42, for a cortical area; other labels as they are."""
    if label in LOBE_OF_LABEL:
        return 3 if label < 2000 else 42
    return int(label)
