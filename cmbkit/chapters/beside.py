"""Own numbers beside the thesis's: the printed columns under names that end in ``_thesis``."""

from typing import Literal

import numpy as np
import pandas as pd

from cmbkit.reporting.layout import PARTS, THESIS


def beside(
    own: pd.DataFrame,
    printed: pd.DataFrame,
    keys: list[str],
    names: dict[str, str] | None = None,
    *,
    rows: Literal["own", "both"] = "own",
) -> pd.DataFrame:
    """Own rows, each with what the thesis prints for it.

    Parameters
    ----------
    printed : DataFrame
        A table of the thesis (`cmbkit.published.numbers`).
    keys : list of str
        Columns of both that tell rows apart.
    names : dict of own column to the thesis's column, optional
        By default all printed columns, as they are called.
    rows : {"own", "both"}
        Whether rows that only the thesis has follow.

    Returns
    -------
    DataFrame
        With <own>_thesis and, where it is printed, <own>_thesis_sd, as a layout wants it
        (`cmbkit.reporting.layout`); missing where there is no such row.
    """
    names = {n: n for n in printed if n not in keys} if names is None else names
    columns = {
        f"{theirs}{ending}": _thesis_name(f"{ours}{ending}")
        for ours, theirs in names.items()
        for ending in ("", "_sd")
        if f"{theirs}{ending}" in printed
    }
    printed = printed[[*keys, *columns]].rename(columns=columns)
    how = "left" if rows == "own" else "outer"
    return own.merge(printed, on=keys, how=how, sort=False, validate="many_to_one")


def pooled(sizes, means, sds) -> tuple[float, float]:
    """Mean and sample standard deviation of printed groups put together, from those of each."""
    sizes, means, sds = (np.asarray(values, float) for values in (sizes, means, sds))
    mean = np.average(means, weights=sizes)
    squares = (sizes - 1) * sds**2 + sizes * (means - mean) ** 2
    return float(mean), float(np.sqrt(squares.sum() / (sizes.sum() - 1)))


def _thesis_name(name: str) -> str:
    """Name of the thesis's column beside an own one: ``f1_thesis`` for ``f1``."""
    part = next((part for part in PARTS if name.endswith(part)), "")
    return f"{name.removesuffix(part)}{THESIS}{part}"
