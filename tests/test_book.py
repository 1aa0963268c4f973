"""The book of `make book`: its contents are there, and it runs nothing."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONF = (ROOT / "book/conf.py").read_text(encoding="utf-8")


def contents():
    """Files of the book's table of contents, in order."""
    trees = re.findall(
        r"^```{toctree}\n(.*?)^```", (ROOT / "book/index.md").read_text(), re.S | re.M
    )
    lines = [line for tree in trees for line in tree.splitlines() if line and line[0] != ":"]
    named = [(ROOT / "book" / line).resolve() for line in lines if "*" not in line]
    return [
        p for name in named for p in (name.parent).glob(f"{name.name}.*") if p.suffix != ".html"
    ]


def test_the_contents_are_there_with_all_seven_notebooks():
    names = [path.relative_to(ROOT).as_posix() for path in contents()]
    notebooks = [name for name in names if name.endswith(".ipynb")]
    assert notebooks == sorted(
        p.relative_to(ROOT).as_posix() for p in ROOT.glob("notebooks/*.ipynb")
    )
    wanted = {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "book/api.md"}
    assert wanted | {"cmbkit/weights/compact/MODEL_CARD.md"} <= set(names)
    assert len(notebooks) == 7 and len(names) == len(set(names)) == 7 + 9


def test_the_book_runs_nothing_and_asks_no_other_machine():
    assert 'nb_execution_mode = "off"' in CONF and "nitpicky = True" in CONF
    assert "://" not in CONF and "intersphinx" not in CONF


def test_the_pages_of_the_stored_gallery_are_there():
    page = (ROOT / "figures/demo/index.html").read_text(encoding="utf-8")
    targets = set(re.findall(r'href="(notebooks/[^"#]+)', page))
    if not targets:
        pytest.skip("the stored gallery was made before notebooks had pages")
    assert all((ROOT / "figures/demo" / target).is_file() for target in targets)
