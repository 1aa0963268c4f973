"""The embedded cohort on disk: each dataset in its raw layout, dark where it says so."""

import json
import pickle

import nibabel as nib
import numpy as np
import openpyxl
import pandas as pd
import pytest
from scipy.io import loadmat

from cmbkit.phantom import cohort
from cmbkit.phantom.cohort import build
from cmbkit.phantom.profiles import cmb_counts, draw_radii, protocol_of

SEED = 11


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    for name in ("DOU", "VALDO", "RODEJA", "MOMENI", "CRB"):
        build(name, 1, SEED, folder / name)
    build("sMOMENI", 2, SEED, folder / "sMOMENI", momeni_folder=folder / "MOMENI")
    return folder


def load(path):
    image = nib.load(path)
    return np.asanyarray(image.dataobj), image


def dark_share(data, voxels, spacing):
    """Share of voxels (0-based) that are darker than the median 4 mm around them."""
    dark = []
    for voxel in voxels:
        half = np.ceil(4 / np.asarray(spacing)).astype(int)
        low = np.maximum(voxel - half, 0)
        around = data[tuple(slice(a, v + h + 1) for a, v, h in zip(low, voxel, half, strict=True))]
        near = data[tuple(slice(max(v - 1, 0), v + 2) for v in voxel[:2])][..., voxel[2]]
        dark.append(near.mean() < 0.9 * np.median(around))
    return np.mean(dark)


def truth(root, name):
    table = pd.read_csv(root / name / "phantom_truth.tsv", sep="\t", dtype={"scan": str})
    return table[table["kind"] == "cmb"]


def test_every_dataset_says_that_it_is_synthetic(root):
    for folder in root.iterdir():
        assert json.loads((folder / "dataset_description.json").read_text())["Synthetic"] is True


def test_dou_has_one_based_centres_in_the_files_own_order(root):
    data, image = load(root / "DOU/nii/01.nii")
    centres = loadmat(root / "DOU/ground_truth/01.mat")["cen"].astype(int)
    assert centres.shape == (len(truth(root, "DOU")), 3)
    assert nib.aff2axcodes(image.affine) in {tuple("LPS"), tuple("RAS"), tuple("LAS")}
    assert image.header.get_zooms() == pytest.approx((0.449, 0.449, 1.0), abs=1e-3)
    assert dark_share(data, centres - 1, image.header.get_zooms()) == 1
    mm = nib.affines.apply_affine(image.affine, centres - 1)
    assert np.abs(mm - truth(root, "DOU")[["x_mm", "y_mm", "z_mm"]]).to_numpy().max() <= 0.51


def test_valdo_has_a_masked_las_image_with_nan_outside_and_mask_values_1_to_3(root):
    stem = root / "VALDO/sub-101/sub-101_space-T2S"
    data, image = load(f"{stem}_desc-masked_T2S.nii.gz")
    mask, _ = load(f"{stem}_CMB.nii.gz")
    assert nib.aff2axcodes(image.affine) == tuple("LAS")
    assert np.isnan(data[0]).all()
    assert mask.shape == data.shape
    assert set(np.unique(mask)) <= {0, 1, 2, 3}
    assert np.isfinite(data[mask > 0]).all()


def test_rodeja_labels_each_microbleed_with_its_own_number(root):
    base = root / "RODEJA/cmb_annotations"
    (image_path,) = base.glob("*/images/*.nii.gz")
    (mask_path,) = base.glob(f"Annotations/*/*{image_path.name[:5]}mask.nii")
    mask, image = load(mask_path)
    labels = np.unique(mask[mask > 0])
    assert list(labels) == list(range(1, len(truth(root, "RODEJA")) + 1))
    assert nib.aff2axcodes(image.affine) == tuple("RAS")
    data, _ = load(image_path)
    middle = [np.argwhere(mask == n).mean(axis=0).round().astype(int) for n in labels]
    assert dark_share(data, middle, image.header.get_zooms()) > 0.7


def test_momeni_has_its_workbook_with_the_odd_header(root):
    share = root / "MOMENI/PublicDataShare_2020"
    (image_path,) = share.glob("rCMB_DefiniteSubject/*.nii.gz")
    table = pd.read_excel(share / "rCMBInformationInfo.xlsx")
    assert list(table.columns[:4]) == [
        "NIFTI File Name ",
        "Location CMB # 1",
        "Unnamed: 2",
        "Unnamed: 3",
    ]
    assert table.columns[-1].startswith("LocationCirclewholeReal_")
    assert table.iloc[0, 0] == image_path.name
    data, image = load(image_path)
    first = table.iloc[0, 1:4].to_numpy(int) - 1
    assert nib.aff2axcodes(image.affine) == tuple("LPS")
    assert image.header.get_zooms() == pytest.approx((0.9375, 0.9375, 1.75))
    assert dark_share(data, [first], image.header.get_zooms()) == 1
    assert (data[0] == 0).all()  # skull-stripped


def test_smomeni_adds_ten_to_each_scan(root):
    folder = root / "sMOMENI/sCMB_DefiniteSubject"
    book = openpyxl.load_workbook(folder / "sCMBInformationInfo.xlsx").active
    rows = list(book.iter_rows(min_row=2, values_only=True))
    names = [row[0] for row in rows]
    assert sorted(names) == sorted(p.name for p in folder.glob("*_rsCMB_V*.nii.gz"))
    present = len(truth(root, "MOMENI"))
    for index, row in enumerate(rows):
        points = np.array([v for v in row[1:-3] if isinstance(v, int)]).reshape(-1, 3) - 1
        assert len(np.unique(points, axis=0)) == present + 10
        assert len(points) == present + 10 + (index == 1)  # the second row repeats one
        data, image = load(folder / row[0])
        assert dark_share(data, points, image.header.get_zooms()) > 0.8


def test_crb_has_scribbles_a_sidecar_and_a_redbrick_export(root):
    (task,) = json.loads((root / "CRB/tasks.json").read_text())
    (series,) = task["series"]
    image_path = root / "CRB" / series["items"][0]
    scribbles, image = load(root / "CRB" / series["segmentations"])
    assert nib.aff2axcodes(image.affine) == tuple("LAS")
    labels = {str(n) for n in np.unique(scribbles[scribbles > 0])}
    assert labels == set(series["segmentMap"])
    joined = [k for k, v in series["segmentMap"].items() if v["attributes"]["Multiple"]]
    assert len(labels) + len(joined) == len(truth(root, "CRB"))
    fields = json.loads(image_path.with_name(image_path.name[:-7] + ".json").read_text())
    assert {"MagneticFieldStrength", "EchoTime", "RepetitionTime", "FlipAngle"} <= set(fields)
    assert 0.019 <= fields["EchoTime"] <= 0.048  # Table 4.1: 19 to 48 ms


def test_a_plan_makes_the_same_file_again_in_any_process(root, tmp_path):
    (plan,) = cohort._plan("MOMENI", 1, SEED)
    cohort._write(pickle.loads(pickle.dumps(plan)), tmp_path)
    (first,) = (root / "MOMENI").rglob("*.nii.gz")
    (second,) = tmp_path.rglob("*.nii.gz")
    assert np.array_equal(load(first)[0], load(second)[0])
    assert cohort._plan("DOU", 3, 1) == cohort._plan("DOU", 3, 1) != cohort._plan("DOU", 3, 2)


def test_counts_and_radii_follow_table_7_1():
    rng = np.random.default_rng(0)
    counts = np.array(cmb_counts("DOU", 4000, rng))
    assert counts.min() == 1
    assert counts.max() == 19
    assert counts.mean() == pytest.approx(3.7, abs=0.3)
    radii = draw_radii("DOU", 4000, rng)
    assert (radii.mean(), radii.std()) == pytest.approx((1.48, 0.37), abs=0.05)
    assert cmb_counts("CRBneg", 3, rng) == [0, 0, 0]


@pytest.mark.parametrize(
    ("dataset", "scans", "low"),
    [
        ("CRB", 18, 8), ("CRB", 12, 5.28), ("CRBneg", 4, 1.6), ("RODEJA", 16, 2.4),
        ("VALDO", 72, 27), ("VALDO", 10, 3.8), ("DOU", 12, 0),
    ],
)  # fmt: skip
def test_scans_of_low_resolution_are_as_many_as_in_table_7_1(dataset, scans, low):
    """44, 40, 15, 38 and 0 % of the scans have pixels over 0.5 mm; to the nearest scan."""
    protocols = [protocol_of(dataset, index, scans) for index in range(scans)]
    assert sum(min(p.in_plane_mm) > 0.5 for p in protocols) == pytest.approx(low, abs=0.8)
    assert all(p.in_plane_mm[1] <= 0.5 or p.in_plane_mm[0] > 0.5 for p in protocols)


def test_crb_mixes_11_t2s_and_7_swi():
    sequences = [protocol_of("CRB", index, 18).sequence for index in range(18)]
    assert (sequences.count("T2S"), sequences.count("SWI")) == (11, 7)


def test_wrong_requests_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected one of"):
        build("ADNI", 1, 0, tmp_path)
    with pytest.raises(ValueError, match="momeni_folder"):
        build("sMOMENI", 1, 0, tmp_path)


@pytest.fixture(scope="module")
def physical(tmp_path_factory):
    folder = tmp_path_factory.mktemp("physical")
    build("CRB", 1, SEED, folder / "CRB", model="physical")
    build("MOMENI", 1, SEED, folder / "MOMENI", model="physical")
    return folder


def test_physical_scans_are_dark_where_they_say_so(physical):
    table = truth(physical, "MOMENI")
    seen = table[table["visible_mm3"] > 0]
    (path,) = (physical / "MOMENI").rglob("*.nii.gz")
    data, image = load(path)
    places = seen[["x_mm", "y_mm", "z_mm"]].to_numpy()
    voxels = np.rint(nib.affines.apply_affine(np.linalg.inv(image.affine), places)).astype(int)
    assert dark_share(data, voxels, image.header.get_zooms()) > 0.7


def test_physical_truth_has_sources_and_what_is_seen_of_them(physical):
    for name in ("CRB", "MOMENI"):
        table = truth(physical, name)
        assert table["chi_ppm"].between(0.3, 3).all() and table["radius_mm"].between(0.3, 2.5).all()
        ball = 4 / 3 * np.pi * table["visible_radius_mm"] ** 3
        np.testing.assert_allclose(ball, table["visible_mm3"], rtol=0.01, atol=0.01)
    everything = pd.read_csv(physical / "CRB" / "phantom_truth.tsv", sep="\t")
    calcium = everything[everything["kind"] == "calcification"]
    assert calcium["chi_ppm"].between(-3, -0.3).all()
    assert set(calcium["place"]) <= {"basal ganglia", "choroid plexus", "pineal gland", "falx"}
    places = calcium.set_index("place")["synthseg_label"]
    assert places.get("falx") is None or not set(np.atleast_1d(places["falx"])) & {11, 12, 13}


def test_physical_annotations_hold_what_is_visible_and_sidecars_what_was_used(physical):
    tasks = json.loads((physical / "CRB/tasks.json").read_text())
    table = truth(physical, "CRB")
    for task in tasks:
        (series,) = task["series"]
        scribbles, _ = load(physical / "CRB" / series["segmentations"])
        seen = (table[table["scan"] == task["name"]]["visible_mm3"] > 0).sum()
        joined = [v["attributes"]["Multiple"] for v in series["segmentMap"].values()]
        assert {str(v) for v in np.unique(scribbles[scribbles > 0])} == set(series["segmentMap"])
        assert len(joined) + sum(joined) == seen
        image = physical / "CRB" / series["items"][0]
        fields = json.loads(image.with_name(image.name[:-7] + ".json").read_text())
        assert 0.019 <= fields["EchoTime"] <= 0.048 and fields["MagneticFieldStrength"] in (1.5, 3)


def test_an_unknown_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="phantom_model: expected one of"):
        build("CRB", 1, 0, tmp_path, model="qualitative")
