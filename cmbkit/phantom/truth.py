"""What the generator knows of every microbleed, beside what label refinement made of it.

A cohort that was generated holds ``phantom_truth.tsv``; of real data nobody knows the truth.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

FARTHEST_MM = 5.0
TOO_LARGE = 2.0
"""A region leaked whose radius is over so many times that of its visible region."""
COLUMNS = ["radius_true_mm", "radius_visible_mm"]
_PLACE = ["x_mm", "y_mm", "z_mm"]


def read_truth(folder: Path) -> pd.DataFrame:
    """Microbleeds of a synthetic dataset; no row for a real one.

    Returns
    -------
    DataFrame
        scan, x_mm, y_mm, z_mm (RAS mm of the raw image), radius_true_mm (of the source),
        radius_visible_mm (of a ball as large as what can be seen of it; NaN where not told).
    """
    path, names = Path(folder) / "phantom_truth.tsv", ["scan", *_PLACE, *COLUMNS]
    if not path.is_file():
        return pd.DataFrame(columns=names)
    told = pd.read_csv(path, sep="\t", dtype={"scan": str})
    told = told[told["kind"] == "cmb"]
    told = told.rename(columns={"radius_mm": COLUMNS[0], "visible_radius_mm": COLUMNS[1]})
    return told.reindex(columns=names)


def with_truth(microbleeds: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Microbleeds of one scan with `COLUMNS` of the true ones that they are.

    Pairs are chosen so that their distances are least in sum; one over `FARTHEST_MM` is none.

    Parameters
    ----------
    microbleeds : DataFrame
        One row per annotated microbleed: x_mm, y_mm, z_mm.
    truth : DataFrame
        Rows of the same scan from `read_truth`; those without a visible region are passed over.
    """
    from scipy.optimize import linear_sum_assignment

    seen = truth[truth["radius_visible_mm"] != 0]
    away = np.linalg.norm(
        microbleeds[_PLACE].to_numpy(float)[:, None] - seen[_PLACE].to_numpy(float)[None], axis=2
    )
    found = np.full((len(microbleeds), len(COLUMNS)), np.nan)
    for row, column in zip(*linear_sum_assignment(np.minimum(away, 2 * FARTHEST_MM)), strict=True):
        if away[row, column] <= FARTHEST_MM:
            found[row] = seen.iloc[column][COLUMNS].to_numpy(float)
    return microbleeds.assign(**dict(zip(COLUMNS, found.T, strict=True)))


def leaked(microbleeds: pd.DataFrame, full_radius_mm: float) -> pd.Series:
    """Which microbleeds' grown regions leaked, so that their size is not theirs.

    A region at the size cap leaked, and one whose radius is over `TOO_LARGE` times that of its
    visible region; where that is not known, one that leapt (`region_growing.largest_step`). A
    microbleed that was not grown (a mask) did not leak.

    Parameters
    ----------
    microbleeds : DataFrame
        tolerance, leap (of grown ones), native_radius_mm, radius_visible_mm.
    full_radius_mm : float
        Radius from which on a region counts as at the cap.
    """
    radius, visible = microbleeds["native_radius_mm"], microbleeds["radius_visible_mm"]
    leapt = visible.isna() & (microbleeds["leap"] == True)  # noqa: E712 (missing: not grown)
    wide = (radius > full_radius_mm) | (radius > TOO_LARGE * visible) | leapt
    return microbleeds["tolerance"].notna() & wide
