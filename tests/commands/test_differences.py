"""The report of a reproduction: what it is compared with, and what it says."""

import subprocess

import pandas as pd
import pytest

from cmbkit.commands.differences import earlier_figures, write_report
from cmbkit.reporting.gallery import Gallery, write_index
from cmbkit.reporting.reproduction import read_files


def gallery(folder, f1=0.6):
    made = Gallery(folder, "small", synthetic=True)
    for number in ("7.2", "7.3"):
        table = pd.DataFrame({"model": ["scratch", "tl"], "f1": [f1, 0.7]})
        made.table(number, table.assign(f1_low=[0.5, 0.6], f1_high=[0.7, 0.8]), "Detection")
    write_index(folder)
    return folder


def git(root, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)


def test_in_a_repository_the_last_commit_counts(tmp_path):
    figures = gallery(tmp_path / "figures/small")
    committed = read_files(figures)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "figures")
    gallery(figures, f1=0.9)
    found = earlier_figures(figures, tmp_path / "kept", keep=True)
    assert found.files == committed and found.name.startswith("commit ")
    assert not (tmp_path / "kept").exists()


def test_elsewhere_what_lay_there_before_the_first_half_counts(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    figures, kept = gallery(tmp_path / "figures/small"), tmp_path / "kept"
    before = read_files(figures)
    assert earlier_figures(figures, kept, keep=True).files == before
    gallery(figures, f1=0.9)
    assert earlier_figures(figures, kept, keep=False).files == before  # in the second half
    assert earlier_figures(tmp_path / "none", kept, keep=True).files == {}


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Report of a first half in which one number moved, and of networks trained anew."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    figures = gallery(tmp_path / "figures/small")
    earlier = earlier_figures(figures, tmp_path / "kept", keep=True)
    gallery(figures, f1=0.67)
    anew = gallery(tmp_path / "figures/retrained/small", f1=0.4)
    target = tmp_path / "figures/reproduction.html"
    said = write_report(target, earlier, figures, profile="small", retrained=anew)
    assert said == "of 2 tables and figures 0 identical, 0 within tolerance, 2 different"
    return target.read_text()


def test_differences_stand_number_beside_number(page):
    assert "<td>0.6</td><td>0.67</td><td>beyond</td>" in page
    assert "Table 7.2" in page and "0.05 or 10 %" in page


def test_retrained_values_stand_beside_frozen_ones_with_their_intervals(page):
    assert "<td>0.67 [0.5, 0.7]</td><td>0.4 [0.5, 0.7]</td><td>outside</td>" in page
    assert "1 of 2 retrained values lie within" in page
    assert 'href="retrained/small/index.html"' in page


def test_without_anything_earlier_the_report_says_so(tmp_path):
    figures = gallery(tmp_path / "figures/small")
    empty = earlier_figures(tmp_path / "none", tmp_path / "kept", keep=True)
    target = tmp_path / "figures/reproduction.html"
    said = write_report(target, empty, figures, profile="small", only=["05"])
    assert said.startswith("nothing earlier")
    assert "Only notebooks 05" in target.read_text() and "--retrain" in target.read_text()
