from pathlib import Path

import pandas as pd
import pytest

from cmbkit.scoring.pairing import PairingError, list_files, not_used, pair_files, scan_names


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # BIDS: subject, session, acquisition and run tell scans apart, the rest does not
        (["sub-1_space-T2S_CMB.nii.gz", "sub-2_space-T2S_CMB.nii.gz"], ["sub-1", "sub-2"]),
        (["sub-1_ses-a_run-1_desc-x_mask.nii", "sub-1_ses-b_run-1_desc-x_mask.nii"],
         ["sub-1_ses-a_run-1", "sub-1_ses-b_run-1"]),
        # other names lose the words that all files share at their end
        (["01_cmb_mask.nii.gz", "02_cmb_mask.nii.gz"], ["01", "02"]),
        (["01.nii", "02.nii"], ["01", "02"]),
        (["scan_1.csv", "scan_2.csv"], ["scan_1", "scan_2"]),
        (["only_mask.nii.gz"], ["only_mask"]),
        # a subject's name is never cut away
        (["a_mask.nii", "a_other.nii"], ["a_mask", "a_other"]),
    ],
)  # fmt: skip
def test_names_of_scans(names, expected):
    assert scan_names([Path(name) for name in names]) == expected


def test_bids_folders_pair_with_plain_ones_and_what_is_alone_is_listed(tmp_path):
    said = touch(tmp_path / "p", "sub-1/anat/sub-1_desc-cmbpred_dseg.nii.gz", "sub-3_dseg.nii.gz")
    truth = touch(tmp_path / "r", "sub-1.nii.gz", "sub-2.nii.gz", "participants.tsv")
    pairs = pair_files(said, truth)
    assert pairs.listing[["uid", "patient"]].to_numpy().tolist() == [["sub-1", "sub-1"]]
    assert [line.split(": ")[1] for line in pairs.alone] == [
        "no prediction of sub-2", "no reference of sub-3",
    ]  # fmt: skip


def test_several_files_of_one_scan_need_a_pattern(tmp_path):
    folder = touch(tmp_path, "sub-1_desc-brain_mask.nii.gz", "sub-1_desc-found_dseg.nii.gz")
    with pytest.raises(PairingError, match="found several:\n  sub-1: sub-1_desc-brain_mask"):
        list_files(folder)
    assert list_files(folder, "*_dseg*")["sub-1"].name == "sub-1_desc-found_dseg.nii.gz"


def test_a_file_named_for_microbleeds_is_the_one(tmp_path):
    """As predict writes it beside probabilities, and raters beside image and brain mask."""
    soft = "scan/scan_desc-cmb_probseg.nii.gz"
    folder = touch(tmp_path, "scan/scan_desc-cmb_dseg.nii.gz", soft, "scan.nii.gz")
    assert {n: p.name for n, p in list_files(folder).items()} == {
        "scan": "scan_desc-cmb_dseg.nii.gz"
    }


def test_a_download_of_valdo_is_taken_as_it_lies(tmp_path):
    folder = tmp_path / "sub-101"
    folder.mkdir()
    for ending in ("space-T2S_desc-masked_T2S", "space-T2S_CMB", "space-T2S_desc-masked_T1"):
        (folder / f"sub-101_{ending}.nii.gz").touch()
    assert {n: p.name for n, p in list_files(tmp_path).items()} == {
        "sub-101": "sub-101_space-T2S_CMB.nii.gz"
    }


def test_folders_without_a_common_name_do_not_pair(tmp_path):
    said, truth = touch(tmp_path / "p", "x.nii"), touch(tmp_path / "r", "y.nii")
    with pytest.raises(PairingError, match="found none"):
        pair_files(said, truth)
    one = pair_files(said / "x.nii", truth / "y.nii").listing
    assert one["uid"].tolist() == ["y"]
    with pytest.raises(PairingError, match=r"expected masks \(\.nii\.gz\) or points"):
        pair_files(said, touch(tmp_path / "e", "readme.txt"))


def test_scan_table_names_patient_and_data(tmp_path):
    """Sessions of a BIDS table; every scan needs a row; extra files of every scan."""
    names = ["sub-1_ses-a_mask.nii", "sub-1_ses-b_mask.nii"]
    said, truth = touch(tmp_path / "p", *names), touch(tmp_path / "r", *names)
    table = tmp_path / "scans.tsv"
    frame = pd.DataFrame(
        {"participant_id": "sub-1", "session_id": ["ses-b", "ses-a"], "sequence": ["SWI", "T2S"]}
    )
    frame.to_csv(table, sep="\t", index=False)
    listing = pair_files(said, truth, scan_table=table).listing
    assert listing["sequence"].tolist() == ["T2S", "SWI"]
    assert listing["patient"].tolist() == ["sub-1", "sub-1"]
    frame.iloc[:1].to_csv(table, sep="\t", index=False)
    with pytest.raises(PairingError, match="missing sub-1_ses-a"):
        pair_files(said, truth, scan_table=table)
    labels = touch(tmp_path / "l", names[0])
    with pytest.raises(PairingError, match="expected a file of every scan, missing sub-1_ses-b"):
        pair_files(said, truth, extra={"labels": (labels, None)})


def test_names_and_numbers_of_a_scan_table(tmp_path):
    """01 stays 01; a length with its unit is named with its line; lost zeros are guessed."""
    names = ["01.nii", "02.nii"]
    said, truth = touch(tmp_path / "p", *names), touch(tmp_path / "r", *names)
    table = tmp_path / "scans.csv"
    table.write_text("scan;slice_thickness_mm;patient\n01;2,5;007\n02;;007\n;;\n")
    listing = pair_files(said, truth, scan_table=table).listing
    assert listing["patient"].tolist() == ["007", "007"]
    assert listing["slice_thickness_mm"].tolist()[0] == 2.5
    assert listing["slice_thickness_mm"].isna().tolist() == [False, True]
    table.write_text("scan,slice_thickness_mm\n01,2\n02,2 mm\n")
    with pytest.raises(PairingError, match="in slice_thickness_mm, found '2 mm' in line 3"):
        pair_files(said, truth, scan_table=table)
    table.write_text("scan\n1\n2\n")
    with pytest.raises(PairingError, match="missing 01, 02; did Excel drop leading zeros"):
        pair_files(said, truth, scan_table=table)


def test_reconstructions_tell_scans_apart_where_nothing_else_does():
    names = ["sub-1_rec-norm_mask.nii", "sub-1_rec-raw_mask.nii"]
    assert scan_names([Path(name) for name in names]) == ["sub-1_rec-norm", "sub-1_rec-raw"]
    assert scan_names([Path("sub-1_rec-norm_mask.nii")]) == ["sub-1"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("a.json", "end in .mrk.json"), ("a.npy", "as NIfTI"), ("a.xls", "as XLSX or CSV")],
)
def test_hints_at_files_that_are_not_read(tmp_path, name, hint):
    with pytest.raises(PairingError, match=f"expected masks .* found none; .*{hint}"):
        list_files(touch(tmp_path, name))


def test_what_is_not_used_is_listed_and_a_link_without_content_named(tmp_path):
    touch(
        tmp_path, "sub-1_desc-cmb_mask.nii.gz", "sub-1_swi_mask.nii.gz", "sub-1_T1w.mgz", "x.json"
    )
    assert [p.name for p in not_used(tmp_path)] == ["sub-1_T1w.mgz", "sub-1_swi_mask.nii.gz"]
    (tmp_path / "sub-2_desc-cmb_mask.nii.gz").symlink_to(tmp_path / "nowhere")
    with pytest.raises(PairingError, match=r"sub-2_desc-cmb_mask.* found a link without one"):
        list_files(tmp_path)
