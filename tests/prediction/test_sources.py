"""Which files of a folder are scans, and what is said of the others."""

import nibabel as nib
import numpy as np
import pytest

from cmbkit.prediction import dicom
from cmbkit.prediction.dicom import group_by_series
from cmbkit.prediction.sources import find_sources


@pytest.fixture
def put(tmp_path):
    def write(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.diag([1, 1, 2, 1])), path)
        return tmp_path

    return write


SUBJECT = [
    "anat/sub-01_T1w.nii.gz", "anat/sub-01_FLAIR.nii.gz", "func/sub-01_task-rest_bold.nii.gz",
    "swi/sub-01_part-mag_swi.nii.gz", "swi/sub-01_part-phase_swi.nii.gz",
    "swi/sub-01_acq-mIP_swi.nii.gz", "swi/sub-01_rec-minIP_swi.nii.gz",
    "swi/sub-01_desc-cmb_mask.nii.gz",
]  # fmt: skip


def test_a_subjects_folder_gives_its_magnitude(put):
    root, told = put(*(f"sub-01/{name}" for name in SUBJECT)), []
    for given in (root / "sub-01", root / "sub-01" / "swi", root):
        (found,) = find_sources([given], tell=told.append)
        assert (found.name, found.sequence) == ("sub-01_part-mag_swi", "SWI")
    assert "sub-01_T1w.nii.gz" in told[0] and "sub-01_desc-cmb_mask.nii.gz" in told[0]
    (none,) = find_sources([root / "sub-01" / "anat"])
    assert none.problem.endswith(
        "expected an image T2starw or swi, found FLAIR, T1w; name the file itself"
    )


def test_masks_beside_scans_of_other_names_are_none(put):
    root = put("a/scan.nii.gz", "a/scan_mask.nii.gz", "a/lesion-seg.nii", "a/mask.nii.gz")
    assert [source.name for source in find_sources([root / "a"])] == ["scan"]
    (named,) = find_sources([root / "a" / "mask.nii.gz"])  # whoever names it means it
    assert not named.problem


def test_what_predict_does_not_need_of_a_dataset_stops_nothing(put):
    """A broken sidecar or annotation made a second, failed entry."""
    root = put("sub-01/sub-01_swi.nii.gz")
    (root / "swi.json").write_text("{")
    (root / "sub-01" / "sub-01_desc-cmb_mask.nii.gz").write_bytes(b"")
    assert [source.problem for source in find_sources([root])] == [""]


def test_upper_case_and_links_without_content(put):
    root = put("x.nii.gz")
    (root / "x.nii.gz").rename(root / "X.NII.GZ")
    (root / "annex.nii.gz").symlink_to(root / "nowhere")
    found = find_sources([root])
    assert [source.name for source in found] == ["X", "annex"]
    assert found[0].problem == "" and "found a link without its content" in found[1].problem
    (one,) = find_sources([root / "annex.nii.gz"])
    assert one.problem == found[1].problem


def test_odd_dicom_headers_lose_nothing_beside_them(phantom, dicom_series, tmp_path):
    """InstanceNumber of two values, of text; a header cut off; no preamble; no series number."""
    import pydicom

    series = dicom_series(phantom(thick=10)[0], tmp_path / "s")
    first, second, third, fourth = sorted((tmp_path / "s").iterdir())
    content = first.read_bytes()
    tag = content.find(b"\x20\x00\x13\x00IS")
    size = int.from_bytes(content[tag + 6 : tag + 8], "little")
    for path, value in ((first, b"1\\2 "), (second, b"abc ")):
        rest = content[tag + 8 + size :]
        path.write_bytes(content[: tag + 6] + len(value).to_bytes(2, "little") + value + rest)
    dataset = pydicom.dcmread(third)
    third.write_bytes(third.read_bytes()[132:])
    groups, damaged = group_by_series([first, second, third, fourth])
    assert {uid: len(files) for uid, files in groups.items()} == {series: 4} and not damaged
    del dataset.SeriesInstanceUID
    dataset.save_as(third)
    fourth.write_bytes(fourth.read_bytes()[:200] + b"\xff" * 40)
    groups, damaged = group_by_series([first, third, fourth])
    assert [len(files) for files in groups.values()] == [1, 1]
    sources = find_sources([tmp_path / "s"])
    assert len(sources) == 2 + len(damaged)
    for source in sources:
        assert not source.problem or str(fourth) in source.problem


def test_a_folder_whose_name_holds_a_colon_names_its_broken_file(tmp_path, monkeypatch):
    first = tmp_path / "day: 1" / "IM0001"
    first.parent.mkdir()
    first.write_bytes(b"\0" * 128 + b"DICM")
    monkeypatch.setattr(dicom, "pydicom", lambda: 1 / 0)
    for named in (tmp_path, first):
        (broken,) = find_sources([named])
        assert broken.path == first
        assert broken.problem == (
            f"{first}: expected a readable DICOM header, found: division by zero"
        )


def test_a_dicomdir_stands_for_its_folder(phantom, dicom_series, tmp_path):
    series = dicom_series(phantom(thick=10)[0], tmp_path / "s")
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    assert [s.series for s in find_sources([tmp_path / "DICOMDIR"])] == [series]
