"""Where the history of a training goes besides its CSV file: TensorBoard, MLflow, ClearML."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from cmbkit.params import Training

GROUPS = {"train_loss": "loss", "val_loss": "loss", "learning_rate": "training"}
GROUPS |= {"seconds": "training", "count_f1": "detection", "count_precision": "detection"}
GROUPS |= {"segmentation_f1": "segmentation", "dice": "segmentation"}
SCANS = ("train_scans", "valid_scans")
PACKAGES = {"tensorboard": "tensorflow", "mlflow": "mlflow", "clearml": "clearml"}


class Tracker(Protocol):
    """Takes one row of the history after the other."""

    def log(self, row: dict) -> None:
        """Enter one epoch: ``step`` (gradient steps) and values by name."""

    def close(self) -> None:
        """Finish."""


def _values(row: dict) -> dict[str, float]:
    return {f"{GROUPS[name]}/{name}": row[name] for name in GROUPS if row[name] == row[name]}


def _parameters(config: dict, prefix: str = "") -> dict:
    """Values of a nested dictionary by dotted name, without the lists of scans."""
    found = {}
    for name, value in config.items():
        if isinstance(value, dict):
            found |= _parameters(value, f"{prefix}{name}.")
        elif name not in SCANS:
            found[prefix + name] = value
    return found


class TensorBoard:
    """Scalars in ``<folder>/tensorboard``; ``tensorboard --logdir`` shows them."""

    def __init__(self, folder: Path, name: str, config: dict):
        import tensorflow as tf

        self._tf = tf
        target = folder / "tensorboard"
        shutil.rmtree(target, ignore_errors=True)
        self._writer = tf.summary.create_file_writer(str(target))
        metadata = tf.compat.v1.SummaryMetadata()
        metadata.plugin_data.plugin_name = "scalars"
        metadata.data_class = 1  # DATA_CLASS_SCALAR
        self._metadata = metadata

    def log(self, row: dict) -> None:
        """Enter one epoch."""
        write = self._tf.summary.write
        with self._writer.as_default(step=int(row["step"])):
            for name, value in _values(row).items():
                write(name, self._tf.constant(value, "float32"), metadata=self._metadata)
        self._writer.flush()

    def close(self) -> None:
        """Finish the event file."""
        self._writer.close()


class MLflow:
    """One run of the experiment "cmbkit", where ``MLFLOW_TRACKING_URI`` says.

    Parameters have dotted names; the whole configuration, scans included, is ``config.json``.
    """

    def __init__(self, folder: Path, name: str, config: dict):
        import mlflow

        self._mlflow = mlflow
        mlflow.set_experiment("cmbkit")
        self._run = mlflow.start_run(run_name=name, nested=True)
        mlflow.log_params(_parameters(config))
        mlflow.log_dict(config, "config.json")

    def log(self, row: dict) -> None:
        """Enter one epoch."""
        self._mlflow.log_metrics(_values(row), step=int(row["step"]))

    def close(self) -> None:
        """End the run."""
        self._mlflow.end_run()


class ClearML:
    """One task of the project "cmbkit", on the server that ``clearml.conf`` names (section 7.2.1).

    Hyperparameters have dotted names; the whole configuration is the object "config".
    """

    def __init__(self, folder: Path, name: str, config: dict):
        from clearml import Task

        self._task = Task.init(
            "cmbkit", name, reuse_last_task_id=False, auto_connect_frameworks=False
        )
        self._task.connect(_parameters(config), name="parameters")
        self._task.connect_configuration(config, name="config")

    def log(self, row: dict) -> None:
        """Enter one epoch."""
        logger = self._task.get_logger()
        for tag, value in _values(row).items():
            group, _, series = tag.partition("/")
            logger.report_scalar(group, series, value, int(row["step"]))

    def close(self) -> None:
        """Close the task."""
        self._task.close()


KINDS = {"tensorboard": TensorBoard, "mlflow": MLflow, "clearml": ClearML}


def require_trackers(training: Training) -> None:
    """Raise where a tracker is asked for whose package is not installed."""
    for kind in training.trackers:
        if find_spec(PACKAGES[kind]) is None:
            raise ModuleNotFoundError(
                f"training.trackers: {kind}: expected the package {PACKAGES[kind]}, found none; "
                f"pip install {PACKAGES[kind]}"
            )


def start_trackers(training: Training, folder: Path, name: str, config: dict) -> list[Tracker]:
    """Start what ``training.trackers`` names; a phase taken up again is entered anew as a whole."""
    require_trackers(training)
    return [KINDS[kind](folder, name, config) for kind in training.trackers]
