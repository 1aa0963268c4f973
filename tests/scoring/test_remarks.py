"""What is said of the files of many scans."""

import pandas as pd

from cmbkit.scoring.page import remark_lines


def test_what_is_so_of_several_scans_is_said_once():
    """12 scans with one doubt in either folder, one with a second, one with nothing to say."""
    names = [f"s{i}" for i in range(13)]
    doubt = "/data/{}/{}.nii.gz: its affine is the identity"
    remarks = [f"{doubt.format('truth', n)}; {doubt.format('said', n)}" for n in names[:12]]
    remarks[3] += "; /data/said/s3.nii.gz: not a number in 1 of 8 voxels"
    lines = remark_lines(pd.DataFrame({"uid": names, "remarks": [*remarks, ""]}))
    assert lines == [
        "11 scans (s0, s1, s2, s4, s5, s6, s7, s8, s9, s10 and 1 more): "
        "/data/truth/*.nii.gz: its affine is the identity; "
        "/data/said/*.nii.gz: its affine is the identity",
        f"s3: {remarks[3]}",
    ]


def test_a_remark_of_one_scan_is_said_as_it_is():
    table = pd.DataFrame({"uid": ["a", "b"], "remarks": ["mirrored left to right; 2 do", ""]})
    assert remark_lines(table) == ["a: mirrored left to right; 2 do"]
