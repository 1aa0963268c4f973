"""What a reproduction came to: each table and figure beside an earlier one, number by number."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pandas as pd

from cmbkit.reporting.comparison import (
    NETWORK_PICTURE,
    PICTURE,
    Difference,
    Verdict,
    compare_pictures,
    compare_tables,
    judge,
    row_labels,
)
from cmbkit.reporting.gallery_page import order
from cmbkit.reporting.made_with import DEPENDS
from cmbkit.reporting.tolerance import EXACT, through_network

VERDICTS = ("identical", "within tolerance", "different")
EVERY_RULE = {("table", "S42"), ("table", "S42b")}
THROUGH_NETWORK = EVERY_RULE | frozenset(
    item for item, parts in DEPENDS.items() if "matches" in parts
)
"""Tables and figures of what a network predicted; all others are exact."""
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Compared:
    """One table or figure, as it was and as it is; kind, number and caption of its entry.

    Attributes
    ----------
    verdict : {"identical", "within tolerance", "different"}
        The worst of its files'.
    differences : list of (str, Difference)
        Files and what differs in them.
    apart : float
        `compare_pictures` of a figure; 0 for a table.
    changed : list of str
        All files of it that are not the same byte for byte.
    """

    kind: str
    number: str
    caption: str
    verdict: Verdict
    differences: list[tuple[str, Difference]]
    apart: float
    changed: list[str]


def read_files(folder) -> dict[str, bytes]:
    """All files of a folder by their path in it; none where there is no folder."""
    folder = Path(folder)
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def compare_galleries(before: Files, after: Files) -> list[Compared]:
    """Every table and figure of either of two galleries, in the thesis's order.

    Parameters
    ----------
    before, after : mapping of str to bytes
        See `read_files`.
    """
    entries = _entries(before), _entries(after)
    named = sorted({**entries[0], **entries[1]}, key=lambda item: order(*item))
    return [_compared(item, *(each.get(item) for each in entries), before, after) for item in named]


def intervals_beside(frozen: Files, retrained: Files, file: str) -> pd.DataFrame:
    """The quantities of a table that have an interval, from frozen and from retrained networks.

    Parameters
    ----------
    frozen, retrained : mapping of str to bytes
        Galleries (see `read_files`) with ``file``, a table (.csv).

    Returns
    -------
    DataFrame
        ``row``, ``quantity``, ``frozen``, ``frozen_low``, ``frozen_high``, and these three of
        ``retrained``; rows by their place in the tables, of those that both tables have.
    """
    first, second = (table_of(file, gallery[file]) for gallery in (frozen, retrained))
    names = [n for n in first if {n, f"{n}_low", f"{n}_high"} <= {*first} & {*second}]
    texts = [n for n in first if n in second and not pd.api.types.is_numeric_dtype(first[n])]
    labels, others = row_labels(first[texts], second[texts])
    sides = {"frozen": first, "retrained": second}
    rows = [
        {"row": label, "quantity": name}
        | {
            which + end: table[name + end].iloc[place]
            for which, table in sides.items()
            for end in ("", "_low", "_high")
        }
        for place, (label, other) in enumerate(zip(labels, others, strict=False))
        if label == other
        for name in names
    ]
    return pd.DataFrame(rows)


def table_of(name: str, content: bytes) -> pd.DataFrame:
    """A table of a gallery from its file (.csv or .tsv)."""
    return pd.read_csv(io.BytesIO(content), sep="\t" if name.endswith(".tsv") else ",")


def _entries(files: Files) -> dict[tuple[str, str], dict]:
    """Entries of a gallery by kind and number."""
    names = [name for name in files if name.startswith(".entries/")]
    entries = [json.loads(files[name]) for name in names]
    return {(entry["kind"], entry["number"]): entry for entry in entries}


def _compared(item, old: dict | None, new: dict | None, before: Files, after: Files) -> Compared:
    entry = new or old
    if old is None or new is None:
        states = ("there", "missing") if new is None else ("missing", "there")
        gone = [(" ".join(item), Difference("", "", *states))]
        return Compared(*item, entry["caption"], "different", gone, 0.0, entry["files"])
    names = list(dict.fromkeys([*old["files"], *new["files"]]))
    changed = [name for name in names if before.get(name) != after.get(name)]
    predicted = item in THROUGH_NETWORK
    picture = NETWORK_PICTURE if predicted else PICTURE
    verdicts, differences, apart = ["identical"], [], 0.0
    for name in changed:
        a, b = before.get(name), after.get(name)
        if name.endswith(".pdf") or (entry["kind"] == "view" and name.endswith(".html")):
            # drawn from the same as the .png or the .csv, which is compared
            verdict = "within tolerance"
        elif a is None or b is None:
            states = ("missing", "there") if a is None else ("there", "missing")
            verdict = "different"
            differences.append((name, Difference("whole file", "", *states)))
        elif name.endswith(".png"):
            apart = compare_pictures(a, b)
            verdict = "within tolerance" if apart <= picture else "different"
        elif name.endswith((".csv", ".tsv")):
            table = table_of(name, a)
            tolerance = through_network(table) if predicted else EXACT
            found = compare_tables(table, table_of(name, b), tolerance)
            verdict = judge(found, table, tolerance)
            differences += [(name, difference) for difference in found]
        else:
            verdict = "within tolerance" if differences else "different"
            differences.append((name, _first_difference(a, b)))
        verdicts.append(verdict)
    worst = max(verdicts, key=VERDICTS.index)
    return Compared(*item, entry["caption"], worst, differences, apart, changed)


def _first_difference(before: bytes, after: bytes) -> Difference:
    """The first line in which two texts differ."""
    lines = zip_longest(before.decode().splitlines(), after.decode().splitlines(), fillvalue="")
    for number, (a, b) in enumerate(lines, 1):
        if a != b:
            return Difference(f"line {number}", "", a.strip(), b.strip())
    return Difference("line ends", "", "", "")
