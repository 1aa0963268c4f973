"""MLflow and ClearML are no requirements: stand-ins with their signatures take the calls.

The signatures are those of MLflow 3.17 (``mlflow.tracking.fluent``) and ClearML 2.1
(``clearml.Task``, ``clearml.Logger``), the arguments that cmbkit has no use for left out.
"""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest

from cmbkit.detector.network.backend import use_keras
from cmbkit.detector.training.tracking import start_trackers
from cmbkit.params import Training

CONFIG = {
    "network": {"name": "unet", "parameters": 12},
    "patch_size": [16, 16, 16],
    "phase": {"learning_rate": 1e-3, "frozen": []},
    "training": {"augmentation": {"blur": 0.25}},
    "seed": 7,
    "train_scans": ["a", "b"],
    "valid_scans": ["c"],
}
PARAMETERS = {
    "network.name": "unet",
    "network.parameters": 12,
    "patch_size": [16, 16, 16],
    "phase.learning_rate": 1e-3,
    "phase.frozen": [],
    "training.augmentation.blur": 0.25,
    "seed": 7,
}
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


class Run:
    """What a user would see of one run."""

    def __init__(self, name):
        self.name, self.project, self.status = name, None, "running"
        self.parameters, self.files, self.scalars = {}, {}, {}

    def scalar(self, name, value, step):
        assert self.status == "running"
        assert isinstance(step, int)
        self.scalars.setdefault(name, []).append((step, value))


def install(monkeypatch, module: ModuleType):
    module.__spec__ = ModuleSpec(module.__name__, None)
    monkeypatch.setitem(sys.modules, module.__name__, module)


def mlflow(runs):
    module = ModuleType("mlflow")
    active, experiment = [], []

    def set_experiment(experiment_name=None, experiment_id=None):
        experiment[:] = [experiment_name]

    def start_run(run_id=None, experiment_id=None, run_name=None, nested=False):
        assert nested or not active  # MLflow raises where a run is active
        runs.append(Run(run_name))
        active.append(runs[-1])
        runs[-1].project = experiment[0]
        return runs[-1]

    def log_params(params, synchronous=None, run_id=None):
        active[-1].parameters |= params

    def log_dict(dictionary, artifact_file, run_id=None):
        active[-1].files[artifact_file] = dictionary

    def log_metrics(metrics, step=None, synchronous=None, run_id=None):
        for name, value in metrics.items():
            active[-1].scalar(name, value, step)

    def end_run(status="FINISHED"):
        active.pop().status = status

    for function in (set_experiment, start_run, log_params, log_dict, log_metrics, end_run):
        setattr(module, function.__name__, function)
    return module


def clearml(runs):
    module = ModuleType("clearml")

    class Logger:
        def __init__(self, run):
            self.run = run

        def report_scalar(self, title, series, value, iteration):
            self.run.scalar(f"{title}/{series}", value, iteration)

    class Task:
        def __init__(self, run):
            self.run = run

        @classmethod
        def init(
            cls,
            project_name=None,
            task_name=None,
            task_type="training",
            tags=None,
            reuse_last_task_id=True,
            continue_last_task=False,
            output_uri=None,
            auto_connect_arg_parser=True,
            auto_connect_frameworks=True,
        ):
            # a phase taken up again is a task of its own, and Keras's files stay here
            assert not reuse_last_task_id and not auto_connect_frameworks
            assert all(run.status != "running" for run in runs)  # ClearML has one at a time
            runs.append(Run(task_name))
            runs[-1].project = project_name
            return cls(runs[-1])

        def connect(self, mutable, name=None, ignore_remote_overrides=False):
            self.run.parameters |= mutable
            return mutable

        def connect_configuration(self, configuration, name=None, description=None):
            self.run.files[f"{name}.json"] = configuration
            return configuration

        def get_logger(self):
            return Logger(self.run)

        def close(self):
            self.run.status = "FINISHED"

    module.Task, module.Logger = Task, Logger
    return module


@pytest.mark.parametrize("package", [mlflow, clearml])
def test_each_phase_is_a_run_with_its_parameters_and_curves(package, monkeypatch, tmp_path):
    runs = []
    install(monkeypatch, package(runs))
    training = Training(trackers=[package.__name__])
    for phase in ("pretrain scratch", "finetune scratch"):
        (tracker,) = start_trackers(training, tmp_path, phase, CONFIG)
        tracker.log(row(1))
        tracker.log(row(2, count_precision=1.0))
        tracker.close()
    assert [run.name for run in runs] == ["pretrain scratch", "finetune scratch"]
    for run in runs:
        assert (run.project, run.status) == ("cmbkit", "FINISHED")
        assert run.parameters == PARAMETERS
        assert run.files == {"config.json": CONFIG}
        assert run.scalars == SCALARS


def test_tensorboard_shows_the_same_curves(tmp_path):
    use_keras()  # before TensorFlow starts, for the tests that train
    import tensorflow as tf

    (tracker,) = start_trackers(Training(trackers=["tensorboard"]), tmp_path, "phase", CONFIG)
    tracker.log(row(1))
    tracker.log(row(2, count_precision=1.0))
    tracker.close()
    found = {}
    (path,) = (tmp_path / "tensorboard").iterdir()
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            point = (event.step, float(tf.make_ndarray(value.tensor)))
            found.setdefault(value.tag, []).append(point)
    assert found.keys() == SCALARS.keys()
    for name, points in SCALARS.items():
        np.testing.assert_allclose(found[name], points, rtol=1e-6)


@pytest.mark.parametrize("package", ["mlflow", "clearml"])
def test_a_tracker_that_is_not_installed_is_named_with_its_remedy(package, monkeypatch, tmp_path):
    there = {"tensorflow", "mlflow", "clearml"} - {package}
    monkeypatch.setattr(
        "cmbkit.detector.training.tracking.find_spec", lambda name: name in there or None
    )
    expected = f"training.trackers: {package}: expected the package {package}, found none; "
    with pytest.raises(ModuleNotFoundError, match=expected + f"pip install {package}"):
        start_trackers(Training(trackers=["tensorboard", package]), tmp_path, "phase", CONFIG)
    assert not list(tmp_path.iterdir())  # no tracker is started before all are there
