"""Parameters of a notebook: a parameter file and what the notebook's own cell gives instead."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

from cmbkit.params import ParameterError, Parameters, check_parameters, read_parameters
from cmbkit.params.names import dotted_names, no_such_name

INJECTED = "# Parameters"
"""How the cell begins that papermill puts after a notebook's own parameters."""
INPUT_PATH = "PAPERMILL_INPUT_PATH"
"""Where the notebook is, as ``papermill --inject-input-path`` tells it."""
OF_PAPERMILL = (INPUT_PATH, "PAPERMILL_OUTPUT_PATH")


def notebook_parameters(namespace: Mapping, folder: Path) -> Parameters:
    """Parameters of a notebook: ``<folder>/<profile>.yaml`` with what its cell gives instead.

    Parameters
    ----------
    namespace : mapping
        ``globals()`` of the notebook. Of its names those of `Parameters` count, unless None or
        ``{}``. ``In``, where IPython keeps the source of the cells, says what papermill injected.
    folder : Path
        Of the parameter files. Where it has none of the profile, as with ``papermill -f
        elsewhere/mine.yaml``, the values given must be complete in themselves.

    Raises
    ------
    cmbkit.params.ParameterError
        One line per problem. Unknown names among the injected ones are one, too.
    """
    _refuse_unknown(namespace.get("In", ()))
    given = {name: namespace.get(name) for name in Parameters.model_fields}
    given = {name: value for name, value in given.items() if value is not None and value != {}}
    file = Path(folder) / f"{given.get('profile')}.yaml"
    if file.is_file():
        return read_parameters(file, given)
    if not any(isinstance(value, Mapping) for value in given.values()):
        known = ", ".join(sorted(path.stem for path in Path(folder).glob("*.yaml")))
        raise ParameterError(
            f"profile: expected a file in {folder} ({known or 'there is none'}), "
            f"found {given.get('profile')!r}"
        )
    return check_parameters(given)


def _refuse_unknown(cells) -> None:
    """Raise if a cell that papermill injected assigns a name that is no parameter."""
    for source in cells:
        if not source.startswith(INJECTED):
            continue
        targets = [t for node in ast.parse(source).body for t in getattr(node, "targets", ())]
        for name in [t.id for t in targets if isinstance(t, ast.Name)]:
            if name not in (*Parameters.model_fields, *OF_PAPERMILL):
                raise ParameterError(f"{name}: {no_such_name(name, dotted_names(Parameters))}")
