"""BOMBS and MARS: what raters note, and where a parcellation label belongs in them.

Sources: Cordonnier et al. 2009 (BOMBS), Gregoire et al. 2009 (MARS); thesis Tables 2.1 and 4.2.
"""

from cmbkit.anatomy.atlas import SYNTHSEG_LABELS
from cmbkit.anatomy.cortical_labels import LOBE_OF_LABEL, without_areas

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

LOBE_UNSPECIFIED = "Lobe unspecified"
FORMS = {
    "bombs": {
        "Lobar": ("Cortex / Grey-White Junction", "Subcortical White Matter"),
        "Deep": ("Basal Ganglia Grey Matter", "Internal and External Capsule", "Thalamus"),
        "Posterior fossa": ("Brainstem", "Cerebellum"),
    },
    "mars": {
        "Infratentorial": ("Brainstem", "Cerebellum"),
        "Deep": (
            *("Basal Ganglia", "Thalamus", "Internal Capsule", "External Capsule"),
            *("Corpus Callosum", "Deep and Periventricular White Matter"),
        ),
        "Lobar": ("Frontal", "Parietal", "Temporal", "Occipital", "Insula", LOBE_UNSPECIFIED),
    },
}
"""Lines of the two rating forms by group.

White matter and cortex without areas are lobar on the MARS form, their lobe unspecified.
"""
GROUPINGS = {
    "thesis": {
        "Lobar": FORMS["bombs"]["Lobar"],
        "Deep": ("Basal Ganglia Grey Matter", "Thalamus", "Brainstem", "Cerebellum"),
    },
    "bombs": FORMS["bombs"],
}
"""High-level groups; the thesis puts brainstem and cerebellum in Deep, BOMBS does not."""
NOT_TOLD = frozenset(
    {
        *("Internal and External Capsule", "Internal Capsule", "External Capsule"),
        *("Corpus Callosum", "Deep and Periventricular White Matter"),
    }
)
"""Lines of the forms for which SynthSeg has no label, so that no count can be given."""

_MARS_OF_STRUCTURE = {
    **dict.fromkeys(REGIONS["Basal Ganglia Grey Matter"], "Basal Ganglia"),
    **{name: name for name in ("Thalamus", "Brainstem")},
    **dict.fromkeys(REGIONS["Cerebellum"], "Cerebellum"),
    **dict.fromkeys(("Hippocampus", "Amygdala"), "Temporal"),
    **dict.fromkeys(("Cerebral Cortex", "Cerebral White Matter"), LOBE_UNSPECIFIED),
}
_REGION_OF_STRUCTURE = {name: region for region, names in REGIONS.items() for name in names}
BOMBS_LINES = tuple(line for lines in FORMS["bombs"].values() for line in lines)
_LEFT, _RIGHT = "Left ", "Right "


def structure_of(label: int) -> str:
    """Name of a SynthSeg label without its side, e.g. ``"Thalamus"`` for 10 and 49.

    Cortical areas (1001 to 2035, option ``--parc``) are cerebral cortex. ValueError if SynthSeg has
    no such label.
    """
    return _name(label).removeprefix(_LEFT).removeprefix(_RIGHT)


def _name(label: int) -> str:
    name = SYNTHSEG_LABELS.get(without_areas(int(label)))
    if name is None:
        raise ValueError(
            f"parcellation: expected SynthSeg labels (0 to 60, areas 1001 to 2035), found {label}"
        )
    return name


def region_of(label: int) -> str:
    """BOMBS region of a SynthSeg label; `OUTSIDE` for ventricles, CSF, ventral DC, background."""
    return _REGION_OF_STRUCTURE.get(structure_of(label), OUTSIDE)


def bombs_line(words: str) -> str:
    """Line of the BOMBS form that a rater's words name, however they are spaced and cased.

    Words that name no line are returned as they are.

    Examples
    --------
    >>> bombs_line("cortex/grey-white junction")
    'Cortex / Grey-White Junction'
    """
    return next((line for line in BOMBS_LINES if _plain(line) == _plain(words)), words)


def _plain(words: str) -> str:
    return "".join(words.lower().split())


def side_of(label: int) -> str:
    """``"left"``, ``"right"`` or ``"midline"``."""
    name = _name(label)
    if name.startswith(_LEFT):
        return "left"
    return "right" if name.startswith(_RIGHT) else "midline"


def mars_region_of(label: int) -> str:
    """Line of the MARS form for a SynthSeg label; `OUTSIDE` for what is no brain tissue.

    A cortical area (option ``--parc``) tells its lobe, hippocampus and amygdala are temporal;
    for plain cortex and white matter the lobe is unspecified.
    """
    if int(label) in LOBE_OF_LABEL:
        return LOBE_OF_LABEL[int(label)]
    return _MARS_OF_STRUCTURE.get(structure_of(label), OUTSIDE)


def lines_not_seen(labels) -> list[str]:
    """Lines of both forms that a parcellation can tell, but of which it holds no voxel.

    Parameters
    ----------
    labels : iterable of int
        SynthSeg labels that occur in a scan. Lobes count only where an area of cortex occurs.
    """
    labels = {int(label) for label in labels}
    seen = {of(label) for label in labels for of in (region_of, mars_region_of)}
    told = set(_REGION_OF_STRUCTURE.values()) | set(_MARS_OF_STRUCTURE.values())
    if labels & set(LOBE_OF_LABEL):
        told |= set(LOBE_OF_LABEL.values())
    lines = dict.fromkeys(
        line for form in FORMS.values() for part in form.values() for line in part
    )
    return [line for line in lines if line in told - seen - {LOBE_UNSPECIFIED, "Temporal"}]


def group_of(region: str, grouping: str = "thesis") -> str:
    """High-level group of a BOMBS region; `OUTSIDE` stays as it is."""
    if grouping not in GROUPINGS:
        raise ValueError(f"grouping: expected one of {sorted(GROUPINGS)}, found {grouping!r}")
    groups = GROUPINGS[grouping].items()
    return next((group for group, regions in groups if region in regions), OUTSIDE)


BRAIN_LABELS = frozenset(label for label in SYNTHSEG_LABELS if region_of(label) != OUTSIDE)
"""SynthSeg labels of tissue in which a microbleed can be (facts: 23 of the 33)."""
