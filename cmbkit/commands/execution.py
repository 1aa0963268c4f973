"""What a process that executes notebooks does: apart from the rest, so that it starts quickly."""

import os
import signal
import sys
from pathlib import Path

from cmbkit.running.faults import explained_cell
from cmbkit.running.outcomes import end_with
from cmbkit.running.report import PROGRESS_FILE

KERNEL = "python3"
QUIET_END = (
    "--InteractiveShellApp.exec_lines=__import__('logging').getLogger('asyncio').setLevel(50)"
)
"""No "Task was destroyed but it is pending!" from a kernel that ends."""


class NotebookFailed(RuntimeError):
    """A notebook stopped with an error; the message names it and the executed copy."""


def without_iris() -> None:
    """Let jsonschema do without its check of IRIs, for which it builds a grammar for a second.

    nbformat imports it; the schema of notebooks asks for no such check.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def begin_process(parent: int) -> None:
    """What a process that executes notebooks begins with: it and its kernel end with the run."""
    without_iris()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the keyboard's is for the command
    end_with(parent)


def execute(source: Path, target: Path, values: dict, progress: Path) -> None:
    """Execute a notebook with these parameters into a copy, telling its progress in a file.

    Raises
    ------
    NotebookFailed
        If it raises, its kernel dies or does not start, or the copy cannot be written.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    os.environ[PROGRESS_FILE] = str(progress)
    try:
        papermill.execute_notebook(
            str(source),
            str(target),
            parameters=values,
            kernel_name=KERNEL,
            cwd=str(source.parent),
            progress_bar=False,
            config=Config(KernelManager={"transport_encryption": "auto"}),
            extra_arguments=[QUIET_END],
        )
    except papermill.PapermillExecutionError as error:
        raise NotebookFailed(
            f"{source.name}: cell {error.exec_count}: {explained_cell(error)}\n"
            f"the executed copy with the traceback is {target}"
        ) from None
    except DeadKernelError:
        raise NotebookFailed(
            f"{source.name}: the kernel died, perhaps for want of memory; "
            f"what ran before is in {target}"
        ) from None
    except RuntimeError as error:
        raise NotebookFailed(f"{source.name}: no kernel could be started: {error}") from None
    except OSError as error:  # of a full disk, half a notebook would stay
        target.unlink(missing_ok=True)
        raise NotebookFailed(f"{source.name}: {target}: {error.strerror or error}") from None
