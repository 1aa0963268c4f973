"""Sentences made from results, so that prose cannot contradict the table beside it."""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from math import nan

from cmbkit.reporting.tables import interval_parts

NOTHING_TO_SAY = "This run holds too little for a conclusion."


class NoSentence(ValueError):
    """Of no sentence that was offered does the condition hold."""


def one_of(*cases: tuple[bool, str]) -> str:
    """The first sentence whose condition holds.

    Raises
    ------
    NoSentence
        If none holds, as where a number is NaN.
    """
    for holds, sentence in cases:
        if holds:
            return sentence
    offered = "; ".join(sentence for _, sentence in cases)
    raise NoSentence(f"expected one of these to hold, found none: {offered}")


def paragraph(tell: Callable[..., Iterable[str]]) -> Callable[..., str]:
    """Make a function that tells sentences return them as one text; `NOTHING_TO_SAY` of none."""

    @wraps(tell)
    def told(*tables) -> str:
        return " ".join(tell(*tables)) or NOTHING_TO_SAY

    return told


def listed(names: Iterable) -> str:
    """Text such as "CRB, DOU and Valid"; "none" without any."""
    *first, last = [str(name) for name in names] or ["none"]
    return f"{', '.join(first)} and {last}" if first else last


def with_interval(row: Mapping, key: str, decimals: int = 2) -> str:
    """A value with its 95 % interval where it has one: "0.52 [0.35, 0.69]"."""
    ends = (row.get(f"{key}_{end}", nan) for end in ("low", "high"))
    return " ".join(filter(None, interval_parts(row[key], nan, *ends, decimals=decimals)))
