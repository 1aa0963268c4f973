"""Values behind the figures of notebook 03, which `cmbkit.plotting` draws."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cmbkit.features import analytic, trends
from cmbkit.plotting.associations import FLOOR, RATIOS, floor_bands
from cmbkit.plotting.distributions import SHAPE_FEATURES
from cmbkit.plotting.glass_brain import MNI

FLOOR_SIZES = tuple(float(size) for size in np.geomspace(1, 1500, 40))
KEYS = ["uid", "dataset", "id"]
SLOPE = ("slope", "slope_low", "slope_high")


def data_4_3(features: pd.DataFrame) -> pd.DataFrame:
    """The values behind Figure 4.3, a row per CMB."""
    return features[[*KEYS, *SHAPE_FEATURES]]


def data_s61(features: pd.DataFrame) -> pd.DataFrame:
    """The values behind Figure S61, a row per CMB."""
    return features[[*KEYS, *MNI]]


def perfect_balls(seed: int) -> pd.DataFrame:
    """Shape features of digitised balls of 1 to 1,500 voxels, for Figure S60."""
    return analytic.ball_floor(FLOOR_SIZES, draws=25, seed=seed)


def data_s60(features: pd.DataFrame, floor: pd.DataFrame) -> pd.DataFrame:
    """The values behind Figure S60: CMBs, then bands of perfect balls (dataset "perfect balls").

    ``floor``: of `perfect_balls`.
    """
    points = features[[*KEYS, "n_voxels", *FLOOR]]
    bands = floor_bands(floor).assign(dataset="perfect balls")
    return pd.concat([points, bands], ignore_index=True)


def with_slice_thickness(features: pd.DataFrame, scans: pd.DataFrame) -> pd.DataFrame:
    """Ratios of axes of each CMB with its scan's slice thickness (Figure S59).

    sMOMENI is left out: its CMBs are copies of few models in MOMENI's scans.
    """
    scans = scans[["uid", "slice_thickness_mm"]]
    points = features.merge(scans, on="uid", validate="many_to_one")
    columns = [*KEYS, "slice_thickness_mm", *RATIOS]
    return points.loc[points["dataset"] != "sMOMENI", columns]


def thickness_trends(points: pd.DataFrame, seed: int) -> dict[str, pd.DataFrame]:
    """Line and band of each ratio over slice thickness; none where all slices are as thick."""
    x = points["slice_thickness_mm"]
    if not x.max() > x.min():
        return {}
    at = np.linspace(x.min(), x.max(), 41)
    return {
        name: trends.linear_trend(x, points[name], points["uid"], at, seed=seed) for name in RATIOS
    }


def data_s59(points: pd.DataFrame, lines: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The values behind Figure S59: CMBs, then lines with slope and 95 % ends (column line)."""
    drawn = [
        line.assign(line=name, **{key: line.attrs[key] for key in SLOPE})
        for name, line in lines.items()
    ]
    return pd.concat([points, *drawn], ignore_index=True)
