"""A DICOM series goes in, a DICOM SEG that names it comes out."""

import gzip

import numpy as np
import pytest

from cmbkit import __version__
from cmbkit.commands.predict import predict_command
from cmbkit.prediction.dicom import KEPT_PHASE, DicomError, convert, group_by_series
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
    assert damaged == {}
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
    found = Volume.read(convert(list((tmp_path / "in").iterdir()), tmp_path / "out").image)
    ras, expected = found.reoriented("RAS"), image.reoriented("RAS")
    np.testing.assert_allclose(ras.affine, expected.affine, atol=1e-3)
    np.testing.assert_array_equal(ras.data, expected.data)


def changed(folder, change, only=lambda d: True):
    """Change the datasets of a folder in place; a change that returns False takes the file away."""
    pydicom = pytest.importorskip("pydicom")
    for path in sorted(folder.iterdir()):
        d = pydicom.dcmread(path)
        if only(d):
            path.unlink() if change(d) is False else d.save_as(path)


def second_echo(folder, te, **more):
    """Write each slice once more, half as bright, with another echo time."""
    pydicom = pytest.importorskip("pydicom")
    for path in (p for p in sorted(folder.iterdir()) if "e" not in p.name):
        d = pydicom.dcmread(path)
        d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        d.EchoTime, d.EchoNumbers = te, 2
        d.PixelData = (d.pixel_array // 2).tobytes()
        for name, value in more.items():
            setattr(d, name, value)
        d.save_as(path.with_name(f"{path.name}e{te:g}{len(more)}"))


@pytest.mark.parametrize(
    ("te", "echo", "share", "note"),
    [
        (34.0, None, 0.5, "Echo 2 of 2 was taken (TE 20, 34 ms)"),  # both in 20 to 40: the longest
        (5.0, None, 1.0, "Echo 2 of 2 was taken (TE 5, 20 ms)"),  # nearest to the window
        (34.0, 1, 1.0, "Echo 1 of 2"),
    ],
)
def test_one_echo_is_taken_and_said(phantom, dicom_series, tmp_path, te, echo, share, note):
    image, _ = phantom(thick=10)
    dicom_series(image, tmp_path / "in")
    second_echo(tmp_path / "in", te)
    phase = {"ImageType": ["ORIGINAL", "PRIMARY", "P"]}
    changed_te = 34.0 if te > 20 else 20.0
    second_echo(tmp_path / "in", changed_te, **phase)
    (tmp_path / "out").mkdir()
    found = convert(list((tmp_path / "in").iterdir()), tmp_path / "out", echo)
    expected = image.data.max() * share
    assert Volume.read(found.image).data.max() == pytest.approx(expected, abs=1)
    assert note in found.notes[0]
    assert found.fields["PhotometricInterpretation"] == "MONOCHROME2"


def test_the_phase_of_a_series_is_kept_beside(phantom, dicom_series, weights, tmp_path):
    """As Philips's SWIp has it: SWI, plain magnitude and phase of each slice in one series."""
    image, _ = phantom()
    dicom_series(image, tmp_path / "swip")
    swi = {"ImageType": ["ORIGINAL", "PRIMARY", "SW_M_FFE", "M", "FFE"], "Manufacturer": "Philips"}
    changed(tmp_path / "swip", lambda d: d.update(swi))
    phase = {"ImageType": ["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"]}
    second_echo(tmp_path / "swip", 20.0, **phase)
    second_echo(tmp_path / "swip", 20.0, ImageType=["ORIGINAL", "PRIMARY", "M_FFE", "M"], Rows=90)
    said: list[str] = []
    assert (
        predict_command([tmp_path / "swip"], tmp_path / "out", weights=weights, say=said.append)
        == 0
    )
    assert said[0].startswith("swip: 2 microbleeds") and KEPT_PHASE in said[0]
    kept = Volume.read(tmp_path / "out" / "swip" / "swip_part-phase.nii.gz").reoriented("RAS")
    expected = image.reoriented("RAS")
    np.testing.assert_allclose(kept.data, expected.data // 2, atol=0.5)
    np.testing.assert_allclose(kept.affine, expected.affine, atol=1e-3)


def test_an_echo_that_is_not_there(phantom, dicom_series, tmp_path):
    image, _ = phantom(thick=10)
    dicom_series(image, tmp_path / "in")
    (tmp_path / "out").mkdir()
    with pytest.raises(DicomError, match="expected an echo from 1 to 1, found --echo 3"):
        convert(list((tmp_path / "in").iterdir()), tmp_path / "out", 3)


def drop(*numbers):
    return lambda d: int(d.InstanceNumber) not in numbers


def without_place(d):
    del d.ImagePositionPatient, d.ImageOrientationPatient


def sheared(d):
    d.ImagePositionPatient = [
        d.ImagePositionPatient[0],
        d.ImagePositionPatient[1] + 0.2 * d.InstanceNumber,
        d.ImagePositionPatient[2],
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (drop(10, 11), r"some missing: 2 between slices 9 and 10 \(12 mm\)"),
        (lambda d: bool(d.InstanceNumber % 2), r"found them 8 mm apart: only one of 2 is there"),
        (without_place, "found no ImagePositionPatient in 20 of 20 slices, ImageOrientation"),
        (sheared, r"shifted by up to 3\.8 mm \(a tilted gantry"),
    ],
)
def test_what_is_missing_or_off_is_named(phantom, dicom_series, tmp_path, change, said):
    """20 slices, 4 mm apart; sheared by 0.2 mm a slice: 19 times 0.2 is 3.8."""
    image, _ = phantom(thick=2)
    dicom_series(image, tmp_path / "in")
    changed(tmp_path / "in", change)
    (tmp_path / "out").mkdir()
    with pytest.raises(DicomError, match=said) as raised:
        convert(list((tmp_path / "in").iterdir()), tmp_path / "out")
    assert str(raised.value).startswith(str(tmp_path / "in"))


def test_frames_missing_from_a_multi_frame_object(phantom, dicom_series, tmp_path):
    image, _ = phantom(thick=2)
    dicom_series(image, tmp_path / "in")
    changed(tmp_path / "in", drop(10, 11))
    as_multi_frame(tmp_path / "in", per_frame=False)
    (tmp_path / "out").mkdir()
    with pytest.raises(DicomError, match="2 between slices 9 and 10"):
        convert(list((tmp_path / "in").iterdir()), tmp_path / "out")


def test_one_odd_header_loses_no_other_series(phantom, dicom_series, tmp_path):
    """An instance number of two values orders nothing; a header that cannot be read is said."""
    image, _ = phantom(thick=10)
    series = dicom_series(image, tmp_path / "in" / "a")
    odd = sorted((tmp_path / "in" / "a").iterdir())[0]
    raw = odd.read_bytes()
    at = raw.index(b"\x20\x00\x13\x00IS")
    size = int.from_bytes(raw[at + 6 : at + 8], "little")
    value = (4).to_bytes(2, "little") + b"1\\2 "
    odd.write_bytes(raw[: at + 6] + value + raw[at + 8 + size :])
    broken = tmp_path / "in" / "broken"
    broken.write_bytes(raw[:140] + b"\xff" * 40)
    found = find_sources([tmp_path / "in"])
    assert [len(s.files) for s in found if s.series == series] == [4]
    assert all(str(broken) in s.problem for s in found if not s.series)


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
    assert seg.SoftwareVersions == __version__
    for path in (tmp_path / "out" / "swi").iterdir():  # the SEG must name the patient, no other
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        assert (b"Phantom^One" in content) == (path.name == "segmentation.dcm"), path.name
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
    with pytest.raises(DicomError, match="found no ImagePositionPatient in 3 of 3 slices"):
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
