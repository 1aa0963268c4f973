"""``figures/reproduction.html``: each table and figure of a reproduction beside an earlier one."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from cmbkit.atomic import write_whole
from cmbkit.reporting.comparison import NETWORK_PICTURE, PICTURE
from cmbkit.reporting.pages import render
from cmbkit.reporting.reproduction import (
    VERDICTS,
    Compared,
    compare_galleries,
    intervals_beside,
    read_files,
)
from cmbkit.reporting.tolerance import NETWORK
from cmbkit.study.frozen import MANIFEST, commit_of, processor

FILE = "reproduction.html"
MOST = 30  # differences of a table that the page shows
SHOWN_BESIDE = ("7.2", "7.3")


@dataclass(frozen=True)
class Earlier:
    """Tables and figures to compare with.

    Attributes
    ----------
    name : str
        For the page.
    files : dict of str to bytes
        See `cmbkit.reporting.reproduction.read_files`.
    """

    name: str
    files: dict[str, bytes]


def earlier_figures(folder: Path, kept: Path, *, keep: bool) -> Earlier:
    """What was committed of a gallery's folder; without it, what lay there before.

    Parameters
    ----------
    folder : Path
        Such as ``figures/demo``.
    kept : Path
        Where a copy of the folder is or, with ``keep``, will be where nothing is committed.
    keep : bool
        True before anything is written into the folder.
    """
    committed = _committed(folder)
    if committed:
        return Earlier(f"commit {commit_of(folder)[:10]}", committed)
    if keep:
        shutil.rmtree(kept, ignore_errors=True)
        if folder.is_dir():
            shutil.copytree(folder, kept)
    return Earlier("what lay in the folder before", read_files(kept))


def _committed(folder: Path) -> dict[str, bytes]:
    """Files of a folder as the last commit has them; none outside a repository."""
    if not folder.is_dir():
        return {}
    command = ["git", "-C", str(folder), "archive", "--format=tar", "HEAD", "."]
    try:
        done = subprocess.run(command, capture_output=True)
    except FileNotFoundError:
        return {}
    if done.returncode:
        return {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        return {
            member.name.removeprefix("./"): archive.extractfile(member).read() for member in members
        }


def write_report(
    target: Path,
    earlier: Earlier,
    figures: Path,
    *,
    profile: str,
    frozen: Path | None = None,
    retrained: Path | None = None,
    only: list[str] | None = None,
) -> str:
    """Write the page; return its sum in one line.

    Parameters
    ----------
    target : Path
        The page.
    earlier : Earlier
    figures : Path
        The gallery that is compared with it.
    profile : str
    frozen : Path, optional
        Folder of the frozen networks that were used.
    retrained : Path, optional
        Gallery of networks that were trained anew.
    only : list of str, optional
        Numbers of the notebooks that alone were run.
    """
    now = read_files(figures)
    compared = compare_galleries(earlier.files, now) if earlier.files else []
    found = Counter(item.verdict for item in compared)
    counts = [(verdict, found[verdict]) for verdict in VERDICTS]
    anew = read_files(retrained) if retrained else {}
    page = render(
        "reproduction.html",
        title="Reproduction",
        profile=profile,
        reference=earlier.name,
        processor=processor(),
        manifest=json.loads((frozen / MANIFEST).read_text()) if frozen else None,
        notebooks=only,
        compared=[(item, _rows(item)) for item in compared],
        counts=counts,
        network=NETWORK,
        picture=PICTURE,
        network_picture=NETWORK_PICTURE,
        retrained=[_beside(now, anew, number) for number in SHOWN_BESIDE] if anew else [],
        page=f"{retrained.relative_to(target.parent).as_posix()}/index.html" if retrained else "",
        file=f"params/{profile}.yaml",
    )
    write_whole(target, page)
    if not compared:
        return "nothing earlier to compare tables and figures with"
    summed = ", ".join(f"{count} {verdict}" for verdict, count in counts)
    return f"of {len(compared)} tables and figures {summed}"


def _rows(item: Compared) -> list[list[str]]:
    """Differences of a table as rows of text, those beyond tolerance first."""
    ordered = sorted(item.differences, key=lambda found: not found[1].beyond)
    return [
        [file, d.row, d.column, _shown(d.before), _shown(d.after), "beyond" if d.beyond else ""]
        for file, d in ordered[:MOST]
    ]


def _beside(frozen: dict, retrained: dict, number: str) -> tuple[str, int, list[list[str]]]:
    """Number of a table, how many retrained values lie within the interval, and rows of text."""
    table = intervals_beside(frozen, retrained, f"table_{number.replace('.', '_')}.csv")
    within = table["retrained"].between(table["frozen_low"], table["frozen_high"])
    rows = [
        [
            *(row["row"], row["quantity"]),
            *(
                f"{_shown(row[w])} [{_shown(row[w + '_low'])}, {_shown(row[w + '_high'])}]"
                for w in ("frozen", "retrained")
            ),
            "" if inside else "outside",
        ]
        for (_, row), inside in zip(table.iterrows(), within, strict=True)
    ]
    return number, int(within.sum()), rows


def _shown(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
