"""The drawings say what the thesis prints."""

import numpy as np
import pytest

from cmbkit.plotting import diagrams


@pytest.fixture
def thesis_levels():
    filters = [32, 64, 128, 256, 320]
    sides = [("encoder", d, [f] * 3) for d, f in enumerate(filters)]
    sides += [("bottom", 5, [320] * 2)]
    sides += [("decoder", d, [filters[d]] * 2) for d in range(4, -1, -1)]
    sides += [("head", 0, [2])]
    return [
        {"side": s, "depth": d, "size": [96 // 2**d] * 3, "filters": f, "strides": [1] * len(f)}
        for s, d, f in sides
    ]


def test_network_of_the_thesis(thesis_levels, readable, words):
    shown = [("Published", thesis_levels, 36_302_116), ("This run", thesis_levels, 1000)]
    figure = readable(diagrams.network_diagrams(shown))
    said = words(figure)
    assert "Published: 5 levels, 28 convolutions, 36,302,116 parameters" in said
    assert "This run: 5 levels, 28 convolutions, 1,000 parameters" in said
    assert "3×320\n6³" in said and "2×320\n3³" in said and "MRI patch\n96³" in said
    for axes in figure.axes:  # one rectangle per convolution, and two volumes
        rectangles = [p for p in axes.patches if hasattr(p, "get_width")]
        assert len(rectangles) == 28 + 2


def test_tiles_of_the_thesis(readable, words):
    """Slices 30 to 100 cross the patches that begin at 30 and at 5, not the one from 130."""
    starts = np.array([0, 57, 114, 171, 228, 285, 304])
    tiles = np.array(np.meshgrid(starts, starts, starts)).reshape(3, -1).T
    boxes = [((10, 20, 30), True), ((100, 120, 130), False), ((5, 5, 5), False)]
    image = np.zeros((400, 400, 140), np.float32)
    figure = readable(
        diagrams.patch_sampling(image, 0.5, (96,) * 3, boxes, tiles, lesions=[(50, 60, 70)])
    )
    said = words(figure)
    assert "3 random patches of 96³ voxels (48³ mm)" in said and "343 tiles" in said
    assert "1 placed on a CMB, 2 anywhere" in said
    assert "share 39 voxels along x (41 %)" in said
    drawn = [patch.get_xy() for patch in figure.axes[0].patches]
    assert drawn == [(2.5, 2.5), (5, 10)]  # mm


def test_workflow_names_both_tracks_and_the_datasets(readable, words):
    figure = readable(diagrams.workflow())
    said = words(figure)
    assert "Scratch-PreTrained" in said and "TL-PreTrained-\nFineTuned" in said
    assert "CRBneg" in said and "CRB, DOU, Valid" in said
