"""Tests of many hypotheses: two models, many subgroups, corrected after Holm."""

from itertools import combinations, product
from math import comb

import numpy as np
import pandas as pd

from cmbkit.evaluation.intervals import difference_interval
from cmbkit.evaluation.metrics import aggregate
from cmbkit.evaluation.statistics import estimates, left_out, patient_codes

SCORE_COLUMNS = ("tp", "fp", "fn", "dice_tp", "dice_scan")
COMPARED = ("pooled_precision", "pooled_recall", "pooled_f1", "fp_scan", "scan_f1", "scan_f1_star")

MADE_OF = {
    "precision": ("tp", "fp"),
    "recall": ("tp", "fn"),
    "dice_tp": ("tp", "dice_tp"),
    "dice": ("dice_scan",),
    "fp_scan": ("fp",),
    "fp_cmb": ("fp",),
    "": ("tp", "fp", "fn"),
}
"""Columns that a metric is made of, by how its name ends."""


def holm(p_values) -> np.ndarray:
    """Correct p values for their number after Holm (1979).

    ``p_values``, array-like, shape (n,): NaN (no test possible) stays NaN and does not count.
    """
    p_values = np.asarray(p_values, float)
    corrected = np.full(p_values.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    steps = p_values[order] * np.arange(order.size, 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def rank_biserial(differences) -> float:
    """Matched-pairs rank-biserial correlation: -1 (always worse) to 1 (always better).

    Zero differences are left out, as in Wilcoxon's signed-rank test; 0 if all are zero, NaN if
    there are none.
    """
    from scipy.stats import rankdata

    differences = np.asarray(differences, float)
    differences = differences[np.isfinite(differences)]
    if differences.size == 0:
        return float("nan")
    differences = differences[differences != 0]
    if differences.size == 0:
        return 0.0
    ranks = rankdata(np.abs(differences))
    return float((ranks * np.sign(differences)).sum() / ranks.sum())


def compare_models(
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    metrics: tuple[str, ...] = COMPARED,
    samples: int = 10000,
    seed: int,
    nan_rule: str = "text",
) -> pd.DataFrame:
    """Two models on the same scans: difference, its interval, size and test.

    Under the null hypothesis the two models' results of a patient could be swapped. All exchanges
    of the m patients in whom what a metric is made of differs are tried when they (2^m) are no
    more than ``samples``, else that many random ones.

    Parameters
    ----------
    first, second : DataFrame
        Scan rows of the two models: uid, dataset, patient, tp, fp, fn (and dice_tp).
    metrics : tuple of str
        Names from `metrics.aggregate`.
    samples, seed : int
        Of the permutations.
    nan_rule : {"text", "code"}

    Returns
    -------
    DataFrame
        Index: metric. first, second, difference (first - second), low, high and interval (95 % of
        the difference and its method, see `intervals.difference_interval`), effect (rank-biserial
        correlation of the patients' own differences), n_effect (patients in which both are
        defined), p_value (paired permutation), p_least (the smallest that the patients whose
        results differ allow: both signs of the difference are as extreme), p_holm, n_patients,
        exact (all exchanges were tried).

    Raises
    ------
    ValueError
        If there are no scans, a scan is not once in each table, or its patient is not named.
    """
    _check_paired(first["uid"], second["uid"])
    unnamed = first.loc[first["patient"].isna(), "uid"].tolist()
    if unnamed:
        raise ValueError(f"paired test: expected a patient for every scan, found none of {unnamed}")
    second = second.set_index("uid").loc[first["uid"]].reset_index()
    who = {
        name: first[name].to_numpy() for name in ("source", "dataset", "patient") if name in first
    }
    columns = [name for name in SCORE_COLUMNS if name in first and name in second]
    sides, patients = (first[columns], second[columns]), patient_codes(first)
    table = _exchanged(sides, patients, metrics, samples, seed, nan_rule)
    of = [estimates(side.assign(**who), nan_rule) for side in sides]
    alone = [aggregate(side, 1 - left_out(first), nan_rule) for side in sides]
    for name in metrics:
        low, high, method = difference_interval(name, of[0][name], of[1][name])
        own = alone[0][name] - alone[1][name]
        table.loc[name, ["low", "high", "effect"]] = float(low), float(high), rank_biserial(own)
        table.loc[name, "interval"] = str(method)
        table.loc[name, "n_effect"] = np.isfinite(own).sum()
    table["p_holm"] = holm(table["p_value"])
    order = ["first", "second", "difference", "low", "high", "interval", "effect"]
    order += ["n_effect", "p_value", "p_least"]
    return table[[*order, "p_holm", "n_patients", "exact"]].astype({"n_effect": int})


def _check_paired(first: pd.Series, second: pd.Series) -> None:
    odd = sorted({*first} ^ {*second} | {*first[first.duplicated()], *second[second.duplicated()]})
    if odd or first.empty:
        found = f"{odd} missing or double" if odd else "none"
        raise ValueError(f"paired test: expected the same scans once in each table, found {found}")


def _exchanged(sides, patients, metrics, samples: int, seed: int, nan_rule: str) -> pd.DataFrame:
    """Difference of two models and its p value when results are exchanged patient by patient."""
    n, both = int(patients.max()) + 1, pd.concat(sides, ignore_index=True)
    of, rows = {name: _differing(sides, patients, name) for name in metrics}, {}
    for who in dict.fromkeys(of.values()):
        swap, exact = _exchanges(len(who), samples, np.random.default_rng(seed))
        here = np.zeros((len(swap), n))
        here[:, list(who)] = swap
        here = here[:, patients]
        ours = aggregate(both, np.hstack([1 - here, here]), nan_rule)
        theirs = aggregate(both, np.hstack([here, 1 - here]), nan_rule)
        least = max(min(1.0, 2.0 ** (1 - len(who))), 1 / samples)
        for name in (name for name in metrics if of[name] == who):
            gaps = ours[name] - theirs[name]
            rows[name] = {
                "first": ours[name][0],
                "second": theirs[name][0],
                "difference": gaps[0],
                "p_value": _share_as_extreme(gaps, gaps[0], least),
                "p_least": least,
                "n_patients": n,
                "exact": exact,
            }
    return pd.DataFrame.from_dict({name: rows[name] for name in metrics}, orient="index")


def _exchanges(n: int, samples: int, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """All ways to exchange within n patients (rows, 0 or 1), or random ones; the first: none."""
    if 2**n <= samples:
        return np.array(list(product([0.0, 1.0], repeat=n))), True
    swap = rng.integers(0, 2, (samples, n)).astype(float)
    swap[0] = 0
    return swap, False


def _share_as_extreme(gaps: np.ndarray, observed: float, least: float) -> float:
    """P value: how often a gap is as large as the observed one; no less than can be."""
    if not np.isfinite(observed):
        return float("nan")
    as_extreme = np.abs(gaps[np.isfinite(gaps)]) >= abs(observed) - 1e-12
    return max(float(as_extreme.mean()), least)


def _differing(sides, patients: np.ndarray, metric: str) -> tuple[int, ...]:
    """Patients in whom what the metric is made of differs."""
    used = next(names for end, names in MADE_OF.items() if metric.endswith(end))
    one, other = (side[[name for name in used if name in side]].to_numpy(float) for side in sides)
    differs = (one != other) & ~(np.isnan(one) & np.isnan(other))
    return tuple(np.unique(patients[differs.any(axis=1)]).tolist())


def compare_groups(
    scans: pd.DataFrame,
    group: pd.Series,
    *,
    metric: str = "pooled_f1",
    samples: int = 10000,
    seed: int,
    nan_rule: str = "text",
) -> dict:
    """Test whether one model does differently on two groups of scans.

    Under the null hypothesis group labels could be exchanged between patients; the two groups
    of a patient who has scans in both are exchanged within that patient. All arrangements are
    tried when they are no more than ``samples``, else that many random ones.

    Parameters
    ----------
    scans : DataFrame
        Scan rows of one model: dataset, patient, tp, fp, fn.
    group : Series of str, aligned with ``scans``
        Two values.
    metric : str
        Name from `metrics.aggregate`.
    samples, seed : int
        Of random permutations; the observed arrangement is one of them.

    Returns
    -------
    dict
        first and second (the groups, in alphabetical order), value_first, value_second,
        difference, p_value (two-sided; NaN where the metric is undefined in a group), p_least
        (no smaller one is possible with so many patients and permutations), exact (all
        arrangements were tried).
    """
    names = sorted(set(group))
    if len(names) != 2:
        raise ValueError(f"group: expected two values, found {names}")
    patients = patient_codes(scans)
    in_first = (np.asarray(group) == names[0]).astype(float)
    n = int(patients.max()) + 1
    has = [np.bincount(patients, member, n) > 0 for member in (in_first, 1 - in_first)]
    both = has[0] & has[1]
    single, n_both = np.flatnonzero(~both), int(both.sum())
    n_first = int(has[0][single].sum())
    arrangements = comb(single.size, n_first) * 2**n_both
    exact, rng = arrangements <= samples, np.random.default_rng(seed)
    if exact:
        chosen = combinations(range(single.size), n_first)
        label = np.array([np.isin(np.arange(single.size), who) for who in chosen], float)
        swap = _exchanges(n_both, samples, rng)[0]
        label, swap = np.repeat(label, len(swap), axis=0), np.tile(swap, (len(label), 1))
    else:
        swap = rng.integers(0, 2, (samples, n_both)).astype(float)
        label = rng.permuted(np.tile(has[0][single].astype(float), (samples, 1)), axis=1)
        swap[0], label[0] = 0, has[0][single]
    of = np.zeros((len(swap), n))
    of[:, single], of[:, both] = label, swap
    of = of[:, patients]
    weights = np.where(both[patients], np.abs(in_first - of), of)
    sides = (aggregate(scans, w, nan_rule)[metric] for w in (weights, 1 - weights))
    values = [aggregate(scans, w[None], nan_rule)[metric][0] for w in (in_first, 1 - in_first)]
    as_extreme = 2 if 2 * n_first == single.size else 1  # groups of one size: exchanged whole
    least = max(as_extreme / arrangements, 1 / samples)
    return {
        "first": names[0],
        "second": names[1],
        "value_first": float(values[0]),
        "value_second": float(values[1]),
        "difference": float(values[0] - values[1]),
        "p_value": _share_as_extreme(np.subtract(*sides), values[0] - values[1], least),
        "p_least": least,
        "exact": exact,
    }
