"""The command line: cmbkit check, cmbkit reproduce, cmbkit params."""

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
def check(parameter_file: ParameterFile) -> None:
    """Look through every scan that a parameter file names; list all problems, write nothing.

    The exit code is 1 if there is a problem.
    """
    from cmbkit.datasets.check_cohort import check_cohort
    from cmbkit.params import ParameterError, read_parameters
    from cmbkit.study import find_root

    try:
        values = read_parameters(parameter_file)
    except ParameterError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    found = check_cohort(
        values.cohort, find_root(), values.workers, tell=lambda line: typer.echo(line, err=True)
    )
    for line in found.problems:
        typer.echo(line)
    for name in found.synthetic:
        typer.echo(f"{name}: from the embedded synthetic cohort, nothing to look through", err=True)
    count = len(found.problems)
    typer.echo(
        f"{count or 'no'} problem{'s' * (count != 1)} in {sum(found.scans.values())} scans of "
        f"{len(found.scans)} datasets"
    )
    if count:
        raise typer.Exit(1)


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
