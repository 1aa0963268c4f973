"""What a file defines, and what its definitions use, decided by hand on small texts."""

import pytest

from cmbkit.running.syntax import STATEMENTS, SourceFile


def read(text, module="cmbkit.room.here"):
    return SourceFile(text, module, package=False)


def uses(text, name="f"):
    (definition,) = read(text).find(name)
    return definition.uses


@pytest.mark.parametrize(
    "other",
    [
        'def f(x):\n    """Docstring."""\n    return x + ONE  # and a comment\n',
        "def f(\n    x: int,\n) -> float:\n\n    return (x + ONE)\n",
        'def f(x):\n    return x + ONE\n    "a text that is no docstring but does nothing"\n',
    ],
)
def test_docstrings_comments_layout_and_annotations_do_not_count(other):
    assert (
        read(other).find("f")[0].digest
        == read("def f(x):\n    return x + ONE\n").find("f")[0].digest
    )


@pytest.mark.parametrize(
    "other", ["return x - ONE", "return x + TWO", "return x + ONE + 0", "pass"]
)
def test_what_is_done_counts(other):
    text = "def f(x):\n    {}\n"
    digests = [read(text.format(body)).find("f")[0].digest for body in ("return x + ONE", other)]
    assert digests[0] != digests[1]


def test_defaults_and_decorators_count():
    texts = ("def f(x=1): pass", "def f(x=2): pass", "@g\ndef f(x=1): pass")
    assert len({read(text).find("f")[0].digest for text in texts}) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(x): return g(x)", {("g", ())}),
        ("def f(g): return g(1)", set()),
        ("def f():\n    g = 1\n    return g", set()),
        ("def f():\n    global g\n    g = h", {("g", ()), ("h", ())}),
        ("def f(): return a.b.c(1).d", {("a", ("b", "c"))}),
        ("def f(x): return [grid for grid in x], grid.crop", {("grid", ("crop",))}),
        ("def f(x): return [y for y in x if y > z]", {("z", ())}),
        ("def f(x=g): return lambda x: h(x)", {("g", ()), ("h", ())}),
        ("def f(x: Scan) -> 'Found': pass", {("Scan", ()), ("Found", ())}),
        ("def f():\n    def g(y): return y + z\n    return g", {("z", ())}),
        ("def f():\n    import numpy as np\n    return np.ones(2)", {(("numpy", None), ("ones",))}),
        (
            "def f():\n    from cmbkit.a import b as c\n    return lambda: c.d()",
            {(("cmbkit.a", "b"), ("d",))},
        ),
        ("def f():\n    from .a import b\n    b()", {(("cmbkit.room.a", "b"), ())}),
        ("def f():\n    from ..a import b\n    b()", {(("cmbkit.a", "b"), ())}),
    ],
)
def test_names_that_are_not_its_own(text, expected):
    assert uses(text) == expected


def test_top_level_names_imports_and_statements():
    here = read(
        '"""Module."""\nimport numpy as np\nfrom cmbkit.a import b\n'
        "A, B = 1, 2\nTABLE = {}\nTABLE['x'] = A\n'''of TABLE'''\n"
        "try:\n    import cmbkit.fast as fast\nexcept ImportError:\n    fast = None\n"
        "call()\nclass C:\n    def method(self): return deep()\n"
    )
    assert set(here.names) == {"A", "B", "TABLE", "fast", STATEMENTS, "C"}
    assert here.imports["b"] == ("cmbkit.a", "b") and here.imports["fast"] == ("cmbkit.fast", None)
    assert len(here.find("TABLE")) == 2
    assert here.find("C.method")[0].uses == {("deep", ())} and here.find("C.other") == []
