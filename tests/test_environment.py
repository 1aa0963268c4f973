"""The lock, the conda environment and the package agree."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked():
    """Versions that the lock gives this Python, by lower-case name."""
    text = (ROOT / "requirements.lock").read_text()
    lines = map(Requirement, re.findall(r"^([A-Za-z0-9._-]+==[^\\\n]+)", text, re.M))
    here = [line for line in lines if line.marker is None or line.marker.evaluate()]
    return {line.name.lower(): str(line.specifier) for line in here}


def by_pip():
    """The lines of the section pip of environment.yml."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    return environment["dependencies"][-1]["pip"]


def test_the_lock_has_hashes_and_no_addresses():
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    entries = re.findall(r"^[A-Za-z0-9._-]+==.*?(?=^[A-Za-z]|\Z)", text, re.M | re.S)
    assert entries and all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="environment.yml is for Python 3.11")
def test_conda_environment_is_in_step_with_the_lock():
    *lines, package = by_pip()
    assert package == "-e ."
    pinned = {line.name.lower(): str(line.specifier) for line in map(Requirement, lines)}
    extras = project()["optional-dependencies"]
    locked_extras = (names for extra, names in extras.items() if extra != "deepbet")  # torch
    wanted = map(Requirement, sum(locked_extras, project()["dependencies"]))
    assert pinned.keys() == {line.name.lower() for line in wanted}
    assert pinned == {name: locked()[name] for name in pinned}


def test_python_and_package_versions_agree():
    import cmbkit

    assert cmbkit.__version__ == project()["version"]
