"""People's own data in BIDS: sessions, sidecars from above, three kinds of annotation."""

import json

import numpy as np
import pytest

from cmbkit.datasets import bids
from cmbkit.datasets.bids_passed_over import passed_over
from cmbkit.datasets.registry import count_microbleeds, read_own, scan_table
from cmbkit.datasets.sources import DatasetError

SHAPE = (6, 7, 8)
SWI = "sub-01/ses-a/swi/sub-01_ses-a_part-mag_swi.nii.gz"


@pytest.fixture
def put(tmp_path, write_nifti):
    """Write an image or a mask below the dataset's folder."""

    def write(name, data=None, **kind):
        return write_nifti(tmp_path / name, np.ones(SHAPE) if data is None else data, **kind)

    return write


def two_touching():
    """Values 1 and 2 that share a face: one component, two labels."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[2, 2, 2], mask[3, 2, 2] = 1, 2
    return mask


def table(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_names_suffixes_and_kinds(tmp_path, put):
    put(SWI, spacing=(0.5, 0.5, 2.0))
    put("sub-01/ses-b/anat/sub-01_ses-b_run-2_T2starw.nii")
    put("sub-01/ses-b/anat/sub-01_ses-b_T1w.nii")
    put("sub-01/ses-a/swi/sub-01_ses-a_part-phase_swi.nii.gz")
    put("derivatives/me/sub-01/ses-a/sub-01_ses-a_desc-preproc_swi.nii.gz")
    put("sub-02/anat/sub-02_T2starw.nii.gz")
    put("derivatives/me/sub-01/ses-a/sub-01_ses-a_desc-cmb_mask.nii", two_touching())
    put("sub-01/ses-b/anat/sub-01_ses-b_run-2_space-T2starw_desc-cmb_dseg.nii", two_touching())
    first, second, third = read_own("MINE", tmp_path)
    assert [s.uid for s in (first, second, third)] == [
        "MINE-01_ses-a_part-mag_swi",
        "MINE-01_ses-b_run-2_T2starw",
        "MINE-02_T2starw",
    ]
    assert [s.patient for s in (first, second, third)] == ["01", "01", "02"]
    assert [s.sequence for s in (first, second, third)] == ["SWI", "T2S", "T2S"]
    assert [s.annotation.kind for s in (first, second, third)] == ["mask", "mask", "unknown"]
    assert [count_microbleeds(s) for s in (first, second, third)] == [1, 2, 0]
    assert list(scan_table([first, second, third])["annotated"]) == [True, True, False]
    assert first.acquisition.slice_thickness_mm == 2


def test_an_annotation_without_a_microbleed_says_that_there_is_none(tmp_path, put):
    for subject in ("01", "02"):
        put(f"sub-{subject}/sub-{subject}_swi.nii.gz")
    put("sub-01/sub-01_label-CMB_mask.nii.gz", np.zeros(SHAPE, np.uint8))
    table(tmp_path / "sub-02" / "sub-02_desc-cmb_points.tsv", "i\tj\tk\n")
    assert [scan.annotation.kind for scan in bids.read(tmp_path, "MINE")] == ["none", "none"]


def test_points_in_voxels_and_in_mm(tmp_path, put):
    """The image is LAS with 2 mm slices: x = -i, y = j, z = 2k."""
    for subject in ("01", "02"):
        put(f"sub-{subject}/sub-{subject}_swi.nii.gz", spacing=(1.0, 1.0, 2.0))
    table(
        tmp_path / "sub-01" / "sub-01_desc-cmb_points.tsv",
        "i\tj\tk\tcertainty\n0\t0\t0\tsure\n5\t6\t7\tn/a\n",
    )
    table(
        tmp_path / "derivatives" / "me" / "sub-02" / "sub-02_desc-cmb_points.tsv",
        "x\ty\tz\n-5\t6\t14\n-0.4\t1.1\t4.9\n",
    )
    one, two = bids.read(tmp_path, "MINE")
    assert one.annotation.points == ((0, 0, 0), (5, 6, 7))
    assert two.annotation.points == ((5, 6, 7), (0, 1, 2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("i\tj\tk\n6\t0\t0\n", r"from 0 to \(5, 6, 7\), found \[6.0, 0.0, 0.0\]"),
        ("x\ty\tz\n3\t0\t0\n", r"found \[-3.0, 0.0, 0.0\]"),
        ("x\ty\tz\n9\t-5\t6\t14\n", "expected 3 cells in a row, found more"),
        ("i\tj\tk\n1\tn/a\t0\n", r"found \[1.0, nan, 0.0\]"),
        ("i\tj\tk\n1\ttwo\t0\n", "expected a number in j, found 'two' in line 2"),
        ("a\tb\tc\n1\t2\t3\n", "expected columns i, j, k .* found a, b, c"),
        ("", "expected a table, found"),
    ],
)
def test_points_that_do_not_fit(tmp_path, put, text, message):
    put("sub-01/sub-01_swi.nii.gz")
    table(tmp_path / "sub-01" / "sub-01_desc-cmb_points.tsv", text)
    with pytest.raises(DatasetError, match=message):
        bids.read(tmp_path, "MINE")


def test_sidecars_are_inherited_and_the_nearer_wins(tmp_path, put):
    put("sub-01/anat/sub-01_acq-x_T2starw.nii.gz")
    put("sub-02/anat/sub-02_T2starw.nii.gz")
    for path, fields in {
        "T2starw.json": {"EchoTime": 0.02, "MagneticFieldStrength": 2.9},
        "acq-x_T2starw.json": {"RepetitionTime": 0.65},
        "swi.json": {"EchoTime": 0.04},
        "sub-01/anat/sub-01_acq-x_T2starw.json": {"EchoTime": 0.025, "InstitutionName": "Home"},
    }.items():
        (tmp_path / path).write_text(json.dumps(fields))
    one, two = (scan.acquisition for scan in bids.read(tmp_path, "MINE"))
    assert (one.te_ms, one.tr_ms, one.field_strength, one.site) == (25, 650, "3", "Home")
    assert (two.te_ms, two.tr_ms, two.field_strength, two.site) == (20, None, "3", None)


def test_a_broken_sidecar_keeps_the_image_readable(tmp_path, put):
    put("sub-01/sub-01_swi.nii.gz")
    (tmp_path / "swi.json").write_text("{")
    with pytest.raises(DatasetError, match=r"swi\.json: expected JSON") as caught:
        bids.read(tmp_path, "MINE")
    assert [scan.patient for scan in caught.value.readable] == ["01"]


def test_which_of_two_images_an_annotation_belongs_to(tmp_path, put):
    put("sub-01/anat/sub-01_T2starw.nii.gz")
    put("sub-01/swi/sub-01_swi.nii.gz")
    mask = put("sub-01/swi/sub-01_desc-cmb_mask.nii.gz", two_touching())
    with pytest.raises(DatasetError, match=r"found sub-01_T2starw.*, sub-01_swi.*; add"):
        bids.read(tmp_path, "MINE")
    mask.rename(mask.with_name("sub-01_space-swi_desc-cmb_mask.nii.gz"))
    assert [s.annotation.kind for s in bids.read(tmp_path, "MINE")] == ["unknown", "mask"]
    put("sub-01/swi/sub-01_space-swi_desc-cmb_dseg.nii.gz", two_touching())
    with pytest.raises(DatasetError, match="expected one annotation, found"):
        bids.read(tmp_path, "MINE")


def test_subjects_and_names_that_cannot_be_read(tmp_path, put):
    put("sub-01/sub-01_swi.nii.gz")
    put("sub-02/sub-02_T1w.nii.gz")
    put("sub-03/sub-04_swi.nii.gz")
    put("sub-05/sub-05_second_swi.nii.gz")
    with pytest.raises(DatasetError) as caught:
        read_own("MINE", tmp_path)
    text, lines = str(caught.value), str(caught.value).splitlines()
    assert len(lines) == 3 and [s.patient for s in caught.value.readable] == ["01"]
    assert "found T1w" in text and "expected the folders sub-04, found sub-03" in text
    assert "found sub-05_second_swi.nii.gz; rename it by BIDS" in text
    (scan,) = read_own("MINE", tmp_path, ["02", "sub-03", "05"])
    assert scan.uid == "MINE-01_swi"


def test_other_words_for_microbleeds_and_what_is_passed_over(tmp_path, put):
    """A mask that does not say of what is listed, as are phase, projections and other images."""
    for subject in ("01", "02", "03"):
        put(f"sub-{subject}/sub-{subject}_swi.nii.gz")
    put("sub-01/sub-01_label-microbleed_mask.nii.gz", two_touching())
    put("derivatives/me/sub-02/sub-02_desc-Microbleeds_dseg.nii.gz", two_touching())
    put("sub-03/sub-03_swi_mask.nii.gz", two_touching())
    for name in ("acq-mIP_swi", "part-phase_swi", "T1w", "FLAIR"):
        put(f"sub-03/sub-03_{name}.nii.gz")
    scans = bids.read(tmp_path, "MINE")
    assert [count_microbleeds(scan) for scan in scans] == [1, 2, 0]
    assert [scan.annotation.kind for scan in scans] == ["mask", "mask", "unknown"]
    assert passed_over(tmp_path) == (
        ["sub-03_swi_mask.nii.gz"],
        ["sub-03_acq-mIP_swi.nii.gz", "sub-03_part-phase_swi.nii.gz", "1 FLAIR", "1 T1w"],
    )
    assert passed_over(tmp_path, ["03"]) == ([], [])
