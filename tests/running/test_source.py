"""Code is followed from a function to all that it can reach, and no farther."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import cmbkit
from cmbkit.preprocessing import cleaning, pipeline
from cmbkit.running import source

FILES = {
    "__init__": "",
    "start": (
        "from cmbkit.shapes import ball\nfrom cmbkit import tools\nimport cmbkit.params as p\n"
        "SIZE = 3\ndef main(x): return ball(x) + tools.cut(x, SIZE) + p.read()\n"
        "def beside(): return ball\ndef open_end(): return vars(tools)\n"
        "def by_name(n): return globals()[n]\n"
        "class Room:\n    def one(self): return SIZE\n    def two(self): return ball\n"
    ),
    "shapes/__init__": "from cmbkit.shapes.round import ball\n",
    "shapes/round": "from cmbkit.tools import Knife\ndef ball(x: Knife): return x\nOTHER = 1\n",
    "tools": (
        "import numpy as np\nTABLE = {}\nregister(TABLE)\nclass Knife:\n    sharp = True\n"
        "def cut(x, n):\n    from cmbkit.late import after\n    return after(np.ones(n))\n"
    ),
    "late": "def after(x): return x\n",
    "params": "def read(): return 1\n",
}


def code(name):
    """As a function or class of ``cmbkit.start`` says where it comes from."""
    return SimpleNamespace(__module__="cmbkit.start", __qualname__=name)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package in the place of cmbkit, not imported."""
    monkeypatch.setattr(source, "FOLDER", tmp_path)
    monkeypatch.setattr(source, "_MODULES", {})
    monkeypatch.setattr(source, "_FOLLOWED", {})
    (tmp_path / "running").mkdir()
    for name in ("source", "syntax"):
        (tmp_path / f"running/{name}.py").write_text("")
    for name, text in FILES.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "main",
            "start.SIZE start.main shapes.round.ball tools.Knife tools.cut late.after "
            "tools.(statements) tools.TABLE",
        ),
        ("beside", "start.beside shapes.round.ball tools.Knife tools.(statements) tools.TABLE"),
        (
            "open_end",
            "start.open_end tools.TABLE tools.Knife tools.cut tools.(statements) late.after",
        ),
        ("Room.one", "start.Room.one start.SIZE"),
    ],
)
def test_exactly_what_can_be_reached(package, name, expected):
    assert set(source.definitions(code(name))) == {f"cmbkit.{n}" for n in expected.split()}


def test_looking_names_up_at_run_time_takes_the_whole_module(package):
    assert {"cmbkit.start.main", "cmbkit.start.Room"} <= set(source.definitions(code("by_name")))


def test_unknown_and_foreign_code_is_refused(package):
    with pytest.raises(ValueError, match=r"start: expected a definition of nothing, found none"):
        source.definitions(code("nothing"))
    with pytest.raises(ValueError, match=r"json.dumps: expected code of cmbkit"):
        source.definitions(json.dumps)


def test_what_is_remembered_is_believed_until_a_file_differs(package, monkeypatch):
    memory = package / "memory.json"
    first = source.definitions(code("main"), memory=memory)
    monkeypatch.setattr(source, "_FOLLOWED", {})
    monkeypatch.setattr(source, "_Walk", None)  # not called
    assert source.definitions(code("main"), memory=memory) == first
    monkeypatch.undo()
    monkeypatch.setattr(source, "FOLDER", package)
    monkeypatch.setattr(source, "_FOLLOWED", {})
    monkeypatch.setattr(source, "_MODULES", {})
    (package / "late.py").write_text("def after(x): return x + 1\n")
    other = source.definitions(code("main"), memory=memory)
    assert [name for name in first if other[name] != first[name]] == ["cmbkit.late.after"]


def test_where_nothing_can_be_remembered_it_is_followed_each_time(package, monkeypatch):
    first = source.definitions(code("main"))
    monkeypatch.setattr(source, "_FOLLOWED", {})
    assert source.definitions(code("main"), memory=package / "late.py" / "none.json") == first


def test_a_process_goes_by_the_code_that_it_has_loaded(package, monkeypatch):
    """An edited file counts once its module has been loaded again, as by IPython's autoreload."""
    monkeypatch.setitem(sys.modules, "cmbkit.late", SimpleNamespace(__spec__="first"))
    before = source.definitions(code("main"))
    (package / "late.py").write_text("def after(x): return x + 1\n")
    assert source.definitions(code("main")) == before
    monkeypatch.setitem(sys.modules, "cmbkit.late", SimpleNamespace(__spec__="second"))
    assert source.definitions(code("main")) != before


PRINT = """
import json, pathlib
from cmbkit.detector.inference import files
from cmbkit.detector.training import phase
from cmbkit.preprocessing import pipeline
from cmbkit.running.cache import Cache
from cmbkit.study.cohort import describe_cached
from cmbkit.study.scan_results import evaluate_cached
steps = {"preproc": pipeline.preprocess, "features": describe_cached, "maps": files.predict_map,
    "predictions": files.find_in_map, "evaluation": evaluate_cached, "training": phase.train}
cache, made, above = Cache("results"), [], None
for name, function in steps.items():
    def compute(folder):
        made.append(name)
        (folder / "result").write_text("the same")
    above = cache.get(name, "item", {"above": above}, compute, code=[function])
print(json.dumps(made))
"""


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of the package, and what says which steps it makes, in a process of its own."""
    root = tmp_path_factory.mktemp("copy")
    place = root / "cmbkit"
    ignored = shutil.ignore_patterns("__pycache__", "weights")
    shutil.copytree(Path(cmbkit.__file__).parent, place, ignore=ignored)

    def ask():
        env = {**os.environ, "PYTHONPATH": str(root)}
        command = [sys.executable, "-c", PRINT]
        return json.loads(subprocess.check_output(command, env=env, cwd=root))

    return place, ask


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_editing_one_function_of_a_copy_makes_anew_what_depends_on_it(copied):
    """First a comment and a docstring, then `cleaning.prune`: preprocessing alone uses it.

    Its result is the same as before, so that nothing further down is made anew.
    """
    place, ask = copied
    steps = ["preproc", "features", "maps", "predictions", "evaluation", "training"]
    assert ask() == steps
    file = place / "preprocessing" / "cleaning.py"
    edit(file, "import numpy as np\n", "import numpy as np\n\n# a remark\n")
    edit(place / "volume.py", '"""Write to', '"""In other words: write to')
    assert ask() == []
    text = file.read_text()
    start = text.index("def prune")
    body = text.index('"""\n', text.index('"""', start) + 3) + 4
    file.write_text(f"{text[:body]}    assert labels is not None\n{text[body:]}")
    assert ask() == ["preproc"]
    edit(
        place / "evaluation" / "matching.py",
        "max_distance_mm: float = 5.0",
        "max_distance_mm: float = 5.5",
    )
    assert ask() == ["evaluation", "training"], "validation during training matches as well"


def test_following_is_fast_once_it_has_been_done(tmp_path, monkeypatch):
    memory = tmp_path / "code.json"
    found = source.definitions(pipeline.preprocess, memory=memory)
    assert "cmbkit.preprocessing.cleaning.prune" in found
    assert found == source.definitions(pipeline.preprocess, cleaning.prune)
    monkeypatch.setattr(source, "_FOLLOWED", {})
    started = time.process_time()
    source.definitions(pipeline.preprocess, memory=memory)
    assert time.process_time() - started < 0.5
