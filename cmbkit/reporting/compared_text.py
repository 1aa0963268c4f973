"""Two texts compared: words as words, numbers in them as numbers of a table."""

from __future__ import annotations

import re

from cmbkit.reporting.tolerance import Tolerance

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_FIXED = re.compile(
    r"\b(?:Table|Figure|Data|View)s? [1-9A-Z]\.?\d+[a-z]?"
    r"|\bthesis (?:prints an F1 of )?\d[\d.]*(?: and \d[\d.]*)*"
)
"""Numbers that are exact in any text: names of tables, and what the thesis prints."""


def texts_agree(before: str, after: str, tolerance: Tolerance) -> bool:
    """Whether two texts have the same words, and numbers within a tolerance, in the same order.

    Numbers without decimals are counts. Names of tables and figures, and numbers that the text
    gives as the thesis's ("thesis 0.42"), must be the same.

    Parameters
    ----------
    before, after : str
    tolerance : Tolerance
        Its share is of the text's numbers.
    """
    if _words(before) != _words(after) or _FIXED.findall(before) != _FIXED.findall(after):
        return False
    pairs = list(zip(*(_NUMBER.findall(text) for text in (before, after)), strict=True))
    beyond = 0
    for a, b in pairs:
        near, furthest = tolerance.of("." not in a + b)
        numbers = float(a), float(b)
        if not furthest.holds(*numbers):
            return False
        beyond += not near.holds(*numbers)
    return beyond <= (tolerance.share * len(pairs) if len(pairs) >= tolerance.few else 0)


def _words(text: str) -> str:
    return _NUMBER.sub("#", text)
