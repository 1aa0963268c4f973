"""Beyond the thesis: what a candidate's score is worth as a probability, and for counting."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import expit

from cmbkit.chapters.detection import (
    BY_KEYS,
    DATASET,
    INTERVAL,
    KEYS,
    MODEL,
    in_order,
    share_of,
)
from cmbkit.evaluation.calibration import (
    LEVEL,
    Calibration,
    calibration_error,
    candidates_of,
    number_interval,
    number_of_microbleeds,
    reliability,
)
from cmbkit.evaluation.intervals import jackknife_t
from cmbkit.evaluation.statistics import left_out, patient_codes
from cmbkit.plotting.canvas import nothing_to_show
from cmbkit.plotting.curves import reliability_curves
from cmbkit.reporting.layout import Column, heads, laid_out

WAYS = {"before": "before calibration", "after": "calibrated"}
UNCALIBRATED = "Too few found and false candidates on validation scans for any calibration."


def _both(candidates: pd.DataFrame, calibration: Calibration) -> dict[str, np.ndarray]:
    """Probability of each candidate by `WAYS`."""
    score = candidates["score"].to_numpy(float)
    return {"before": expit(score), "after": calibration.probability(score)}


def table_s43(
    calls: pd.DataFrame, scans: pd.DataFrame, calibrations: Mapping[str, Calibration]
) -> pd.DataFrame:
    """Expected calibration error before and after, by dataset and model; Valid made the fit.

    Parameters
    ----------
    calls : DataFrame
        dataset, model, uid, match, score, adds (`study.results.curve_calls`).
    scans : DataFrame
        Scan rows of the same models: dataset, model, uid, patient.
    calibrations : mapping of model to Calibration
        Models without one are left out.

    Returns
    -------
    DataFrame
        dataset, model, n_scans, n (candidates), real, before and after with their parts
        (`intervals.jackknife_t` over patients, cut at 0 and 1).
    """
    rows = []
    for (dataset, model), group in in_order(scans, **BY_KEYS).groupby(KEYS, sort=False):
        if model not in calibrations:
            continue
        own = calls[(calls["dataset"] == dataset) & (calls["model"] == model)]
        own = candidates_of(own)
        place = pd.Series(range(len(group)), index=group["uid"])
        without = left_out(group)[:, own["uid"].map(place).to_numpy(int)]
        row = {"dataset": dataset, "model": model, "n_scans": len(group)}
        row |= {"n": len(own), "real": int(own["real"].sum())}
        for way, p in _both(own, calibrations[model]).items():
            value = calibration_error(p, own["real"])[0]
            low, high, method = jackknife_t(value, calibration_error(p, own["real"], without))
            ends = dict(zip((f"{way}_low", f"{way}_high"), np.clip([low, high], 0, 1), strict=True))
            row |= {way: value, f"{way}_interval": method} | ends
        rows.append(row)
    columns = [
        DATASET,
        MODEL,
        *heads(n_scans="Scans", n="Candidates", real="Real"),
        *(Column(way, f"Error, {name}", 3) for way, name in WAYS.items()),
    ]
    note = (
        "Mean over ten bins of |probability - share real| [95 % interval, jackknife over "
        "patients]; Valid: the scans that the curve was fitted on. Chance alone makes it exceed 0."
    )
    return laid_out(pd.DataFrame(rows), columns, note=note if rows else UNCALIBRATED)


def figure_s65(calls: pd.DataFrame, calibrations: Mapping[str, Calibration]) -> Figure:
    """Share of real candidates against probability, before and after, on the test scans."""
    if not calibrations:
        return nothing_to_show(UNCALIBRATED)
    tested = candidates_of(calls[calls["dataset"] != "Valid"])
    curves: dict[tuple[str, str], pd.DataFrame] = {}
    for model, calibration in calibrations.items():
        own = tested[tested["model"] == model]
        for way, p in _both(own, calibration).items():
            curves[model, WAYS[way]] = reliability(p, own["real"])
    return reliability_curves(curves)


def counted(
    calls: pd.DataFrame, scans: pd.DataFrame, calibrations: Mapping[str, Calibration]
) -> pd.DataFrame:
    """Interval of the number of microbleeds of each scan (parameters: `table_s43`).

    Columns: dataset, model, uid, who (code of the patient), n_gt, low, high, inside.
    """
    rows = []
    for row in in_order(scans.assign(who=patient_codes(scans)), **BY_KEYS).itertuples():
        if row.model not in calibrations:
            continue
        own = calls[(calls["uid"] == row.uid) & (calls["model"] == row.model)]
        calibration = calibrations[row.model]
        p = calibration.probability(candidates_of(own)["score"])
        low, high = number_interval(number_of_microbleeds(p, calibration.recall))
        about = {name: getattr(row, name) for name in ("dataset", "model", "uid", "who", "n_gt")}
        rows.append(about | {"low": low, "high": high, "inside": low <= row.n_gt <= high})
    columns = ["dataset", "model", "uid", "who", "n_gt", "low", "high", "inside"]
    return pd.DataFrame(rows, columns=columns)


def table_s44(
    calls: pd.DataFrame, scans: pd.DataFrame, calibrations: Mapping[str, Calibration]
) -> pd.DataFrame:
    """How often the interval of a scan's number holds it (parameters: `table_s43`, and n_gt).

    Columns: dataset, model, n_scans, inside, width (median), coverage with its parts.
    """
    rows = [
        dict(zip(KEYS, values, strict=True))
        | {"n_scans": len(group), "inside": int(group["inside"].sum())}
        | {"width": (group["high"] - group["low"]).median()}
        | share_of("coverage", group["who"], group["inside"])
        for values, group in counted(calls, scans, calibrations).groupby(KEYS, sort=False)
    ]
    table = pd.DataFrame(rows, columns=None if rows else [*KEYS, "n_scans"])
    columns = [
        DATASET,
        MODEL,
        *heads(n_scans="Scans", inside="Number inside"),
        Column("coverage", "Coverage", 2),
        Column("width", "Width (median)", 0),
    ]
    note = f"Nominal {LEVEL:.0%} {INTERVAL}; Valid: the scans that the calibration was fitted on."
    return laid_out(table, columns, note=note if rows else UNCALIBRATED)
