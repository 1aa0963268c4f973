"""What stops a scan, in words about the scan: no temporary file, no other library's bare words."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from cmbkit.prediction.fitness import UnfitScan
from cmbkit.prediction.sources import Source
from cmbkit.running.faults import is_fault


class ScanError(ValueError):
    """A scan cannot be worked on; the message names it."""


@contextmanager
def about_scan(source: Source, folder: str) -> Iterator[None]:
    """Within, errors name the scan instead of files in a temporary folder; warnings are kept back.

    Raises
    ------
    ScanError
        Of an error with a message; a fault of the program goes on as it is.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, scikit-image's and highdicom's
        try:
            yield
        except Exception as error:
            if is_fault(error) or isinstance(error, UnfitScan):
                raise
            raise ScanError(_said(error, source, folder)) from error


def _said(error: Exception, source: Source, folder: str) -> str:
    where = str(source.path)
    own = type(error).__module__.startswith("cmbkit")
    inside = re.compile(rf"/?{re.escape(folder.strip('/'))}(/[^\s:,;)'\"]*)?")
    text = inside.sub(where, str(error).strip())
    if not own and where not in text:
        return f"{where}: expected a scan that can be worked on, found: {text}"
    return text if where in text or source.name in text else f"{where}: {text}"
