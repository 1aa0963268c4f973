"""The command line: cmbkit reproduce, cmbkit params."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Cerebral microbleeds on T2*-weighted and SWI MRI. For research only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ParameterFile = Annotated[Path, typer.Argument(help="A parameter file such as params/demo.yaml.")]


@app.command()
def reproduce(
    parameter_file: ParameterFile = Path("params/demo.yaml"),
    only: Annotated[list[str] | None, typer.Option(help="Number of a notebook, e.g. 03.")] = None,
    update_notebooks: Annotated[
        bool, typer.Option(help="Write the outputs back into notebooks/.")
    ] = False,
) -> None:
    """Execute the notebooks headless and write figures/<profile>/index.html."""
    from cmbkit.params import ParameterError
    from cmbkit.reproduce import NotebookFailed, reproduce

    try:
        reproduce(parameter_file, only=only, update_notebooks=update_notebooks)
    except (ParameterError, NotebookFailed) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


@app.command()
def params(parameter_file: ParameterFile) -> None:
    """Check a parameter file and print every setting in force."""
    import yaml

    from cmbkit.params import ParameterError, read_parameters

    try:
        values = read_parameters(parameter_file).model_dump(mode="json")
    except ParameterError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(yaml.safe_dump(values, sort_keys=False, default_flow_style=None).rstrip())
