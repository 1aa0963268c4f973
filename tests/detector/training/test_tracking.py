import numpy as np

from cmbkit.detector.network.backend import use_keras
from cmbkit.detector.training.tracking import tensorboard

NO_NUMBER = float("nan")


def row(epoch, **values):
    """One epoch of 40 gradient steps as `cmbkit.detector.training.phase.train` writes it."""
    metrics = dict(count_f1=0.5, count_precision=NO_NUMBER, segmentation_f1=0.25, dice=0.75)
    return {
        "epoch": epoch,
        "step": 40 * epoch,
        "train_loss": 2.0 / epoch,
        "val_loss": 3.0 / epoch,
        **metrics,
        "learning_rate": 1e-3,
        "seconds": 9.0,
        **values,
    }


SCALARS = {  # of both rows: by name, the steps and values; what is no number is left out
    "loss/train_loss": [(40, 2.0), (80, 1.0)],
    "loss/val_loss": [(40, 3.0), (80, 1.5)],
    "training/learning_rate": [(40, 1e-3), (80, 1e-3)],
    "training/seconds": [(40, 9.0), (80, 9.0)],
    "detection/count_f1": [(40, 0.5), (80, 0.5)],
    "detection/count_precision": [(80, 1.0)],
    "segmentation/segmentation_f1": [(40, 0.25), (80, 0.25)],
    "segmentation/dice": [(40, 0.75), (80, 0.75)],
}


def test_tensorboard_shows_the_curves_of_every_group(tmp_path):
    use_keras()  # before TensorFlow starts, for the tests that train
    import tensorflow as tf

    with tensorboard(tmp_path) as log:
        log(row(1))
        log(row(2, count_precision=1.0))
    found = {}
    (path,) = (tmp_path / "tensorboard").iterdir()
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            point = (event.step, float(tf.make_ndarray(value.tensor)))
            found.setdefault(value.tag, []).append(point)
    assert found.keys() == SCALARS.keys()
    for name, points in SCALARS.items():
        np.testing.assert_allclose(found[name], points, rtol=1e-6)


def test_without_it_nothing_is_written(tmp_path):
    with tensorboard(tmp_path, wanted=False) as log:
        log(row(1))
    assert not list(tmp_path.iterdir())
