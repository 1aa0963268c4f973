"""What does not fit a model of parameters, in lines for the reader."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from cmbkit.params.names import dotted_names, no_such_name


class ParameterError(ValueError):
    """A parameter file does not fit the model; one line per problem."""


def problem_lines(error: ValidationError, model: type[BaseModel], whole: str = "file") -> list[str]:
    """Return one line per problem: the key, what is expected, what was found.

    Parameters
    ----------
    error : ValidationError
        Raised by ``model``.
    model : type
        Its names are those that a wrong one may have meant.
    whole : str
        Stands for the key where several keys together do not fit.
    """
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or whole
        if problem["type"] == "extra_forbidden":
            lines.append(f"{key}: {no_such_name(key, dotted_names(model))}")
            continue
        if problem["type"] == "missing":
            lines.append(f"{key}: expected a value, found nothing")
            continue
        given = problem["input"]
        text = isinstance(given, str) and problem["type"] == "float_type"
        hint = " (YAML reads 1e-3 as text; write 1.0e-3)" if text else ""
        shown = repr(given) if len(repr(given)) < 80 else type(given).__name__
        expected = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "model_type":
            expected = "expected keys and values"
        found = "" if "found" in expected else f"; found {shown}{hint}"
        lines.append(f"{key}: {expected}{found}")
    return lines
