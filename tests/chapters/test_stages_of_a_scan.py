"""From the raw slice to the standard grid, on scans with balls at known places."""

import numpy as np
import pytest

from cmbkit.chapters.preprocessing.figures import story_rows
from cmbkit.study import Study
from cmbkit.volume import Volume

AFFINE = np.array([[-1.0, 0, 0, 25], [0, -1.0, 0, 28], [0, 0, 2.0, -24], [0, 0, 0, 1]])
SHAPE = (50, 56, 26)
BLEEDS = np.array([(18, 26, 12), (32, 30, 13)])


def write_dataset(folder, annotation):
    """An ellipsoid brain in LPS with dark balls of radius 3 mm; masks, points or none."""
    voxels = np.moveaxis(np.indices(SHAPE), 0, -1)
    inside = (((voxels - (25, 28, 13)) / (22, 25, 12)) ** 2).sum(-1) <= 1
    noise = np.random.default_rng(1).normal(0, 4, SHAPE)
    data = np.where(inside, 400 + noise, 0)
    mask = np.zeros(SHAPE, np.uint8)
    for value, bleed in enumerate(BLEEDS, 1):
        mask[(((voxels - bleed) * (1, 1, 2)) ** 2).sum(-1) <= 3**2] = value
    data[mask > 0] = 100
    place = folder / "sub-01" / "swi"
    Volume(data.astype(np.float32), AFFINE).write(place / "sub-01_swi.nii.gz")
    if annotation == "mask":
        Volume(mask, AFFINE).write(place / "sub-01_desc-cmb_dseg.nii.gz")
        return
    rows = BLEEDS if annotation == "points" else []
    lines = ["i\tj\tk", *("\t".join(map(str, bleed)) for bleed in rows)]
    (place / "sub-01_desc-cmb_points.tsv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module", params=["native", "standard"])
def rows(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("story")
    names = {"MASKED": "mask", "NONE": "none", "POINTED": "points"}
    for name, annotation in names.items():
        write_dataset(root / name, annotation)
    study = Study(
        root=root,
        profile="story",
        workers=1,
        cohort={"datasets": [], "bids": {name: name for name in names}},
        preprocessing={
            "spacing_mm": 1.0,
            "pad_voxels": 80,
            "refinement_grid": request.param,
        },
    )
    cohort, params = study.cohort, study.params.preprocessing
    rows = story_rows(cohort.table, cohort.microbleeds, cohort.by_uid, params, size_mm=15.0)
    return dict(zip(names, rows, strict=True))


def test_each_dataset_shows_its_marks_and_the_same_place_on_both_grids(rows):
    masked, nothing, pointed = rows["MASKED"], rows["NONE"], rows["POINTED"]
    assert masked.title.splitlines()[:3] == ["MASKED", "SWI, mask", "1 x 1 x 2 mm"]
    assert nothing.title.endswith("no CMB")
    assert not nothing.marks.any() and not nothing.refined.any() and not nothing.lesions.any()
    # Both balls are alike, so the first is shown: voxel (18, 26) is (31, 29) in RAS, 1 mm pixels.
    for row in (masked, pointed):
        assert row.centre_mm == pytest.approx((31.5, 29.5), abs=0.6)
        assert row.raw[31, 29] == 100
        assert row.standard.shape == (15, 15, 15) and row.lesions[7, 7, 7] > 0
        assert row.standard[7, 7, 7] < row.window[0] + 0.5 * np.ptp(row.window)
    # A disc of radius 3 has 29 pixels; of the other ball, a slice off, it is sqrt(9 - 4): 21.
    assert masked.marks.sum() == masked.refined.sum() == 29 + 21
    # The point is one pixel, and its sphere covers the middle.
    assert np.argwhere(pointed.marks).tolist() == [[31, 29]]
    sphere = pointed.refined & (np.arange(50) > 24)[:, None]
    assert sphere[31, 29] and 9 <= sphere.sum() <= 50
    assert np.argwhere(sphere).mean(axis=0) == pytest.approx((31, 29), abs=1)
