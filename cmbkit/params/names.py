"""Names of all parameters, and which of them was meant by one that is none."""

from __future__ import annotations

from collections.abc import Iterator
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


def no_such_parameter(name: str, model: type[BaseModel]) -> str:
    """What to say of a dotted name that is no parameter: those meant, or those in its section.

    Similar names of the same section come first, then the same or similar names of any other.
    """
    names = list(dict.fromkeys(dotted_names(model)))
    section, _, last = name.rpartition(".")
    beside = [known for known in names if known.rpartition(".")[0] == section]
    for some in (beside, names):
        ends = {known.rpartition(".")[2] for known in some}
        close = get_close_matches(last, ends, n=1)
        meant = [known for known in some if known.rpartition(".")[2] in close]
        if meant:
            return f"no such parameter; did you mean {' or '.join(meant)}?"
    known = ", ".join(known.rpartition(".")[2] for known in beside)
    return f"no such parameter{f'; expected one of {known}' if known else ''}"
