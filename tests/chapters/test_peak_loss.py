"""One bleed by slice thickness: the table, and its picture."""

import pytest

from cmbkit.chapters.subgroup_analysis import figure_peak_loss, table_peak_loss


def test_a_complex_sum_keeps_more_of_the_loss_than_averaged_magnitudes():
    table = table_peak_loss()
    assert len(table) == 24
    at = table.set_index(["tesla", "te_ms", "thickness_mm"])
    row = at.loc[(3.0, 20.0, 6.0)]  # 0.515 of 0.935, and 0.246 of 0.935
    assert row["kept_complex"] == pytest.approx(0.551, abs=0.02)
    assert row["kept_averaged"] == pytest.approx(0.263, abs=0.02)
    assert (at["complex_sum"] >= at["averaged"] - 0.01).all()
    panels = figure_peak_loss(table).axes
    assert [axes.get_title() for axes in panels] == ["1.5 T", "3 T"]
