"""The commands as one: whatever stops one of them is said in words."""

from __future__ import annotations

import traceback

import typer
from typer.core import TyperGroup

from cmbkit.running.faults import explained, is_fault

NOTHING_BEGUN = {"predict": 2, "audit": 2}
"""Exit codes of the commands whose 1 says that they found something."""


class Commands(TyperGroup):
    """The commands; whatever stops one is said in words, a fault with its traceback before."""

    def invoke(self, ctx):
        """Run the command that a line names; see `typer.core.TyperGroup`."""
        try:
            return super().invoke(ctx)
        except (typer.TyperException, typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            typer.echo("stopped by the keyboard; what was finished is kept", err=True)
            raise typer.Exit(130) from None
        except Exception as error:
            if is_fault(error):
                traceback.print_exc()
            typer.echo(explained(error), err=True)
            raise typer.Exit(NOTHING_BEGUN.get(ctx.invoked_subcommand, 1)) from None
