"""The same weights on torch and JAX as on TensorFlow; each in a process of its own.

Neither is among cmbkit's requirements. CMBKIT_BACKENDS_PYTHON names a Python that has them
(benchmarks/backends/README.md), else the Python of the tests is asked.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
PYTHON = os.environ.get("CMBKIT_BACKENDS_PYTHON", sys.executable)


def installed(backend: str) -> bool:
    code = f"import importlib.util as u, sys; sys.exit(u.find_spec({backend!r}) is None)"
    return subprocess.run([PYTHON, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_the_same_weights_give_the_same_network(backend, tmp_path):
    if not installed(backend):
        pytest.skip(f"{backend} is not installed in {PYTHON} (see benchmarks/backends)")
    for python, name in ((sys.executable, "tensorflow"), (PYTHON, backend)):
        subprocess.run(
            [python, Path(__file__).with_name("one_network.py"), tmp_path, name],
            check=True,
            env={**os.environ, "KERAS_BACKEND": name, "PYTHONPATH": str(ROOT)},
        )
    expected, found = (np.load(tmp_path / f"{name}.npz") for name in ("tensorflow", backend))
    assert found.files == expected.files
    for option in ("published", "others", "batch statistics"):
        for what in ("before", "loss", "read", "after"):
            np.testing.assert_allclose(
                found[f"{option}/{what}"], expected[f"{option}/{what}"], atol=1e-4
            )
        np.testing.assert_allclose(found[f"{option}/read"], found[f"{option}/after"], atol=1e-5)
        assert np.abs(expected[f"{option}/after"] - expected[f"{option}/before"]).max() > 1e-4
