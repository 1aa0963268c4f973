"""Keras, imported once, quietly and with the settings that training needs."""

import os
import sys
import warnings
from contextlib import contextmanager


def use_keras():
    """Import and return Keras, quietly and on TensorFlow unless KERAS_BACKEND says otherwise.

    oneDNN kernels are asked for: TensorFlow leaves them off on some processors (AMD without
    AVX-512), where 3D convolutions are then 5 to 10 times slower.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if "keras" in sys.modules:
        return sys.modules["keras"]
    with muted():
        import keras

        _run_one_operation_at_a_time(keras)
    return keras


def _run_one_operation_at_a_time(keras) -> bool:
    """Let threads share the work of an operation, but never run two operations at once.

    Gradients that arrive in another order are added with other roundings: with parallel
    operations two trainings differ from the second step on, even with deterministic operations.
    It costs no time where operations are large.
    """
    if keras.backend.backend() != "tensorflow":
        return True
    import tensorflow as tf

    threading = tf.config.threading
    try:
        threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # TensorFlow has already started
        return threading.get_inter_op_parallelism_threads() == 1
    return True


@contextmanager
def muted():
    """Drop what C++ libraries write to standard error; exceptions stay."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def make_deterministic(seed: int) -> None:
    """Seed every generator; on TensorFlow also ask for deterministic operations.

    Warns where TensorFlow had started with other settings before cmbkit was imported.
    """
    keras = use_keras()
    if not _run_one_operation_at_a_time(keras):
        warnings.warn(
            "TensorFlow was started before cmbkit with parallel operations: this training will "
            "not be repeated exactly",
            stacklevel=2,
        )
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
