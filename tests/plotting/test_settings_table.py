"""A small table as a picture."""

import pandas as pd

from cmbkit.plotting.settings_table import settings_table


def test_table_is_written_cell_by_cell(readable):
    table = pd.DataFrame({"Column": ["Dataset"] * 5, "Share": ["0", "0.25", "0.5", "0.75", "1"]})
    figure = readable(settings_table(table))
    cells = figure.axes[0].tables[0].get_celld()
    assert [cells[row, 0].get_text().get_text() for row in range(6)] == ["Column"] + 5 * ["Dataset"]
    assert cells[2, 1].get_text().get_text() == "0.25"
