"""The command line: cmbkit init, check, reproduce, gallery, cache, train, predict and more."""

from __future__ import annotations

from typing import Annotated

import typer

from cmbkit.cli import scans, studies
from cmbkit.cli.group import Commands
from cmbkit.running.outcomes import end_cleanly

app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)
for command in (
    studies.init,
    studies.check,
    studies.reproduce,
    studies.params,
    studies.gallery,
    studies.cache,
    studies.train,
    studies.freeze,
    scans.predict,
    scans.evaluate,
    scans.audit,
    scans.sample_size,
):
    app.command()(command)


def _show_version(asked: bool) -> None:
    if asked:
        from cmbkit import __version__

        typer.echo(f"cmbkit {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and stop."
        ),
    ] = False,
) -> None:
    """Cerebral microbleeds on T2*-weighted and SWI MRI. For research only."""
    end_cleanly()
