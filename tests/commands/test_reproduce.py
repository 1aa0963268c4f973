"""Notebooks run headless: what stops them, where all goes, outputs written back."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml
from distributed import LocalCluster
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from cmbkit.commands.execution import NotebookFailed, execute
from cmbkit.commands.reproduce import ProfileBusy, notebooks, reproduce, write_back
from cmbkit.params import ParameterError
from cmbkit.reporting.gallery import Gallery
from cmbkit.running.ledger import held
from cmbkit.study.frozen import FrozenError
from cmbkit.volume import Volume


def test_write_back_drops_papermill_traces_and_renumbers(tmp_path):
    result = new_output("execute_result", {"text/plain": "2"}, execution_count=7)
    book = new_notebook(
        cells=[
            new_markdown_cell("# Title"),
            new_code_cell("seed: int = 1", metadata={"tags": ["parameters"]}),
            new_code_cell("seed = 2", metadata={"tags": ["injected-parameters"]}),
            new_code_cell("seed", execution_count=7, outputs=[result]),
        ],
        metadata={"papermill": {"duration": 3}},
    )
    nbformat.write(book, tmp_path / "executed.ipynb")
    write_back(tmp_path / "executed.ipynb", tmp_path / "01_x.ipynb")
    back = nbformat.read(tmp_path / "01_x.ipynb", as_version=4)
    assert [c.source for c in back.cells] == ["# Title", "seed: int = 1", "seed"]
    assert [c.execution_count for c in back.cells[1:]] == [1, 2]
    assert back.cells[2].outputs[0].execution_count == 2
    assert "papermill" not in back.metadata


def test_notebooks_come_in_the_order_of_their_numbers(tmp_path):
    (tmp_path / "notebooks").mkdir()
    for name in ("02_b.ipynb", "01_a.ipynb", "scratch.ipynb"):
        (tmp_path / "notebooks" / name).write_text("{}")
    assert [p.name for p in notebooks(tmp_path)] == ["01_a.ipynb", "02_b.ipynb"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "cell 2: a fault, ZeroDivisionError: division by zero\nCell In"),
        ("import os; os._exit(1)", "the kernel died"),
    ],
)
def test_a_notebook_that_fails_is_named(tmp_path, monkeypatch, code, message):
    monkeypatch.setenv("CMBKIT_PROGRESS", "")
    cells = [new_code_cell("seed: int = 1", metadata={"tags": ["parameters"]}), new_code_cell(code)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), tmp_path / "01_bad.ipynb")
    with pytest.raises(NotebookFailed, match=f"01_bad.ipynb: {message}"):
        execute(tmp_path / "01_bad.ipynb", tmp_path / "out.ipynb", {}, tmp_path / "progress")


def test_a_kernel_that_does_not_start_is_one_line(tmp_path, monkeypatch):
    def dies(*_, **__):
        raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setenv("CMBKIT_PROGRESS", "")
    monkeypatch.setattr("papermill.execute_notebook", dies)
    with pytest.raises(NotebookFailed, match="no kernel could be started: Kernel died"):
        execute(tmp_path / "01_x.ipynb", tmp_path / "out.ipynb", {}, tmp_path / "progress")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A root without notebooks, with a parameter file of each way to get networks."""
    monkeypatch.setenv("CMBKIT_ROOT", str(tmp_path))
    (tmp_path / "params").mkdir()
    values = {"cohort": {"datasets": ["DOU"], "phantom_scans": {"DOU": 1}}}
    for name in ("train", "frozen"):
        text = yaml.safe_dump(values | {"profile": name, "training": {"networks": name}})
        (tmp_path / f"params/{name}.yaml").write_text(text)
    (tmp_path / "params/copy.yaml").write_text(yaml.safe_dump(values | {"profile": "train"}))
    return tmp_path


@pytest.mark.parametrize(
    ("file", "options", "error", "words"),
    [
        ("train", {}, NotebookFailed, "expected notebooks 01 to 07"),
        ("train", {"only": ["9"]}, NotebookFailed, "expected notebooks 01 to 07"),
        ("train", {"retrain": True}, ParameterError, "--retrain: expected .*frozen.* found train"),
        ("train", {"update_notebooks": True}, ParameterError, "own profile, demo, found train"),
        ("frozen", {}, FrozenError, "weights/frozen/manifest.json: expected frozen networks"),
        ("copy", {}, ParameterError, "a name of its own, found 'train', which is that of"),
    ],
)
def test_what_cannot_be_reproduced_is_one_line(place, file, options, error, words):
    with pytest.raises(error, match=words) as caught:
        reproduce(place / f"params/{file}.yaml", **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("only", "found"), [(["9"], "'9'"), (["03", "08"], "'08'")])
def test_a_number_of_no_notebook_is_told(place, only, found):
    (place / "notebooks").mkdir()
    for number in ("01", "03"):
        (place / f"notebooks/{number}_x.ipynb").write_text("{}")
    with pytest.raises(ParameterError, match=f"--only: expected one of 01, 03; found {found}"):
        reproduce(place / "params/train.yaml", only=only)


@pytest.fixture
def elsewhere(place, tmp_path_factory):
    """A study with one notebook, whose demo has its folders outside, and one unmarked scan."""
    image = Volume(np.ones((4, 4, 4), np.float32), np.eye(4))
    image.write(place / "MINE/sub-1/swi/sub-1_swi.nii.gz")
    (place / "notebooks").mkdir()
    cells = [new_code_cell('profile: str = "demo"', metadata={"tags": ["parameters"]})]
    names = ("cohort", "cluster", "data_dir", "figures_dir")
    cells[0].source += "".join(f"\n{name} = None" for name in names)
    cells.append(new_code_cell(ONE_TABLE))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), place / "notebooks/01_one.ipynb")
    away = tmp_path_factory.mktemp("away")
    values = {"profile": "demo", "cohort": {"datasets": [], "bids": {"MINE": "MINE"}}}
    values |= {"data_dir": str(away / "data"), "figures_dir": str(away / "figures")}
    (place / "params/demo.yaml").write_text(yaml.safe_dump(values))
    return place, away


ONE_TABLE = """
import numpy as np
import pandas as pd
from cmbkit.study import Study
study = Study.from_notebook(globals())
if study.params.cluster:
    study.cohort.standard
study.gallery.table("4.1", pd.DataFrame({"n": [1]}), "Scans")
"""


def test_with_folders_elsewhere_nothing_comes_into_the_study(elsewhere, capsys):
    """But the outputs of the notebook, which were asked for."""
    place, away = elsewhere
    before = set(place.rglob("*"))
    report = reproduce(place / "params/demo.yaml", update_notebooks=True)
    assert set(place.rglob("*")) == before
    stored = nbformat.read(place / "notebooks/01_one.ipynb", as_version=4)
    assert stored.cells[1].outputs
    said = capsys.readouterr().out
    assert "1 notebook with demo.yaml" in said and "1 notebook in " in said
    assert report == away / "figures/reproduction.html"
    made = {p.relative_to(away).as_posix() for p in away.rglob("*") if p.is_file()}
    assert {"figures/demo/table_4_1.csv", "figures/demo/index.html"} <= made
    assert "data/derivatives/demo/notebooks/01_one.ipynb" in made


def test_a_second_run_of_a_profile_is_refused(elsewhere):
    place, away = elsewhere
    with held(away / "data/derivatives/demo/.lock"), pytest.raises(ProfileBusy) as caught:
        reproduce(place / "params/demo.yaml")
    assert "expected no other run of profile demo, found one" in str(caught.value)
    assert not (away / "figures").exists()


SLOW = """
import time
from joblib.externals.loky import get_reusable_executor
from cmbkit.running.outcomes import begin_worker
import os
from pathlib import Path
pool = get_reusable_executor(2, initializer=begin_worker, initargs=(os.getpid(),))
pool.submit(os.getpid).result()
Path(os.environ["CMBKIT_ROOT"], "begun").touch()
pool.submit(time.sleep, 300).result()
"""
COMMAND = "import sys; from cmbkit.cli import app; app(['reproduce', sys.argv[1]])"


def processes(mark):
    """Processes with a word in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_with_the_command_all_its_processes_end(elsewhere, number):
    place, _ = elsewhere
    book = nbformat.read(place / "notebooks/01_one.ipynb", as_version=4)
    book.cells[1].source = SLOW
    nbformat.write(book, place / "notebooks/01_one.ipynb")
    command = [sys.executable, "-c", COMMAND, str(place / "params/demo.yaml")]
    mark = f"CMBKIT_ROOT={place}"
    with subprocess.Popen(command, env={**os.environ, "CMBKIT_ROOT": str(place)}) as run:
        while not (place / "begun").exists() and run.poll() is None:
            time.sleep(0.2)
        assert len(processes(mark)) >= 4  # command, executing process, kernel, two of the pool
        run.send_signal(number)
        assert run.wait(60) in (143, -9)
    deadline = time.monotonic() + 60
    while processes(mark) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not processes(mark)


def test_a_cluster_that_is_not_there_ends_the_run(elsewhere):
    place, _ = elsewhere
    values = yaml.safe_load((place / "params/demo.yaml").read_text())
    values["cluster"] = {"address": "tcp://127.0.0.1:9", "patience_s": 0.5}
    (place / "params/demo.yaml").write_text(yaml.safe_dump(values))
    words = r"01_one.ipynb: .*expected a Dask scheduler at tcp://127.0.0.1:9"
    with pytest.raises(NotebookFailed, match=words):
        reproduce(place / "params/demo.yaml")


WORKED = """
import os
import pandas as pd
from cmbkit.running.map_scans import map_scans
from cmbkit.study import Study
study = Study.from_notebook(globals())
by = map_scans(os.readlink, ["/proc/self"] * 2, step="s", cluster=study.params.cluster)
study.gallery.table("4.1", pd.DataFrame({"process": map(int, by)}), "Scans")
"""


def test_a_cluster_of_the_parameter_file_works_for_a_notebook(elsewhere):
    """What the notebook maps over is done by the one worker of a real cluster."""
    place, away = elsewhere
    book = nbformat.read(place / "notebooks/01_one.ipynb", as_version=4)
    book.cells[1].source = WORKED
    nbformat.write(book, place / "notebooks/01_one.ipynb")
    values = yaml.safe_load((place / "params/demo.yaml").read_text())
    with LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as cluster:
        address = cluster.scheduler_address
        (place / "params/demo.yaml").write_text(
            yaml.safe_dump(values | {"cluster": {"address": address}})
        )
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny"]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([*command, "--nthreads", "1", "--no-dashboard"], **silent) as worker:
            try:
                reproduce(place / "params/demo.yaml")
            finally:
                worker.kill()
    made = pd.read_csv(away / "figures/demo/table_4_1.csv")
    assert made["process"].tolist() == [worker.pid] * 2


DETECTION = {"model": ["tl"], "f1": [0.6], "f1_low": [0.5], "f1_high": [0.7]}
NOTEBOOK = f"""
import numpy as np
import pandas as pd
from cmbkit.study import Study
study = Study.from_notebook(globals())
study.gallery.made_with, study.gallery.legends = None, dict()
for number in ("7.2", "7.3"):
    study.gallery.table(number, pd.DataFrame({DETECTION}), study.params.training.networks)
"""


def test_both_halves_from_parameter_file_to_report(place, monkeypatch, capsys):
    """A notebook that only writes two tables, and frozen networks that are never read."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(place.parent))
    monkeypatch.setattr("cmbkit.commands.reproduce.frozen_folder", lambda root, params: None)
    (place / "notebooks").mkdir()
    cells = [new_code_cell('profile: str = "demo"', metadata={"tags": ["parameters"]})]
    cells.append(new_code_cell(NOTEBOOK))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), place / "notebooks/05_two.ipynb")
    before = Gallery(place / "figures/frozen", "frozen", synthetic=True)
    before.table("7.2", pd.DataFrame(DETECTION), "frozen")
    before.table("7.3", pd.DataFrame(DETECTION | {"f1": [0.4]}), "frozen")
    reproduce(place / "params/frozen.yaml")
    said = " ".join(capsys.readouterr().out.split())
    assert "of 2 tables and figures 1 identical, 0 within tolerance, 1 different" in said
    report = reproduce(place / "params/frozen.yaml", retrain=True)
    assert report == place / "figures/reproduction.html"
    text = report.read_text()
    assert "<b>1 identical</b>" in text and "1 of 1 retrained values lie within" in text
    anew = place / "figures/retrained/frozen/table_7_2.html"
    assert "Table 7.2. train" in anew.read_text()
