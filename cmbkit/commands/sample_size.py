"""What ``cmbkit sample-size`` does, as a function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.datasets.text_table import TableError, as_numbers, read_text_table
from cmbkit.evaluation import sample_size
from cmbkit.evaluation.sample_size import METRICS, PAIRS, SampleSizeError

NEEDED = ["patient", "tp", "fp", "fn"]


def read_pilot(path) -> pd.DataFrame:
    """Scan rows of a pilot: dataset (one where there is no such column), patient, tp, fp, fn."""
    path = Path(path)
    if not path.is_file():
        raise SampleSizeError(f"{path}: expected a table (CSV, TSV or XLSX), found nothing")
    try:
        table = read_text_table(path)
        lacking = [name for name in NEEDED if name not in table]
        if lacking:
            raise SampleSizeError(
                f"{path}: expected columns {', '.join(NEEDED)}, found {', '.join(table)}"
            )
        counts = as_numbers(table, NEEDED[1:], path)
    except TableError as error:
        raise SampleSizeError(str(error)) from None
    odd = table["patient"].isna() | (counts < 0).any(axis=1) | (counts % 1 != 0).any(axis=1)
    if odd.any():
        found = ", ".join(str(cell or "nothing") for cell in table.loc[odd.idxmax(), NEEDED])
        raise SampleSizeError(
            f"{path}: line {odd.idxmax()}: expected a patient and whole counts of 0 or more, "
            f"found {found}"
        )
    datasets = table["dataset"].fillna("") if "dataset" in table else ""
    return table.assign(**counts.astype(int), dataset=datasets).reset_index(drop=True)


def sample_size_lines(
    pilot: Path,
    metric: str,
    value: float | None,
    *,
    width: float | None = None,
    difference: float | None = None,
    against: Path | None = None,
    power: float = 0.8,
    samples: int = 500,
    seed: int = 2024,
) -> list[str]:
    """Patients needed for an interval's width, a paired difference, or both; one line each.

    Parameters
    ----------
    pilot, against : path-like
        Tables of scans (scans.csv of ``cmbkit evaluate``); ``against``: of another detector on the
        same scans, whose difference is then the observed one.
    metric : {"f1", "recall", "precision"}
    value : float or None
        What the rate is planned to be; the pilot's by default.
    width, difference : float or None
    power : float
        Share of studies that are to succeed.

    Raises
    ------
    SampleSizeError
        If a table or a plan will not do.
    """
    if metric not in METRICS:
        raise SampleSizeError(f"metric: expected {', '.join(METRICS)}, found {metric!r}")
    if width is difference is against is None:
        raise SampleSizeError("expected a width, a difference or another detector, found none")
    if difference is not None and against is not None:
        raise SampleSizeError("expected a difference or another detector, found both")
    if not 0 < power < 1 or (width is not None and not 0 < width < 1) or difference == 0:
        raise SampleSizeError(
            "expected a power and a width between 0 and 1, and a difference that is not 0, found "
            f"power {power}, width {width}, difference {difference}"
        )
    if against is not None and value is not None and width is None:
        raise SampleSizeError("expected a planned value or another detector, found both")
    scans = read_pilot(pilot)
    counts = sample_size.counts_of(scans)
    own = float(sample_size.rate(counts.sum(axis=0), metric))
    aim = own if value is None else value
    if width is not None or difference is not None:
        _check_aim(metric, own, value, difference)
    lines = [
        f"pilot: {len(counts)} patients, {counts[:, [0, 2]].sum():.0f} microbleeds, "
        f"{metric} {own:.3f}; planned: {aim:.3f}"
    ]
    how, cases = {"samples": samples, "seed": seed}, {}
    if width is not None:
        n = sample_size.patients_for_width(counts, metric, aim, width, share=power, **how)
        lines.append(
            f"{n} patients: 95 % interval no wider than {width:g} in {power:.0%} of studies"
        )
    if against is not None:
        second = _same_patients(scans, read_pilot(against), against)
        cases = {"given": sample_size.given_pairs(counts, second)}
        difference = float(sample_size.rate(second.sum(axis=0), metric)) - own
        if not abs(difference) > 0:
            raise SampleSizeError(
                f"{against}: expected another {metric} than the pilot's {own:.3f}"
            )
    elif difference is not None:
        for kind in ("same", "apart"):
            cases[kind] = sample_size.planned_pairs(counts, metric, aim, difference, kind)
    for name, pairs in cases.items():
        n = sample_size.patients_for_difference(pairs, metric, power=power, **how)
        lines.append(
            f"{n} patients: a paired difference of {difference:+.3f} is shown in {power:.0%} of "
            f"studies, if {PAIRS[name]}"
        )
    return lines


def _check_aim(metric: str, own: float, value: float | None, difference: float | None) -> None:
    """Whether a study can be planned at ``value``, or ``own``, and with ``difference`` added."""
    aim = own if value is None else value
    if value is None and not 0 < own < 1:
        raise SampleSizeError(
            f"{metric}: expected a pilot with hits and errors, found {own:g}, which does not tell "
            "how patients differ; give a planned value between 0 and 1 (--value)"
        )
    if not 0 < aim < 1:
        raise SampleSizeError(f"{metric}: expected a value between 0 and 1, found {aim:g}")
    if difference is not None and not 0 < aim + difference < 1:
        raise SampleSizeError(
            f"difference: expected {metric} {aim:.3f} {difference:+.3f} between 0 and 1, "
            f"found {aim + difference:.3f}"
        )


def _same_patients(first: pd.DataFrame, second: pd.DataFrame, path) -> np.ndarray:
    """Counts of the second detector in the order of the first one's patients."""
    keys = ["dataset", "patient"]
    ours, theirs = (t.groupby(keys, sort=False)[["tp", "fp", "fn"]].sum() for t in (first, second))
    if set(ours.index) != set(theirs.index):
        raise SampleSizeError(f"{path}: expected the patients of the pilot, found others")
    return theirs.loc[ours.index].to_numpy(float)
