"""Networks that a parameter file names by their folder: evaluated as they are, none is trained."""

from __future__ import annotations

from pathlib import Path

from cmbkit.detector.network.weights import Description, WeightsError, describe_weights
from cmbkit.params import ParameterError, Parameters, check_parameters, replace_parts


def describe_given(params: Parameters, root: Path) -> dict[str, tuple[Path, Description]]:
    """Folder and description of each network in ``training.networks``, by name.

    Parameters
    ----------
    params : Parameters
    root : Path
        What folders are relative to.

    Raises
    ------
    ParameterError
        If one cannot be used.
    """
    found = {}
    for name, place in params.training.given.items():
        folder = Path(root) / place
        try:
            found[name] = describe_weights(folder if folder.is_dir() else place)
        except WeightsError as error:
            raise ParameterError(
                f"training.networks: expected train, frozen or weights; {error}"
            ) from None
    return found


def with_given_networks(params: Parameters, root: Path) -> Parameters:
    """Parameters in force: where networks are given, with the settings that belong to them.

    ``network`` is the first one's. ``preprocessing`` and ``inference`` are the weights', parts of
    which the file replaces; the grid must be the one that the networks were trained on.

    Raises
    ------
    ParameterError
        If a network cannot be used, was trained on another grid, or several want different
        settings and the file does not say which.
    """
    found = describe_given(params, root)
    if not found:
        return params
    first = next(iter(found.values()))[1]
    values = params.model_dump(exclude_unset=True)
    for section in ("preprocessing", "inference"):
        parts = values.get(section, {})
        wanted = {
            name: replace_parts(getattr(described, section).model_dump(), parts)
            for name, (_, described) in found.items()
        }
        values[section] = next(iter(wanted.values()))
        _require_one(section, wanted)
    for name, (_, described) in found.items():
        mm = described.preprocessing.spacing_mm
        if mm != values["preprocessing"]["spacing_mm"]:
            raise ParameterError(
                f"preprocessing.spacing_mm: expected {mm}, on which {name} was trained, found "
                f"{values['preprocessing']['spacing_mm']}; leave it out"
            )
    return check_parameters(values | {"network": first.network.model_dump()})


def _require_one(section: str, wanted: dict[str, dict]) -> None:
    first, *others = wanted
    for other in others:
        for key, value in wanted[first].items():
            if wanted[other][key] != value:
                raise ParameterError(
                    f"training.networks: expected weights of one {section}.{key}, found {value} "
                    f"({first}) and {wanted[other][key]} ({other}); say which in the parameter file"
                )
