"""CRB and CRBneg: scribbles, what the rater said of them, mimics."""

import json

import numpy as np
import pytest

from cmbkit.datasets import crb
from cmbkit.datasets.registry import count_microbleeds
from cmbkit.datasets.sources import DatasetError
from cmbkit.records import Finding, Mimic

SHAPE = (6, 7, 8)
SEGMENTS = {
    "1": {
        "category": "CMB",
        "attributes": {"Multiple": True, "certainty": "certain", "size": "<5mm"},
    },
    "2": {
        "category": "CMB",
        "attributes": {
            "Multiple": False,
            "cause": ["CAA", "trauma"],
            "location": "thalamus",
        },
    },
}


@pytest.fixture
def study(tmp_path, write_nifti):
    """Write one study with two scribbles; returns its entry of tasks.json for changes."""
    image = "study001/images/T2S/anything.nii.gz"
    write_nifti(tmp_path / image, np.ones(SHAPE, np.int16), (0.6, 0.6, 5.0))
    scribbles = np.zeros(SHAPE, np.uint8)
    scribbles[1, 1, 1] = scribbles[4, 4, 1] = 1
    scribbles[2, 5, 6] = 2
    write_nifti(tmp_path / "study001/segmentations/T2S.nii.gz", scribbles, (0.6, 0.6, 5.0))
    landmark = {"category": "Cavernomas", "point": {"i": 5, "j": 6, "k": 7}}
    series = {"items": [image], "segmentMap": SEGMENTS, "landmarks3d": [landmark]}
    return {"name": "study001", "series": [series]}


def save(root, *tasks):
    (root / "tasks.json").write_text(json.dumps(tasks))


def test_findings_and_mimics(tmp_path, study):
    save(tmp_path, study)
    (scan,) = crb.read(tmp_path)
    assert (scan.patient, scan.sequence, scan.annotation.kind) == ("study001", "T2S", "scribbles")
    assert scan.annotation.findings == (
        Finding(1, True, certainty="certain", size="<5mm"),
        Finding(2, False, cause="CAA, trauma", location="thalamus"),
    )
    assert scan.annotation.mimics == (Mimic((5, 6, 7), "Cavernomas"),)
    assert count_microbleeds(scan) == 2  # "multiple" counts once until it is split
    assert scan.acquisition.slice_thickness_mm == 5 and scan.acquisition.te_ms is None


def test_sidecar(tmp_path, study):
    save(tmp_path, study)
    fields = {"MagneticFieldStrength": 1.5, "EchoTime": 0.023, "RepetitionTime": 0.075}
    fields["InstitutionAddress"] = "Brazil"
    (tmp_path / "study001/images/T2S/anything.json").write_text(json.dumps(fields))
    acquired = crb.read(tmp_path)[0].acquisition
    assert (acquired.field_strength, acquired.te_ms, acquired.tr_ms) == ("1.5", 23, 75)
    assert acquired.site == "Brazil"


def test_folders_above_the_study_do_not_matter(tmp_path, study):
    study["series"][0]["items"] = ["bucket/export/" + study["series"][0]["items"][0]]
    save(tmp_path, study)
    assert len(crb.read(tmp_path)[0].annotation.findings) == 2


def test_label_that_nobody_describes(tmp_path, study):
    study["series"][0]["segmentMap"] = {"1": SEGMENTS["1"]}
    save(tmp_path, study)
    with pytest.raises(DatasetError, match=r"T2S.nii.gz: .* segmentMap \[1\], found \[1, 2\]"):
        crb.read(tmp_path)


def test_landmark_outside(tmp_path, study):
    study["series"][0]["landmarks3d"][0]["point"]["k"] = 8
    save(tmp_path, study)
    with pytest.raises(DatasetError, match=r"expected landmarks within \(6, 7, 8\)"):
        crb.read(tmp_path)


def test_missing_segmentation_and_missing_tasks(tmp_path, study):
    with pytest.raises(DatasetError, match=r"tasks.json: expected a file"):
        crb.read(tmp_path)
    save(tmp_path, study)
    (tmp_path / "study001/segmentations/T2S.nii.gz").unlink()
    with pytest.raises(DatasetError, match=r"segmentations/T2S.nii.gz"):
        crb.read(tmp_path)


def test_crbneg_has_no_scribbles(tmp_path, study):
    with pytest.raises(DatasetError, match=r"expected no segmentation in CRBneg"):
        crb.read(tmp_path, "CRBneg")
    (tmp_path / "study001/segmentations/T2S.nii.gz").unlink()
    (scan,) = crb.read(tmp_path, "CRBneg")
    assert (scan.uid, scan.annotation.kind) == ("CRBneg-study001_T2S", "none")


def test_all_that_is_wrong_with_a_study_at_once(tmp_path, study):
    series = study["series"][0]
    series["segmentMap"] = {"1": SEGMENTS["1"], "two": {}, "3": {"attributes": ["Multiple"]}}
    series["landmarks3d"] = [{"point": {"i": 9, "j": 0, "k": 0}, "category": "x"}, {"point": 1}]
    save(tmp_path, study)
    with pytest.raises(DatasetError) as caught:
        crb.read(tmp_path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    for words in ("found (9, 0, 0)", "a landmark with category", "'two'", "['Multiple']"):
        assert sum(words in line for line in lines) == 1, words
    assert [scan.annotation.kind for scan in caught.value.readable] == ["unknown"]


def test_one_sequence_of_a_study_may_be_at_fault(tmp_path, study, write_nifti):
    save(tmp_path, study)
    write_nifti(tmp_path / "study001/images/FLAIR/a.nii", np.ones(SHAPE, np.int16))
    with pytest.raises(DatasetError, match="expected a folder SWI or T2S, found FLAIR") as caught:
        crb.read(tmp_path)
    assert [scan.uid for scan in caught.value.readable] == ["CRB-study001_T2S"]
