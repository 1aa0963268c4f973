"""Text from data is text in HTML, SVG and LaTeX: hostile words build the page of plain ones."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmbkit.plotting.canvas import new_figure
from cmbkit.prediction.fitness import Fitness
from cmbkit.reporting import latex_tables, tables
from cmbkit.reporting.gallery import Gallery, write_index
from cmbkit.reporting.layout import Column, laid_out, layout_of
from cmbkit.reporting.one_page import OnePage
from cmbkit.reporting.pages import render
from cmbkit.reporting.pictures import pdf_bytes
from cmbkit.reporting.tolerance import NETWORK

PIECES = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onload='x", "</td></table>",
    "]]>", "<!--", "&lt;b&gt;", "\\input{/etc/passwd}", "\\end{tabular}", "%_&#${}", "$x$", "^~",
    "[2]", "line\n\nline", "\r", "\u202egnp.exe\u2066", "../../etc", "{{ 7 * 7 }}", "{% raw %}",
    "ä³–≥", "\x00\x1b[31m", "javascript:alert(1)",
)  # fmt: skip
HOSTILE = st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map(" ".join)
ALL = "".join(PIECES)


class Skeleton(HTMLParser):
    """Tags and names of attributes in order, and all text."""

    def __init__(self, html: str):
        super().__init__()
        self.parts, self.text, self.links = [], "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.parts.append((tag, *(name for name, _ in attrs)))
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag):
        self.parts.append(tag)

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.parts.append("comment")


def same_built(make, word: str, times: int = 1) -> None:
    """What is made of ``word`` has the tags of what is made of a plain one, and shows it."""
    plain, hostile = Skeleton(make("plain")), Skeleton(make(word))
    assert hostile.parts == plain.parts
    shown = re.sub(r"\s", " ", hostile.text)
    assert shown.count(re.sub(r"\s", " ", word)) >= times
    assert not [link for link in hostile.links if link.lower().startswith("javascript")]


def table_of(word: str) -> pd.DataFrame:
    data = pd.DataFrame({word: [word, word], "n": [1, 2]})
    return laid_out(data, [Column(word, word), Column("n", "n", best="max")], note=word)


@settings(deadline=None, max_examples=12)
@given(HOSTILE)
def test_tables_in_html(word):
    same_built(lambda w: tables.render_html(table_of(w), w, w, w), word, times=6)


@settings(deadline=None, max_examples=12)
@given(HOSTILE)
def test_tables_in_latex(word):
    """Commands, braces and cells as of a plain word; no comment, no paragraph, no open brace."""

    def parts(text):
        assert not re.search(r"(?<!\\)%", text) and "\n\n" not in text
        bare = re.sub(
            r"\\text(backslash|asciitilde|asciicircum|less|greater|bar)\{\}|\\[%&#${}_]", "", text
        )
        bare = re.sub(r"\$(\\geq|\\leq|\^3)\$|\\allowbreak\{\}", "", bare).replace("{[}", "")
        bare = re.sub(r"\\(begin|end)\{landscape\}", r"\\\1group", bare)
        assert bare.count("{") == bare.count("}") and not set("$#_^~") & set(bare)
        commands = re.findall(r"\\[A-Za-z]+", bare)
        return sorted(
            set(commands) - {r"\makecell", r"\newline", r"\raggedright", r"\arraybackslash"}
        ), (bare.count("&"))

    plain = latex_tables.render_latex(table_of("plain words"), "plain", "plain", "plain")
    commands, cells = parts(latex_tables.render_latex(table_of(word), word, word, word))
    assert (commands, cells) == parts(plain)


def test_figures_in_pdf():
    """No word is a formula or an error; there is one picture as there is without such words."""

    def drawn(*words):
        figure = new_figure(3, 2)
        axis = figure.subplots()
        axis.set_title(words[0])
        axis.set_xticks(range(len(words)), words)
        assert not axis.title.get_parse_math()
        return pdf_bytes(figure).count(b"/Type /Page ")

    assert drawn(*PIECES) == drawn("plain") == 1


@pytest.fixture(scope="module")
def index_of(tmp_path_factory):
    def made(word):
        folder = tmp_path_factory.mktemp("gallery")
        gallery = Gallery(folder, "demo", synthetic=True, note=word)
        table = table_of(word)
        table.attrs["layout"] = replace(layout_of(table), note=word)
        gallery.table("7.2", table, word)
        gallery.data("S35", pd.DataFrame({"a": [word]}), word, {"a": word})
        figure = new_figure(1, 1)
        gallery.figure("8.1", figure, word, pd.DataFrame({"a": [word]}))
        return write_index(folder)[0].read_text(encoding="utf-8")

    return made


def test_the_gallery(index_of):
    same_built(index_of, ALL, times=8)


def test_a_caption_in_a_notebook_is_no_html(tmp_path, monkeypatch):
    """Jupyter's Markdown lets HTML pass."""
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda what, raw=False: shown.append(what))
    figure = Gallery(tmp_path, "demo", True).figure("8.1", new_figure(1, 1), "<script>x</script>")
    figure._ipython_display_()
    assert "<script" not in shown[-1].data and "&lt;script" in shown[-1].data


def test_the_page_of_an_evaluation():
    def page(word):
        made = OnePage(word)
        made.section(word)
        made.warning(word, [word, word])
        made.table("t", table_of(word), word)
        figure = new_figure(1, 1)
        made.figure("f", figure, word, pd.DataFrame({"a": [word]}))
        return made.html()

    same_built(page, ALL, times=9)


def test_the_page_of_a_reproduction():
    from types import SimpleNamespace

    def page(word):
        item = SimpleNamespace(
            verdict="different", kind=word, number=word, caption=word, apart=0.1,
            changed=[word], differences=[1, 2],
        )  # fmt: skip
        values = dict.fromkeys(("title", "profile", "reference", "processor", "file", "page"), word)
        return render(
            "reproduction.html", **values, manifest={"commit": word, "processor": word},
            notebooks=[word], compared=[(item, [(word, word)])], counts=[(word, 1)],
            network=NETWORK, picture=0.1,
            network_picture=0.1, retrained=[(word, 1, [(word, word)])],
        )  # fmt: skip

    same_built(page, ALL.replace("javascript:", ""), times=14)


def test_the_page_of_a_prediction():
    weights = {"name": "w", "trained_on": "t"}

    def page(word):
        row = dict.fromkeys(("max_diameter_mm", "volume_mm3", "score", "x_mm", "y_mm", "z_mm",
                             "probability"), 1.0)  # fmt: skip
        row |= {"id": word, "region": word, "side": word, "flags": (word,), "strip": b""}
        form = tables.render_html(table_of(word), word)
        viewer = {"note": word, "data": {"word": word}, "sprite": b""}
        return render(
            "prediction.html", title=word, research_only=word,
            weights=dict.fromkeys(weights, word), count=1, fitness=Fitness((word,), (word,)),
            remarks=[word], facts={"Brain mask": word, word: word}, brain_mask=b"", bombs=form,
            mars=form, thresholds=[(1, True, word)], viewer=viewer, microbleeds=[row], more=0,
            doubts={word: word}, number={"low": 1, "high": 2, "level": 0.9},
        )  # fmt: skip

    same_built(page, ALL, times=16)


def test_templates_take_as_html_only_what_a_template_made():
    """Whoever adds another ``|safe`` shows here where that HTML comes from."""
    folder = Path(tables.__file__).parent / "templates"
    found = {
        (path.name, name)
        for path in folder.iterdir()
        for name in re.findall(r"([\w.]+)\s*\|\s*safe", path.read_text(encoding="utf-8"))
    }
    assert found == {
        ("gallery.html", "entry.html"), ("evaluation.html", "item.html"),
        ("prediction.html", "bombs"), ("prediction.html", "mars"),
        ("prediction_cell.html", "bombs"),
        ("notebook.html", "html"),  # of nbconvert: what a notebook of this study shows
    }  # fmt: skip
    script = (folder / "viewer.js").read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)
