"""A DICOM series goes in, a DICOM SEG that names it comes out."""

import numpy as np
import pytest

from cmbkit.commands.predict import predict_command
from cmbkit.prediction.dicom import DicomError, convert, group_by_series
from cmbkit.prediction.sources import find_sources
from cmbkit.volume import Volume


def rotation(degrees):
    a = np.radians(degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    return matrix


def test_series_are_told_apart_and_other_files_left_out(phantom, dicom_series, tmp_path):
    image, _ = phantom(thick=10)
    first = dicom_series(image, tmp_path / "study" / "a")
    second = dicom_series(image, tmp_path / "study" / "b")
    (tmp_path / "study" / "a" / "notes.txt").write_text("no DICOM")
    files = [p for p in (tmp_path / "study").rglob("*") if p.is_file()]
    groups, damaged = group_by_series(files)
    assert damaged == []
    assert {uid: len(held) for uid, held in groups.items()} == {first: 4, second: 4}
    found = find_sources([tmp_path / "study"])
    assert [(s.name, s.series) for s in found] == [("a", first), ("b", second)]
    one = find_sources([tmp_path / "study" / "b" / "IM0002"])
    assert [(s.name, s.series, len(s.files)) for s in one] == [("b", second, 4)]


@pytest.mark.parametrize("degrees", [0, 12])
def test_dcm2niix_gives_back_the_volume(phantom, dicom_series, tmp_path, degrees):
    image, _ = phantom(thick=4)
    image = Volume(image.data, rotation(degrees) @ image.affine)
    dicom_series(image, tmp_path / "in")
    (tmp_path / "out").mkdir()
    found = Volume.read(convert(list((tmp_path / "in").iterdir()), tmp_path / "out"))
    ras, expected = found.reoriented("RAS"), image.reoriented("RAS")
    np.testing.assert_allclose(ras.affine, expected.affine, atol=1e-3)
    np.testing.assert_array_equal(ras.data, expected.data)


def test_two_images_in_one_series_are_an_error(phantom, dicom_series, tmp_path):
    pydicom = pytest.importorskip("pydicom")
    image, _ = phantom(thick=10)
    dicom_series(image, tmp_path / "in")
    for path in sorted((tmp_path / "in").iterdir())[:2]:
        d = pydicom.dcmread(path)
        d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        d.EchoTime, d.EchoNumbers = 40.0, 2
        d.save_as(path.with_name(path.name + "e2"))
    (tmp_path / "out").mkdir()
    with pytest.raises(DicomError, match="expected a series of one image, found 2"):
        convert(list((tmp_path / "in").iterdir()), tmp_path / "out")


def as_multi_frame(folder, per_frame):
    """Make one enhanced MR object of the single slices in a folder, in their place.

    ``per_frame``: orientation and pixel size lie in each frame's group, as some scanners have it.
    """
    import copy

    import highdicom as hd
    import pydicom

    paths = list(folder.iterdir())
    slices = sorted((pydicom.dcmread(p) for p in paths), key=lambda d: d.InstanceNumber)
    series = slices[0].SeriesInstanceUID
    enhanced = hd.legacy.LegacyConvertedEnhancedMRImage(
        slices,
        series_instance_uid=series,
        series_number=4,
        sop_instance_uid=hd.UID(),
        instance_number=1,
    )
    enhanced.SOPClassUID = pydicom.uid.EnhancedMRImageStorage
    enhanced.file_meta.MediaStorageSOPClassUID = enhanced.SOPClassUID
    if per_frame:
        shared = enhanced.SharedFunctionalGroupsSequence[0]
        for name in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
            for group in enhanced.PerFrameFunctionalGroupsSequence:
                setattr(group, name, copy.deepcopy(shared[name].value))
            delattr(shared, name)
    for path in paths:
        path.unlink()
    enhanced.save_as(folder / "enhanced.dcm")
    return len(slices)


@pytest.mark.parametrize("kind", ["slices", "multi-frame", "multi-frame, all per frame"])
def test_round_trip_from_series_to_segmentation(phantom, dicom_series, weights, tmp_path, kind):
    """The SEG's voxels, placed by its own geometry, are the balls; the source series is named."""
    import highdicom as hd

    image, balls = phantom(thick=1)
    turn = rotation(8)
    series = dicom_series(Volume(image.data, turn @ image.affine), tmp_path / "in" / "swi")
    if kind != "slices":
        as_multi_frame(tmp_path / "in" / "swi", per_frame=kind.endswith("per frame"))
    said = []
    code = predict_command([tmp_path / "in"], tmp_path / "out", weights=weights, say=said.append)
    assert code == 0, said
    seg = hd.seg.segread(tmp_path / "out" / "swi" / "segmentation.dcm")
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == series
    assert seg.number_of_segments == 2
    names = seg.get_segment_description(1)
    assert names.segment_label.startswith("Microbleed 1: ")
    volume = seg.get_volume(combine_segments=True)
    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    found = np.argwhere(volume.array > 0) @ to_ras[:3, :3].T + to_ras[:3, 3]
    true = Volume(balls.data, turn @ balls.affine).to_mm(np.argwhere(balls.data > 0))
    for value in (1, 2):
        mm = true_centre(balls, turn, value)
        near = found[np.linalg.norm(found - mm, axis=1) < 6]
        np.testing.assert_allclose(near.mean(axis=0), mm, atol=0.35)
        # a ball of 3 mm holds 113.1 mm^3; voxels of 2 mm^3 count it to about a tenth
        assert 2 * len(near) == pytest.approx(113.1, rel=0.35), value
    assert abs(len(found) - len(true)) <= 0.25 * len(true)
    if kind != "slices":
        source = hd.imread(tmp_path / "in" / "swi" / "enhanced.dcm")
        assert_names_the_frames_it_lies_on(seg, source)


def assert_names_the_frames_it_lies_on(seg, source):
    """Each frame of the SEG names the one frame of the source that lies at its place."""
    for group in seg.PerFrameFunctionalGroupsSequence:
        (derived,) = group.DerivationImageSequence
        (named,) = derived.SourceImageSequence
        assert named.ReferencedSOPInstanceUID == source.SOPInstanceUID
        theirs = source.PerFrameFunctionalGroupsSequence[int(named.ReferencedFrameNumber) - 1]
        np.testing.assert_allclose(
            np.array(group.PlanePositionSequence[0].ImagePositionPatient, float),
            np.array(theirs.PlanePositionSequence[0].ImagePositionPatient, float),
            atol=1e-3,
        )


def test_multi_frame_objects_that_cannot_be_referenced_are_told_apart(tmp_path):
    from pydicom import Dataset

    from cmbkit.prediction.dicom_seg import planes

    plain = Dataset()
    plain.NumberOfFrames, plain.SOPClassUID = 3, "1.2.840.10008.5.1.4.1.1.7.4"
    with pytest.raises(DicomError, match="functional groups, found Multi-frame True Color"):
        planes([plain], tmp_path)
    with pytest.raises(DicomError, match="one multi-frame object in the series, found 2"):
        planes([plain, plain], tmp_path)
    plain.SharedFunctionalGroupsSequence = [Dataset()]
    plain.PerFrameFunctionalGroupsSequence = [Dataset() for _ in range(3)]
    plain.Rows = plain.Columns = 4
    with pytest.raises(DicomError, match="expected ImagePositionPatient of frame 1, found none"):
        planes([plain], tmp_path)


def test_without_a_dicom_seg_the_rest_is_kept(phantom, dicom_series, weights, tmp_path):
    """Slices without a frame of reference, which an MR image must have."""
    import json

    import pydicom

    image, _ = phantom(thick=1)
    dicom_series(image, tmp_path / "in" / "swi")
    for path in (tmp_path / "in" / "swi").iterdir():
        dataset = pydicom.dcmread(path)
        del dataset.FrameOfReferenceUID
        dataset.save_as(path)
    assert predict_command([tmp_path / "in"], tmp_path / "out", weights=weights) == 0
    folder = tmp_path / "out" / "swi"
    assert not (folder / "segmentation.dcm").exists()
    record = json.loads((folder / "run.json").read_text())
    assert record["microbleeds"] == 2
    (said,) = (line for line in record["remarks"] if line.startswith("There is no segmentation"))
    assert "Frame Of Reference" in said
    assert "There is no segmentation.dcm" in (folder / "report.html").read_text()


def true_centre(balls, turn, value):
    voxels = np.argwhere(balls.data == value)
    return Volume(balls.data, turn @ balls.affine).to_mm(voxels).mean(axis=0)


def test_a_scan_without_microbleeds_gets_an_empty_segment(phantom, dicom_series, weights, tmp_path):
    import highdicom as hd

    image, _ = phantom(balls=[], thick=2)
    dicom_series(image, tmp_path / "in" / "none")
    assert predict_command([tmp_path / "in"], tmp_path / "out", weights=weights) == 0
    seg = hd.seg.segread(tmp_path / "out" / "none" / "segmentation.dcm")
    assert seg.number_of_segments == 1
    assert seg.get_segment_description(1).segment_label == "No microbleed found"
    assert not seg.pixel_array.any()
