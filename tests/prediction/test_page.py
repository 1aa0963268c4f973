"""The report in a real browser without a network: it draws, it moves, it stays in one file."""

import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import cmbkit
from cmbkit.prediction.microbleed_table import FLAGS

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
PROBE = """<script>window.addEventListener("load", () => setTimeout(() => {
  const out = document.createElement("pre");
  out.id = "probe";
  const darkest = [], brightest = [];
  for (const canvas of document.querySelectorAll("#viewer canvas")) {
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let low = 255, high = 0;
    for (let i = 0; i < pixels.length; i += 4) {
      low = Math.min(low, pixels[i]); high = Math.max(high, pixels[i]);
    }
    darkest.push(low); brightest.push(high);
  }
  const where = () => document.getElementById("viewer").dataset.at;
  const first = where();
  const buttons = document.querySelectorAll("#viewer-jumps button");
  buttons[1].click();
  const second = where();
  const axial = document.querySelector("canvas[data-cut=axial]");
  axial.dispatchEvent(new WheelEvent("wheel", { deltaY: -1 }));
  out.textContent = JSON.stringify({
    ready: document.getElementById("viewer").dataset.ready, darkest, brightest, first, second,
    third: where(), buttons: buttons.length,
    said: document.getElementById("viewer-where").textContent,
    asked: performance.getEntriesByType("resource").map((r) => r.name.slice(0, 10)),
  });
  document.body.append(out);
}, 300));</script></body>"""


@pytest.fixture(scope="module")
def prediction(tmp_path_factory, weights):
    from cmbkit.volume import Volume

    folder = tmp_path_factory.mktemp("page")
    mm = np.moveaxis(np.indices((80, 90, 80)), 0, -1)
    inside = (((mm - (40, 45, 40)) / (33, 38, 34)) ** 2).sum(-1) <= 1
    data = np.where(inside, 400 + np.random.default_rng(5).normal(0, 20, inside.shape), 0)
    for ball in ((30, 40, 40), (52, 50, 36)):
        data[((mm - ball) ** 2).sum(-1) <= 9] = 2000
    affine = np.diag([1.0, 1, 3, 1])
    Volume(data[:, :, ::3].astype(np.float32), affine).write(folder / "scan.nii.gz")
    return cmbkit.predict(folder / "scan.nii.gz", weights=weights)


@pytest.fixture(scope="module")
def html(prediction):
    return prediction.report()


def test_the_page_says_what_it_must(html):
    for text in (
        "For research only",
        "Only what lies within the line was searched",
        "bright balls",
        "nothing: made by hand",
        "Slices 3 mm apart",
        "brain regions came from a stand-in",
        "BOMBS, scan scan",
        "MARS, scan scan",
        "<b>2</b> microbleeds found",
    ):
        assert text in html, text
    reached = re.findall(r"&ge; (\d+)</td><td>(yes|no)", html)
    assert reached == [("1", "yes"), ("3", "no"), ("5", "no"), ("11", "no")]
    assert html.count('<div class="bleed">') == 2


def test_list_and_form_go_by_one_diameter_and_the_keys_are_told(html, prediction):
    longest = prediction.table["max_diameter_mm"]
    assert re.findall(r"longest diameter (\d+\.\d) mm", html) == [f"{mm:.1f}" for mm in longest]
    everything = prediction.form("bombs").table.iloc[-1]
    small = [name for name in everything.index if "under_5_mm" in name]
    assert everything[small].sum() == (longest < 5).sum()
    assert "Size: the longest diameter." in html and "<kbd>Page Up</kbd>" in html


def test_flags_are_names_that_page_and_file_join(prediction, tmp_path):
    """Slices of 3 mm: every microbleed has at least that flag; each is told by what it means."""
    flags = prediction.table["flags"]
    assert len(flags) and all("thick-slice scan" in one and set(one) <= set(FLAGS) for one in flags)
    table = prediction.table.assign(flags=[("elongated", "under 2 mm")] * len(flags))
    changed = replace(prediction, table=table)
    assert "Doubts: elongated, under 2 mm" in changed.report()
    written = pd.read_csv(changed.write(tmp_path / "out") / "microbleeds.tsv", sep="\t")
    assert set(written["flags"]) == {"elongated, under 2 mm"}


def test_the_page_is_one_file_that_asks_for_nothing(html):
    outside = re.findall(r"""(?:src|href)\s*=\s*["'](?!data:|#)([^"']+)""", html)
    assert outside == [] and "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", html)
    assert len(html) < 5_000_000


@pytest.mark.skipif(BROWSER is None, reason="no chromium on the PATH (Debian: package chromium)")
def test_the_viewer_works_in_a_browser(html, prediction, tmp_path):
    import json
    from html import unescape

    page = tmp_path / "report.html"
    page.write_text(html.replace("</body>", PROBE), encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000"]
    done = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120
    )
    probe = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.S)
    assert probe, done.stderr[-2000:]
    seen = json.loads(unescape(probe[1]))
    assert seen["ready"] == "true" and seen["buttons"] == 2
    assert max(seen["darkest"]) < 20 and min(seen["brightest"]) > 200
    centres = [
        np.rint(prediction.standard.to_voxels([r.x_mm, r.y_mm, r.z_mm])).astype(int).tolist()
        for r in prediction.table.itertuples()
    ]
    places = [[int(n) for n in seen[name].split(",")] for name in ("first", "second", "third")]
    assert places == [*centres, [*centres[1][:2], centres[1][2] + 1]]
    assert f"microbleed {prediction.table['id'].iloc[1]}" in seen["said"]
    assert all(name.startswith("data:") for name in seen["asked"])
