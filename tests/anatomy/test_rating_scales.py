"""Regions and groups against the thesis's Table 4.2 and the label lists."""

import pytest

from cmbkit.anatomy.rating_scales import (
    BRAIN_LABELS,
    OUTSIDE,
    group_of,
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
