"""Own numbers beside the thesis's: the printed columns under names that end in ``_thesis``."""

from __future__ import annotations

import pandas as pd

from cmbkit.reporting.layout import PARTS, THESIS


def beside(own: pd.DataFrame, printed: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Own columns, then the printed ones (``f1`` as ``f1_thesis``); rows of both sides.

    A printed standard deviation ``f1_sd`` becomes ``f1_thesis_sd``, as a layout wants it
    (`cmbkit.reporting.layout`).
    """
    named = {name: thesis_name(name) for name in printed if name not in keys}
    return own.merge(printed.rename(columns=named), on=keys, how="outer", sort=False)


def thesis_name(name: str) -> str:
    """Name of the thesis's column beside an own one: ``f1_thesis`` for ``f1``."""
    part = next((part for part in PARTS if name.endswith(part)), "")
    return f"{name.removesuffix(part)}{THESIS}{part}"
