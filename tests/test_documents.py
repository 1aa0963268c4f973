"""Paths and commands that the documents name exist."""

import itertools
import re
import shlex
from pathlib import Path

import pytest

from cmbkit.cli import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "data/README.md")
TOP = "(?:benchmarks|book|cmbkit|figures|notebooks|params|tests|weights)"
PATH = re.compile(rf"(?<![\w./<-]){TOP}/[\w./-]*|\b[A-Z]+\.md\b|(?<!\w)\.pre-commit[\w.-]+")
# Made by a command, or of the reader's own.
NOT_HERE = {
    "cmbkit/datasets/yours.py",
    "figures/mine",
    "figures/reproduction.html",
    "figures/retrained",
    "params/mine.yaml",
    "tests/datasets/test_yours.py",
    "weights/mine",
}


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def code_of(name):
    """Everything between backticks, blocks and words alike."""
    text = text_of(name)
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    words = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [*blocks, *(found.replace("\n", " ") for found in re.findall(r"`([^`]+)`", words))]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_paths_that_a_document_names_exist(name):
    named = {path.rstrip("./") for code in code_of(name) for path in PATH.findall(code)}
    absent = [path for path in sorted(named - NOT_HERE) if not (ROOT / path).exists()]
    assert not absent, f"{name} names {absent}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_of_a_document_lead_somewhere(name):
    targets = re.findall(r"\]\(([^)#]+)\)", text_of(name))
    here = (ROOT / name).parent
    absent = [t for t in targets if "://" not in t and not (here / t).exists()]
    assert not absent, f"{name} links to {absent}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_targets_of_make_and_commands_exist_with_their_options(name):
    targets = set(re.findall(r"^(\w[\w-]*):", text_of("Makefile"), re.MULTILINE))
    for code in code_of(name):
        made = set(re.findall(r"^make ([\w-]+)", code, re.MULTILINE))
        assert made <= targets, f"{name} names make {made - targets}"
        for line in re.findall(r"^(?:\.venv/bin/)?cmbkit (.+)$", code, re.MULTILINE):
            command, *words = shlex.split(line, comments=True) or [""]
            if not command.startswith("-"):
                unknown = {w.partition("=")[0] for w in words if w.startswith("--")}
                unknown -= options_of(command)
                assert not unknown, f"{name}: cmbkit {command} has no {unknown}"


def options_of(command):
    """Long options of a command of the command line."""
    from typer.main import get_command

    commands = get_command(app).commands
    assert command in commands, f"cmbkit has no command {command}"
    return {flag for option in commands[command].params for flag in option.opts}


def test_the_floors_of_the_architecture_are_those_of_the_contract():
    """Every package and module of cmbkit stands in ARCHITECTURE.md, in the contract's order."""
    import tomllib

    contracts = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    floors = [re.findall(r"cmbkit\.(\w+)", layer) for layer in contracts[0]["layers"]]
    drawn = re.findall(r"cmbkit/(\w+)(?:/|\.py)", code_of("ARCHITECTURE.md")[0])
    places = [[drawn.index(module) for module in floor] for floor in floors]
    for above, below in itertools.pairwise(places):
        assert max(above) < min(below), f"ARCHITECTURE.md: {drawn}, expected {floors}"
