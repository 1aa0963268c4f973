"""The history of a training as TensorBoard shows it, beside its CSV file."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

GROUPS = {"train_loss": "loss", "val_loss": "loss", "learning_rate": "training"}
GROUPS |= {"seconds": "training", "count_f1": "detection", "count_precision": "detection"}
GROUPS |= {"segmentation_f1": "segmentation", "dice": "segmentation"}


@contextmanager
def tensorboard(folder: Path, wanted: bool = True) -> Iterator[Callable[[dict], None]]:
    """Write ``<folder>/tensorboard`` anew; ``tensorboard --logdir`` shows it.

    Yields a function that enters one epoch: ``step`` (gradient steps) and values by name. It does
    nothing unless ``wanted``.
    """
    if not wanted:
        yield lambda row: None
        return
    import tensorflow as tf

    target = folder / "tensorboard"
    shutil.rmtree(target, ignore_errors=True)
    writer = tf.summary.create_file_writer(str(target))
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "scalars"
    metadata.data_class = 1  # DATA_CLASS_SCALAR

    def log(row: dict) -> None:
        with writer.as_default(step=int(row["step"])):
            for name, group in GROUPS.items():
                if row[name] == row[name]:
                    value = tf.constant(row[name], "float32")
                    tf.summary.write(f"{group}/{name}", value, metadata=metadata)
        writer.flush()

    try:
        yield log
    finally:
        writer.close()
