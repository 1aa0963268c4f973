"""How often intervals hold the truth in simulations (`benchmarks/interval_coverage.py`)."""

from importlib.resources import files

import pandas as pd


def coverage() -> pd.DataFrame:
    """Coverage of the 95 % intervals, stored results.

    Returns
    -------
    DataFrame
        cohorts (what patients are like: "usual", or a harder kind), metric, detector, patients,
        truth, coverage (per cent, of the intervals given), width (median), zero_width (how many),
        too_few (per cent of cohorts without an interval), bootstrap and bootstrap_zero_width (per
        cent; percentiles of resampled patients; NaN where they were not drawn).
    """
    with files(__package__).joinpath("coverage.csv").open() as file:
        return pd.read_csv(file)
