"""How nbval compares the notebooks' stored outputs: numbers as numbers, pictures as pictures.

A cell whose numbers passed through a network carries the tag ``network`` and is compared with the
tolerance that `cmbkit.reporting.comparison` states, for a candidate on the threshold may fall
either way on another processor; every other cell is compared exactly. A table's numbers
(`cmbkit.reporting.displayed.NUMBERS`) stand for the table; its HTML, which is made from them, is
compared where they are exact. What cannot be compared at all stands in `NOT_COMPARED`.
"""

import base64
import re

import pandas as pd
from nbval.plugin import IPyNbCell, transform_streams_for_comparison

from cmbkit.reporting.comparison import (
    EXACT,
    NETWORK_PICTURE,
    NETWORK_ROWS,
    PICTURE,
    compare_pictures,
    compare_tables,
    judge,
)
from cmbkit.reporting.displayed import NUMBERS

NOT_COMPARED = {}
"""Column of a table: why it differs from run to run ("S7 minutes": "time of this machine")."""
SHOWN_DIFFERENCES = 12


def pytest_itemcollected(item):
    """Give each notebook cell this file's comparison instead of nbval's, which compares text."""
    if isinstance(item, IPyNbCell):
        item.compare_outputs = lambda new, stored, skip_compare=None: _same(item, new, stored)


def _same(item: IPyNbCell, new: list, stored: list) -> bool:
    through_network = "network" in item.cell.metadata.get("tags", [])
    pairs = [transform_streams_for_comparison(outputs) for outputs in (stored, new)]
    item.comparison_traceback = list(
        _differences(*map(_flat, pairs), through_network, item.sanitize)
    )
    return not item.comparison_traceback


def _flat(outputs) -> list[dict]:
    """Each output as what it holds by media type; a stream by its name."""
    return [dict(o["data"]) if "data" in o else {o["output_type"]: dict(o)} for o in outputs]


def _differences(stored: list[dict], new: list[dict], through_network: bool, sanitize):
    if len(stored) != len(new):
        yield f"expected {len(stored)} outputs, found {len(new)}"
        return
    for before, after in zip(stored, new, strict=True):
        if set(before) != set(after):
            yield f"expected outputs of {sorted(before)}, found {sorted(after)}"
            continue
        for kind in before:
            yield from _of_kind(kind, before, after, through_network, sanitize)


def _of_kind(kind: str, before: dict, after: dict, through_network: bool, sanitize):
    a, b = before[kind], after[kind]
    if kind == NUMBERS:
        yield from _of_numbers(a, b, before.get("text/plain", ""), through_network)
    elif kind == "image/png":
        limit = NETWORK_PICTURE if through_network else PICTURE
        share = compare_pictures(*(base64.b64decode(p) for p in (a, b)))
        if share > limit:
            yield f"picture: {share:.1%} of its ink lies elsewhere, expected at most {limit:.0%}"
    elif through_network and NUMBERS in before:
        return
    elif _words(sanitize(str(a)), through_network) != _words(sanitize(str(b)), through_network):
        yield f"{kind}: expected\n{a}\nfound\n{b}"


def _words(text: str, through_network: bool) -> str:
    """Text; of what passed through a network without its numbers, which the tables' cells guard."""
    return re.sub(r"[-+]?\d+(\.\d+)?", "#", text) if through_network else text


def _of_numbers(before: dict, after: dict, name: str, through_network: bool):
    label = name.split(":")[0].split(" ")[-1]
    tables = [
        pd.DataFrame(each["rows"], columns=each["columns"]).drop(
            columns=[c for c in each["columns"] if f"{label} {c}" in NOT_COMPARED]
        )
        for each in (before, after)
    ]
    tolerance = NETWORK_ROWS if through_network else EXACT
    found = compare_tables(*tables, tolerance)
    if judge(found, tables[0], tolerance) == "different":
        beyond = [d for d in found if d.beyond]
        yield f"{name}: {len(beyond)} values differ by more than the tolerance:"
        for d in beyond[:SHOWN_DIFFERENCES]:
            yield f"  {d.row} {d.column}: expected {d.before}, found {d.after}"
