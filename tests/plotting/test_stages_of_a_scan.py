"""Figure S53: every close view in mm, with its bar, where the frame says."""

import numpy as np
import pytest
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from cmbkit.plotting.stages_of_a_scan import StoryRow, story_figure


def test_all_rows_are_drawn_to_one_scale_in_mm(readable, drawn):
    empty, ball = np.zeros((60, 40), bool), np.zeros((16, 16, 16))
    marks = empty.copy()
    marks[30:33, 20] = True
    ball[6:10, 6:10, 6:10] = 1
    image = np.random.default_rng(0).normal(size=(60, 40))
    standard = np.random.default_rng(0).normal(size=(16, 16, 16))
    shared = (standard, ball, 1.5, (-2.0, 2.0))
    rows = [
        StoryRow("CRB\nT2S, scribbles", image, marks, marks, (2.0, 3.0), (63.0, 61.5), *shared),
        StoryRow("CRBneg\nno CMB", image, empty, empty, (2.0, 3.0), (60.0, 60.0), *shared),
    ]
    figure = readable(story_figure(rows))
    grid = np.reshape(drawn(figure), (2, 6))
    whole, close = grid[0, 0], grid[0, 1]
    assert whole.get_xlim() == (0, 120) and whole.get_ylim() == (0, 120)
    assert whole.patches[-1].get_bbox().bounds == pytest.approx((51, 49.5, 24, 24))
    assert close.get_xlim() == pytest.approx((51, 75)) and close.get_ylim() == (49.5, 73.5)
    widths = [np.ptp(axes.get_xlim()) for axes in grid[:, 1:].ravel()]
    assert widths == pytest.approx([24] * 10)
    offsets = [child for child in close.get_children() if isinstance(child, AnchoredSizeBar)]
    assert [bar.txt_label.get_text() for bar in offsets] == ["5mm"]
    assert "none" in [text.get_text() for text in grid[1, 1].texts]
    with pytest.raises(ValueError, match="found none"):
        story_figure([])
