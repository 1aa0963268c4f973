"""The embedded synthetic cohort: the seven datasets in miniature, in their raw layouts."""

from cmbkit.phantom.cohort import build

VERSION = 2
"""Raise it when the same parameters give other files."""

__all__ = ["VERSION", "build"]
