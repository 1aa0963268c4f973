"""Published results with the counts behind them, intervals that no paper prints, and one's own.

Where several counts print as published, an interval spans those of all of them.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from cmbkit.evaluation.intervals import poisson_interval, wilson
from cmbkit.evaluation.metrics import divide
from cmbkit.evaluation.rules import median_f1
from cmbkit.evaluation.statistics import summary
from cmbkit.params import Evaluation
from cmbkit.plotting.bars import METRIC_NAMES
from cmbkit.published.any_table import (
    CANNOT,
    COUNT_COLUMNS,
    OPEN,
    OTHER_AVERAGE,
    SHOWN_COUNTS,
    RowAudit,
    audit_claim,
    claim_of,
)
from cmbkit.published.counts import RATES, Claim, rate_of
from cmbkit.published.numbers import literature
from cmbkit.reporting.layout import Column, heads, laid_out
from cmbkit.reporting.made_with import rule_text

RATE_TITLES = {**METRIC_NAMES, "fp_cmb": "FP per CMB"}
LAYOUT = [
    *heads("method", "data", n_scans="Scans", matching="Matching"),
    Column("own_f1", "F1 here by its rule", 3),
    *SHOWN_COUNTS[1:],
    *(Column(name, title, 3) for name, title in METRIC_NAMES.items()),
    Column("verdict", "Audit"),
]
ONLY_AS_MEAN = "not from summed counts"
"""Of a row that does not say itself how it is averaged, where no whole counts give its rates."""
NOTE = (
    "Rows with other data, matching or averaging are not comparable. Intervals (95 %) of "
    "published rates come from the counts that print as published (TP, FP, FN): Wilson for "
    "precision and recall, through TP / (TP + FP + FN) for F1, Poisson for false positives, as if"
    " CMBs were independent: how they cluster in patients is not printed, so they are too narrow;"
    " how many counts do, and FP per CMB, stand in the CSV file. Own rows: patients as units. "
    "Audit: whether whole counts can give the printed rates; a row that does not say how it is "
    "averaged may hold means. F1 here by its rule: of this run's first network on all its scans "
    "(Table S42), of all CMBs together, or the median over scans with CMBs where the row is one. "
    "Averaging, what false positives are over, notes and sources of published rows: Table S15."
)


def f1_interval(tp, fp, fn) -> tuple[np.ndarray, np.ndarray]:
    """Interval of F1 from Wilson's of TP / (TP + FP + FN), of which F1 is a function.

    The number of annotated or predicted microbleeds (either) counts as given.
    """
    tp, errors = np.asarray(tp, float), np.asarray(fp, float) + np.asarray(fn, float)
    low, high = wilson(tp, tp + errors)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def intervals(counts: Iterable[tuple[int, int, int]], n_scans: int | None) -> dict[str, float]:
    """95 % intervals of all rates, over all counts that are possible.

    Returns
    -------
    dict
        precision_low, precision_high, and so on; those of fp_scan only with ``n_scans``.
    """
    tp, fp, fn = np.array(list(counts), float).T
    found = {
        "precision": wilson(tp, tp + fp),
        "recall": wilson(tp, tp + fn),
        "f1": f1_interval(tp, fp, fn),
        "fp_cmb": poisson_interval(fp, tp + fn),
    }
    if n_scans:
        found["fp_scan"] = poisson_interval(fp, n_scans)
    result = {}
    for name, (lower, upper) in found.items():
        result |= {f"{name}_low": np.nanmin(lower), f"{name}_high": np.nanmax(upper)}
    return result


def published_results() -> pd.DataFrame:
    """Return `numbers.literature` with counts and intervals where they can be worked out.

    Returns
    -------
    DataFrame
        The columns of `numbers.literature`; n_ways, tp, fp, fn with _low and _high (see
        `any_table.RowAudit.numbers`), without_fp_scan (whether they leave out the printed FP per
        scan); ``_low`` and ``_high`` of each rate; fp_cmb where it is printed or the counts are the
        only ones; verdict (of `any_table`, or `ONLY_AS_MEAN`); note with why there are no counts,
        or what else follows from them.
    """
    printed = literature("str").fillna("").assign(of_thesis=literature()["of_thesis"])
    return pd.DataFrame(map(_with_counts, printed.to_dict("records")))


def _with_counts(row: dict) -> dict:
    columns = {name: name for name in ("n_cmb", "n_scans", *RATES) if name in row}
    claim, cut = (claim_of(row, columns, cut=cut) for cut in (False, True))
    shown = row | dict.fromkeys(RATES, np.nan) | {n: r.value for n, r in claim.rates.items()}
    shown |= {"n_scans": claim.n_scans, "n_cmb": claim.n_cmb, "without_fp_scan": False}
    if OTHER_AVERAGE.search(row["averaging"]):
        return _noted(shown | {"verdict": OPEN}, "averaged over scans: no counts")
    finding = audit_claim(claim, cut)
    unsure = row["averaging"] == "not stated" or "assumed" in row["averaging"]
    shown["verdict"] = ONLY_AS_MEAN if finding.verdict == CANNOT and unsure else finding.verdict
    why = "number of CMBs not stated" if finding.verdict == OPEN else finding.arithmetic
    if finding.verdict == CANNOT and "fp_scan" in claim.rates:
        claim = claim.only(("precision", "recall", "f1"))
        finding = audit_claim(claim)
        if finding.counts:
            shown["without_fp_scan"] = True
            why = f"counts without FP per scan: {why}"
    shown |= finding.numbers()
    if not finding.counts:
        return _noted(shown, why)
    known = set(claim.rates)
    if len(finding.counts) == 1 and "fp" in finding.known and "fp_cmb" not in known:
        shown["fp_cmb"] = rate_of("fp_cmb", *finding.counts[0], None)
        known.add("fp_cmb")
    limits = intervals(finding.counts, claim.n_scans)
    shown |= {name: end for name, end in limits.items() if name.rsplit("_", 1)[0] in known}
    return _noted(shown, why or _what_follows(claim, finding))


def _noted(row: dict, more: str) -> dict:
    return row | {"note": "; ".join(filter(None, (row["note"], more)))}


def _what_follows(claim: Claim, finding: RowAudit) -> str:
    """Rates that were not reported but follow from the only counts."""
    if len(finding.counts) > 1 or "fp" not in finding.known:
        return ""
    lost = [name for name in ("precision", "recall", "f1") if name not in claim.rates]
    rates = [f"{name} {rate_of(name, *finding.counts[0], claim.n_scans):.3f}" for name in lost]
    return f"follows from the counts: {', '.join(rates)}" if rates else ""


def beside_own(
    own: Iterable[tuple[str, str, pd.DataFrame]],
    params: Evaluation,
    by_rule: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Published results and own ones, each with data, matching, denominator and interval.

    Parameters
    ----------
    own : iterable of (method, data, scans)
        Scans with their counts, as `evaluation.statistics.summary` takes them.
    by_rule : DataFrame, optional
        One detector's counts of each scan by every rule of `evaluation.rules`: rule, n_gt, tp,
        fp, fn.

    Returns
    -------
    DataFrame
        The columns of `published_results`, and own (bool: of this run); with ``by_rule`` own_f1, F1
        of that detector by the rule of each published row, where it is known.
    """
    rows = []
    for method, data, group in own:
        found = summary(group, params)
        rates = {name.removeprefix("pooled_"): value for name, value in found.items()}
        rates = {n: rates[n] for name in RATE_TITLES for n in (name, f"{name}_low", f"{name}_high")}
        counts = {"n_scans": found["n_scans"], "n_cmb": found["tp"] + found["fn"]}
        for name in ("tp", "fp", "fn"):
            counts |= dict.fromkeys((name, f"{name}_low", f"{name}_high"), found[name])
        said = {"method": method, "data": data, "matching": rule_text(params)}
        said |= {"averaging": "glob", "fp_denominator": "scans", "note": "", "own": True}
        rows.append(said | counts | rates)
    own_rows = pd.DataFrame(rows).assign(of_thesis=False)
    table = pd.concat([published_results().assign(own=False), own_rows])
    whole = dict.fromkeys(["n_scans", "n_cmb", *COUNT_COLUMNS], "Int64")
    table = table.reset_index(drop=True).astype(whole | {"own": bool, "of_thesis": bool})
    ends = [f"{name}{end}" for name in RATE_TITLES for end in ("", "_low", "_high")]
    first = ["method", "data", "own", "of_thesis", "n_scans", "n_cmb", "matching", "averaging"]
    first += ["fp_denominator"]
    last = ["without_fp_scan", *ends, "rule", "verdict", "note", "source"]
    table = table[[*first, *COUNT_COLUMNS, *last]]
    if by_rule is not None:
        of_all = by_rule.groupby("rule")[["tp", "fp", "fn"]].sum()
        whole = divide(2 * of_all["tp"], 2 * of_all["tp"] + of_all["fp"] + of_all["fn"])
        whole = table["rule"].map(dict(zip(of_all.index, whole, strict=True)))
        medians = table["rule"].map(median_f1(by_rule, ["rule"]))
        table["own_f1"] = whole.mask(table["averaging"] == "scan median", medians)
    return laid_out(table, LAYOUT, note=NOTE)
