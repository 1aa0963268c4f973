"""How `make book` builds the site: documents and stored notebooks as they lie, nothing is run."""

import pydoc
from pathlib import Path

import nbformat

from cmbkit import __version__
from cmbkit.reporting.origins import origins
from cmbkit.reporting.rendered import linked

ROOT = Path(__file__).parents[1]

project = "cmbkit"
version = release = __version__
copyright = "the authors of cmbkit; for research only"
root_doc = "book/index"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
include_patterns = [
    "book/*.md",
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "benchmarks/*.md",
    "cmbkit/weights/compact/MODEL_CARD.md",
    "data/README.md",
    "tests/faults/README.md",
    "notebooks/*.ipynb",
]
exclude_patterns = [".*", "build", "data/raw", "data/derivatives"]

nb_execution_mode = "off"
myst_heading_anchors = 4
suppress_warnings = ["mystnb.unknown_mime_type"]  # a table's numbers, beside what is shown of it

# A name of cmbkit in a docstring must be there; what else stands in backticks need not.
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!cmbkit\.).*")]
autodoc_member_order = "bysource"
autodoc_typehints = "none"

html_theme = "pydata_sphinx_theme"
html_title = "cmbkit"
html_extra_path = ["top"]
html_static_path = ["static"]
html_css_files = ["book.css"]
html_copy_source = False
html_sidebars = {"**": []}
html_theme_options = {
    "header_links_before_dropdown": 1,
    "header_dropdown_text": "Contents",
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}


def setup(app):
    """Tables and figures of the notebooks become places, and what their text names links."""
    items = origins(ROOT / "notebooks")

    def read(app, docname, source):
        path = ROOT / f"{docname}.ipynb"
        if path.exists():
            book = nbformat.reads(source[0], 4)
            linked(book, path.name, items, "({})=", lambda notebook, place: f"#{place}")
            source[0] = nbformat.writes(book)

    def known(app, env, node, content):
        return (
            content if node.get("refdomain") == "py" and pydoc.locate(node["reftarget"]) else None
        )

    app.connect("source-read", read)
    app.connect("missing-reference", known)
