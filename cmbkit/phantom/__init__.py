"""The embedded synthetic cohort: the seven datasets in miniature, in their raw layouts."""

from cmbkit.phantom.cohort import build

__all__ = ["build"]
