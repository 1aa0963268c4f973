"""The line at the foot of a table or figure that says with which settings it was made."""

import re
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from cmbkit.params import Parameters, read_parameters
from cmbkit.plotting.canvas import new_figure
from cmbkit.reporting.gallery import Gallery
from cmbkit.reporting.made_with import DEPENDS, MadeWith, part_of

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "params/demo.yaml"
GRID = "Settings: grid 0.75 mm."
FOUND = (
    "Settings: grid 0.75 mm; networks scratch 01234567, tl fedcba98; threshold 0.8, at least "
    "20 voxels; centre distance < 5 mm, greedy, one to one."
)


def made_with(weights=None, **parts):
    """The demo with parts of it replaced."""
    hashes = {"scratch": "0123456789ab", "tl": "fedcba987654"} if weights is None else weights
    now, of_file = read_parameters(DEMO, parts), read_parameters(DEMO)
    return MadeWith(now, of_file, lambda: hashes)


def not_asked():
    raise AssertionError("weights asked for")


@pytest.mark.parametrize(
    ("kind", "number", "expected"),
    [("table", "2.1", ""), ("table", "4.1", ""), ("table", "7.1", GRID), ("table", "7.2", FOUND)],
)
def test_a_foot_names_what_the_table_depends_on_and_nothing_else(kind, number, expected):
    made = made_with()
    assert made.foot(kind, number) == expected
    if "networks" not in expected:
        assert MadeWith(made.params, made.of_file, not_asked).foot(kind, number) == expected


def test_settings_that_are_not_the_files_are_told_where_they_matter():
    made = made_with(
        inference={"threshold": 0.5}, evaluation={"matching": "overlap"}, workers=7, seed=3
    )
    assert made.foot("table", "8.1").endswith(
        "; threshold 0.5, at least 20 voxels; overlap of 1 voxel, greedy, one to one. Not as in "
        "params/demo.yaml: seed 3 (there 2024); inference.threshold 0.5 (there 0.8); "
        "evaluation.matching overlap (there distance)."
    )
    assert made.foot("table", "7.1") == f"{GRID} Not as in params/demo.yaml: seed 3 (there 2024)."
    assert made.foot("figure", "7.1") == ""
    alone = MadeWith(made.params, None, lambda: {})
    assert "Not as in" not in alone.foot("table", "8.1")


def test_a_table_that_nobody_listed_names_all_but_the_weights():
    made = made_with(network={"l2": 0.5})
    made = MadeWith(made.params, made.of_file, not_asked)
    assert "threshold 0.8" in made.foot("table", "S99")
    assert made.foot("table", "S99").endswith("network.l2 0.5 (there 1e-05).")


def test_every_number_of_the_notebooks_is_listed():
    call = re.compile(r'gallery\.(table|figure|data|view)\(\s*"([^"]+)"')
    books = (nbformat.read(path, as_version=4) for path in ROOT.glob("notebooks/0*.ipynb"))
    shown = {found for book in books for cell in book.cells for found in call.findall(cell.source)}
    assert len(shown) > 60 and shown == set(DEPENDS)


def test_every_parameter_has_a_part_unless_it_changes_no_result():
    without = {name for name in Parameters.model_fields if part_of(name) is None}
    assert without == {"profile", "workers", "cluster", "data_dir", "figures_dir"}
    assert part_of("inference.threshold") == "candidates"
    assert part_of("inference.overlap") == "maps"
    assert part_of("evaluation.slice_experiment.brains") == "experiment"


def test_the_line_stands_below_the_picture_and_leaves_it_as_it_is(tmp_path, pdf_text):
    def pictures(**options):
        figure = new_figure(3, 2)
        figure.subplots().plot([0, 1, 2], [0.1, 0.5, 0.3])
        gallery = Gallery(tmp_path, "demo", synthetic=True, **options)
        shown = gallery.figure("7.4", figure, "Scores")
        return Image.open(shown.path).convert("RGB"), pdf_text(shown.path.with_suffix(".pdf"))

    plain, _ = pictures()
    longer, vectors = pictures(made_with=made_with())
    assert longer.width == plain.width and longer.height > plain.height
    assert longer.crop((0, 0, *plain.size)).tobytes() == plain.tobytes()
    assert longer.crop((0, plain.height, *longer.size)).getextrema()[0][0] < 200  # ink
    assert "networks scratch 01234567" in vectors and "one to one." in vectors


def test_html_latex_and_the_sidecar_of_data_say_it_too(tmp_path):
    import json

    import pandas as pd

    gallery = Gallery(tmp_path, "demo", synthetic=True, made_with=made_with())
    table = pd.DataFrame({"F1": [0.5]})
    gallery.table("7.2", table, "Scores")
    assert "threshold 0.8, at least 20 voxels" in (tmp_path / "table_7_2.html").read_text()
    assert "threshold 0.8, at least 20 voxels" in (tmp_path / "table_7_2.tex").read_text()
    gallery.data("S35", table, "Matches", {"F1": "its score"})
    told = json.loads((tmp_path / "data_S35.json").read_text())
    assert told["settings"]["Description"] == FOUND and set(told) == {"F1", "cohort", "settings"}


def test_inputs_are_hashes_of_what_an_item_depends_on():
    made = made_with()
    made = MadeWith(made.params, made.of_file, made.weights, lambda: "abcd", "c0ffee")
    raw = {"Raw scans": "abcd"}
    networks = {"Network scratch": "0123456789ab", "Network tl": "fedcba987654"}
    assert made.inputs("table", "2.1") == {}
    assert made.inputs("table", "7.1") == raw
    assert made.inputs("table", "7.2") == raw | networks
