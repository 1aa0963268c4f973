"""SynthStrip and SynthSeg by their command lines; scripts that behave alike stand in for them.

Each refuses arguments that the real one does not have and writes what the real one writes:
SynthStrip a mask on the image's grid, SynthSeg labels on a 1 mm grid of the same field of view.
"""

import json
import os
import stat
import sys

import numpy as np
import pytest

from cmbkit.anatomy.brain_mask import brain_mask
from cmbkit.anatomy.parcellation import parcellate
from cmbkit.anatomy.programs import ProgramError
from cmbkit.params import Tool
from cmbkit.volume import Volume, VolumeError

SYNTHSTRIP = """
parser = argparse.ArgumentParser()
parser.add_argument("-i", required=True)
parser.add_argument("-o", required=True)
parser.add_argument("-m", required=True)
options = parser.parse_args()
image = nib.load(options.i)
data = image.get_fdata()
assert abs(data.mean()) < 1e-4 and abs(data.std() - 1) < 1e-4, "expected a z-scored copy"
mask = (data > 0.5).astype("uint8")
nib.save(nib.Nifti1Image(mask, image.affine), options.m)
nib.save(nib.Nifti1Image(data * mask, image.affine), options.o)
"""
SYNTHSEG = """
parser = argparse.ArgumentParser()
for name in ("--i", "--o"):
    parser.add_argument(name, required=True)
for name in ("--robust", "--parc", "--cpu", "--keepgeom"):
    parser.add_argument(name, action="store_true")
parser.add_argument("--threads", type=int)
parser.add_argument("--vol")
options = parser.parse_args()
assert options.robust, "T2* and SWI need --robust"
image = nib.load(options.i)
spacing = np.sqrt((image.affine[:3, :3] ** 2).sum(0))
shape = np.round(np.array(image.shape) * spacing).astype(int)
affine = image.affine @ np.diag([*(1 / spacing), 1.0])
affine[:3, 3] = nib.affines.apply_affine(image.affine, 0.5 / spacing - 0.5)
labels = np.zeros(shape, "int32")
labels[shape[0] // 2:] = 41
labels[: shape[0] // 2] = 2
labels[shape[0] // 2, 0, 0] = 16
nib.save(nib.Nifti1Image(labels, affine), options.o)
"""
DOCKER = """
arguments = sys.argv[1:]
expected = ["run", "--rm", "--network", "none", "--user", f"{os.getuid()}:{os.getgid()}"]
assert arguments[:6] == expected and arguments[6] == "--volume" and arguments[8] == "--entrypoint"
inside, outside = arguments[7].split(":")
assert inside == outside and os.path.isdir(inside) and arguments[10] == "freesurfer:8"
assert any(a.startswith(inside + "/") for a in arguments[11:])
os.execv(os.path.join(os.environ["IN_IMAGE"], arguments[9]), arguments[9:10] + arguments[11:])
"""
PRELUDE = "import argparse, json, os, sys\nimport nibabel as nib\nimport numpy as np\n"
NOTE = "json.dump(sys.argv, open(os.environ['NOTES'], 'w'))\n"


def install(folder, name, body):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\n{PRELUDE}{NOTE}{body}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def notes(tmp_path, monkeypatch):
    """What the last program was called with; only programs in tmp_path/bin are on the PATH."""
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return lambda: json.loads((tmp_path / "notes").read_text())


@pytest.fixture
def scan():
    """A bright box (voxels 4 to 11 of 16 on each axis) of 0.5 mm voxels, off the origin."""
    data = np.full((16, 16, 16), 10, np.float32)
    data[4:12, 4:12, 4:12] = 200
    affine = np.diag([0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] = -7, 11, 3
    return Volume(data, affine)


def test_synthstrip_gets_a_z_scored_copy_and_its_mask_is_taken(scan, notes, tmp_path):
    install(tmp_path / "bin", "mri_synthstrip", SYNTHSTRIP)
    mask, name = brain_mask(scan)
    assert name == "SynthStrip" and mask.data.dtype == np.uint8
    np.testing.assert_array_equal(mask.data, scan.data > 100)
    assert notes()[1::2] == ["-i", "-o", "-m"]


def test_synthseg_labels_of_1_mm_come_back_on_the_grid_of_the_scan(scan, notes, tmp_path):
    """8 labels of 1 mm over 16 voxels of 0.5 mm: each covers two voxels, the half is at 8."""
    install(tmp_path / "bin", "mri_synthseg", SYNTHSEG)
    brain = scan.with_data((scan.data > 100).astype(np.uint8))
    labels, name = parcellate(scan, brain)
    assert name == "SynthSeg (robust)" and labels.data.dtype == np.uint8
    expected = np.full(scan.shape, 2)
    expected[8:] = 41
    expected[8:10, :2, :2] = 16
    np.testing.assert_array_equal(labels.data, expected)
    assert notes()[1::2][:2] == ["--i", "--o"] and notes()[5:] == [
        *("--robust", "--cpu", "--threads", "1")
    ]


def test_programs_in_a_docker_image(scan, notes, tmp_path, monkeypatch):
    """The program is on the image's PATH, not on this machine's."""
    monkeypatch.setenv("IN_IMAGE", str(tmp_path / "image"))
    install(tmp_path / "bin", "docker", DOCKER)
    install(tmp_path / "image", "mri_synthstrip", SYNTHSTRIP)
    install(tmp_path / "image", "mri_synthseg", SYNTHSEG)
    tool = Tool(docker_image="freesurfer:8")
    mask, name = brain_mask(scan, tool=tool)
    assert name == "SynthStrip" and mask.data.sum() == 8**3
    assert parcellate(scan, mask, tool=tool)[1] == "SynthSeg (robust)"


def test_a_program_by_its_path(scan, notes, tmp_path):
    program = install(tmp_path / "elsewhere", "strip", SYNTHSTRIP)
    assert brain_mask(scan, tool=Tool(program=str(program)))[1] == "SynthStrip"
    assert notes()[0] == str(program)


def test_files_made_beforehand(scan, notes, tmp_path):
    inside = (scan.data > 100).astype(np.uint8)
    scan.with_data(inside * 255).write(tmp_path / "masks" / "A-1.nii.gz")
    areas = scan.with_data(np.where(inside, 1028, 2035).astype(np.int32))
    areas.write(tmp_path / "labels" / "A-1.nii.gz")
    mask, name = brain_mask(scan, tool=Tool(folder=str(tmp_path / "masks")), uid="A-1")
    assert name == "made beforehand"
    np.testing.assert_array_equal(mask.data, inside)
    labels, name = parcellate(scan, mask, tool=Tool(folder=str(tmp_path / "labels")), uid="A-1")
    assert name == "made beforehand"
    np.testing.assert_array_equal(labels.data, areas.data)
    with pytest.raises(ProgramError, match=r"B-2\.nii\.gz: expected the brain mask of scan B-2"):
        brain_mask(scan, tool=Tool(folder=str(tmp_path / "masks")), uid="B-2")
    moved = Volume(inside, np.eye(4))
    moved.write(tmp_path / "masks" / "C-3.nii.gz")
    with pytest.raises(VolumeError, match=r"C-3\.nii\.gz: expected the affine"):
        brain_mask(scan, tool=Tool(folder=str(tmp_path / "masks")), uid="C-3")


def test_a_program_that_fails_or_is_missing_is_named(scan, notes, tmp_path):
    install(tmp_path / "bin", "mri_synthstrip", "sys.exit('no weights')")
    with pytest.raises(ProgramError, match=r"mask.nii.gz from mri_synthstrip.* 1: no weights"):
        brain_mask(scan)
    with pytest.raises(ProgramError, match="/nowhere/seg: expected the program"):
        parcellate(scan, scan, tool=Tool(program="/nowhere/seg"))
    with pytest.raises(ProgramError, match="freesurfer:8: expected docker on the PATH"):
        parcellate(scan, scan, tool=Tool(docker_image="freesurfer:8"))
    assert os.environ["PATH"] == str(tmp_path / "bin")
