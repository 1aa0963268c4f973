"""What is kept for a user from one run to the next, whatever folder it works in."""

import os
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from cmbkit.atomic import whole_file


def user_cache(part: str) -> Path:
    """``$XDG_CACHE_HOME/cmbkit/part``, below ``~/.cache`` without that variable."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "cmbkit" / part


def kept_arrays(path: Path, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays of an ``.npz`` file; made, and kept if the folder can be written, where it has none.

    A file that cannot be read (its checksums are looked at) is made anew. Its name must tell
    what the arrays depend on.
    """
    with suppress(OSError, ValueError, EOFError, zipfile.BadZipFile), np.load(path) as stored:
        return dict(stored)
    arrays = make()
    with suppress(OSError), whole_file(path) as part:
        np.savez_compressed(part, **arrays)
    return arrays
