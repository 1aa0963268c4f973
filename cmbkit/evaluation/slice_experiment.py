"""Recall and false positives against slice thickness, from the controlled experiment.

The same microbleeds of the same brains are scanned with slices of several thicknesses, so two
thicknesses are compared microbleed by microbleed. Microbleeds of one brain are not independent:
from `FEWEST_BRAINS` on, intervals take brains as the units.
"""

from itertools import pairwise, product

import numpy as np
import pandas as pd

from cmbkit.evaluation.intervals import (
    FEWEST_PATIENTS,
    difference_interval,
    interval,
    jackknife_t,
    poisson_interval,
    wilson,
)
from cmbkit.evaluation.metrics import divide
from cmbkit.evaluation.statistics import ratio

CONDITION = ["factor", "level", "thickness_mm"]
SERIES = CONDITION[:2]
FEWEST_BRAINS = FEWEST_PATIENTS
"""With fewer, they cannot tell how brains differ."""
EXCHANGES = 10_000
"""All are tried where there are no more, else so many random ones."""


def curves(matches: pd.DataFrame, scans: pd.DataFrame) -> pd.DataFrame:
    """Recall and false positives per scan of every condition, with 95 % intervals.

    Parameters
    ----------
    matches : DataFrame
        factor, level, thickness_mm, brain, match.
    scans : DataFrame
        factor, level, thickness_mm, brain, one row per scan, those without matches too.

    Returns
    -------
    DataFrame
        factor, level, thickness_mm, scans, brains, tp, fp, fn, recall, fp_scan, in the order of
        ``scans``; recall_low, recall_high, fp_scan_low, fp_scan_high: over brains where
        ``interval`` is "brains", and where there are fewer than `FEWEST_BRAINS` ("CMBs") the
        same as recall_cmbs_low, recall_cmbs_high (Wilson), fp_scan_cmbs_low, fp_scan_cmbs_high
        (Poisson), which take CMBs as independent.
    """
    counts = ["tp", "fp", "fn"]
    found = matches.assign(**{name: matches["match"] == name.upper() for name in counts})
    found = found.groupby([*CONDITION, "brain"])[counts].sum().reset_index()
    one = scans.groupby([*CONDITION, "brain"], sort=False).size().rename("scans").reset_index()
    each = one.merge(found, on=[*CONDITION, "brain"], how="left")
    each[counts] = each[counts].fillna(0).astype(int)
    each["cmbs"] = each["tp"] + each["fn"]
    groups = each.groupby(CONDITION, sort=False)
    table = groups[["scans", *counts, "cmbs"]].sum().reset_index()
    table.insert(4, "brains", groups["brain"].nunique().to_numpy())
    for name, part, whole in (("recall", "tp", "cmbs"), ("fp_scan", "fp", "scans")):
        rule = wilson if name == "recall" else poisson_interval
        table[name] = divide(table[part], table[whole])
        cmbs = rule(table[part], table[whole])
        metric = "pooled_recall" if name == "recall" else "fp_scan"
        of = [ratio(group["brain"], group[part], group[whole]) for _, group in groups]
        brains = np.array([interval(metric, *each)[:2] for each in of])
        few = (table["brains"] < FEWEST_BRAINS).to_numpy()
        for end, limit in enumerate(("low", "high")):
            table[f"{name}_{limit}"] = np.where(few, cmbs[end], brains[:, end])
            table[f"{name}_cmbs_{limit}"] = cmbs[end]
    return table.drop(columns="cmbs").assign(interval=np.where(few, "CMBs", "brains"))


def changes(matches: pd.DataFrame, seed: int) -> pd.DataFrame:
    """What becomes of the very same microbleeds when slices get thicker.

    Parameters
    ----------
    matches : DataFrame
        factor, level, thickness_mm, brain, match, gt_id: the same (brain, gt_id) at every
        thickness.
    seed : int
        Of random exchanges, where there are too many to try all.

    Returns
    -------
    DataFrame
        For each factor and level one row per step to the next thickness, and one from the
        thinnest to the thickest: factor, level, thinner_mm, thicker_mm, brains, n (microbleeds),
        recall_thinner, recall_thicker, lost (found in the thinner slices alone), gained (in
        the thicker alone), change (of recall; NaN limits change_low and change_high where there
        are fewer than `FEWEST_BRAINS`, else a 95 % interval over brains), p_value (two-sided
        permutation test: in each brain the two thicknesses could be exchanged; NaN where no
        brain's recall changed), p_least (no smaller one is possible with so many brains), and
        apart: the change less that at the factor's first level, of the same microbleeds in the
        same brains (NaN there), with apart_low, apart_high and apart_p.
    """
    annotated = matches[matches["gt_id"].notna()]
    rows: list[dict] = []
    first: dict[str, pd.DataFrame] = {}
    for (factor, level), part in annotated.groupby(SERIES, sort=False):
        found = part.assign(found=(part["match"] == "TP").astype(int)).pivot_table(
            index=["brain", "gt_id"], columns="thickness_mm", values="found", aggfunc="max"
        )
        base = first.setdefault(factor, found)
        steps = list(pairwise(found.columns))
        if len(steps) > 1:
            steps.append((found.columns[0], found.columns[-1]))
        for thin, thick in steps:
            before, after = found[thin].astype(bool), found[thick].astype(bool)
            lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
            who = found.index.get_level_values("brain")
            sides = (ratio(who, calls, 1.0) for calls in (after, before))
            low, high = map(float, difference_interval("pooled_recall", *sides)[:2])
            net = (after.astype(int) - before.astype(int)).groupby(level="brain").sum()
            p_value, p_least = _sign_flips(net[net != 0].to_numpy(float), seed)
            rows.append(
                {
                    "factor": factor,
                    "level": level,
                    "thinner_mm": thin,
                    "thicker_mm": thick,
                    "brains": who.nunique(),
                    "n": len(found),
                    "recall_thinner": before.mean(),
                    "recall_thicker": after.mean(),
                    "lost": lost,
                    "gained": gained,
                    "change": (gained - lost) / len(found),
                    "change_low": low,
                    "change_high": high,
                    "p_value": p_value,
                    "p_least": p_least,
                    **_apart(found, base, thin, thick, seed),
                }
            )
    return pd.DataFrame(rows)


def _apart(found, base, thin: float, thick: float, seed: int) -> dict[str, float]:
    """How much more recall changes than at another level; 95 % interval over brains."""
    names = "apart", "apart_low", "apart_high", "apart_p"
    if found is base or not {thin, thick} <= set(base):
        return dict.fromkeys(names, np.nan)
    gap = (found[thick] - found[thin] - (base[thick] - base[thin])).dropna()
    each = gap.groupby(level="brain").agg(["sum", "size"]).to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        value, without = gap.mean(), np.divide(*(each.sum(axis=0) - each).T)
    low, high, _ = jackknife_t(value, without, (-2, 2))
    p_value = _sign_flips(each[each[:, 0] != 0, 0], seed)[0]
    return dict(zip(names, (value, low, high, p_value), strict=True))


def _sign_flips(net: np.ndarray, seed: int) -> tuple[float, float]:
    """P value of the sum of ``net`` (one number per brain) under exchanges of sign; the least."""
    if not net.size:
        return np.nan, np.nan
    exact = 2**net.size <= EXCHANGES
    signs = np.array(list(product([1, -1], repeat=net.size))) if exact else (
        np.random.default_rng(seed).choice([1, -1], (EXCHANGES, net.size))
    )  # fmt: skip
    signs[0] = 1  # the observed arrangement is one of them
    p_value = (np.abs(signs @ net) >= abs(net.sum())).mean()
    least = max(2.0 ** (1 - net.size), 1 / EXCHANGES)
    return max(float(p_value), least), least
