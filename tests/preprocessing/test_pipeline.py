"""One small scan end to end, and the steps whose result can be worked out by hand."""

import numpy as np
import pytest

from cmbkit.params import Preprocessing
from cmbkit.preprocessing import grid, pipeline
from cmbkit.records import Acquisition, Annotation, Scan, StandardScan
from cmbkit.volume import Volume, VolumeError

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
    assert len(list(standard.folder.iterdir())) == 6


def test_count_is_the_same_at_every_step(done):
    """Four points, two of them 2 mm apart and touching: four labels, four rows."""
    standard, _ = done
    counts = standard.record()["counts"]
    assert counts == {"refined": 4, "resampled": 4, "pruned": 4, "final": 4}
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


def test_record_names_methods_and_the_way_back(done):
    standard, inside = done
    record = standard.record()
    assert record["methods"]["brain_mask"] == "zero background"
    assert record["methods"]["parcellation"].startswith(("stand-in", "SynthSeg"))
    assert record["replaced_voxels"] == 27 and record["slice_thickness_mm"] == 3.0
    back = grid.to_native(standard.brain(), record)
    assert back.orientation == "LPS" and np.allclose(back.affine, AFFINE)
    np.testing.assert_array_equal(back.data > 0, inside)
    lesions = grid.to_native(standard.lesions(), record).data
    assert [int(lesions[p]) for p in POINTS] == [1, 2, 3, 4]


def test_nan_becomes_the_median_of_the_corners():
    data = np.full((30, 30, 30), 50.0, np.float32)
    for corner in ((0, 0, 0), (20, 20, 20)):
        data[tuple(slice(c, c + 10) for c in corner)] = 7.0
    data[0, 0, :5] = np.nan
    data[15, 15, 15] = np.inf
    data[20:, :10, :10] = 7
    data[:10, 20:, :10] = 7
    data[:10, :10, 20:] = 7
    filled, count = pipeline.fill_nan(Volume(data, np.eye(4)))
    assert count == 6 and filled.data[0, 0, 0] == filled.data[15, 15, 15] == 7
    with pytest.raises(VolumeError, match="expected finite values"):
        pipeline.fill_nan(Volume(np.full((3, 3, 3), np.nan), np.eye(4)))


def test_padded_moments_by_hand():
    """One voxel of 8 and one of 4 in a cube of 2^3: mean 12/8, mean square 80/8."""
    mean, sd = pipeline.padded_moments(np.array([8.0, 4.0]).reshape(2, 1, 1), 2)
    assert mean == pytest.approx(1.5) and sd == pytest.approx(np.sqrt(10 - 1.5**2))


def test_microbleed_smaller_than_a_standard_voxel_is_not_lost():
    """One voxel of 0.4 mm between the points of a 2 mm grid: marked at its centre, logged."""
    import pandas as pd

    native = Volume(np.zeros((11, 11, 11), np.uint16), np.diag([0.4, 0.4, 0.4, 1.0]))
    native.data[3, 3, 3] = 1
    found = pd.DataFrame({"id": [1], "centre_mm": [np.array([1.2, 1.2, 1.2])]})
    log = {}
    labels, before = pipeline._standard_labels(native, found, (3, 3, 3), np.diag([2, 2, 2, 1]), log)
    assert before["microbleeds"] == 0 and np.argwhere(labels.data).tolist() == [[1, 1, 1]]
    assert log == {1: ["lost at resampling; its centre voxel marked"]}


def test_scan_without_microbleeds_writes_an_empty_table(tmp_path):
    path, _ = write_brain(tmp_path)
    scan = Scan("CRBneg", "p", "9", "SWI", path, Annotation("none"), Acquisition((1.0, 1.0), 3.0))
    pipeline.preprocess(scan, PARAMS.model_copy(update={"zscore": "brain"}), tmp_path / "out")
    standard = StandardScan(scan, tmp_path / "out")
    assert len(standard.microbleeds()) == 0 and standard.lesions().data.max() == 0
    inside = standard.image().data[standard.brain().data > 0]
    assert inside.mean() == pytest.approx(0, abs=1e-2) and inside.std() == pytest.approx(
        1, abs=1e-2
    )
