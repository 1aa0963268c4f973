"""A YAML file of keys and values; what is wrong with one is a line."""

from __future__ import annotations

from pathlib import Path

import yaml

from cmbkit.params.problems import ParameterError


class _Once(yaml.SafeLoader):
    """Refuses a key that stands twice: PyYAML would take the last one without a word."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="keys and values for a key", problem_mark=key.start_mark
                )
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key.value!r} for the second time",
                    problem_mark=key.start_mark,
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_keys_and_values(path: Path) -> dict:
    """Keys and values of a YAML file.

    Raises
    ------
    ParameterError
        One line: no file, no text, no YAML, a key that stands twice, no keys and values.
    """
    if not path.is_file():
        raise ParameterError(f"{path}: expected a parameter file, found nothing")
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Once)
    except UnicodeDecodeError:
        raise ParameterError(f"{path}: expected text in UTF-8, found other bytes") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ParameterError(f"{path}: expected YAML, found: {place}{error.problem}") from None
    except (yaml.YAMLError, ValueError, LookupError, RecursionError) as error:
        told = " ".join(str(error).split())  # the latter of values, as 2024-99-99
        raise ParameterError(f"{path}: expected YAML, found: {told}") from None
    if not isinstance(values, dict):
        found = "nothing" if values is None else type(values).__name__
        raise ParameterError(f"{path}: expected keys and values, found {found}")
    return values
