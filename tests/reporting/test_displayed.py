"""A displayed table is a DataFrame, and puts its numbers into the notebook."""

import io

import pandas as pd
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.figure import Figure
from PIL import Image

from cmbkit.reporting.comparison import compare_pictures
from cmbkit.reporting.displayed import NUMBERS
from cmbkit.reporting.gallery import Gallery
from cmbkit.reporting.pictures import on_screen, png_bytes


def test_a_displayed_table_goes_on_as_a_dataframe(tmp_path):
    given = pd.DataFrame({"dataset": ["CRB", "DOU"], "f1": [1 / 3, float("nan")], "n": [3, 4]})
    shown = Gallery(tmp_path, "demo", synthetic=True).table("7.2", given, "Scores")
    assert isinstance(shown, pd.DataFrame) and shown.equals(given)
    assert type(shown.query("n == 3")) is pd.DataFrame
    bundle, _ = DisplayFormatter().format(shown)
    assert bundle[NUMBERS] == {
        "columns": ["dataset", "f1", "n"],
        "rows": [["CRB", 0.333333, 3], ["DOU", None, 4]],
    }
    assert "Table 7.2. Scores" in bundle["text/html"] and "2 rows" in bundle["text/plain"]


def test_a_displayed_figure_shows_the_file_its_numbers_and_its_caption(tmp_path):
    figure = Figure()
    figure.subplots().plot([0, 1])
    behind = pd.DataFrame({"y": [0, 1]})
    legends = {("figure", "4.2"): "Of {rows} rows."}
    gallery = Gallery(tmp_path, "demo", synthetic=True, legends=legends)
    shell = InteractiveShell.instance()
    with capture_output() as shown:
        shell.display_formatter.format(gallery.figure("4.2", figure, "A line*", behind))
    picture, caption = (output.data for output in shown.outputs)
    printed = Image.open(tmp_path / "figure_4_2.png")
    seen = Image.open(io.BytesIO(picture["image/png"]))
    assert printed.size == (3 * 640, 3 * 480) and seen.size == (640, 480)
    assert compare_pictures(picture["image/png"], on_screen(png_bytes(figure))) == 0
    assert picture[NUMBERS]["rows"] == [[0], [1]]
    assert caption["text/markdown"] == "**Figure 4.2. A line\\*.** Of 2 rows."
