"""The lock, the conda environment and the package agree."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"matplotlib-base": "matplotlib", "dask-core": "dask", "python-isal": "isal"}


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked():
    text = (ROOT / "requirements.lock").read_text()
    pairs = re.findall(r"^([A-Za-z0-9._-]+)==([^ \\;]+)", text, re.M)
    return {name.lower(): version for name, version in pairs}


def test_the_lock_has_hashes_and_no_addresses():
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    entries = re.findall(r"^[A-Za-z0-9._-]+==.*?(?=^[A-Za-z]|\Z)", text, re.M | re.S)
    assert entries and all("--hash=sha256:" in entry for entry in entries)


def test_conda_environment_is_in_step_with_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    named = {}
    for entry in environment["dependencies"]:
        if isinstance(entry, dict):
            pairs = (item.split("==") for item in entry["pip"] if "==" in item)
            named |= {name.lower(): (version, True) for name, version in pairs}
        elif "=" in entry and not entry.startswith("python="):
            name, version = entry.split("=")
            named[CONDA_NAMES.get(name, name)] = (version, False)
    wanted = project()["dependencies"] + project()["optional-dependencies"]["dev"]
    names = {re.split(r"[<>=]", item)[0].lower() for item in wanted}
    assert set(named) == names
    lock = locked()
    for name, (version, exact) in named.items():
        found = lock[name] if exact else ".".join(lock[name].split(".")[:2])
        assert version == found, f"{name}: environment.yml {version}, requirements.lock {found}"


def test_python_and_package_versions_agree():
    import cmbkit

    assert cmbkit.__version__ == project()["version"]
    assert project()["requires-python"] == ">=3.11,<3.12"
