"""What stopped something, in words that a reader can act on."""

import builtins
import traceback

SPOKEN = (ValueError, RuntimeError, OSError, FloatingPointError, ImportError)
"""Kinds of errors whose messages are written for the reader: what was expected, what was found."""


def is_fault(error: BaseException) -> bool:
    """Whether an error is a fault of the program: of another kind, or without a message."""
    return _is_fault(type(error), str(error))


def explained(error: BaseException) -> str:
    """Return an error's message; of a fault of the program its kind and where it was raised.

    Examples
    --------
    >>> explained(ValueError("scan.nii: expected 3 axes, found 2"))
    'scan.nii: expected 3 axes, found 2'
    >>> explained(StopIteration())
    'a fault in cmbkit, StopIteration without a message'
    """
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if not is_fault(error):
        return str(error).strip()
    if isinstance(error, MemoryError):
        return f"expected more free memory {error}".strip()
    frames = traceback.extract_tb(error.__traceback__)
    # an error from another process is raised again in concurrent.futures, which says nothing
    known = frames and "concurrent" not in frames[-1].filename
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if known else ""
    return f"a fault in cmbkit, {_named(type(error).__name__, str(error))}{place}"


def explained_cell(error) -> str:
    """Return the same of a `papermill.PapermillExecutionError`, with the lines about the place."""
    from rich.text import Text

    kind = getattr(builtins, error.ename, ValueError)  # cmbkit's own errors are `SPOKEN`
    if not _is_fault(kind, error.evalue):
        return error.evalue.strip()
    frames = [Text.from_ansi(part).plain.strip() for part in error.traceback[:-1]]
    ours = [part for part in frames if "cmbkit" in part or "Cell In" in part]
    return "\n".join([f"a fault, {_named(error.ename, error.evalue)}", *ours[-1:]])


def _is_fault(kind: type, message: str) -> bool:
    return not issubclass(kind, SPOKEN) or not message.strip()


def _named(kind: str, message: str) -> str:
    return f"{kind}: {message.strip()}" if message.strip() else f"{kind} without a message"
