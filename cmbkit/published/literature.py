"""Counts behind published rates, and the intervals that the papers did not print.

Where several counts print as published, an interval spans those of all of them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cmbkit.evaluation.statistics import poisson_interval, wilson
from cmbkit.published.any_table import (
    CANNOT,
    CUT_OFF,
    FITS,
    OTHER_AVERAGE,
    audit_claim,
    claim_of,
    possible_counts,
)
from cmbkit.published.counts import RATES, rate_of
from cmbkit.published.numbers import literature_text


def f1_interval(tp, fp, fn) -> tuple[np.ndarray, np.ndarray]:
    """Interval of F1 from Wilson's of TP / (TP + FP + FN), of which F1 is a function.

    The number of annotated or predicted microbleeds (either) counts as given.
    """
    tp, errors = np.asarray(tp, float), np.asarray(fp, float) + np.asarray(fn, float)
    low, high = wilson(tp, tp + errors)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def intervals(counts: list[tuple[int, int, int]], n_scans: int | None) -> dict[str, float]:
    """95 % intervals of all rates, over all counts that are possible.

    Returns
    -------
    dict
        precision_low, precision_high, and so on; those of fp_scan only with ``n_scans``.
    """
    tp, fp, fn = np.array(counts, float).T
    found = {
        "precision": wilson(tp, tp + fp),
        "recall": wilson(tp, tp + fn),
        "f1": f1_interval(tp, fp, fn),
    }
    low, high = poisson_interval(fp)
    found["fp_cmb"] = low / (tp + fn), high / (tp + fn)
    if n_scans:
        found["fp_scan"] = low / n_scans, high / n_scans
    result = {}
    for name, (lower, upper) in found.items():
        result |= {f"{name}_low": np.nanmin(lower), f"{name}_high": np.nanmax(upper)}
    return result


def literature_with_intervals() -> pd.DataFrame:
    """Return `published.literature` with counts and intervals where they can be worked out.

    Returns
    -------
    DataFrame
        The columns of `published.literature`, ``counts`` (text), ``why`` (why there are none,
        or what else follows from them) and, for each rate, ``_low`` and ``_high``.
    """
    rows = []
    for row in literature_text().fillna("").to_dict("records"):
        columns = {n: n for n in ("n_cmb", "n_scans", *RATES) if n in row}
        claim, cut = (claim_of(row, columns, cut=cut) for cut in (False, True))
        values = {n: r.value for n, r in claim.rates.items()}
        shown = row | dict.fromkeys(RATES, np.nan) | values
        shown |= {"n_scans": claim.n_scans, "n_cmb": claim.n_cmb, "counts": "", "why": ""}
        if OTHER_AVERAGE.search(row["averaging"]):
            shown["why"] = "averaged over scans: no counts"
        else:
            verdict, counts, arithmetic = audit_claim(claim, cut)
            if verdict == CANNOT and "fp_scan" in claim.rates:
                claim = claim.only(("precision", "recall", "f1"))
                verdict, counts, _ = audit_claim(claim)
                counts += " (without FP per scan)" if counts else ""
            shown |= {"counts": counts or "none fit", "why": arithmetic}
            if verdict in (FITS, CUT_OFF):
                found = possible_counts(claim if verdict == FITS else cut)
                limits = intervals(found, claim.n_scans)
                known = set(claim.rates)
                if len(found) == 1:
                    shown["fp_cmb"] = rate_of("fp_cmb", *found[0], None)
                    known.add("fp_cmb")
                shown |= {k: v for k, v in limits.items() if k.rsplit("_", 1)[0] in known}
                shown["why"] = arithmetic or _what_follows(claim, found)
        rows.append(shown)
    return pd.DataFrame(rows)


def _what_follows(claim, found) -> str:
    """Rates that were not reported but follow from the only counts."""
    if len(found) > 1:
        return ""
    lost = [n for n in ("precision", "recall", "f1") if n not in claim.rates]
    rates = [f"{n} {rate_of(n, *found[0], claim.n_scans):.3f}" for n in lost]
    return f"follows from the counts: {', '.join(rates)}" if rates else ""
