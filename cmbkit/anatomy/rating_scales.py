"""BOMBS and MARS: what raters note, and where a parcellation label belongs in them.

Sources: Cordonnier et al. 2009 (BOMBS), Gregoire et al. 2009 (MARS); thesis Tables 2.1 and 4.2.
"""

from __future__ import annotations

import pandas as pd

from cmbkit.anatomy.atlas import SYNTHSEG_LABELS

REGIONS = {
    "Cortex / Grey-White Junction": ("Cerebral Cortex", "Hippocampus", "Amygdala"),
    "Subcortical White Matter": ("Cerebral White Matter",),
    "Basal Ganglia Grey Matter": ("Caudate", "Putamen", "Pallidum", "Accumbens Area"),
    "Thalamus": ("Thalamus",),
    "Brainstem": ("Brainstem",),
    "Cerebellum": ("Cerebellum Cortex", "Cerebellum White Matter"),
}
"""BOMBS regions that SynthSeg labels can tell, and the structures in each (Table 4.2).

The internal and external capsules have no SynthSeg label.
"""

OUTSIDE = "Outside brain tissue"
GROUPINGS = {
    "thesis": {
        "Lobar": ("Cortex / Grey-White Junction", "Subcortical White Matter"),
        "Deep": ("Basal Ganglia Grey Matter", "Thalamus", "Brainstem", "Cerebellum"),
    },
    "bombs": {
        "Lobar": ("Cortex / Grey-White Junction", "Subcortical White Matter"),
        "Deep": ("Basal Ganglia Grey Matter", "Thalamus"),
        "Posterior fossa": ("Brainstem", "Cerebellum"),
    },
}
"""High-level groups; the thesis puts brainstem and cerebellum in Deep, BOMBS does not."""

_REGION_OF_STRUCTURE = {name: region for region, names in REGIONS.items() for name in names}
_LEFT, _RIGHT = "Left ", "Right "


def structure_of(label: int) -> str:
    """Name of a SynthSeg label without its side, e.g. ``"Thalamus"`` for 10 and 49."""
    return SYNTHSEG_LABELS.get(int(label), "").removeprefix(_LEFT).removeprefix(_RIGHT)


def region_of(label: int) -> str:
    """BOMBS region of a SynthSeg label; `OUTSIDE` for ventricles, CSF, ventral DC, background."""
    return _REGION_OF_STRUCTURE.get(structure_of(label), OUTSIDE)


def side_of(label: int) -> str:
    """``"left"``, ``"right"`` or ``"midline"``."""
    name = SYNTHSEG_LABELS.get(int(label), "")
    if name.startswith(_LEFT):
        return "left"
    return "right" if name.startswith(_RIGHT) else "midline"


def group_of(region: str, grouping: str = "thesis") -> str:
    """High-level group of a BOMBS region; `OUTSIDE` stays as it is.

    Parameters
    ----------
    grouping : {"thesis", "bombs"}
    """
    if grouping not in GROUPINGS:
        raise ValueError(f"grouping: expected one of {sorted(GROUPINGS)}, found {grouping!r}")
    for group, regions in GROUPINGS[grouping].items():
        if region in regions:
            return group
    return OUTSIDE


BRAIN_LABELS = frozenset(label for label in SYNTHSEG_LABELS if region_of(label) != OUTSIDE)
"""SynthSeg labels of tissue in which a microbleed can be (facts: 23 of the 33)."""


def table_2_1() -> pd.DataFrame:
    """What BOMBS and MARS ask a rater to note (Table 2.1)."""
    rows = [
        ("Certainty", "certain; uncertain", "definite; possible"),
        ("Size", "under 5 mm; 5 to 10 mm", "not asked"),
        ("Side", "left; right", "left; right"),
        (
            "Location: lobar",
            "cortex or grey-white junction; subcortical white matter",
            "frontal; parietal; temporal; occipital; insula",
        ),
        (
            "Location: deep",
            "basal ganglia; internal and external capsule; thalamus",
            "basal ganglia; internal capsule; external capsule; thalamus; corpus callosum; "
            "deep and periventricular white matter",
        ),
        (
            "Location: below the tentorium",
            "posterior fossa: brainstem; cerebellum",
            "infratentorial: brainstem; cerebellum",
        ),
    ]
    return pd.DataFrame(rows, columns=["Category", "BOMBS", "MARS"])


def table_4_2() -> pd.DataFrame:
    """SynthSeg structures of each BOMBS region, with both ways to group regions (Table 4.2)."""
    rows = [
        {
            "bombs_region": region,
            "group (thesis's tables)": group_of(region, "thesis"),
            "group (BOMBS)": group_of(region, "bombs"),
            "structures": ", ".join(structures),
            "SynthSeg labels": ", ".join(
                str(label) for label in SYNTHSEG_LABELS if structure_of(label) in structures
            ),
        }
        for region, structures in REGIONS.items()
    ]
    return pd.DataFrame(rows)
