"""No test reaches beyond this machine: neither its own process nor the Pythons that it starts."""

import importlib
import os
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
BLOCK = ROOT / "tests/no_network"
LONG = ("commands/test_init.py", "study/test_own_data.py", "commands/test_reproduce.py")
LONG += ("phantom/test_cohort.py", "faults/test_faults.py", "test_one_changed_value.py")
LONG += ("study/test_train_command.py", "commands/test_evaluate.py")
"""Files of tests that take half a minute or more, after those marked slow."""
LONGEST = ROOT / "notebooks/06_subgroup_analysis.ipynb"
"""From raw scans on, it predicts more scans than all other notebooks, which run beside it."""


def pytest_configure(config):
    handle, os.environ["CMBKIT_REACHED"] = tempfile.mkstemp(prefix="reached-")
    os.close(handle)
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if str(BLOCK) not in known:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(BLOCK), *known]))
        sys.modules.pop("sitecustomize", None)
        sys.path.insert(0, str(BLOCK))
        importlib.import_module("sitecustomize")


def pytest_unconfigure(config):
    Path(os.environ["CMBKIT_REACHED"]).unlink(missing_ok=True)


def pytest_collection_modifyitems(items):
    """Files that take long first: then neither of two workers has them left at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    long = {LONGEST, *(ROOT / "tests" / name for name in LONG)}
    items.sort(key=lambda item: (item.path not in slow, item.path not in long))


@pytest.fixture(autouse=True)
def _on_this_machine():
    log = Path(os.environ["CMBKIT_REACHED"])
    before = log.read_text()
    yield
    reached = log.read_text().removeprefix(before).split()
    assert not reached, f"a test reached for {', '.join(reached)}"
