"""Whom a DICOM header names no output names; a DICOM SEG names whom it must and no other."""

import gzip

import pytest

from cmbkit.commands.predict import predict_command

MUST = {
    "PatientName": "Quillax^Zora", "PatientID": "QX-7781", "PatientBirthDate": "19431107",
    "StudyDate": "20310908", "StudyTime": "111213.445", "StudyID": "ST556677",
    "StudyInstanceUID": "", "AccessionNumber": "AC998877",
    "ReferringPhysicianName": "Ferruccio^Busconi", "IssuerOfPatientID": "Wardlex",
}  # fmt: skip
"""What a SEG needs to lie in its patient's study, and who sent the patient."""
MORE = {
    "InstitutionName": "Hospital Ostrelia", "InstitutionAddress": "Ostrelia Street 9",
    "InstitutionalDepartmentName": "Ward Umbrel", "StationName": "MRUMBREL",
    "DeviceSerialNumber": "SN445566", "OperatorsName": "Tindra^Opalin",
    "PerformingPhysicianName": "Marskyx^Ivo", "NameOfPhysiciansReadingStudy": "Lektor^Ada",
    "PhysiciansOfRecord": "Rekord^Bo", "OtherPatientNames": "Maiden^Zora",
    "PatientAddress": "Verborga Lane 4", "EthnicGroup": "Gruppex",
    "PatientTelephoneNumbers": "0305551234", "PatientMotherBirthName": "Mothexa",
    "Occupation": "Weldmaker", "AdditionalPatientHistory": "known to Dr Lektor",
    "PatientComments": "calls Zorana", "StudyDescription": "Zorana control",
    "ImageComments": "Zorana moved", "ServiceEpisodeID": "EPI7711",
    "AdmittingDiagnosesDescription": "fallen in Umbrel", "RequestingService": "Servixal",
    "AdmissionID": "ADM3344", "ClinicalTrialSubjectID": "TRIAL0815",
    "ReasonForVisit": "fell at Umbrel", "RequestedProcedureDescription": "Zorana again",
    "ProtocolName": "T1w Zorana", "SeriesDescription": "T1w of Zorana",
}  # fmt: skip
"""What it need not: each word of more than five letters is looked for."""
PRIVATE = "Privato^Zed"
WORDS = {
    word
    for value in [*MORE.values(), PRIVATE]
    for word in value.replace("^", " ").split()
    if len(word) > 5 and word not in ("Hospital", "Street", "control", "fallen")
}


def planted(folder, more=None):
    """Write names into every header of a folder."""
    pydicom = pytest.importorskip("pydicom")
    for path in folder.iterdir():
        d = pydicom.dcmread(path)
        for name, value in (MUST | MORE | (more or {})).items():
            if value is None:
                delattr(d, name)
            elif value:
                setattr(d, name, value)
        request = pydicom.Dataset()
        request.RequestingPhysician = PRIVATE
        d.RequestAttributesSequence = [request]
        for group in (0x0009, 0x0011, 0x0029):
            d.private_block(group, "PRIVATO HEADER", create=True).add_new(1, "LO", PRIVATE)
        d.save_as(path)


def multi_frame(folder):
    """Make one multi-frame object of the slices in a folder, in their place."""
    import highdicom as hd
    import pydicom

    paths = list(folder.iterdir())
    slices = sorted((pydicom.dcmread(p) for p in paths), key=lambda d: d.InstanceNumber)
    uid = slices[0].SeriesInstanceUID
    made = hd.legacy.LegacyConvertedEnhancedMRImage(slices, uid, 4, hd.UID(), 1)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = pydicom.uid.EnhancedMRImageStorage
    for path in paths:
        path.unlink()
    made.save_as(folder / "enhanced.dcm")


def written(folder):
    """Content of every file below a folder, unpacked, and its path."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            yield path, gzip.decompress(content) if path.suffix == ".gz" else content
        yield path.relative_to(folder), str(path.relative_to(folder)).encode()


def named(content: bytes, words) -> set[str]:
    """Those of some words that a file holds, as text of one or of two bytes a letter."""
    low = content.lower()
    return {w for w in words if w.lower().encode() in low or w.lower().encode("utf-16-le") in low}


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("slices", {}),
        ("multi-frame", {}),
        ("no SEG", {"FrameOfReferenceUID": None}),
        ("odd values", {"PatientBirthDate": "7 NOV 1943 ZORANA", "StudyDate": "8.9.2031"}),
        ("unfit", {"ImageType": ["ORIGINAL", "PRIMARY", "P"], "BodyPartExamined": "ANKLE"}),
        ("missing slices", {}),
    ],
)
def test_no_output_names_anybody(kind, more, phantom, dicom_series, weights, tmp_path, capfd):
    image, _ = phantom(thick=1)
    scan, out = tmp_path / "in" / "swi", tmp_path / "out"
    dicom_series(image, scan)
    planted(scan, more)
    if kind == "multi-frame":
        multi_frame(scan)
    if kind == "missing slices":
        for path in sorted(scan.iterdir())[10:13]:
            path.unlink()
    said: list[str] = []
    code = predict_command([scan], out, weights=weights, say=said.append)
    found = kind not in ("unfit", "missing slices")
    assert (code == 0) == found, said
    made = out / "swi" / "segmentation.dcm"
    assert made.exists() == (kind in ("slices", "multi-frame"))
    if kind == "odd values":
        page = (out / "swi" / "report.html").read_text()
        assert "swi: DICOM SEG: highdicom does not take the series: Unable" in page
        assert "PatientBirthDate" in page
    told = "\n".join([*said, *capfd.readouterr()]).encode()
    must = {part for value in MUST.values() for part in value.split("^") if part}
    everything = dict(written(out)) | {"the terminal": told}
    assert len(everything) > (10 if found else 1)
    for path, content in everything.items():
        assert not named(content, WORDS), path
        if found and path not in (out / "scans.tsv", "the terminal"):  # they name what was given
            assert str(tmp_path).encode() not in content, path
        if path != made:
            assert not named(content, must), path


def test_the_segmentation_names_its_patient_and_study(phantom, dicom_series, weights, tmp_path):
    """Types 1 and 2 of the modules Patient and General Study, part 3 of the standard."""
    pydicom = pytest.importorskip("pydicom")
    image, _ = phantom(thick=1)
    dicom_series(image, tmp_path / "in" / "swi")
    planted(tmp_path / "in" / "swi")
    source = pydicom.dcmread(next((tmp_path / "in" / "swi").iterdir()))
    assert predict_command([tmp_path / "in"], tmp_path / "out", weights=weights) == 0
    seg = pydicom.dcmread(tmp_path / "out" / "swi" / "segmentation.dcm")
    assert {name: seg[name].value for name in (*MUST, "PatientSex")} == {
        name: source[name].value for name in (*MUST, "PatientSex")
    }
    assert not [element for element in seg if element.tag.is_private]
