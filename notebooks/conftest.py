"""How nbval compares the notebooks' stored outputs: numbers as numbers, pictures as pictures.

A cell whose numbers passed through a network carries the tag ``network`` and is compared with the
tolerance that `cmbkit.reporting.tolerance` states, for a candidate on the threshold may fall
either way on another processor; every other cell is compared exactly, and so is what the thesis
and the literature print in any cell. A table's numbers (`cmbkit.reporting.displayed.NUMBERS`)
stand for the table; its HTML, which is made from them, is compared where they are exact. What
cannot be compared at all stands in `NOT_COMPARED`.
"""

import base64

import pandas as pd
from nbval.plugin import IPyNbCell, transform_streams_for_comparison

from cmbkit.reporting.compared_text import texts_agree
from cmbkit.reporting.comparison import (
    NETWORK_PICTURE,
    PICTURE,
    compare_pictures,
    compare_tables,
    judge,
)
from cmbkit.reporting.displayed import NUMBERS
from cmbkit.reporting.tolerance import EXACT, NETWORK, through_network

NOT_COMPARED = {
    "evaluation.real_scan_view(scan)": "a viewer by nilearn, whose page has another text in "
    "every version and carries the scan itself; Figure S56 shows the same scan",
    "addresses": "where an object lies in memory, in its plain text: another in every process",
}
"""Why: a cell with the tag ``nbval-ignore-output``, by its last line; a section of
``tests/nbval_sanitize.cfg``, which masks part of a text."""
SHOWN_DIFFERENCES = 12


def pytest_itemcollected(item):
    """Give each notebook cell this file's comparison instead of nbval's, which compares text."""
    if isinstance(item, IPyNbCell):
        item.compare_outputs = lambda new, stored, skip_compare=None: _same(item, new, stored)


def _same(item: IPyNbCell, new: list, stored: list) -> bool:
    predicted = "network" in item.cell.metadata.get("tags", [])
    pairs = [transform_streams_for_comparison(outputs) for outputs in (stored, new)]
    item.comparison_traceback = list(_differences(*map(_flat, pairs), predicted, item.sanitize))
    return not item.comparison_traceback


def _flat(outputs) -> list[dict]:
    """Each output as what it holds by media type; a stream by its name."""
    return [dict(o["data"]) if "data" in o else {o["output_type"]: dict(o)} for o in outputs]


def _differences(stored: list[dict], new: list[dict], predicted: bool, sanitize):
    """What differs, in lines; ``predicted`` is what passed through a network."""
    if len(stored) != len(new):
        yield f"expected {len(stored)} outputs, found {len(new)}"
        return
    for before, after in zip(stored, new, strict=True):
        if set(before) != set(after):
            yield f"expected outputs of {sorted(before)}, found {sorted(after)}"
            continue
        for kind in before:
            yield from _of_kind(kind, before, after, predicted, sanitize)


def _of_kind(kind: str, before: dict, after: dict, predicted: bool, sanitize):
    a, b = before[kind], after[kind]
    if kind == NUMBERS:
        yield from _of_numbers(a, b, before.get("text/plain", ""), predicted)
    elif kind == "image/png":
        limit = NETWORK_PICTURE if predicted else PICTURE
        share = compare_pictures(*(base64.b64decode(p) for p in (a, b)))
        if share > limit:
            yield f"picture: {share:.1%} of its ink lies elsewhere, expected at most {limit:.0%}"
    elif predicted and kind == "text/html" and NUMBERS in before:
        return
    else:
        texts = sanitize(str(a)), sanitize(str(b))
        same = texts_agree(*texts, NETWORK) if predicted else texts[0] == texts[1]
        if not same:
            yield f"{kind}: expected\n{a}\nfound\n{b}"


def _of_numbers(before: dict, after: dict, name: str, predicted: bool):
    tables = [pd.DataFrame(each["rows"], columns=each["columns"]) for each in (before, after)]
    tolerance = through_network(tables[0]) if predicted else EXACT
    found = compare_tables(*tables, tolerance)
    if judge(found, tables[0], tolerance) == "different":
        beyond = sorted((d for d in found if d.beyond), key=lambda d: not d.never)
        yield f"{name}: {len(beyond)} values differ by more than the tolerance:"
        for d in beyond[:SHOWN_DIFFERENCES]:
            yield f"  {d.row} {d.column}: expected {d.before}, found {d.after}"
