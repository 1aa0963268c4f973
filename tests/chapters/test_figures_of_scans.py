"""Pieces of one small scan with two microbleeds, as Figures 7.5 and 8.1 to 8.3 show them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cmbkit.chapters import evaluation, preprocessing, subgroup_analysis
from cmbkit.chapters.crops import acquired, centre_of_label, middle, rows_around
from cmbkit.chapters.preprocessing.figures import _on_raw_image
from cmbkit.chapters.subgroup_analysis.figures import _pair
from cmbkit.records import Acquisition, Annotation, Scan, StandardScan
from cmbkit.volume import Volume

SHAPE, AFFINE = (40, 30, 30), np.diag([0.5, 0.5, 0.5, 1.0])


def cubes(*corners, side=3):
    labels = np.zeros(SHAPE, np.uint16)
    for label, (i, j, k) in enumerate(corners, 1):
        labels[i : i + side, j : j + side, k : k + side] = label
    return Volume(labels, AFFINE)


@pytest.fixture
def standard(tmp_path):
    """Annotated: cubes around voxels (11, 11, 11) and (31, 21, 21); acquired with 4 mm slices."""
    acquisition = Acquisition((0.45, 0.45), 4.0)
    scan = Scan("DOU", "1", "07", "SWI", Path("x"), Annotation("none"), acquisition)
    standard = StandardScan(scan, tmp_path)
    lesions = cubes((10, 10, 10), (30, 20, 20))
    lesions.write(standard.lesions_path)
    image = np.where(lesions.data > 0, -3, 0).astype(np.float32)
    Volume(image, AFFINE).write(standard.image_path)
    return standard


def candidates(model, standard):
    """Both models find the first CMB, one voxel off; a false positive at the far end."""
    return cubes((11, 10, 10), (2, 24, 24))


MATCHES = pd.DataFrame(
    {
        "uid": "DOU-07",
        "match": ["TP", "TP", "FN", "FP"],
        "model": ["scratch", "tl", "scratch", "scratch"],
        "gt_id": [1, 1, 2, np.nan],
        "pred_id": [1, 1, np.nan, 2],
        "dice": [2 / 3, 0.5, np.nan, np.nan],
        "score": [0.9, 0.8, np.nan, 0.7],
        "probability": np.nan,
        "sequence": "SWI",
        "slice_thickness_mm": 4.0,
        "gt_region": ["Thalamus", "Thalamus", "Cerebellum", None],
        "gt_n_voxels": [27, 27, 27, np.nan],
        "gt_radius_mm": [0.93, 0.93, 0.93, np.nan],
        "gt_inv_elongation": [1.0, 1.0, 1.0, np.nan],
    }
)


def words(figure):
    from matplotlib.text import Text

    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_pieces_are_centred_and_reach_15_mm(standard):
    rows = rows_around(standard, (11, 11, 11), {"tl": candidates("tl", standard)}, size_mm=10)
    assert [label for label, *_ in rows] == ["Raw", "Annotated", "tl"]
    assert middle(rows) == (10, 10, 10)
    raw, annotated = rows[0][1], rows[1][2]["annotated"]
    assert raw.shape == (20, 20, 20) and raw[10, 10, 10] == -3
    assert annotated.sum() == 27 and annotated[9:12, 9:12, 9:12].all()
    assert centre_of_label(standard.lesions(), 2) == (31, 21, 21)
    assert acquired(standard.scan) == "SWI, 0.45 x 0.45 mm pixels, 4 mm slices"


def test_figure_7_5_names_place_and_dice(standard):
    rows = evaluation.largest_difference(MATCHES, ["scratch", "tl"])
    text = words(evaluation.figure_7_5(rows, {"DOU-07": standard}, candidates))
    assert "DOU-07 (SWI, 0.45 x 0.45 mm pixels, 4 mm slices)" in text
    assert "Thalamus, 27 voxels annotated; Dice: Scratch 0.67, TL 0.50" in text
    assert "every model" in words(evaluation.figure_7_5(rows.iloc[:0], {}, candidates))


def test_figures_8_1_and_8_2_name_what_they_are_sorted_by(standard):
    scans = {"DOU-07": standard}
    matches = MATCHES.assign(dataset="DOU")
    rows = subgroup_analysis.examples(matches, "FP", "DOU", model="scratch")
    assert "DOU-07, score 0.7" in words(subgroup_analysis.figure_8_1(rows, scans, candidates))
    rows = subgroup_analysis.examples(matches, "FN", "DOU", model="scratch")
    assert "inverse elongation 1.00" in words(subgroup_analysis.figure_8_2(rows, scans, candidates))
    assert "No missed" in words(subgroup_analysis.figure_8_2(rows.iloc[:0], scans, candidates))


def test_a_pair_lies_in_one_box_and_a_missed_one_is_alone(standard):
    """One voxel apart along x: 4 x 3 x 3 voxels, with a margin of 1."""
    found, _, missed = list(MATCHES.iloc[:3].itertuples())
    truth, predicted, spacing, radius = _pair(found, standard, candidates)
    assert truth.shape == predicted.shape == (6, 5, 5) and (truth & predicted).sum() == 18
    assert (spacing, radius) == (0.5, 0.93)
    truth, predicted, *_ = _pair(missed, standard, candidates)
    assert truth.shape == (5, 5, 5) and predicted is None


@pytest.fixture
def raw_and_standard(standard):
    """The scan with its raw image, LPS, of 2 mm slices and bright beyond 10 mm to the left."""
    affine = np.diag([-1.0, -1.0, 2.0, 1.0])
    affine[:3, 3] = 19, 14, 0
    data = np.ones((20, 15, 8), np.float32)
    data[10:] = 100  # x of 9 mm and less
    scan = replace(standard.scan, image=standard.folder / "raw.nii.gz")
    Volume(data, affine).write(scan.image)
    made = StandardScan(scan, standard.folder)
    brain = np.zeros(SHAPE, np.uint8)
    brain[4:36, 4:26, 4:26] = 1
    Volume(brain, AFFINE).write(made.brain_path)
    Volume(brain * np.uint8(2), AFFINE).write(made.labels_path)
    methods = {"brain_mask": "stand-in A", "parcellation": "stand-in B"}
    made.record_path.write_text(json.dumps({"methods": methods}))
    return made


def test_figure_s5_names_what_made_mask_and_regions(raw_and_standard):
    table = pd.DataFrame({"uid": ["DOU-07"], "dataset": "DOU"})
    figure = preprocessing.figure_s55(table, {"DOU-07": raw_and_standard})
    assert "DOU-07, SWI\nBrain mask: stand-in A; regions: stand-in B" in words(figure)
    assert "Cerebral White Matter" in words(figure)
    assert "No scan in this run" in words(preprocessing.figure_s55(table.iloc[:0], {}))


def test_raw_image_brain_and_regions_are_shown_on_one_grid_in_mm(raw_and_standard):
    """Brain voxels 4 to 35 of 0.5 mm: 2 to 17.5 mm; the raw image is dark from 10 mm on."""
    image, brain, labels = _on_raw_image(raw_and_standard)
    assert image.orientation == "RAS" and image.spacing.tolist() == [1, 1, 1]
    inside = brain.to_mm(np.argwhere(brain.data))
    assert (inside[:, 0].min(), inside[:, 0].max()) == (2, 17)
    assert set(labels.data[brain.data > 0]) == {2}
    bright = image.to_mm(np.argwhere(image.data == 100))
    assert bright[:, 0].max() == 9


def test_view_of_the_real_scan_holds_its_brain_in_coarse_voxels(raw_and_standard):
    view = evaluation.real_scan_view(raw_and_standard)
    page = view.get_standalone()
    assert "brainsprite" in page and len(page) < 1_500_000
