"""Regions and groups against the thesis's Table 4.2 and the label lists."""

import pytest

from cmbkit.anatomy.atlas import SYNTHSEG_LABELS
from cmbkit.anatomy.rating_scales import (
    BRAIN_LABELS,
    OUTSIDE,
    group_of,
    lines_not_seen,
    region_of,
    side_of,
)


def test_posterior_fossa_is_a_group_of_bombs_alone():
    assert group_of("Cerebellum", "bombs") == group_of("Brainstem", "bombs") == "Posterior fossa"
    assert group_of("Cerebellum", "thesis") == "Deep"
    with pytest.raises(ValueError, match="expected one of"):
        group_of("Cerebellum", "mars")


@pytest.mark.parametrize("label", [0, 4, 43, 5, 44, 14, 15, 24, 28, 60])
def test_fluid_ventral_dc_and_background_are_outside(label):
    assert region_of(label) == OUTSIDE and label not in BRAIN_LABELS


def test_sides():
    assert [side_of(label) for label in (10, 49, 16)] == ["left", "right", "midline"]
    assert len(BRAIN_LABELS) == 23


def test_lines_not_seen_are_those_without_a_voxel():
    """White matter and cortex of both sides and a pallidum, as in a slab above the thalamus."""
    assert lines_not_seen([0, 2, 3, 41, 42, 13]) == ["Thalamus", "Brainstem", "Cerebellum"]
    assert lines_not_seen(SYNTHSEG_LABELS) == []
    assert {"Parietal", "Occipital", "Insula"} < set(lines_not_seen([2, 3, 1028]))
