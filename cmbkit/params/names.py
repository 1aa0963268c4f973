"""Names of all parameters, and which of them was meant by one that is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import get_args

from pydantic import BaseModel


def dotted_names(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """Names such as ``inference.threshold`` of a model's fields, sections among them."""
    for name, field in model.model_fields.items():
        yield before + name
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from dotted_names(kind, f"{before}{name}.")


def no_such_name(name: str, known: Iterable[str], what: str = "parameter") -> str:
    """What to say of a dotted name that is none of those known: those meant, or its section's.

    Similar names of the same section come first, then the same or similar names of any other.
    """
    names = list(dict.fromkeys(known))
    section, _, last = name.rpartition(".")
    beside = [one for one in names if one.rpartition(".")[0] == section]
    for some in (beside, names):
        ends = {one.rpartition(".")[2] for one in some}
        close = get_close_matches(last, ends, n=1)
        meant = [one for one in some if one.rpartition(".")[2] in close]
        if meant:
            return f"no such {what}; did you mean {' or '.join(meant)}?"
    others = ", ".join(one.rpartition(".")[2] for one in beside)
    return f"no such {what}{f'; expected one of {others}' if others else ''}"
