"""What people hand in: the same scan stored oddly, and files that no count should come of.

All go through one run of ``cmbkit predict``. What is stored oddly gives its two balls; what looks
like something else than a T2*-weighted image of a head is refused or said to be doubtful, with the
reason. A ball of 178 ml is a small brain and has no tissues, which is doubted everywhere.
"""

import bz2
import gzip
import shutil
import struct

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from cmbkit.commands.predict import predict_command

from .conftest import ellipsoid_scan, write_series

USUAL = ("a brain mask of", "no structure of a brain", "no contrast between")
"""Doubts about the ball itself."""
SAME = {}
"""Cases that give the two balls, by name: how they are written, and what is said beside `USUAL`."""
OTHER = {}
"""Cases that must not give a plain count: how they are written, status, and what is said."""


def same(said=""):
    return lambda write: SAME.update({write.__name__: (write, said)})


def other(status, said):
    return lambda write: OTHER.update({write.__name__: (write, status, said)})


def scan():
    image, _ = ellipsoid_scan()
    return image.data.astype(np.int16), image.affine


def save(path, data, affine, codes=(1, 1), qform=None):
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine, codes[0])
    image.set_qform(affine if qform is None else qform, codes[1])
    nib.save(image, path)
    return path


def as_stored(folder, ending, order=None):
    data, affine = scan()
    image = nib.Nifti1Image(data, affine)
    if order:
        turn = nib.orientations.ornt_transform(
            nib.io_orientation(affine), nib.orientations.axcodes2ornt(order)
        )
        image = image.as_reoriented(turn)
    path = folder / f"scan{ending}"
    nib.save(image, path)
    return path


@same()
def another_order(folder):
    return as_stored(folder, ".nii.gz", "SPL")


@same()
def upper_case(folder):
    return as_stored(folder, ".nii.gz").rename(folder / "SCAN.NII.GZ")


@same()
def packed_but_named_nii(folder):
    return as_stored(folder, ".nii.gz").rename(folder / "scan.nii")


@same()
def bz2_packed(folder):
    path = as_stored(folder, ".nii")
    packed = folder / "scan.nii.bz2"
    packed.write_bytes(bz2.compress(path.read_bytes()))
    path.unlink()
    return packed


@same()
def header_and_voxels_apart(folder):
    data, affine = scan()
    nib.save(nib.Nifti1Pair(data, affine), folder / "scan.hdr")
    return folder / "scan.hdr"


@same("its format leaves left and right open")
def analyze(folder):
    data, _ = scan()
    nib.save(nib.AnalyzeImage(data, np.diag([1.0, 1, 2, 1])), folder / "scan.img")
    return folder / "scan.img"


@same()
def freesurfer(folder):
    data, affine = scan()
    nib.save(nib.MGHImage(data.astype(np.float32), affine), folder / "scan.mgz")
    return folder / "scan.mgz"


@same()
def nrrd(folder):
    import SimpleITK as sitk

    data, affine = scan()
    image = sitk.GetImageFromArray(data.T)
    image.SetSpacing((1.0, 1.0, 2.0))
    image.SetOrigin((-affine[0, 3], -affine[1, 3], affine[2, 3]))
    sitk.WriteImage(image, str(folder / "scan.nrrd"))
    return folder / "scan.nrrd"


@same()
def five_axes(folder):
    data, affine = scan()
    return save(folder / "scan.nii", data[..., None, None], affine)


@same()
def metres_and_said(folder):
    data, affine = scan()
    image = nib.Nifti1Image(data, np.diag([0.001, 0.001, 0.001, 1]) @ affine)
    image.header.set_xyzt_units("meter")
    nib.save(image, folder / "scan.nii")
    return folder / "scan.nii"


@same()
def offset(folder):
    data, affine = scan()
    return save(folder / "scan.nii", data - 1000, affine)


@same()
def hot_voxel(folder):
    data, affine = scan()
    data = data.astype(np.float32)
    data[3, 3, 3] = 1e9
    return save(folder / "scan.nii", data, affine)


@same()
def background_without_number(folder):
    data, affine = scan()
    return save(folder / "scan.nii", np.where(data == 0, np.nan, data).astype("f4"), affine)


@same("qform and sform have code 0: left and right are not known")
def no_codes(folder):
    return save(folder / "scan.nii", *scan(), codes=(0, 0))


@same("mirror each other: left and right are not known")
def mirrored_forms(folder):
    data, affine = scan()
    return save(folder / "scan.nii", data, affine, qform=np.diag([-1.0, 1, 1, 1]) @ affine)


@other("doubtful", "its affine is the identity")
def identity(folder):
    return save(folder / "scan.nii", scan()[0], np.eye(4))


@other("failed", "expected voxels of 0.1 to 25 mm, found 0.001 x 0.001 x 0.002 mm")
def metres_unsaid(folder):
    data, affine = scan()
    return save(folder / "scan.nii", data, np.diag([0.001, 0.001, 0.001, 1]) @ affine)


@other("failed", "scan.nii: brain mask: expected a brain")
def centimetres(folder):
    data, affine = scan()
    return save(folder / "scan.nii", data, np.diag([0.1, 0.1, 0.1, 1]) @ affine)


@other("unfit", "as a phase image has")
def phase(folder):
    data, affine = scan()
    rng = np.random.default_rng(0)
    noise = rng.uniform(-3000, 3000, data.shape)
    return save(folder / "s.nii", np.where(data > 0, data / 10, noise).astype("i2"), affine)


@other("doubtful", "darker than the background")
def filtered_phase(folder):
    data, affine = scan()
    rng = np.random.default_rng(0)
    around = rng.normal(0, 300, data.shape)
    return save(folder / "s.nii", np.where(data > 0, around, 0).astype("i2"), affine)


@other("doubtful", "darker than the background")
def inverted(folder):
    data, affine = scan()
    return save(folder / "s.nii", data.max() - data, affine)


@other("doubtful", "neighbouring slices share values")
def projection(folder):
    data, affine = scan()
    textured = data + (data > 0) * np.random.default_rng(0).normal(0, 40, data.shape)
    windows = np.lib.stride_tricks.sliding_window_view(textured, 4, axis=2)
    return save(folder / "s.nii", windows.min(axis=-1).astype("i2"), affine)


@other("unfit", "2 different values, as in a mask")
def mask(folder):
    data, affine = scan()
    return save(folder / "brain.nii", (data > 0).astype(np.uint8), affine)


@other("failed", "expected real numbers, found voxels of complex64")
def complex_with_a_slope(folder):
    data, affine = scan()
    content = bytearray(nib.Nifti1Image(data.astype(np.complex64), affine).to_bytes())
    struct.pack_into("<2f", content, 112, 2.0, 0.0)
    (folder / "s.nii").write_bytes(content)
    return folder / "s.nii"


@other("failed", "expected real numbers, found voxels of [('R'")
def colours(folder):
    data, affine = scan()
    rgb = np.zeros(data.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    return save(folder / "s.nii", rgb, affine)


@other("failed", "found 2 volumes; keep one of them, or name it with --echo")
def magnitude_and_phase(folder):
    data, affine = scan()
    return save(folder / "s.nii", np.stack([data, data], -1), affine)


@other("failed", "s.nii: brain mask: expected a brain")
def one_slice(folder):
    data, affine = scan()
    return save(folder / "s.nii", data[:, :, 20:21], affine)


@other("failed", "CRC check failed")
def wrong_sum(folder):
    path = as_stored(folder, ".nii")
    content = bytearray(gzip.compress(path.read_bytes()))
    content[-8] ^= 1
    (folder / "s.nii.gz").write_bytes(content)
    return folder / "s.nii.gz"


@other("failed", "s.nii: expected")
def no_voxels(folder):
    data, affine = scan()
    content = bytearray(nib.Nifti1Image(data, affine).to_bytes())
    struct.pack_into("<h", content, 42, 0)
    (folder / "s.nii").write_bytes(content)
    return folder / "s.nii"


@other("failed", "s.nii: expected")
def endless(folder):
    data, affine = scan()
    content = bytearray(nib.Nifti1Image(data, affine).to_bytes())
    struct.pack_into("<3h", content, 42, 32000, 32000, 32000)
    (folder / "s.nii").write_bytes(content)
    return folder / "s.nii"


def series(folder, change):
    pydicom = pytest.importorskip("pydicom")
    write_series(ellipsoid_scan(thick=2)[0], folder / "series")
    for number, path in enumerate(sorted((folder / "series").iterdir())):
        d = pydicom.dcmread(path)
        change(d, number)
        d.save_as(path, enforce_file_format=False)
    return folder / "series"


def field(**values):
    return lambda folder: series(folder, lambda d, _: d.update(values))


DICOM = {
    "phase series": (field(ImageType=["ORIGINAL", "PRIMARY", "P"]), "unfit", "a phase image"),
    "GE's phase": (field(SeriesDescription="FILT_PHA: SWAN"), "unfit", "a phase image"),
    "mIP": (field(ImageType=["DERIVED", "PRIMARY", "MNIP"]), "doubtful", "minimum-intensity"),
    "mIP by name": (field(SeriesDescription="mIP_Images(SW)"), "doubtful", "minimum-intensity"),
    "ankle": (field(BodyPartExamined="ANKLE"), "unfit", "body part ANKLE"),
    "inverted": (field(PhotometricInterpretation="MONOCHROME1"), "unfit", "MONOCHROME1"),
    "T1": (field(SeriesDescription="t1_mprage_sag", EchoTime=2.3), "doubtful", "T1-weighted"),
    "spin echo": (field(ScanningSequence="SE"), "doubtful", "a spin echo"),
    "gap": (field(SliceThickness=2.0), "doubtful", "slices of 2 mm 4 mm apart"),
    "no place": (
        lambda folder: series(folder, lambda d, _: d.pop("ImagePositionPatient")),
        "failed",
        "found no ImagePositionPatient in 20 of 20 slices",
    ),
    "no pixel size": (
        lambda folder: series(folder, lambda d, _: d.pop("PixelSpacing")),
        "failed",
        "found no PixelSpacing in 20 of 20 slices",
    ),
}


@pytest.fixture(scope="module")
def outcomes(weights, tmp_path_factory):
    """A row of scans.tsv for each case, by the case's name; intensities count from the brain's."""
    root = tmp_path_factory.mktemp("odd")
    own = shutil.copytree(weights, root / "weights")
    described = (own / "network.json").read_text()
    assert '"zscore": "padded"' in described
    (own / "network.json").write_text(described.replace('"zscore": "padded"', '"zscore": "brain"'))
    cases = {name: write for name, (write, *_) in (SAME | OTHER | DICOM).items()}
    paths = {}
    for name, write in cases.items():
        folder = root / name.replace(" ", "_").replace("'", "")
        folder.mkdir()
        paths[name] = write(folder)
    predict_command(paths.values(), root / "out", weights=own, say=lambda _: None)
    table = pd.read_csv(root / "out" / "scans.tsv", sep="\t", keep_default_na=False)
    assert len(table) == len(paths)
    return {name: row for name, (_, row) in zip(paths, table.iterrows(), strict=True)}


@pytest.mark.parametrize("name", SAME)
def test_what_is_stored_oddly_gives_the_same(outcomes, name):
    _, said = SAME[name]
    row = outcomes[name]
    assert (row["status"], row["microbleeds"]) == ("done", "2"), row["problem"]
    notes = [note for note in row["notes"].split("; ") if not note.startswith(USUAL)]
    assert said in row["notes"] and (said or not notes), notes


@pytest.mark.parametrize("name", [*OTHER, *DICOM])
def test_what_is_no_scan_to_count_on_is_refused_or_doubtful(outcomes, name):
    _, status, said = (OTHER | DICOM)[name]
    row = outcomes[name]
    found = row["fitness"] if row["status"] in ("done", "unfit") else row["status"]
    assert (found, said in row["notes"] + row["problem"]) == (status, True), row.to_dict()
    assert status == "doubtful" or row["microbleeds"] == "n/a"
