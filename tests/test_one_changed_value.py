"""Notebook 06 with one value changed, by papermill and in JupyterLab in a real browser."""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
import pytest
import websocket
import yaml
from nbformat.v4 import new_code_cell
from scipy.special import expit

from cmbkit.params import read_parameters
from cmbkit.reporting.displayed import NUMBERS
from cmbkit.study import Study

ROOT = Path(__file__).parents[1]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
SPEC = importlib.util.spec_from_file_location("scans", ROOT / "tests/prediction/conftest.py")
by_hand = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(by_hand)
CELLS = ("profile: str", "Study.from_notebook", "models.names[0]", "table_8_1")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A study of one scan with a bright and a less bright ball, and its results in the cache.

    The network is made by hand, and frozen.
    """
    from cmbkit.detector.network.unet import save_weights
    from cmbkit.detector.training.phase import weight_file

    root = tmp_path_factory.mktemp("one value")
    image, mask = by_hand.ellipsoid_scan()
    image.data[mask.data == 2] = 1200
    place = root / "MINE/sub-01/swi"
    image.write(place / "sub-01_swi.nii.gz", dtype=np.int16)
    mask.write(place / "sub-01_desc-cmb_dseg.nii.gz")
    values = {
        "profile": "own",
        "workers": 1,
        "cohort": {"datasets": [], "bids": {"MINE": "MINE"}},
        "preprocessing": {"spacing_mm": 1.0, "pad_voxels": 120, "atlas_registration": "affine"},
        "network": by_hand.NETWORK.model_dump(mode="json"),
        "training": {"models": ["scratch"], "networks": "frozen"},
        "inference": {"overlap": 0.0, "threshold": 0.5, "minimum_voxels": 5},
        "evaluation": {"bootstrap_samples": 20},
    }
    (root / "params").mkdir()
    (root / "params/own.yaml").write_text(yaml.safe_dump(values))

    params = read_parameters(root / "params/own.yaml")
    model = by_hand.bright_network()
    kernel, bias = model.get_layer("logits").get_weights()  # less steep: 0.5 at 3 sd
    model.get_layer("logits").set_weights([kernel / 15, bias / 40])
    folder = root / "weights/own/scratch-finetune"
    folder.mkdir(parents=True)
    save_weights(model, folder / weight_file(params.training.finetune.keep))
    manifest = {"parameters": params.model_dump(mode="json"), "files": {}}
    (folder.parent / "manifest.json").write_text(json.dumps(manifest))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        patch.setenv("CMBKIT_ROOT", str(root))
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.delenv("CMBKIT_PROGRESS", raising=False)
        found = Study.read(root / "params/own.yaml", root=root).results.scan_rows
        assert found.set_index("model").loc["scratch", ["tp", "fp", "fn"]].tolist() == [2, 0, 0]
        yield root


@pytest.fixture(scope="module")
def between(root):
    """A threshold that the less bright ball does not reach."""
    (table,) = root.glob("data/derivatives/own/predictions/scratch/*/*/*_table.tsv")
    header, *rows = (line.split("\t") for line in table.read_text().splitlines())
    scores = sorted(float(row[header.index("score")]) for row in rows)
    assert len(scores) == 2 and scores[1] - scores[0] > 0.01, scores
    return round(float(expit(0.3 * scores[0] + 0.7 * scores[1])), 6)


@pytest.fixture(scope="module")
def notebook(root):
    """Of notebook 06 the cells up to Table 8.1, and one that shows the parameters."""
    book = nbformat.read(ROOT / "notebooks/06_subgroup_analysis.ipynb", as_version=4)
    book.cells = [
        cell
        for cell in book.cells
        if cell.cell_type == "code" and any(words in cell.source for words in CELLS)
    ]
    assert len(book.cells) == 4
    book.cells.append(new_code_cell("study.params.inference"))
    for cell in book.cells:
        cell.outputs = []
    path = root / "06.ipynb"
    nbformat.write(book, path)
    return path


REPLACED = "is replaced, with other parameters than the file's"


def shown(cells) -> tuple[list, str]:
    """TP, FP and FN of Table 8.1 and the inference parameters.

    Nothing else may be there but the line that the outputs of the file's parameters are replaced.
    """
    every = [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]
    outputs = [[one for one in each if REPLACED not in json.dumps(one)] for each in every]
    assert [len(each) for each in outputs[-3:]] == [1, 1, 1], outputs
    numbers = outputs[-2][0]["data"][NUMBERS]
    (row,) = numbers["rows"]
    found = dict(zip(numbers["columns"], row, strict=True))
    return [found[name] for name in ("tp", "fp", "fn")], "".join(
        outputs[-1][0]["data"]["text/plain"]
    )


def check(before, after, threshold):
    """The less bright ball is lost; no other parameter has changed."""
    assert (before[0], after[0]) == ([2, 0, 0], [1, 0, 1])
    assert after[1] == before[1].replace("threshold=0.5", f"threshold={threshold}")


def test_papermill_replaces_one_value(root, notebook, between):
    """As the study is without, the fixture `root` and the file say."""
    command = [sys.executable, "-m", "papermill", notebook, root / "out.ipynb"]
    command += ["-p", "profile", "own", "-y", f"inference: {{threshold: {between}}}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    after = shown(nbformat.read(root / "out.ipynb", as_version=4).cells)
    file = read_parameters(root / "params/own.yaml")
    check(([2, 0, 0], repr(file.inference)), after, between)


class Page:
    """A page of a headless browser, driven over its DevTools socket."""

    def __init__(self, profile: Path, url: str):
        command = [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ]
        command += [f"--user-data-dir={profile}", "--remote-debugging-port=0"]
        self.process = subprocess.Popen([*command, url], stderr=subprocess.DEVNULL)
        port = wait_for(lambda: (profile / "DevToolsActivePort").read_text().split()[0])
        pages = wait_for(lambda: read_json(f"http://127.0.0.1:{port}/json/list"))
        address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        self._socket = websocket.create_connection(address, suppress_origin=True, timeout=300)
        self._count = 0

    def run(self, script: str):
        """What an asynchronous function of this body returns."""
        self._count += 1
        call = {"expression": f"(async () => {{{script}}})()", "awaitPromise": True}
        call |= {"returnByValue": True}
        message = {"id": self._count, "method": "Runtime.evaluate", "params": call}
        self._socket.send(json.dumps(message))
        while (answer := json.loads(self._socket.recv())).get("id") != self._count:
            pass
        assert "exceptionDetails" not in answer["result"], answer
        return answer["result"]["result"].get("value")


def read_json(url: str):
    with urllib.request.urlopen(url) as stream:
        return json.load(stream)


def wait_for(ask, seconds: float = 120):
    """What ``ask`` returns once it neither raises nor returns nothing."""
    end = time.monotonic() + seconds
    while True:
        try:
            if found := ask():
                return found
        except (OSError, LookupError):
            if time.monotonic() > end:
                raise
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.3)


OPEN = """
  const app = window.jupyterapp;
  await app.restored;
  window.book = await app.commands.execute("docmanager:open", { path: "06.ipynb" });
  await book.context.ready;
  await book.sessionContext.ready;
  window.typed = (old, now) => {
    const cell = book.content.widgets[0].model.sharedModel;
    cell.setSource(cell.getSource().replace(old, now));
  };
  window.seen = new Set();
  setInterval(() => document.querySelectorAll(".jp-OutputArea-output").forEach((shown) => {
    if (/^[a-z ]+: \\d+ of \\d+/m.test(shown.textContent)) seen.add(shown.textContent);
  }), 100);
  window.runAll = async () => {
    seen.clear();
    await app.commands.execute("notebook:run-all-cells");
    return { cells: book.context.model.toJSON().cells, seen: [...seen] };
  };
"""


@pytest.fixture(scope="module")
def page(root, notebook):
    """JupyterLab in a browser, with its own settings and without a password."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_SETTINGS_DIR")
    own = os.environ | {name: str(root / name) for name in names}
    options = [f"--ServerApp.port={port}", "--ServerApp.token=", "--no-browser", "--allow-root"]
    options += [f"--ServerApp.root_dir={root}", "--LabApp.expose_app_in_browser=True"]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options],
        stderr=(root / "lab.log").open("w"),
        env=own,
    )
    opened = None
    try:
        wait_for(lambda: read_json(f"http://127.0.0.1:{port}/api/status"))
        opened = Page(root / "browser", f"http://127.0.0.1:{port}/lab")
        wait_for(lambda: opened.run("return Boolean(window.jupyterapp)"))
        opened.run(OPEN)
        yield opened
    finally:
        for process in (opened and opened.process, server):
            if process:
                process.terminate()
                process.wait(30)


@pytest.mark.skipif(BROWSER is None, reason="no chromium on the PATH (Debian: package chromium)")
def test_jupyterlab_replaces_one_value(page, between):
    page.run("""typed('profile: str = "demo"', 'profile: str = "own"')""")
    before = page.run("return runAll()")
    value = f'inference = {{"threshold": {between}}}'
    page.run(f"""typed(/^inference: dict = .*$/m, '{value}')""")
    after = page.run("return runAll()")
    check(shown(before["cells"]), shown(after["cells"]), between)


@pytest.mark.skipif(BROWSER is None, reason="no chromium on the PATH (Debian: package chromium)")
def test_jupyterlab_shows_how_far_a_cell_is_and_keeps_nothing_of_it(page):
    """What the cell has shown before stays, in its order, and its result comes after."""
    code = """
import time
from IPython.display import HTML
from cmbkit.running.report import report_line, report_progress
print("printed before")
display(HTML("<b>shown before</b>"))
report_line("maps: 3 of 3 to make, about 2 min; the threshold has changed")
for done in range(4):
    report_progress("maps", done, 3)
    time.sleep(0.8)
"the result"
"""
    page.run(f"book.content.widgets[0].model.sharedModel.setSource({json.dumps(code)})")
    page.run("book.content.activeCellIndex = 0")
    found = page.run(
        'seen.clear(); await jupyterapp.commands.execute("notebook:run-cell");'
        "return { cells: book.context.model.toJSON().cells, seen: [...seen] };"
    )
    outputs = found["cells"][0]["outputs"]
    assert [each["output_type"] for each in outputs] == [
        "stream", "display_data", "execute_result",
    ]  # fmt: skip
    assert outputs[0]["text"] == "printed before\n"
    assert any("about 2 min" in text and "maps: 2 of 3" in text for text in found["seen"])
