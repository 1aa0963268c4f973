"""Tiny outputs of other tools, made as their documentation says, against one annotation.

The annotated scan has microbleeds at voxels (5, 6, 7) and (20, 6, 7) of a 1 x 1 x 2 mm grid; every
tool finds the first and invents one at (30, 6, 7).
"""

import json

import numpy as np
import pytest

from cmbkit.scoring import layouts
from cmbkit.scoring.annotations import AnnotationError, read_mask
from cmbkit.scoring.pairing import PairingError, list_files, pair_files
from cmbkit.scoring.run import evaluate_files
from cmbkit.volume import Volume, VolumeError

AFFINE = np.array([[-1.0, 0, 0, 40], [0, -1, 0, 50], [0, 0, 2, -10], [0, 0, 0, 1]])  # LPS
FOUND = [(5, 6, 7), (30, 6, 7)]


def image(voxels, values=1, dtype=np.uint8, shape=(40, 12, 12), affine=AFFINE):
    data = np.zeros(shape, dtype)
    for place, value in zip(voxels, np.broadcast_to(values, len(voxels)), strict=True):
        data[place] = value
    return Volume(data, affine)


def nnunet(folder):
    image(FOUND).write(folder / "sub-1.nii.gz")
    image([]).write(folder / "fold_0/sub-1.nii.gz")
    (folder / "predict_from_raw_data_args.json").write_text("{}")


def nndetection(folder):
    image(FOUND, [1, 2]).write(folder / "sub-1_boxes.nii.gz")
    rows = {n: {"score": s, "label": 0, "box": []} for n, s in ((1, 0.9), (2, 0.6))}
    (folder / "sub-1_boxes.json").write_text(json.dumps(rows))


def shivai(folder):
    """On a cropped grid of 1 mm, other images around it."""
    here = folder / "results/segmentations/cmb_segmentation_swi-space/sub-1"
    cropped = np.array([[1.0, 0, 0, 5], [0, 1, 0, 40], [0, 0, 1, 0], [0, 0, 0, 1]])
    ras = [(40 - x, 50 - y, 2 * z - 10) for x, y, z in FOUND]
    places = [(x - 5, y - 40, z) for x, y, z in ras]
    image(places, [1, 2], shape=(32, 9, 9), affine=cropped).write(here / "labelled_cmb.nii.gz")
    image(places, [0.9, 0.6], np.float32, (32, 9, 9), cropped).write(here / "cmb_map.nii.gz")
    census = "Biomarker labels,Cluster size,Biomarker region\n1,1,Lobar\n2,1,Deep\n"
    (here / "cmb_census.csv").write_text(census)
    other = folder / "results/shiva_preproc/swi_preproc/sub-1"
    image([]).write(other / "brainmask_cropped.nii.gz")


CENTRES = """lesion_id,n_voxels,i,j,k,x_ras_mm,y_ras_mm,z_ras_mm
1,5,99,99,99,35,44,4
2,6,1,1,1,10,44,4
"""


def censyncmb(folder, mask=True):
    """On the tool's own grid of 1 mm, RAS; i, j, k are of that grid."""
    folder.mkdir()
    (folder / "sub-1_censyncmb_centroids.csv").write_text(CENTRES)
    run = {"sid": "sub-1", "centroids": "/elsewhere/sub-1_censyncmb_centroids.csv", "n_lesions": 2}
    summary = {"model": "CenSynCMB", "outputs": [run]}
    (folder / "censyncmb_inference_summary.json").write_text(json.dumps(summary))
    if mask:
        places = [(35, 44, 4), (10, 44, 4)]
        grid = {"shape": (60, 60, 20), "affine": np.eye(4)}
        image(places, **grid).write(folder / "sub-1_censyncmb_mask_thr0p5.nii.gz")
        soft = image(places, [0.9, 0.6], np.float32, **grid)
        soft.write(folder / "sub-1_censyncmb_prob.nii.gz")


def centroids(folder):
    censyncmb(folder, mask=False)


def microbleednet(folder):
    kept = image(FOUND, 1.0, np.float32)
    kept.write(folder / "final_predictions/predicted_final_microbleednet_sub-1.nii.gz")
    more = image([*FOUND, (1, 1, 1)], 1.0, np.float32)
    more.write(folder / "cdet_predictions/predicted_cdet_microbleednet_sub-1.nii.gz")


def valdo(folder, name="sub-1_space-T2S_prediction.nii.gz"):
    soft = image([*FOUND, (1, 1, 1)], [0.9, 0.6, 0.2], np.float32)
    soft.write(folder / "sub-1" / name)
    image([]).write(folder / "sub-1/sub-1_space-T2S_uncertaintymap.nii.gz")


def valdo_masks(folder):
    valdo(folder, "sub-1_space-T2S_CMB.nii.gz")


def bids(folder):
    here = folder / "derivatives/other/sub-1/anat"
    image(FOUND).write(here / "sub-1_space-T2starw_desc-cmb_mask.nii.gz")
    image([]).write(here / "sub-1_space-T2starw_desc-brain_mask.nii.gz")


def slicer_table(signs, names):
    def write(folder):
        folder.mkdir()
        rows = [f"F,{signs * 35},{signs * 44},4,1", f"F,{signs * 10},{signs * 44},4,1", "F,0,0,0,0"]
        text = "\n".join([f"label,{names},defined", *rows])
        (folder / "sub-1.csv").write_text(text)

    return write


def slicer(folder):
    folder.mkdir()
    points = [{"position": [-x, -44, 4]} for x in (35, 10)]
    lists = [{"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": points}]
    (folder / "sub-1.mrk.json").write_text(json.dumps({"markups": lists}))


SCORED = {1: 0.9, 2: 0.6}
TOOLS = {
    "nnunet": (nnunet, "nnunet", False),
    "nndetection": (nndetection, None, True),
    "shivai": (shivai, None, True),
    "censyncmb": (censyncmb, None, True),
    "centroids": (centroids, "censyncmb", False),
    "microbleednet": (microbleednet, None, False),
    "valdo": (valdo, None, True),
    "masks of VALDO": (valdo_masks, "valdo", True),
    "bids": (bids, "bids", False),
    "slicer": (slicer, "slicer", False),
    "slicer RAS": (slicer_table(1, "r,a,s"), None, False),
    "slicer LPS": (slicer_table(-1, "l,p,s"), None, False),
}


@pytest.fixture
def truth(tmp_path):
    image([(5, 6, 7), (20, 6, 7)]).write(tmp_path / "truth/sub-1.nii.gz")
    return tmp_path / "truth"


@pytest.mark.parametrize("tool", TOOLS)
def test_each_tool_is_read_as_it_is(tool, tmp_path, truth):
    write, word, scored = TOOLS[tool]
    write(tmp_path / "said")
    for pattern in {word, None if tool != "nnunet" else word}:
        pairs = pair_files(tmp_path / "said", truth, patterns=(pattern, None))
        matches, scans, _ = evaluate_files(pairs.listing)
        assert scans[["uid", "tp", "fp", "fn"]].to_numpy().tolist() == [["sub-1", 1, 1, 1]]
        assert matches["distance_mm"].max() < 1e-4
        called = matches.dropna(subset="pred_id").sort_values("distance_mm")
        expected = [0.9, 0.6] if scored else [np.nan, np.nan]
        assert called["score"].tolist() == pytest.approx(expected, nan_ok=True)


def test_the_summary_of_a_run_names_its_tables(tmp_path, truth):
    censyncmb(tmp_path / "said")
    summary = tmp_path / "said" / layouts.SUMMARY
    assert list_files(summary)["sub-1"].name == "sub-1_censyncmb_centroids.csv"
    summary.write_text(summary.read_text().replace('"n_lesions": 2', '"n_lesions": 3'))
    with pytest.raises(PairingError, match="expected 3 microbleeds, found 2"):
        list_files(summary)
    run = '{"outputs": [{"sid": "a", "centroids": "b.csv", "n_lesions": Infinity}]}'
    for damaged in ("[]", "[" * 3000, run):
        summary.write_text(damaged)
        with pytest.raises(PairingError, match="expected a summary of CenSynCMB"):
            list_files(summary)


@pytest.mark.parametrize("text", ["[1]", '{"1": 2}', '{"1": {}}', '{"a": {"score": 1}}', "{"])
def test_damaged_scores_of_boxes_are_one_line(tmp_path, text):
    (tmp_path / "a_boxes.json").write_text(text)
    with pytest.raises(ValueError, match=r"a_boxes\.json: expected scores of boxes, found"):
        layouts.box_scores(tmp_path / "a_boxes.nii.gz")


def test_a_grid_of_its_own_is_said(tmp_path, truth):
    shivai(tmp_path / "other")
    path = list_files(tmp_path / "other")["sub-1"]
    grid = read_mask(truth / "sub-1.nii.gz").volume
    found = read_mask(path, labelled=True, grid=grid)
    assert found.volume is None and "centres in mm are compared" in found.remarks[-1]
    census = path.with_name("cmb_census.csv")
    census.write_text("Biomarker labels,Cluster size\n1,1\n")
    said = read_mask(path, labelled=True, grid=grid).remarks
    assert any("2 clusters, of other labels or sizes than the 1 in" in line for line in said)
    census.write_text("Biomarker,Cluster size\n1,1\n")
    with pytest.raises(ValueError, match=r"cmb_census\.csv: expected columns Biomarker labels"):
        read_mask(path, labelled=True, grid=grid)
    with pytest.raises(VolumeError, match="expected shape"):  # a plain mask must fit
        read_mask(image([], shape=(9, 9, 9)).write(tmp_path / "plain.nii.gz"), grid=grid)


def test_maps_end_at_one(tmp_path):
    soft = image([(1, 1, 1)], 3.5, np.float32).write(tmp_path / "sub-1_CMB.nii.gz")
    with pytest.raises(AnnotationError, match=r"expected a map from 0 to 1, found 0 to 3\.5"):
        read_mask(soft)
