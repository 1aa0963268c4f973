"""cmbkit check: faults planted in six datasets come out together, one line each."""

import hashlib
import json

import nibabel as nib
import numpy as np
import pytest
import yaml
from scipy.io import savemat
from typer.testing import CliRunner

from cmbkit.cli import app
from cmbkit.commands.check import check_cohort, check_sums
from cmbkit.params import Cohort

SHAPE = (6, 7, 8)
NAMES = ("CRB", "CRBneg", "DOU", "MOMENI", "RODEJA", "VALDO")
MOMENI_HEADER = ["NIFTI File Name ", "Location CMB # 1", "Unnamed: 2", "Unnamed: 3"]


def dot(value=1, dtype=np.uint8):
    mask = np.zeros(SHAPE, dtype)
    mask[2, 3, 4] = value
    return mask


def noise(seed):
    return np.random.default_rng(seed).integers(1, 1000, SHAPE).astype(np.int16)


@pytest.fixture
def cohort(tmp_path, write_nifti, write_workbook):
    """A small sound cohort; returns the folder of each dataset."""
    root = {name: tmp_path / name for name in (*NAMES, "OWN")}
    seeds = iter(range(1000))

    def image(path, **kind):
        return write_nifti(path, noise(next(seeds)), **kind)

    for number in range(101, 107):
        stem = root["VALDO"] / f"sub-{number}" / f"sub-{number}_space-T2S"
        data = noise(next(seeds)).astype(np.float32)
        data[0] = np.nan
        write_nifti(stem.with_name(f"{stem.name}_desc-masked_T2S.nii.gz"), data)
        write_nifti(stem.with_name(f"{stem.name}_CMB.nii.gz"), dot())
    (root["DOU"] / "ground_truth").mkdir(parents=True)
    for number in range(1, 8):
        image(root["DOU"] / "nii" / f"0{number}.nii")
        centres = {"cen": np.array([[1, 1, 1], SHAPE])}
        savemat(root["DOU"] / "ground_truth" / f"0{number}.mat", centres)
    names = [f"{n}_T1_MRI_SWI.nii.gz" for n in range(1, 4)]
    for name in names:
        image(root["MOMENI"] / "rCMB_DefiniteSubject" / name)
    image(root["MOMENI"] / "NoCMBSubject" / "9_T1_MRI_SWI.nii.gz")
    rows = [MOMENI_HEADER, *([name, 3, 3, 3] for name in names)]
    write_workbook(root["MOMENI"] / "rCMBInformationInfo.xlsx", rows)
    base = root["RODEJA"] / "cmb_annotations"
    for folder, number in (("cph_annotated", 1), ("cph_annotated", 2), ("cph_annotated_mip", 3)):
        image(base / folder / "images" / f"2000{number}.nii.gz")
        write_nifti(base / "Annotations" / folder / f"2000{number}mask.nii", dot(3, np.int16))
    series = []
    for study in ("s1", "s2", "s3"):
        path = image(root["CRB"] / study / "images" / "SWI" / "a.nii.gz")
        write_nifti(root["CRB"] / study / "segmentations" / "SWI.nii.gz", dot())
        items = path.relative_to(root["CRB"]).as_posix()
        mimic = {"category": "Cavernomas", "point": {"i": 1, "j": 1, "k": 1}}
        series.append({"items": items, "segmentMap": {"1": {}}, "landmarks3d": [mimic]})
    (root["CRB"] / "tasks.json").write_text(json.dumps([{"series": series}]))
    image(root["CRBneg"] / "n1" / "images" / "T2S" / "a.nii.gz")
    for subject in ("01", "02", "03"):
        image(root["OWN"] / f"sub-{subject}" / "swi" / f"sub-{subject}_swi.nii.gz")
    return root


def parameters(root) -> dict:
    roots = {name: str(root[name]) for name in NAMES}
    return {"datasets": [*NAMES], "roots": roots, "bids": {"OWN": str(root["OWN"])}}


def edit(path, change):
    """Write a NIfTI file again after ``change`` has had its image."""
    image = nib.load(path)
    image = nib.Nifti1Image(np.array(image.dataobj), image.affine, image.header)
    nib.save(change(image) or image, path)


def with_voxel(value):
    def change(image):
        data = np.array(image.dataobj).astype(np.float32)
        data[5, 5, 5] = value
        return nib.Nifti1Image(data, image.affine, image.header, dtype=np.float32)

    return change


def moved(image):
    image.set_sform(image.affine + np.eye(4, k=3) * 0.5, 1)
    image.set_qform(None, 0)


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def plant(root, write_nifti, write_workbook):
    """Plant the faults; returns the words that the line on each must hold."""
    valdo, dou, crb, own = (root[name] for name in ("VALDO", "DOU", "CRB", "OWN"))
    rodeja = root["RODEJA"] / "cmb_annotations"
    truth = dou / "ground_truth"

    def mask(number):
        return valdo / f"sub-{number}" / f"sub-{number}_space-T2S_CMB.nii.gz"

    def image(number):
        return valdo / f"sub-{number}" / f"sub-{number}_space-T2S_desc-masked_T2S.nii.gz"

    mask(101).unlink()
    edit(mask(102), moved)
    write_nifti(mask(103), np.ones((6, 7, 9), np.uint8))
    cut(image(104))
    edit(mask(105), with_voxel(0.5))
    edit(image(106), with_voxel(np.inf))
    savemat(truth / "01.mat", {"cen": np.array([[1, 1, 9]])})
    edit(dou / "nii" / "02.nii", lambda image: image.header.set_xyzt_units("meter"))
    (dou / "nii" / "03.nii").unlink()
    (truth / "04.mat").unlink()
    edit(dou / "nii" / "05.nii", with_voxel(np.nan))
    (truth / "06.mat").write_bytes(b"not a matrix")
    rows = [["1_T1_MRI_SWI.nii.gz", 3, 3], ["3_T1_MRI_SWI.nii.gz", 3, 3, 3], ["4_T1", 1, 1, 1]]
    write_workbook(root["MOMENI"] / "rCMBInformationInfo.xlsx", [MOMENI_HEADER, *rows])
    edit(rodeja / "Annotations" / "cph_annotated" / "20001mask.nii", with_voxel(-1))
    write_nifti(rodeja / "cph_annotated" / "images" / "20002.nii.gz", np.full(SHAPE, 7, np.int16))
    write_nifti(crb / "s1" / "segmentations" / "SWI.nii.gz", dot(0))
    tasks = json.loads((crb / "tasks.json").read_text())
    tasks[0]["series"][1]["landmarks3d"][0]["point"]["k"] = 8
    (crb / "tasks.json").write_text(json.dumps(tasks))
    write_nifti(crb / "s3" / "images" / "FLAIR" / "a.nii.gz", noise(2000))
    write_nifti(root["CRBneg"] / "s3" / "images" / "SWI" / "a.nii.gz", noise(2001))
    twin = own / "sub-01" / "swi" / "sub-01_swi.nii.gz"
    write_nifti(twin, np.array(nib.load(dou / "nii" / "07.nii").dataobj))
    (own / "sub-02" / "swi" / "sub-02_swi.json").write_text('{"EchoTime": 20}')
    write_nifti(own / "sub-04" / "anat" / "sub-04_T1w.nii.gz", noise(2002))
    write_nifti(own / "derivatives" / "me" / "sub-05" / "sub-05_desc-cmb_mask.nii.gz", dot())
    return [
        (mask(101), "expected a file, found nothing"),
        (mask(102), "corners up to 0.5 mm away"),
        (mask(103), "expected shape (6, 7, 8)", "found (6, 7, 9)"),
        (image(104), "expected a readable NIfTI file"),
        (mask(105), "expected integer labels, found fractional values"),
        (image(106), "found NaN or infinity in 1 voxels"),
        (truth / "01.mat", "from 1 to (6, 7, 8), found [1.0, 1.0, 9.0]"),
        (dou / "nii" / "02.nii", "expected voxels of 0.1 to 25 mm"),
        (truth / "03.mat", "expected an image 03.nii, found none"),
        (truth / "04.mat", "expected a file, found nothing"),
        (dou / "nii" / "05.nii", "found NaN or infinity in 1 voxels"),
        (truth / "06.mat", "expected a readable .mat file"),
        ("rCMBInformationInfo.xlsx: 1_T1_MRI_SWI", "expected x, y, z, found [3, 3]"),
        ("2_T1_MRI_SWI.nii.gz", "expected coordinates, found none"),
        ("expected an image for each row", "found none for 4_T1"),
        ("20001mask.nii", "expected labels from 0, found -1"),
        ("20002.nii.gz", "found 7 in every voxel"),
        (crb / "s1" / "segmentations" / "SWI.nii.gz", "expected scribbles, found an empty mask"),
        (crb / "tasks.json", "expected landmarks within (6, 7, 8), found (1, 1, 8)"),
        (crb / "s3" / "images" / "FLAIR", "expected a folder SWI or T2S, found FLAIR"),
        (root["CRBneg"] / "s3", "expected each patient in one split, found s3 also in CRB"),
        (twin, f"found the voxels of {dou / 'nii' / '07.nii'}"),
        (own / "sub-02", "EchoTime in its JSON sidecar: expected s from 0 to 1, found 20"),
        (own / "sub-04", "expected an image T2starw or swi, found T1w"),
        ("sub-05_desc-cmb_mask.nii.gz", "expected one image that it belongs to, found none"),
    ]


def snapshot(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_sound_cohort_has_no_problem(tmp_path, cohort):
    told = []
    found = check_cohort(Cohort.model_validate(parameters(cohort)), tmp_path, tell=told.append)
    assert found.problems == []
    assert "OWN: 0 annotated with microbleeds, 0 without, 3 that nobody has looked at" in told
    assert found.scans == {
        "CRB": 3, "CRBneg": 1, "DOU": 7, "MOMENI": 4, "RODEJA": 3, "VALDO": 6, "OWN": 3,
    }  # fmt: skip


def test_every_planted_fault_is_one_line(
    tmp_path, cohort, write_nifti, write_workbook, monkeypatch
):
    faults = plant(cohort, write_nifti, write_workbook)
    monkeypatch.setenv("CMBKIT_ROOT", str(tmp_path))
    file = tmp_path / "my.yaml"
    file.write_text(yaml.safe_dump({"profile": "x", "workers": 1, "cohort": parameters(cohort)}))
    before = snapshot(tmp_path)
    result = CliRunner().invoke(app, ["check", str(file)])
    assert result.exit_code == 1 and snapshot(tmp_path) == before
    *lines, total = result.stdout.splitlines()
    for words in faults:
        found = [line for line in lines if all(str(word) in line for word in words)]
        assert len(found) == 1, (words, found)
    assert len(lines) == len(faults) == 25, "\n".join(lines)
    assert total.startswith("25 problems in ")
    for line in lines:  # file, expected, found, and what to do about it
        assert "expected" in line and "found" in line and "; " in line, line


def test_two_people_of_one_label_may_be_told_apart(tmp_path, cohort, write_nifti):
    write_nifti(tmp_path / "MORE" / "sub-01" / "anat" / "sub-01_T2starw.nii", noise(3000))
    bids = {"OWN": {"root": str(cohort["OWN"])}, "MORE": {"root": "MORE", "split": "train"}}
    shared = Cohort.model_validate({"datasets": [], "bids": bids})
    (line,) = check_cohort(shared, tmp_path).problems
    assert "found 01 also in" in line and "labels: own" in line
    bids["MORE"]["labels"] = "own"
    assert (
        check_cohort(Cohort.model_validate({"datasets": [], "bids": bids}), tmp_path).problems == []
    )


def test_sums_beside_the_files(tmp_path):
    (tmp_path / "a.nii").write_bytes(b"abc")
    good = hashlib.sha256(b"abc").hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"{good}  a.nii\n")
    assert check_sums(tmp_path) == []
    (tmp_path / "MD5SUMS").write_text(f"{'0' * 32} *a.nii\n{'0' * 32}  b.nii\n")
    changed, missing = check_sums(tmp_path)
    assert "a.nii: expected md5 000" in changed and "900150983cd24fb0d6963f7d28e17f72" in changed
    assert "b.nii" in missing and "found nothing" in missing


def test_the_embedded_cohort_is_not_made_to_be_looked_through(tmp_path, monkeypatch):
    monkeypatch.setenv("CMBKIT_ROOT", str(tmp_path))
    file = tmp_path / "my.yaml"
    file.write_text(
        "profile: x\ncohort: {phantom_scans: {CRB: 1}}\ntraining: {networks: compact}\n"
    )
    monkeypatch.setattr("cmbkit.commands.plan.needs", lambda *_: [])
    result = CliRunner().invoke(app, ["check", str(file)])
    assert result.exit_code == 0 and list(tmp_path.iterdir()) == [file]
    assert result.stdout == "no problems in 0 scans of 0 datasets\n"
    assert "CRB: from the embedded synthetic cohort" in result.stderr


def test_a_missing_folder_keeps_no_other_from_being_looked_at(tmp_path, cohort):
    values = parameters(cohort)
    values["roots"]["DOU"] = "nowhere"
    values["bids"]["MORE"] = "nowhere, either"
    found = check_cohort(Cohort.model_validate(values), tmp_path)
    assert [line.partition(",")[0] for line in found.problems] == [
        f"{tmp_path / 'nowhere'}: expected the folder of DOU",
        f"{tmp_path / 'nowhere'}",
    ]
    assert found.scans["VALDO"] == 6 and found.scans["DOU"] == 0


def test_the_gate_looks_at_ones_own_scans(tmp_path, write_nifti):
    """A phase image by its sidecar is a problem, one of 4 mm within the slice a remark."""
    for number, spacing, about in (
        (1, 1, {"ImageType": ["ORIGINAL", "PHASE"]}),
        (2, 4, {}),
        (3, 1, {}),
    ):
        image = tmp_path / f"sub-{number}" / "anat" / f"sub-{number}_T2starw.nii.gz"
        write_nifti(image, noise(number), (spacing, spacing, 2))
        sidecar = image.with_name(f"sub-{number}_T2starw.json")
        sidecar.write_text(json.dumps(about))
    said = []
    bids = {"MINE": {"root": str(tmp_path)}}
    cohort = Cohort.model_validate({"datasets": [], "bids": bids})
    problems = check_cohort(cohort, tmp_path, tell=said.append).problems
    (line,) = [line for line in problems if "leave_out" in line]
    assert "sub-1_T2starw.nii.gz" in line and "phase" in line
    (line,) = [line for line in said if "doubtful" in line and "within the slice" in line]
    assert "sub-2_T2starw.nii.gz" in line
