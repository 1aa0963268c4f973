"""Levels of what a scan holds."""

from cmbkit.records import cmb_level


def test_levels_of_section_7_1_2_1():
    assert [cmb_level(n) for n in (0, 1, 2, 3, 40)] == ["none", "low", "low", "high", "high"]
