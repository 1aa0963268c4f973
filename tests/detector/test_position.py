import numpy as np
import pandas as pd

from cmbkit.detector.inference.tiled import Predictor
from cmbkit.detector.network.position import coordinates, with_coordinates
from cmbkit.detector.network.unet import build
from cmbkit.detector.patches.sampling import ScanMemory
from cmbkit.detector.patches.stream import epoch_batches
from cmbkit.detector.training.phase import load, train
from cmbkit.params import Inference


def test_coordinates_by_hand():
    """Voxel centres of an axis of 4 lie at 1/8, 3/8, 5/8 and 7/8 of it."""
    whole = coordinates((0, 0, 0), (4, 4, 4), (4, 4, 4))
    np.testing.assert_allclose(whole[:, 2, 1, 0], [-0.75, -0.25, 0.25, 0.75])
    np.testing.assert_allclose(whole[1, 2, 3], [-0.25, 0.25, 0.75])
    part = coordinates((1, -1, 3), (2, 2, 2), (4, 4, 4))
    np.testing.assert_allclose(part[0, 0, 0], [-0.25, -1.25, 0.75])
    np.testing.assert_allclose(part[1, 1, 1], [0.25, -0.75, 1.25])


def test_the_image_stays_the_first_channel():
    patches = np.random.default_rng(0).normal(size=(2, 2, 3, 4)).astype(np.float32)
    found = with_coordinates(patches, [(0, 0, 0), (2, 0, 0)], (8, 8, 8))
    assert found.shape == (2, 2, 3, 4, 4) and found.dtype == np.float32
    np.testing.assert_array_equal(found[..., 0], patches)
    np.testing.assert_allclose(found[1, ..., 1] - found[0, ..., 1], 0.5)


def test_batches_say_where_their_patches_were_cut(standard_scan, small_training):
    """A scan whose values are its voxels' numbers: each patch gives away its place."""
    plain = small_training.model_copy(update={"augmentation": None})
    scan = standard_scan("numbered", dark=[(10, 20, 12)])
    memory = ScanMemory()
    kept = memory.get(scan)
    kept.image[:] = np.arange(32)[:, None, None]
    for image, _ in epoch_batches(
        [scan], plain, (8, 8, 8), 2, 5, seed=0, epoch=1, memory=memory, coordinates=True
    ):
        assert image.shape == (2, 8, 8, 8, 4)
        expected = 2 * (image[..., 0] + 0.5) / 32 - 1
        np.testing.assert_allclose(image[..., 1], expected, atol=1e-3)


def test_training_and_validation_with_all_that_goes_beyond_the_thesis(
    random_scan, small_network, small_training, small_phase, tmp_path
):
    """Coordinates, deep supervision and thick slices through a whole phase and its files."""
    changes = {"coordinate_channels": True, "deep_supervision": True}
    params = small_network.model_copy(update=changes)
    slices = small_training.augmentation.model_copy(update={"thick_slices": 0.5})
    training = small_training.model_copy(update={"augmentation": slices})
    phase = small_phase.model_copy(update={"epochs": 1, "steps_per_epoch": 3, "batch_size": 2})
    scans = [random_scan(f"t{seed}", seed) for seed in (1, 2)]
    snapshot = [(scans[1].scan.uid, 1)]
    train(
        build(params),
        scans[:1],
        scans[1:],
        phase,
        training,
        Inference(),
        tmp_path,
        seed=1,
        step="test",
        snapshots=snapshot,
    )
    history = pd.read_csv(tmp_path / "history.csv")
    assert np.isfinite(history[["train_loss", "val_loss"]]).all(axis=None)
    again = Predictor(load(tmp_path, params), Inference(engine="keras"))
    with np.load(next((tmp_path / "snapshots").glob("*.npz"))) as kept:
        inputs = again.inputs(kept["image"][None], [kept["start"]], kept["scan_shape"])
        found = again.patch_probability(inputs)[0]
        np.testing.assert_allclose(found, kept["probability"].astype(np.float32), atol=1e-3)
