"""Curves against slice thickness."""

import pandas as pd

from cmbkit.plotting.slice_thickness import thickness_curves


def test_each_factor_has_its_column_and_each_level_its_line(readable, words):
    rows = [
        {"factor": factor, "level": level, "thickness_mm": mm, "recall": 0.5, "recall_low": 0.3,
         "recall_high": 0.7, "fp_scan": 1.0, "fp_scan_low": 0.2, "fp_scan_high": 2.0}
        for factor, levels in {"radius": (2.0, 1.5), "count": (24.0,)}.items()
        for level in levels
        for mm in (1.0, 3.0, 6.0)
    ]  # fmt: skip
    titles = {"radius": "Radius (mm)", "count": "CMBs per brain"}
    figure = readable(thickness_curves(pd.DataFrame(rows), titles, synthetic=True))
    assert len(figure.axes) == 4
    assert [len(axes.lines) for axes in figure.axes] == [2, 1, 2, 1]
    assert figure.axes[0].lines[0].get_ls() == "-" and figure.axes[0].lines[1].get_ls() == "--"
    for text in ("2 (base)", "1.5", "24 (base)", "Slice thickness (mm)", "Radius (mm)"):
        assert text in words(figure)
