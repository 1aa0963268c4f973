"""Scans that are none to count on: what headers, values and tissue say of them."""

import json

import numpy as np
import pandas as pd
import pytest

import cmbkit
from cmbkit.commands.predict import predict_command
from cmbkit.prediction.echoes import choose_echo
from cmbkit.prediction.fitness import Fitness, UnfitScan
from cmbkit.prediction.fitness_header import judge_header
from cmbkit.prediction.fitness_image import judge_brain, judge_values
from cmbkit.volume import Volume

USUAL = {
    "Modality": "MR", "BodyPart": "BRAIN", "SeriesDescription": "t2_fl2d_tra_hemo",
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "NONE"], "ScanningSequence": "GR",
    "EchoTime": 0.02, "MagneticFieldStrength": 3, "SliceThickness": 2.0,
}  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"SeriesDescription": "SWI_Images"},
        {"SeriesDescription": "ax T2* GRE"},
        {"SeriesDescription": "t2star_fl3d"},
        {"ImageType": ["DERIVED", "PRIMARY", "M", "SWI", "NORM"]},
        {"EchoTime": 0.04, "MagneticFieldStrength": 1.5},
        {"BodyPart": "", "BodyPartExamined": "HEAD"},
    ],
)
def test_usual_headers_are_fit(fields):
    assert judge_header(USUAL | fields, "sub-01_T2starw", (0.5, 0.5, 2.0)).verdict == "fit"


@pytest.mark.parametrize(
    ("fields", "verdict", "said"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "P"]}, "unfit", "phase image"),
        ({"ImageType": ["DERIVED", "PRIMARY", "MNIP"]}, "doubtful", "minimum-intensity"),
        ({"SeriesDescription": "mIP_Images(SW)"}, "doubtful", "minimum-intensity"),
        ({"SeriesDescription": "FILT_PHA: SWAN"}, "unfit", "phase image"),
        ({"SeriesDescription": "T2Star_map"}, "unfit", "map that was computed"),
        ({"SeriesDescription": "t1_mprage_sag"}, "doubtful", "T1-weighted"),
        ({"SeriesDescription": "T2 TSE tra"}, "doubtful", "T2-weighted"),
        ({"Modality": "CT"}, "unfit", "modality CT"),
        ({"BodyPart": "ANKLE"}, "unfit", "body part ANKLE"),
        ({"BodyPart": "CSPINE"}, "doubtful", "body part CSPINE"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "unfit", "MONOCHROME1"),
        ({"EchoTime": 0.003}, "doubtful", "TE 3 ms at 3 T"),
        ({"ScanningSequence": "SE"}, "doubtful", "spin echo"),
        ({"ScanningSequence": "EP"}, "doubtful", "echo-planar"),
        ({"SliceThickness": 1.0}, "doubtful", "slices of 1 mm 2 mm apart"),
    ],
)
def test_headers_that_speak_against_a_scan(fields, verdict, said):
    found = judge_header(USUAL | fields, "scan", (0.5, 0.5, 2.0))
    assert found.verdict == verdict
    assert any(said in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("sub-01_part-mag_swi", "fit"),
        ("sub-01_part-phase_swi", "unfit"),
        ("sub-01_acq-mIP_swi", "doubtful"),
        ("sub-01_rec-minIP_swi", "doubtful"),
        ("sub-01_T1w", "doubtful"),
        ("133_T1_MRI_SWI_BFC_50mm_HM", "fit"),
    ],
)
def test_names(name, verdict):
    assert judge_header({}, name, (1, 1, 1)).verdict == verdict


def test_coarse_voxels_and_distant_slices_are_doubtful():
    """An echo-planar image of 3 mm; slices 7 mm apart."""
    assert judge_header({}, "scan", (3.0, 3.0, 3.0)).verdict == "doubtful"
    assert judge_header({}, "scan", (0.5, 0.5, 7.0)).verdict == "doubtful"


def head(kind="magnitude", shape=(64, 64, 48)):
    """Noise around a ball of 300 with a sd of 20 in it, and what is made of it."""
    rng = np.random.default_rng(0)
    mm = np.moveaxis(np.indices(shape), 0, -1) - (np.array(shape) - 1) / 2
    inside = (mm**2).sum(-1) < 22**2
    data = np.hypot(np.where(inside, 300 + rng.normal(0, 20, shape), 0), rng.normal(0, 8, shape))
    if kind == "phase":
        data = np.where(inside, rng.normal(0, 0.3, shape), rng.uniform(-np.pi, np.pi, shape))
    if kind == "filtered phase":
        data = np.where(inside, rng.normal(0, 0.3, shape), 0)
    if kind == "inverted":
        data = data.max() - data
    if kind == "projection":
        windows = np.lib.stride_tricks.sliding_window_view(data, 5, axis=2)
        data = windows.min(axis=-1)
    if kind == "mask":
        data = inside.astype(float)
    return Volume(data.astype(np.float32), np.eye(4))


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("magnitude", "fit"),
        ("phase", "unfit"),
        ("filtered phase", "doubtful"),
        ("inverted", "doubtful"),
        ("projection", "doubtful"),
        ("mask", "unfit"),
    ],
)
def test_values(kind, verdict):
    assert judge_values(head(kind)).verdict == verdict


def test_an_offset_of_the_values_changes_nothing():
    image = head()
    assert judge_values(image.with_data(image.data - 1000)).verdict == "fit"


TISSUES = {3: 1.15, 2: 1.0, 4: 1.4, 13: 0.7}


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        (TISSUES, None),
        (TISSUES | {4: 0.6}, None),  # SWI of a short repetition time
        (TISSUES | {3: 0.65, 4: 0.2}, "grey matter darker than white (0.65)"),  # T1
        (TISSUES | {4: 0.2}, "fluid much darker"),  # FLAIR
        (TISSUES | {3: 1.35, 4: 3.0}, "fluid much brighter"),  # T2
        (TISSUES | {13: 1.3}, "pallidum brighter"),
        ({3: 1.0, 2: 1.0, 4: 1.02, 13: 1.0}, "no structure of a brain"),
        (TISSUES | {3: 0.93, 4: 0.77}, None),  # SWI of a flip angle of 15 degrees
    ],
)
def test_contrast_of_tissues(levels, said):
    """A ball of 1.4 l in four wedges, one tissue each; background at -2, white matter at 3."""
    size = 36
    at = np.indices((size,) * 3) - (size - 1) / 2
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    inside = (at**2).sum(0) < (69.4 / 4) ** 2
    quarter = 2 * (at[0] > 0) + (at[1] > 0)
    labels = np.where(inside, np.array([3, 2, 4, 13])[quarter], 0).astype(np.uint8)
    image = np.full(labels.shape, -2.0, np.float32)
    for label, level in levels.items():
        image[labels == label] = -2 + 5 * level
    volumes = [Volume(data, affine) for data in (image, inside.astype(np.uint8), labels)]
    found = judge_brain(*volumes, background=-2.0)
    assert bool(found.reasons) == (said is not None)
    assert said is None or any(said in reason for reason in found.reasons), found


def test_texture_that_is_no_tissue():
    """Noise of 20 % whatever the label, as in a bottle, or an R2* map that no atlas fits."""
    at = np.indices((36,) * 3) - 17.5
    inside = (at**2).sum(0) < (69.4 / 4) ** 2
    labels = np.where(inside, np.array([3, 2, 4, 13])[2 * (at[0] > 0) + (at[1] > 0)], 0)
    image = np.where(inside, 3 + np.random.default_rng(0).normal(0, 1, inside.shape), -2)
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    volumes = [Volume(data, affine) for data in (image, inside.astype(np.uint8), labels)]
    assert judge_brain(*volumes, background=-2.0).doubts == (
        "no contrast between fluid, grey matter, pallidum and white matter",
    )


def test_reasons_come_once_and_the_gravest_first():
    found = Fitness((), ("b",)) + Fitness(("a",), ("b", "c"))
    assert (found.verdict, found.reasons) == ("unfit", ("a", "b", "c"))
    assert str(found) == "unfit: a; b; c"


@pytest.mark.parametrize(
    ("times", "index"),
    [((5, 12.5), 1), ((5, 25, 38, 60), 2), ((45, 70), 0), ((10, 50), 1), ((1, 2), 1)],
)
def test_the_echo_nearest_to_20_to_40_ms_is_taken(times, index):
    assert choose_echo(times) == index


def test_a_doubt_stands_in_every_output_and_unfit_scans_have_no_count(
    write_scan, weights, tmp_path
):
    scan = write_scan("sub-01_acq-mIP_swi.nii.gz")
    phase = scan.with_name("sub-01_part-phase_swi.nii.gz")
    phase.write_bytes(scan.read_bytes())
    said: list[str] = []
    out = tmp_path / "out"
    assert predict_command([scan, phase], out, weights=weights, say=said.append) == 1
    doubt = "minimum-intensity projection"
    assert "2 microbleeds, doubtful (" in said[0] and doubt in said[0]
    assert said[1].startswith("sub-01_part-phase_swi: unfit: ") and "a phase image" in said[1]
    assert said[2] == "1 of 2 scans have a result; 0 failed; 1 unfit; 1 doubtful"
    scans = pd.read_csv(out / "scans.tsv", sep="\t", index_col="name")
    assert scans["fitness"].tolist() == ["doubtful", "unfit"]
    assert doubt in scans["notes"].iloc[0] and np.isnan(scans["microbleeds"].iloc[1])
    folder = out / "sub-01_acq-mIP_swi"
    table = pd.read_csv(folder / "microbleeds.tsv", sep="\t")
    assert table["scan"].eq("doubtful").all() and table["scan_notes"].str.contains(doubt).all()
    record = json.loads((folder / "run.json").read_text())
    assert record["fitness"]["verdict"] == "doubtful"
    assert doubt in " ".join(record["fitness"]["reasons"])
    assert doubt in (folder / "report.html").read_text()
    assert not (out / "sub-01_part-phase_swi").exists()
    with pytest.raises(UnfitScan, match="a phase image"):
        cmbkit.predict(phase, weights=weights)
    found = cmbkit.predict(phase, weights=weights, anyway=True)
    assert found.fitness.verdict == "unfit" and len(found) == 2
    assert "This scan is unfit" in found._repr_html_()


def test_one_echo_of_a_file_of_four_axes(phantom, weights, tmp_path):
    """Each echo 0.8 of the one before: the last; the same volume twice: none without --echo."""
    import nibabel as nib

    image, _ = phantom()
    echoes = np.stack([image.data * 0.8**n for n in range(3)], -1)
    path = tmp_path / "megre.nii.gz"
    nib.save(nib.Nifti1Image(echoes.astype(np.float32), image.affine), path)
    found = cmbkit.predict(path, weights=weights)
    assert found.record["notes"] == ["Volume 3 of 3 was taken; --echo takes another."]
    assert len(found) == 2
    path.with_name("megre.json").write_text('{"EchoTime": [0.010, 0.030, 0.070]}')
    found = cmbkit.predict(path, weights=weights)
    assert found.record["notes"][0].startswith("Echo 2 of 3 was taken (TE 10, 30, 70 ms)")
    twice = tmp_path / "twice.nii.gz"
    nib.save(nib.Nifti1Image(np.stack([image.data] * 2, -1), image.affine), twice)
    with pytest.raises(ValueError, match="found 2 volumes; keep one of them, or name it"):
        cmbkit.predict(twice, weights=weights)
    assert len(cmbkit.predict(twice, weights=weights, echo=1)) == 2
