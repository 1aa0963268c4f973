"""What is kept for a user from one run to the next, whatever folder it works in."""

import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np

from cmbkit.atomic import write_whole


def user_cache(part: str) -> Path:
    """``$XDG_CACHE_HOME/cmbkit/part``, below ``~/.cache`` without that variable."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "cmbkit" / part


def kept_arrays(path: Path, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays of a file: its SHA-256 in a line, and what `numpy.savez_compressed` writes.

    Made, and kept if the folder can be written, where there is none or it is not as it was
    written. The file's name must tell what the arrays depend on.
    """
    with suppress(OSError):
        mark, _, content = path.read_bytes().partition(b"\n")
        if mark == sha256(content).hexdigest().encode():
            with np.load(BytesIO(content)) as stored:
                return dict(stored)
    arrays, written = make(), BytesIO()
    np.savez_compressed(written, **arrays)
    content = written.getvalue()
    with suppress(OSError):
        write_whole(path, sha256(content).hexdigest().encode() + b"\n" + content)
    return arrays
