"""sMOMENI: variants of MOMENI scans; repeated and neighbouring centres count once."""

import numpy as np
import pytest

from cmbkit.datasets import smomeni
from cmbkit.datasets.sources import DatasetError

REAL = "122_T1_MRI_SWI_BFC_50mm_HM_rsCMB_V1.nii.gz"
MADE = "31_T2_MRI_SWI_BFC_50mm_HM_sCMB_V10.nii.gz"
HEADER = ["NIFTI File Name ", *["Location CMB # 1", None, None] * 4]


@pytest.fixture
def share(tmp_path, write_nifti, write_workbook):
    image = np.ones((9, 9, 9), np.int16)
    write_nifti(tmp_path / "sCMB_DefiniteSubject" / REAL, image)
    write_nifti(tmp_path / "sCMB_NoCMBSubject" / MADE, image)
    # a repeated centre, one beside the first (L1 = 1), and one across an edge (L1 = 2)
    row = [REAL, 3, 3, 3, 3, 3, 3, 4, 3, 3, 4, 4, 3]
    write_workbook(tmp_path / "sCMB_DefiniteSubject" / "sCMBInformationInfo.xlsx", [HEADER, row])
    write_workbook(
        tmp_path / "sCMB_NoCMBSubject" / "sCMBLocationInformationInfoNocmb.xlsx",
        [HEADER, [MADE, 9, 9, 9]],
    )
    return tmp_path


def test_points_and_origin(share):
    scans = {scan.patient: scan for scan in smomeni.read(share)}
    assert scans["122"].annotation.points == ((2, 2, 2), (3, 3, 2))
    assert scans["31"].annotation.points == ((8, 8, 8),)
    assert scans["122"].scan == "122_T1_rsV1" and scans["31"].scan == "31_T2_sV10"


def test_image_without_row(share, write_nifti):
    name = MADE.replace("V10", "V2")
    write_nifti(share / "sCMB_NoCMBSubject" / name, np.ones((9, 9, 9), np.int16))
    with pytest.raises(DatasetError, match=r"V2.nii.gz: expected coordinates, found none"):
        smomeni.read(share)
