"""Plant one fault after the other in a copy of the package: the notebooks' comparison finds each.

Run it after ``make reproduce``, whose cache it reads and leaves as it is::

    .venv/bin/python tests/planted_faults.py            # all, a quarter of an hour
    .venv/bin/python tests/planted_faults.py radius     # those with this word in their names

Each line of the result names the fault, the notebook, and the cell that caught it. Exit code 1
if a fault went unnoticed, 2 if a word is in no fault's name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("cmbkit", "notebooks", "params", "weights", "tests", "pyproject.toml")


@dataclass(frozen=True)
class Fault:
    """One wrong line.

    Attributes
    ----------
    name : str
    file : str
        Of the package, from its root.
    right, wrong : str
        Text that stands there exactly once, and what takes its place.
    notebook : str
        Number of the notebook that shows what the line computes.
    shows : str
        Part of the source of the cell that must fail.
    """

    name: str
    file: str
    right: str
    wrong: str
    notebook: str
    shows: str


FAULTS = (
    Fault(
        "swapped precision and recall",
        "cmbkit/evaluation/metrics.py",
        'found["pooled_precision"], found["pooled_recall"] =',
        'found["pooled_recall"], found["pooled_precision"] =',
        "05",
        '"7.3"',
    ),
    Fault(
        "matched at 50 mm",
        "cmbkit/evaluation/scan.py",
        "max_distance_mm=params.max_distance_mm",
        "max_distance_mm=50.0",
        "05",
        '"7.2"',
    ),
    Fault(
        "doubled false positives per scan",
        "cmbkit/evaluation/metrics.py",
        'found["fp_scan"] = divide(fp,',
        'found["fp_scan"] = divide(2 * fp,',
        "05",
        '"7.2"',
    ),
    Fault(
        "false positives per CMB as per scan",
        "cmbkit/evaluation/metrics.py",
        'found["fp_scan"] = divide(fp, weights.sum(axis=1))',
        'found["fp_scan"] = divide(fp, tp + fn)',
        "05",
        '"7.2"',
    ),
    Fault(
        "a row of Table 7.3 lost",
        "cmbkit/chapters/evaluation/tables.py",
        'note=f"{POOLED}.")',
        'note="").iloc[1:]',
        "05",
        '"7.3"',
    ),
    Fault(
        "a wrong sum in the audit",
        "cmbkit/published/thesis_audit.py",
        'rate = row["fp"] / row["n_scans"]',
        'rate = row["fp"] / (row["n_scans"] + 1)',
        "07",
        '"S13"',
    ),
    Fault(
        "a radius without the factor 3/4",
        "cmbkit/ball.py",
        "(3 * volume / (4 * np.pi))",
        "(volume / np.pi)",
        "03",
        '"S6"',
    ),
    Fault(
        "a figure's data shifted by one row",
        "cmbkit/chapters/training/__init__.py",
        "for part in (history, step_losses[run]",
        "for part in (history.assign(train_loss=history['train_loss'].shift()), step_losses[run]",
        "04",
        '"A.1"',
    ),
)


def planted(fault: Fault, root: Path) -> None:
    """Copy what a notebook needs to ``root``, the cache by hard links, and plant the fault."""
    for name in COPIED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, root / name)
    for data in (ROOT / "data").iterdir():
        if data.is_dir():
            shutil.copytree(data, root / "data" / data.name, copy_function=os.link, symlinks=True)
    (root / fault.file).write_text(with_fault(fault), encoding="utf-8")


def with_fault(fault: Fault) -> str:
    """The package's file with the wrong text instead of the right one.

    Raises
    ------
    ValueError
        If the right one does not stand there exactly once.
    """
    text = (ROOT / fault.file).read_text(encoding="utf-8")
    if text.count(fault.right) != 1:
        raise ValueError(
            f"{fault.name}: expected {fault.right!r} once in {fault.file}, found it "
            f"{text.count(fault.right)} times"
        )
    return text.replace(fault.right, fault.wrong)


def failed_cells(root: Path, notebook: str) -> list[str]:
    """Names of the cells of a notebook whose comparison fails, run in ``root``."""
    (path,) = (root / "notebooks").glob(f"{notebook}_*.ipynb")
    report = root / "report.xml"
    command = [sys.executable, "-m", "pytest", str(path), "-q", f"--junitxml={report}"]
    environment = {**os.environ, "PYTHONPATH": str(root), "CMBKIT_ROOT": str(root)}
    subprocess.run(command, cwd=root, env=environment, capture_output=True, check=False)
    cases = ElementTree.parse(report).iter("testcase")
    return [case.attrib["name"] for case in cases if case.find("failure") is not None]


def source_of(root: Path, notebook: str, cell: str) -> str:
    """Source of a code cell that nbval calls "Cell <n>"."""
    import nbformat

    (path,) = (root / "notebooks").glob(f"{notebook}_*.ipynb")
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    return cells[int(cell.rpartition(" ")[2])].source


def caught(fault: Fault) -> str | None:
    """The last line of the cell that caught a fault, or None."""
    with tempfile.TemporaryDirectory(dir=ROOT.parent, prefix="planted-") as folder:
        root = Path(folder)
        planted(fault, root)
        for cell in failed_cells(root, fault.notebook):
            source = source_of(root, fault.notebook, cell)
            if fault.shows in source:
                return f"{cell}: {source.splitlines()[-1]}"
    return None


def chosen(words: list[str]) -> list[Fault]:
    """The faults that have one of the words in their names; all without words.

    Raises
    ------
    ValueError
        If a word is in no fault's name.
    """
    names = ", ".join(fault.name for fault in FAULTS)
    for word in words:
        if word not in names:
            raise ValueError(f"expected part of one of: {names}; found {word!r}")
    return [each for each in FAULTS if not words or any(word in each.name for word in words)]


def main(words: list[str]) -> int:
    """Plant the faults that are chosen; return the exit code."""
    try:
        faults = chosen(words)
    except ValueError as refused:
        print(refused, file=sys.stderr)
        return 2
    missed = 0
    for fault in faults:
        cell = caught(fault)
        missed += cell is None
        print(f"{fault.name}: {fault.notebook}: {cell or 'NOT NOTICED'}", flush=True)
    return min(1, missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
