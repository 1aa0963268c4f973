"""One small scan end to end, and the steps whose result can be worked out by hand."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from cmbkit.params import Preprocessing
from cmbkit.preprocessing import grid, pipeline
from cmbkit.preprocessing.census import CountError
from cmbkit.records import Acquisition, Annotation, Finding, Scan, StandardScan
from cmbkit.volume import Volume

AFFINE = np.array([[-1.0, 0, 0, 70], [0, -1.0, 0, 80], [0, 0, 3.0, -50], [0, 0, 0, 1]])
POINTS = ((60, 70, 18), (40, 90, 20), (42, 90, 20), (80, 60, 15))
PARAMS = Preprocessing(spacing_mm=1.0, pad_voxels=200)


def write_brain(folder):
    """A stripped ellipsoid brain (400) with a dark ball of 2.5 mm at every point."""
    shape = (130, 160, 40)
    mm = np.moveaxis(np.indices(shape), 0, -1) * (1.0, 1.0, 3.0)
    inside = (((mm - (64, 79, 58)) / (55, 70, 50)) ** 2).sum(-1) <= 1
    data = np.where(inside, 400 + np.random.default_rng(0).normal(0, 4, shape), 0)
    for point in POINTS:
        data[((mm - np.multiply(point, (1, 1, 3))) ** 2).sum(-1) <= 2.5**2] = 100
    data[:3, :3, :3] = np.nan
    return Volume(data.astype(np.float32), AFFINE).write(folder / "raw.nii.gz"), inside


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipeline")
    path, inside = write_brain(folder)
    annotation = Annotation("points", points=POINTS)
    scan = Scan("MOMENI", "p1", "01", "SWI", path, annotation, Acquisition((1.0, 1.0), 3.0))
    pipeline.preprocess(scan, PARAMS, folder / "out")
    return StandardScan(scan, folder / "out"), inside


def test_all_files_lie_on_one_isotropic_ras_grid(done):
    standard, _ = done
    image = standard.image()
    assert image.orientation == "RAS" and np.allclose(image.spacing, 1.0)
    for other in (standard.lesions(), standard.brain(), standard.labels()):
        image.require_same_grid(other)
    assert list(image.shape) == standard.record()["standard"]["shape"]
    assert len(list(standard.folder.iterdir())) == 11


def test_count_is_the_same_at_every_step(done):
    """Four points, two of them 2 mm apart and touching: four labels, four rows."""
    standard, _ = done
    record = standard.record()
    steps = ("refined", "resampled", "pruned", "final")
    assert record["counts"] == dict.fromkeys(steps, 4) and record["annotated"] == 4
    assert record["components"] == dict.fromkeys(steps, 3)
    merged = standard.changes().query("id == 2").iloc[0]
    assert merged[["step", "kind", "other"]].tolist() == ["refinement", "merged", 3]
    assert np.unique(standard.lesions().data).tolist() == [0, 1, 2, 3, 4]
    assert standard.microbleeds().columns.tolist() == pipeline.COLUMNS


def test_microbleeds_stay_where_the_points_are(done):
    standard, _ = done
    table = standard.microbleeds()
    expected = Volume(np.zeros((1, 1, 1)), AFFINE).to_mm(POINTS)
    found = table[["x_mm", "y_mm", "z_mm"]].to_numpy()
    assert np.linalg.norm(found - expected, axis=1)[[0, 3]].max() < 0.8
    np.testing.assert_allclose(
        standard.lesions().to_mm(table[["x_vox", "y_vox", "z_vox"]]), found, atol=1e-2
    )


def test_image_is_dark_at_the_microbleeds(done):
    standard, _ = done
    image, lesions = standard.image().data, standard.lesions().data
    assert image[lesions > 0].mean() < image[standard.brain().data > 0].mean() - 1


def test_radius_and_volume_follow_from_the_voxels(done):
    standard, _ = done
    table, sizes = standard.microbleeds(), np.bincount(standard.lesions().data.ravel())[1:]
    assert table.n_voxels.tolist() == sizes.tolist()
    np.testing.assert_allclose(table.radius_mm, (3 * sizes / (4 * np.pi)) ** (1 / 3), rtol=1e-4)


def test_zscore_is_that_of_the_padded_cube(done):
    """Padding with the background value to 200^3 gives mean 0 and variance 1."""
    standard, _ = done
    image, record = standard.image().data, standard.record()
    cube = np.full((200, 200, 200), record["background_value"], np.float32)
    cube[tuple(slice(0, n) for n in image.shape)] = image
    assert cube.mean(dtype=np.float64) == pytest.approx(0, abs=1e-3)
    assert cube.std(dtype=np.float64) == pytest.approx(1, abs=1e-3)
    assert image[standard.brain().data == 0].max() <= record["mean"] + 5


def test_a_padded_image_is_the_same_image_in_the_middle_of_its_cube(done):
    """As published: the cube itself, its background the z-score of 0; nothing else changes."""
    standard, _ = done
    params = PARAMS.model_copy(update={"padding": "image"})
    padded = pipeline.prepare(standard.scan, params)
    assert padded.image.shape == (PARAMS.pad_voxels,) * 3
    assert padded.image.data.mean(dtype=np.float64) == pytest.approx(0, abs=1e-3)
    shape = standard.image().shape
    inner = tuple(slice((200 - n) // 2, (200 - n) // 2 + n) for n in shape)
    np.testing.assert_allclose(padded.image.data[inner], standard.image().data, atol=2e-3)
    assert padded.image.data[0, 0, 0] == pytest.approx(padded.record["background_value"])
    assert (padded.lesions.data[inner] == standard.lesions().data).all()
    places = standard.microbleeds()[["x_mm", "y_mm", "z_mm", "n_voxels"]].to_numpy()
    found = padded.table[["x_mm", "y_mm", "z_mm", "n_voxels"]].to_numpy()
    np.testing.assert_allclose(found, places, atol=1e-3)


def test_sidecars_name_sources_parameters_and_versions(done):
    """Each image has a sidecar whose sources exist and hash to what it says (hashed anew)."""
    standard, _ = done
    images = sorted(standard.folder.glob("*.nii.gz"))
    assert len(images) == 4
    for image in images:
        entry = json.loads(image.with_name(image.name.replace(".nii.gz", ".json")).read_text())
        for source in entry["Sources"]:
            content = (standard.folder / source).read_bytes()
            digest = hashlib.blake2b(content, digest_size=12).hexdigest()
            assert entry["InputHashes"][source] == digest
        assert Preprocessing(**entry["Parameters"]) == PARAMS
        assert entry["SoftwareVersions"]["numpy"] == np.__version__
    entry = json.loads(standard.file("desc-preproc_T2starw.json").read_text())
    assert (standard.folder / entry["Sources"][0]).samefile(standard.scan.image)
    entry = json.loads(standard.file("desc-cmb_dseg.json").read_text())
    assert entry["Annotation"] == {"kind": "points", "points": [list(p) for p in POINTS]}


def test_spheres_drawn_on_the_standard_grid_are_rounder(done, tmp_path):
    """Slices of 3 mm, balls of 2.5 mm radius: spheres drawn at 1 mm are not stretched to blocks.

    A sphere is as high as it is wide (to a voxel); a label drawn on 3 mm slices comes in steps
    of three voxels.
    """
    standard, _ = done
    params = PARAMS.model_copy(update={"refinement_grid": "standard", "closing_iterations": 0})
    found = pipeline.prepare(standard.scan, params)
    assert found.record["refinement_grid"] == "standard"
    assert set(found.record["counts"].values()) == {4}
    for label in (1, 4):
        extent = np.ptp(np.argwhere(found.lesions.data == label), axis=0) + 1
        assert np.ptp(extent) <= 1
    expected = Volume(np.zeros((1, 1, 1)), AFFINE).to_mm(POINTS)
    places = found.table[["x_mm", "y_mm", "z_mm"]].to_numpy()
    assert np.linalg.norm(places - expected, axis=1)[[0, 3]].max() < 0.5
    np.testing.assert_allclose(found.image.data, standard.image().data, atol=2e-3)


def test_record_names_methods_and_the_way_back(done):
    standard, inside = done
    record = standard.record()
    assert record["methods"]["brain_mask"] == "zero background"
    assert record["methods"]["parcellation"].startswith(("stand-in", "SynthSeg"))
    replaced = standard.changes().iloc[0]  # the scan's own changes come first
    assert replaced["kind"] == "replaced" and pd.isna(replaced["id"]) and replaced["before"] == 27
    assert record["slice_thickness_mm"] == 3.0
    back = grid.to_native(standard.brain(), record)
    assert back.orientation == "LPS" and np.allclose(back.affine, AFFINE)
    np.testing.assert_array_equal(back.data > 0, inside)
    steps = np.array(record["standard_to_native"])[:3, :3]
    np.testing.assert_allclose(steps, np.diag([-1, -1, 1 / 3]), atol=1e-12)
    lesions = grid.to_native(standard.lesions(), record).data
    assert [int(lesions[p]) for p in POINTS] == [1, 2, 3, 4]


def masked_scan(folder, dataset, marks, spacing):
    """A stripped ball of brain (25 mm radius) and a mask; ``marks`` maps label to voxels."""
    shape = np.round(60 / np.asarray(spacing)).astype(int)
    mm = np.moveaxis(np.indices(shape), 0, -1) * spacing
    inside = ((mm - 30) ** 2).sum(-1) <= 25**2
    data = np.where(inside, 300 + np.random.default_rng(1).normal(0, 5, shape), 0)
    affine = np.diag([*spacing, 1.0])
    drawn = np.zeros(shape, np.uint8)
    for label, voxels in marks.items():
        drawn[tuple(np.array(voxels).T)] = label
    annotation = Annotation("mask", Volume(drawn, affine).write(folder / "mask.nii.gz"))
    image = Volume(data.astype(np.float32), affine).write(folder / "image.nii.gz")
    return Scan(dataset, "p", "1", "SWI", image, annotation, Acquisition((1.0, 1.0), 1.0))


def test_record_says_which_microbleed_a_step_changed_and_why(tmp_path):
    """Grid of 0.5 mm brought to 2 mm, which keeps about every fourth voxel of an axis.

    Label 1 is one voxel between the points of the 2 mm grid: lost, then marked. Label 2 is two
    blocks 6 mm apart: in 2 pieces from the start, one pruned. Label 3 is a bar with a bridge of
    one voxel's width between the points: fragmented. Labels 4 and 5 touch from the start.
    """
    solid = list(np.ndindex(9, 9, 9))

    def at(corner, voxels=solid):
        return [tuple(np.add(corner, v)) for v in voxels]

    bridge = [(i, 3, 3) for i in range(9, 21)]
    marks = {
        1: [(51, 51, 51)],
        2: at((40, 60, 60)) + at((61, 60, 60), list(np.ndindex(5, 5, 5))),
        3: at((60, 40, 40), solid + bridge) + at((81, 40, 40)),
        4: at((40, 40, 70)),
        5: at((49, 40, 70)),
    }
    scan = masked_scan(tmp_path, "RODEJA", marks, (0.5, 0.5, 0.5))
    params = Preprocessing(spacing_mm=2.0, pad_voxels=40, closing_iterations=0)
    found = pipeline.prepare(scan, params)
    assert found.record["counts"] == {"refined": 5, "resampled": 4, "pruned": 5, "final": 5}
    changes = {
        label: list(rows[["step", "kind", "before", "after"]].itertuples(index=False, name=None))
        for label, rows in found.changes.groupby("id")
    }
    assert changes[1] == [("resampling", "lost", 1, 0), ("resampling", "marked", 0, 1)]
    assert ("pruning", "pruned", 2, 1) in changes[2]
    assert ("resampling", "fragmented", 1, 2) in changes[3]
    assert changes[4][0] == changes[5][0] == ("refinement", "merged", 2, 1)
    merged = found.changes[found.changes["step"].eq("refinement")].set_index("id")["other"]
    assert (merged[4], merged[5]) == (5, 4)


@pytest.mark.parametrize("refinement_grid", ["native", "standard"])
def test_one_scribble_flagged_multiple_is_two_microbleeds_on_either_grid(tmp_path, refinement_grid):
    """Slices of 3 mm, balls of 3 mm radius at 24 and 36 mm, one scribble over both.

    On 3 mm slices a ball has 29 + 2 voxels, which is a sphere of 2.81 mm: it misses the slices
    beside its own, and the 21 voxels within 2.81 mm make 63 mm^3. The ball has 113 mm^3, and on
    the standard grid the refined one lies between it and a ball half a voxel larger (180 mm^3).
    """
    centres = np.array([(24.0, 30, 30), (36, 30, 30)])
    mm = np.moveaxis(np.indices((60, 60, 20)), 0, -1) * (1.0, 1.0, 3.0)
    near = np.min([np.linalg.norm(mm - centre, axis=-1) for centre in centres], axis=0)
    data = 300 + np.random.default_rng(0).normal(0, 5, mm.shape[:3])
    data = np.where(near <= 3, data - 200, data) * (((mm - 30) ** 2).sum(-1) <= 25**2)
    drawn = np.zeros(data.shape, np.uint8)
    for x, y, z in centres.astype(int):
        drawn[x - 1 : x + 2, y, z // 3] = 4
    affine = np.diag([-1.0, -1.0, 3.0, 1.0])
    mask = Volume(drawn, affine).write(tmp_path / "mask.nii.gz")
    image = Volume(data.astype(np.float32), affine).write(tmp_path / "image.nii.gz")
    annotation = Annotation(
        "scribbles", mask, findings=(Finding(4, True, "certain", location="brainstem"),)
    )
    scan = Scan("CRB", "p", "1", "SWI", image, annotation, Acquisition((1.0, 1.0), 3.0))
    params = Preprocessing(spacing_mm=1.0, pad_voxels=64, refinement_grid=refinement_grid)
    found = pipeline.prepare(scan, params)
    assert found.record["annotated"] == 1 and set(found.record["counts"].values()) == {2}
    split = found.changes.query("id == 2 and kind == 'split'").iloc[0]
    assert (split["step"], split["before"], split["after"], split["other"]) == (
        *("refinement", 1, 2), 4,
    )  # fmt: skip
    np.testing.assert_allclose(found.table[["x_mm", "y_mm", "z_mm"]], centres * (-1, -1, 1), atol=1)
    assert found.table[["id", "certainty", "rater_location"]].to_numpy().tolist() == [
        [1, "certain", "brainstem"], [2, "certain", "brainstem"],
    ]  # fmt: skip
    low, high = {"native": (63, 63), "standard": (113, 180)}[refinement_grid]
    assert found.table.volume_mm3.between(low, high).all()


def test_a_step_that_loses_a_microbleed_stops_the_scan(tmp_path, monkeypatch):
    marks = {1: [(30, 30, 30)], 2: [(20, 30, 30)]}
    scan = masked_scan(tmp_path, "RODEJA", marks, (1.0, 1.0, 1.0))

    def wipe(labels, iterations):
        labels[labels == 2] = 0
        return []

    monkeypatch.setattr(pipeline.cleaning, "close", wipe)
    with pytest.raises(CountError, match=r"RODEJA-1: expected 2 .* after closing, found 1 \(lost"):
        pipeline.prepare(scan, Preprocessing(spacing_mm=1.0, pad_voxels=64))


def test_scan_without_microbleeds_writes_an_empty_table(tmp_path):
    path, _ = write_brain(tmp_path)
    scan = Scan("CRBneg", "p", "9", "SWI", path, Annotation("none"), Acquisition((1.0, 1.0), 3.0))
    pipeline.preprocess(scan, PARAMS, tmp_path / "out")
    standard = StandardScan(scan, tmp_path / "out")
    assert len(standard.microbleeds()) == 0 and standard.lesions().data.max() == 0
