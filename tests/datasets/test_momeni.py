"""MOMENI: centres in a workbook with all its quirks."""

import numpy as np
import pytest

from cmbkit.datasets import momeni
from cmbkit.datasets.sources import DatasetError

HEADER = [
    *("NIFTI File Name ", "Location CMB # 1", None, None, "Location CMB # 2", None, None),
    *("LocationCirclewholeReal_1", "LocationCirclewholeReal_2", "LocationCirclewholeReal_3"),
]
WITH = "122_T1_MRI_SWI_BFC_50mm_HM.nii.gz"
LATER = "122_T3_MRI_SWI_BFC_50mm_HM.nii.gz"
HEALTHY = "7_T1_MRI_SWI_BFC_50mm_HM.nii.gz"
SHAPE = (6, 7, 8)


@pytest.fixture
def share(tmp_path, write_nifti, write_workbook):
    """Two annotated scans of one patient and a healthy one; returns a writer of other rows."""
    folder = tmp_path / "PublicDataShare_2020"
    image, spacing = np.ones(SHAPE, np.int16), (0.9375, 0.9375, 1.75)
    for name in (WITH, LATER):
        write_nifti(folder / "rCMB_DefiniteSubject" / name, image, spacing)
    write_nifti(folder / "NoCMBSubject" / HEALTHY, image, spacing)

    def write(rows):
        write_workbook(folder / "rCMBInformationInfo.xlsx", [HEADER, *rows])

    write(
        [
            [WITH, 1, 1, 1, 6, 7, 8, 99, 99, 99],
            [LATER, "2", " 3 ", 4, " ", "  ", None, 2, 3, 4],
            [None, None, None],
        ]
    )
    return write


def test_points_are_zero_based_and_extra_columns_ignored(tmp_path, share):
    scans = {scan.scan: scan for scan in momeni.read(tmp_path)}
    assert sorted(scans) == ["122_T1", "122_T3", "7_T1"]
    assert scans["122_T1"].annotation.points == ((0, 0, 0), (5, 6, 7))
    assert scans["122_T3"].annotation.points == ((1, 2, 3),)
    assert scans["7_T1"].annotation.kind == "none"
    assert [scans[name].patient for name in sorted(scans)] == ["122", "122", "7"]


def test_acquisition_is_the_published_one(tmp_path, share):
    acquired = momeni.read(tmp_path)[0].acquisition
    assert (acquired.field_strength, acquired.te_ms, acquired.tr_ms) == ("3", 20, 27)
    assert acquired.slice_thickness_mm == 1.75 and acquired.resolution_level == "low"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([WITH, 1, 1, 9], r"122_T1.*found \[1.0, 1.0, 9.0\]"),
        ([WITH, 0, 1, 1], r"expected coordinates from 1 to \(6, 7, 8\)"),
        ([WITH, 1, 2, None], r"expected x, y, z, found \[1, 2\]"),
        ([WITH, 1, "two", 3], r"expected numbers"),
        ([WITH], r"expected coordinates, found none"),
        (["9_T1_MRI.nii.gz", 1, 1, 1], r"found none for 9_T1_MRI"),
    ],
)
def test_rows_that_do_not_fit(tmp_path, share, row, message):
    share([row, [LATER, 1, 1, 1]])
    with pytest.raises(DatasetError, match=message):
        momeni.read(tmp_path)


def test_image_without_a_row(tmp_path, share):
    share([[WITH, 1, 1, 1]])
    with pytest.raises(DatasetError, match=r"122_T3.*expected coordinates, found none"):
        momeni.read(tmp_path)


def test_headers_that_pandas_wrote_and_plain_nifti_files(tmp_path, write_nifti, write_workbook):
    """Column names are not looked at beyond the first; a name in the sheet has any ending."""
    names = ["5_T2_MRI_SWI", "6_T1_MRI_SWI"]
    for name, ending in zip(names, (".nii", ".nii.gz"), strict=True):
        write_nifti(tmp_path / "rCMB_DefiniteSubject" / f"{name}{ending}", np.ones(SHAPE))
    header = ["NIFTI File Name ", "Location CMB # 1", "Unnamed: 2", "Unnamed: 3"]
    header += ["Location CMB # 2 ", "Unnamed: 5", "Unnamed: 6", "LocationCirclewholeReal_1"]
    rows = [[f" {names[0]}.nii.gz ", 1, 2, 3, " ", " ", " ", 7], [names[1], 4, 5, 6, 6, 7, 8]]
    write_workbook(tmp_path / "rCMBInformationInfo.xlsx", [header, *rows])
    one, two = momeni.read(tmp_path)
    assert one.annotation.points == ((0, 1, 2),)
    assert two.annotation.points == ((3, 4, 5), (5, 6, 7))


def test_rows_whose_images_are_all_gone(tmp_path, share):
    for name in (WITH, LATER):
        (tmp_path / "PublicDataShare_2020" / "rCMB_DefiniteSubject" / name).unlink()
    with pytest.raises(DatasetError, match="found none for 122_T1") as caught:
        momeni.read(tmp_path)
    assert [scan.scan for scan in caught.value.readable] == ["7_T1"]


def test_every_row_at_fault_is_a_line_of_its_own(tmp_path, share):
    share([[WITH, 1, "two", 3], [LATER, 1, 1], ["8_T1", 1, 1, 1], ["9_T1", 1, 1, 1]])
    with pytest.raises(DatasetError) as caught:
        momeni.read(tmp_path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 4 and len(caught.value.readable) == 3
