"""Configurations and small tables as pictures."""

import numpy as np
import pandas as pd

from cmbkit.plotting.config_panels import configuration_panel, data_configuration


def test_configuration_is_written_out(readable, words):
    config = {"patch_size": [96, 96, 96], "normalization": {"epsilon": 1e-5}, "l2": 1e-5}
    figure = readable(configuration_panel(config))
    assert "patch_size = [96, 96, 96]\nnormalization:\n  epsilon = 1e-05" in words(figure)


def test_table_is_written_cell_by_cell(readable):
    table = pd.DataFrame({"Column": ["Dataset"] * 5, "Share": np.linspace(0, 1, 5)})
    figure = readable(data_configuration(table))
    cells = figure.axes[0].tables[0].get_celld()
    assert [cells[row, 0].get_text().get_text() for row in range(6)] == ["Column"] + 5 * ["Dataset"]
    assert cells[2, 1].get_text().get_text() == "0.25"
