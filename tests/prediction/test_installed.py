"""Plain pip, an empty environment, a folder away from the repository: scans are predicted."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[2]
UV = ROOT / ".uv/bin/uv"  # of the Makefile; links what setup has loaded already


def run(*words, cwd):
    """A command without what this environment and folder would add."""
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "CMBKIT_ROOT")}
    clean["PIP_NO_COMPILE"] = "1"
    done = subprocess.run([*map(str, words)], cwd=cwd, capture_output=True, text=True, env=clean)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="environment.yml is for Python 3.11")
def test_what_conda_hands_to_pip_and_the_sdist_predict(write_scan, weights, tmp_path):
    """The sdist with the pip that Python brings; without the Makefile's uv, conda's list too."""
    tree, python = tmp_path / "tree", tmp_path / "venv/bin/python"
    shutil.copytree(ROOT / "cmbkit", tree / "cmbkit")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (tree / "pip.txt").write_text("\n".join(conda[-1]["pip"]))
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    pip = [python, "-m", "pip", "install"]
    listed = [UV, "pip", "install", "--python", python] if UV.exists() else pip
    run(*listed, "-r", "pip.txt", "setuptools>=77", cwd=tree)
    sdist = "from setuptools.build_meta import build_sdist; build_sdist('..')"
    run(python, "-c", sdist, cwd=tree)
    shutil.rmtree(tree)
    run(*pip, next(tmp_path.glob("cmbkit-*.gz")), cwd=tmp_path)
    assert list(tmp_path.glob("venv/lib/*/site-packages/cmbkit/weights/compact/network.json"))
    words = (write_scan("a.nii.gz"), "--out", "out", "--weights", weights)
    run(python.with_name("cmbkit"), "predict", *words, cwd=tmp_path)
    found = pd.read_csv(tmp_path / "out/a/microbleeds.tsv", sep="\t")
    # by pyradiomics' mesh: balls of 3 mm, and up to a voxel more
    assert len(found) == 2 and found["max_diameter_mm"].between(6, 8).all()
