"""View S70: which scan of a dataset is opened, and what its page holds."""

import json
import re
import shutil
import subprocess
from html import unescape

import numpy as np
import pandas as pd
import pytest

from cmbkit.chapters import evaluation
from cmbkit.params import Evaluation
from cmbkit.reporting.gallery import Gallery, read_entries, write_index
from cmbkit.reporting.tables import shown
from cmbkit.volume import Volume

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
SHAPE, AFFINE = (40, 44, 36), np.diag([1.0, 1, 1, 1])
COHORT = pd.DataFrame(
    {
        "uid": ["DOU-1", "DOU-2", "DOU-3", "X-1", "X-2", "Y-1"],
        "dataset": ["DOU"] * 3 + ["X"] * 2 + ["Y"],
        "split": ["test", "test", "test", "train", "valid", "excluded"],
        "n_cmb": [1, 2, 2, 9, 0, 5],
    }
)
PROBE = """<script>window.addEventListener("load", () => setTimeout(() => {
  const viewer = document.getElementById("viewer"), out = document.createElement("pre");
  const pen = document.querySelector("canvas").getContext("2d"), hues = new Set();
  const { data } = pen.getImageData(0, 0, pen.canvas.width, pen.canvas.height);
  for (let i = 0; i < data.length; i += 4) {
    const [r, g, b] = data.slice(i, i + 3);
    if (r > b + 60 && g > b + 60) hues.add("yellow");
    if (b > r + 60) hues.add("blue");
  }
  out.id = "probe";
  out.textContent = JSON.stringify({
    hues: [...hues].sort(), at: viewer.dataset.at,
    lines: Array.from(document.querySelectorAll("#viewer-jumps p"), (p) => p.textContent.trim()),
    said: document.getElementById("viewer-where").textContent,
    asked: performance.getEntriesByType("resource").map((r) => r.name.slice(0, 5)),
  });
  document.body.append(out);
}, 300));</script></body>"""


def volume(*places, dtype=np.uint16):
    """Cubes of 27 voxels, numbered in order."""
    data = np.zeros(SHAPE, dtype)
    for number, (i, j, k) in enumerate(places, 1):
        data[i - 1 : i + 2, j - 1 : j + 2, k - 1 : k + 2] = number
    return Volume(data, AFFINE)


class Standard:
    """A scan whose brain is a box, with two annotated microbleeds."""

    def __init__(self, uid):
        from types import SimpleNamespace

        acquisition = SimpleNamespace(in_plane_mm=(0.6, 0.5), slice_thickness_mm=2.0)
        self.scan = SimpleNamespace(uid=uid, patient=uid, sequence="SWI", acquisition=acquisition)

    def image(self):
        noise = np.random.default_rng(3).normal(0, 1, SHAPE).astype(np.float32)
        return Volume(noise, AFFINE)

    def brain(self):
        data = np.zeros(SHAPE, np.uint8)
        data[2:38, 2:42, 2:34] = 1
        return Volume(data, AFFINE)

    def lesions(self):
        return volume((10, 12, 14), (25, 30, 20))


@pytest.fixture(scope="module")
def made():
    """The first is found; of the two predictions the second lies alone."""
    found = volume((11, 12, 14), (30, 10, 25))
    return evaluation.view_s70(COHORT, Standard, lambda scan: found, params=Evaluation())


def test_of_each_dataset_the_scan_with_most_that_was_not_trained_on(made):
    """Of two with two the first; where a validation scan is there, not the training scan's nine."""
    table, viewers = made
    assert table["uid"].tolist() == ["DOU-2", "X-2"] and list(viewers) == ["DOU", "X"]
    assert table[["n_gt", "n_pred", "tp", "fn", "fp"]].iloc[0].tolist() == [2, 2, 1, 1, 1]
    assert table["split"].tolist() == ["test", "validation"]
    acquired = ["sequence", "in_plane_mm_low", "in_plane_mm_high", "slice_thickness_mm"]
    assert table[acquired].iloc[0].tolist() == ["SWI", 0.5, 0.6, 2.0]
    cells = shown(table)[0]
    assert cells[["Pixels (mm)", "Slices (mm)"]].iloc[0].tolist() == ["0.50-0.60", "2.00"]


def test_both_sides_lie_in_the_brains_box_with_what_became_of_each(made):
    """The box begins at voxel 2, so (10, 12, 14) is (8, 10, 12) in it."""
    shown = made[1]["DOU"]["data"]
    assert shown["shape"] == [36, 40, 32] and shown["origin"] == [2, 2, 2]
    told = [[b["told"] for b in layer["microbleeds"]] for layer in shown["layers"]]
    assert told == [["found", "missed"], ["right", "false"]]
    first = shown["layers"][0]["microbleeds"][0]
    assert first["centre"] == [8, 10, 12] and len(first["voxels"]) == 27
    assert first["voxels"][0] == 7 + 36 * (9 + 40 * 11)


@pytest.fixture(scope="module")
def gallery(made, tmp_path_factory):
    gallery = Gallery(tmp_path_factory.mktemp("view"), "demo", synthetic=True)
    gallery.view("S70", *made, "One scan of each dataset")
    return gallery


def test_the_gallery_links_a_page_of_each_that_says_it_is_synthetic_and_asks_for_nothing(gallery):
    (entry,) = read_entries(gallery.folder)
    assert entry["files"] == ["view_S70.csv", "view_S70_DOU.html", "view_S70_X.html"]
    index = write_index(gallery.folder)[0].read_text()
    assert '<a href="view_S70_DOU.html">DOU</a>, <a href="view_S70_X.html">X</a>.' in index
    page = (gallery.folder / "view_S70_DOU.html").read_text()
    assert "synthetic cohort" in page and "2 annotated CMBs, 1 of them found" in page
    assert 'href="index.html#view-s70"' in page and 'id="view-s70"' in index
    outside = re.findall(r"""(?:src|href)\s*=\s*["'](?!data:|index\.html#)([^"']+)""", page)
    assert outside == [] and "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)


@pytest.mark.skipif(BROWSER is None, reason="no chromium on the PATH (Debian: package chromium)")
def test_a_page_draws_both_outlines_in_a_browser(gallery, tmp_path):
    page = tmp_path / "view.html"
    text = (gallery.folder / "view_S70_DOU.html").read_text()
    page.write_text(text.replace("</body>", PROBE))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000"]
    done = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120
    )
    seen = json.loads(unescape(re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.S)[1]))
    assert seen["at"] == "8,10,12" and seen["hues"] == ["blue", "yellow"]
    assert seen["lines"] == [
        "Go to annotated microbleed: 1 found 2 missed",
        "Go to predicted microbleed: 1 right 2 false",
    ]
    assert seen["said"] == (
        "x 10.0, y 12.0, z 14.0 mm, annotated microbleed 1, predicted microbleed 1"
    )
    assert set(seen["asked"]) <= {"data:"}
