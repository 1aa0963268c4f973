"""What must not matter: how a scan is stored, and what its numbers count from and in."""

import json
import shutil
from functools import lru_cache
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from scipy import ndimage

import cmbkit
from cmbkit.params import Preprocessing
from cmbkit.preprocessing.pipeline import prepare
from cmbkit.records import Acquisition, Annotation, Scan

ORDERS = ["".join(o) for axes in permutations(("RL", "AP", "SI")) for o in product(*axes)]
AFFINE = np.array([[3.0, 0, 0, -96], [0, 3.0, 0, -110], [0, 0, 4.0, -80], [0, 0, 0, 1]])
PARAMS = Preprocessing(spacing_mm=3.0, pad_voxels=70, zscore="brain")
SOME = settings(max_examples=8, deadline=None, derandomize=True)
TYPES = ["<i2", ">i2", "<u2", ">u2", "<i4", ">i4", "<f4", ">f4", "<f8", ">f8"]
SLOPES = st.floats(-4, 4).map(lambda power: 10**power)
OFFSETS = st.floats(-3, 3)
"""In units of the brightest voxel."""


MM = (np.indices((66, 74, 44)).T - (65 / 2, 73 / 2, 43 / 2)) @ np.diag([3.0, 3.0, 4.0])
"""From the middle, axes in reverse."""


def within(*axes):
    return ((MM / axes) ** 2).sum(-1).T <= 1


@lru_cache
def head(skull=True):
    """Whole numbers: brain with texture and dark spots, CSF, bone, scalp, noise in the air."""
    rng = np.random.default_rng(4)
    shape = (66, 74, 44)
    data = rng.rayleigh(10, shape)
    for axes, value in (((82, 98, 80), 350), ((76, 92, 74), 40), ((68, 84, 66), 700)):
        data[within(*axes)] = value
    brain = within(66, 82, 64)
    spots = ndimage.gaussian_filter(rng.normal(size=shape), 1.0)
    data[brain] = (500 + 400 * spots)[brain]
    data[brain & (rng.random(shape) < 0.004)] = 60
    data = np.clip(data + rng.normal(0, 8, shape), 0, 1000)
    return np.rint(data if skull else np.where(brain, data, 0)).astype(np.int16)


def stored(path, data, *, affine=AFFINE, order="RAS", dtype="<i2", slope=1.0, inter=0.0):
    """Write whole numbers as a NIfTI file of another kind that means slope x data + inter."""
    dtype = np.dtype(dtype)
    header = nib.Nifti1Header(endianness=dtype.byteorder if dtype.byteorder in "<>" else "<")
    image = nib.Nifti1Image(data.astype(dtype), affine, header)
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(order))
    image = image.as_reoriented(turn)
    image.header.set_data_dtype(dtype)
    image.header.set_slope_inter(slope, inter)
    with open(path, "wb") as stream:  # as it is: nibabel's own saving would scale anew
        image.header["vox_offset"] = 352
        stream.write(image.header.binaryblock + b"\0" * 4)
        stream.write(np.asarray(image.dataobj).astype(dtype).tobytes(order="F"))
    return path


def standard(path):
    """z-scored image and brain on the standard grid."""
    scan = Scan("SCAN", "p", "s", "T2S", path, Annotation("none"), Acquisition((3.0, 3.0), 4.0))
    done = prepare(scan, PARAMS)
    return done.image, done.brain


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("invariance")


@pytest.fixture(scope="module", params=[True, False], ids=["head", "stripped"])
def reference(request, folder):
    data = head(request.param)
    return data, *standard(stored(folder / f"reference{request.param}.nii", data))


def test_the_reference_is_sane(reference):
    """The mask is the brain, with CSF or without: 1.39 to 1.6 litres; z-scores as in training."""
    _, image, brain = reference
    litres = (brain.data > 0).sum() * brain.voxel_volume_mm3 / 1e6
    assert 1.39 < litres < 1.62 and 1.5 < np.median(image.data[brain.data > 0]) < 2.1


@SOME
@given(st.sampled_from(ORDERS), st.sampled_from(TYPES), SLOPES, OFFSETS)
@example("RAS", "<i2", 7.3e-4, -1.0)
def test_order_type_scale_and_offset_do_not_matter(folder, reference, order, dtype, slope, offset):
    data, image, brain = reference
    inter = offset * slope * float(data.max())
    path = stored(folder / "a.nii", data, order=order, dtype=dtype, slope=slope, inter=inter)
    found, mask = standard(path)
    np.testing.assert_array_equal(mask.data, brain.data)
    np.testing.assert_allclose(found.affine, image.affine, atol=1e-4)
    np.testing.assert_allclose(found.data, image.data, atol=5e-3)


@SOME
@given(
    place=st.tuples(st.integers(0, 65), st.integers(0, 73), st.integers(0, 43)),
    value=st.one_of(st.floats(1.5e3, 1e9), st.floats(-1e9, -500.0)),
)
@example(place=(33, 37, 22), value=1e9)
def test_one_odd_voxel_does_not_matter(folder, reference, place, value):
    """But for its own surroundings: 1 in 1,000 voxels of the grid at most."""
    data, image, brain = reference
    odd = data.astype(np.float64)
    odd[place] = value
    found, mask = standard(stored(folder / "b.nii", odd, dtype="<f4"))
    assert (mask.data != brain.data).mean() < 1e-3 if mask.shape == brain.shape else False
    assert (np.abs(found.data - image.data) > 0.02).mean() < 1e-3
    assert np.abs(found.data).max() < 20


@SOME
@given(value=st.floats(-5000, 5000).map(np.float32))
@example(value=0.0)
@example(value=7.0)
@example(value=-1000.0)
@example(value=np.nan)
def test_the_value_of_a_background_does_not_matter(folder, reference, value):
    """Air of one value around a head of 2.7 litres or a stripped brain."""
    data, image, brain = reference
    air = data == 0 if (data == 0).mean() > 0.3 else ~within(82, 98, 80)
    found, mask = standard(stored(folder / "d.nii", np.where(air, value, data), dtype="<f4"))
    assert (mask.data != brain.data).mean() < 1e-3
    inside = (brain.data > 0) & (mask.data > 0)
    assert (np.abs(found.data - image.data)[inside] > 0.02).mean() < 1e-3


@SOME
@given(st.tuples(*[st.floats(-20, 20)] * 3))
@example((15.0, -15.0, 4.0))
def test_an_oblique_scan_differs_by_its_interpolation_alone(folder, reference, degrees):
    """Volume of the mask within 2 %, mean and spread of z-scores within 0.06."""
    data, image, brain = reference
    turn = nib.affines.from_matvec(nib.eulerangles.euler2mat(*np.deg2rad(degrees)))
    found, mask = standard(stored(folder / "e.nii", data, affine=turn @ AFFINE))
    assert int(mask.data.sum()) == pytest.approx(int(brain.data.sum()), rel=0.02)
    z, before = found.data[mask.data > 0], image.data[brain.data > 0]
    assert z.mean() == pytest.approx(before.mean(), abs=0.06)
    assert z.std() == pytest.approx(before.std(), abs=0.06)


BLEEDS = np.array(
    [(25, 30, 20), (38, 30, 20), (32, 45, 18), (30, 25, 26), (40, 42, 24), (24, 44, 16)]
)
"""Voxels of a brain of 52 x 60 x 48 mm on 1 x 1 x 1.5 mm."""
SMALL = np.array([[1.0, 0, 0, -32], [0, 1.0, 0, -36], [0, 0, 1.5, -30], [0, 0, 0, 1]])


@lru_cache
def small_brain():
    """Whole numbers: texture around 500, 0 outside, dark Gaussians of 3 mm FWHM at `BLEEDS`."""
    shape, spacing = np.array((64, 72, 40)), (1.0, 1.0, 1.5)
    mm = np.moveaxis(np.indices(shape), 0, -1) * spacing
    inside = (((mm - (shape - 1) / 2 * spacing) / (26, 30, 24)) ** 2).sum(-1) <= 1
    texture = ndimage.gaussian_filter(np.random.default_rng(7).normal(size=shape), 1.0)
    data = np.where(inside, 500 + 200 * texture, 0)
    for bleed in BLEEDS:
        data *= 1 - 0.8 * np.exp(-((mm - bleed * spacing) ** 2).sum(-1) / (2 * 1.3**2))
    return np.rint(data).astype(np.int16)


@lru_cache
def unmirrored(folder):
    """The shipped weights without their mirror images, which take the time."""
    shipped, own = Path(cmbkit.__file__).parent / "weights/compact", folder / "unmirrored"
    shutil.copytree(shipped, own)
    values = json.loads((own / "network.json").read_text())
    assert values["inference"]["flips"]
    values["inference"]["flips"] = False
    (own / "network.json").write_text(json.dumps(values))
    return own


def found_in(path):
    """Centre and volume of each microbleed that the shipped weights find, sorted by place."""
    found = cmbkit.predict(path, weights=unmirrored(path.parent))
    table = found.table.sort_values(["x_mm", "y_mm", "z_mm"])
    return table[["x_mm", "y_mm", "z_mm"]].to_numpy(), table["volume_mm3"].to_numpy()


@pytest.mark.slow
@settings(max_examples=5, deadline=None, derandomize=True)
@given(
    order=st.sampled_from(ORDERS),
    dtype=st.sampled_from([">i2", "<i4", ">f4", "<f8"]),
    slope=SLOPES,
    offset=OFFSETS,
    hot=st.sampled_from([None, (2, 3, 4)]),
    air=st.integers(-1000, 3000),
)
@example(order="LPI", dtype=">f4", slope=1.0, offset=0.0, hot=(2, 3, 4), air=-1000)
def test_predict_does_not_depend_on_storage(folder, order, dtype, slope, offset, hot, air):
    """Order, flips, type, bytes, scale, offset, air, one hot voxel: six microbleeds in place."""
    expected, volumes = reference_found(folder)
    data = np.where(small_brain() == 0, air, small_brain()).astype(np.float64)
    if hot and dtype[1] == "f":
        data[hot] = 1e7
    inter = offset * slope * float(small_brain().max())
    path = folder / "whole.nii"
    stored(path, data, affine=SMALL, order=order, dtype=dtype, slope=slope, inter=inter)
    centres, found = found_in(path)
    assert len(centres) == len(BLEEDS)
    np.testing.assert_allclose(centres, expected, atol=0.05)
    np.testing.assert_allclose(found, volumes, rtol=0.02)


@lru_cache
def reference_found(folder):
    """`found_in` the scan as it is; each microbleed lies within a voxel of where it was put."""
    path = stored(folder / "plain.nii", small_brain(), affine=SMALL)
    centres, volumes = found_in(path)
    put = nib.affines.apply_affine(SMALL, BLEEDS)
    away = np.linalg.norm(centres[:, None] - put, axis=-1)
    assert (away.min(axis=1) < 1.0).all() and sorted(away.argmin(axis=1)) == list(range(len(put)))
    return centres, volumes
