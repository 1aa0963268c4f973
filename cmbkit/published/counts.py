"""Which integer counts of TP, FP and FN can lie behind printed rates.

A rate printed with three decimals stands for an interval one thousandth wide. With the number
of annotated microbleeds (and of scans) only some of these intervals hold a quotient of
integers, and fewer hold one at the same time.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np

RATES = ("precision", "recall", "f1", "fp_cmb", "fp_scan")
LARGEST = 100_000
"""How far a count is followed from its lowest value where the printed numbers leave it open."""
MOST = 1_000_000
"""Counts tried; of more, as many evenly spaced ones, with the lowest and highest of each TP."""
_CELL = re.compile(
    r"^\s*(?P<value>-?\d*\.?\d+)\s*(?P<percent>%?)\s*(?:(?:±|\+/?-)\s*(?P<sd>\d*\.?\d+)\s*%?)?\s*$"
)
_MISSING = {"", "-", "–", "—", "na", "n/a", "nan", "none"}
_SLACK = 1e-9


class AuditError(ValueError):
    """A table that cannot be audited; the message names the cell."""


@dataclass(frozen=True)
class Printed:
    """A number as printed, and the interval it stands for.

    Attributes
    ----------
    value, low, high : float
        A fraction where percent were printed.
    sd_low, sd_high : float
        Of a standard deviation printed beside it; NaN without one.
    """

    text: str
    value: float
    low: float
    high: float
    sd_low: float = math.nan
    sd_high: float = math.nan

    def holds(self, value):
        """Whether ``value``, or each of an array, would have been printed like this."""
        return (self.low - _SLACK <= value) & (value <= self.high + _SLACK)


def _interval(text: str, decimals: int | None, scale: float, cut: bool) -> tuple[float, float]:
    own = len(text.partition(".")[2])
    step = 10.0 ** -max(own, 0 if decimals is None else decimals)
    value = float(text)
    low, high = (value, value + step * (1 - 1e-6)) if cut else (value - step / 2, value + step / 2)
    return low / scale, high / scale


def printed(text, decimals: int | None = None, cut: bool = False) -> Printed | None:
    """Read a printed number: "0.704", "70.4 %", "1.7 ± 2.803"; None where there is none.

    Parameters
    ----------
    text : str or float
    decimals : int, optional
        How many the table has where it drops trailing zeros (0.42 for 0.420); otherwise each
        number counts with the decimals it shows.
    cut : bool
        Decimals were cut off rather than rounded.
    """
    text = str(text).strip()
    if text.lower() in _MISSING:
        return None
    found = _CELL.match(text)
    if not found:
        raise AuditError(f"expected a number such as 0.704, 70.4 % or 1.7 ± 2.8, found {text!r}")
    scale = 100.0 if found["percent"] else 1.0
    more = None if decimals is None else decimals - (2 if found["percent"] else 0)
    low, high = _interval(found["value"], more, scale, cut)
    sd = _interval(found["sd"], more, scale, cut) if found["sd"] else (math.nan, math.nan)
    return Printed(text, float(found["value"]) / scale, low, high, *sd)


@dataclass(frozen=True)
class Claim:
    """What is printed about one method on one set of scans."""

    rates: dict[str, Printed]  # some of `RATES`, all from summed counts
    tp: int | None = None
    fp: int | None = None
    fn: int | None = None
    n_cmb: int | None = None
    n_scans: int | None = None

    def only(self, names) -> Claim:
        """Keep these rates and all counts."""
        return replace(self, rates={n: rate for n, rate in self.rates.items() if n in names})

    @property
    def annotated(self) -> int | None:
        """Number of annotated microbleeds, stated or TP + FN."""
        if self.n_cmb is None and self.tp is not None and self.fn is not None:
            return self.tp + self.fn
        return self.n_cmb


def rate_of(name: str, tp, fp, fn, n_scans: int | None):
    """One of `RATES` from counts or arrays of them; NaN where its denominator is 0 or unknown."""
    top, bottom = {
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "f1": (2 * tp, 2 * tp + fp + fn),
        "fp_cmb": (fp, tp + fn),
        "fp_scan": (fp, n_scans or 0),
    }[name]
    return top / np.where(bottom, bottom, math.nan)[()]


def spread_possible(fp: int, n_scans: int, rate: Printed) -> bool:
    """Whether ``fp`` over ``n_scans`` integer counts can have the printed standard deviation.

    That of a sample (over n - 1) or of a population (over n). The sum of squares is an integer
    of the parity of the sum (GRIMMER), and no less than the sum. True where no deviation is
    printed.
    """
    if math.isnan(rate.sd_low) or n_scans < 2:
        return True
    offset = fp**2 / n_scans
    for divisor in (n_scans - 1, n_scans):
        first = max(math.ceil(max(rate.sd_low, 0) ** 2 * divisor + offset - 1e-6), fp)
        first += (first - fp) % 2
        if first <= min(rate.sd_high**2 * divisor + offset + 1e-6, fp**2):
            return True
    return False


def _between(top: int, rate: Printed, less: int) -> tuple[float, float]:
    """Lowest and highest n at which top / (n + less) prints as ``rate``."""
    low = top / rate.high - less if rate.high > 0 else math.inf
    return low, top / rate.low - less if rate.low > 0 else math.inf


def _whole_numbers(ends: list[tuple[float, float]]) -> tuple[int, int]:
    """Whole numbers inside all intervals, `LARGEST` more than the first where nothing ends them."""
    low, high = max(0, *(low for low, _ in ends)), min(high for _, high in ends)
    if math.isinf(low):
        return 1, 0
    first = math.ceil(low - 1e-6)
    return first, first + LARGEST if math.isinf(high) else math.floor(high + 1e-6)


def _bounds(claim: Claim, tp: int, annotated: int) -> tuple[int, int]:
    """Lowest and highest FP that each rate on its own allows; an empty range where none does."""
    if claim.fp is not None:
        return claim.fp, claim.fp
    ends = [(0.0, math.inf)]
    for name, rate in claim.rates.items():
        if name == "precision":
            ends.append(_between(tp, rate, tp))
        elif name == "f1":
            ends.append(_between(2 * tp, rate, tp + annotated))
        elif name in ("fp_cmb", "fp_scan"):
            base = annotated if name == "fp_cmb" else claim.n_scans
            if base:
                ends.append((rate.low * base, rate.high * base))
    return _whole_numbers(ends)


def _fits(claim: Claim, tp: int, fp, fn) -> np.ndarray:
    """Which of several numbers of FP, or of FN, print as claimed."""
    fp, fn = np.broadcast_arrays(fp, fn)
    kept = np.ones(fp.shape, bool)
    for name, rate in claim.rates.items():
        if name == "fp_scan" and not claim.n_scans:
            continue
        kept &= rate.holds(rate_of(name, tp, fp, fn, claim.n_scans))
        if name == "fp_scan" and not math.isnan(rate.sd_low):
            spread = [spread_possible(n, claim.n_scans, rate) for n in fp.tolist()]
            kept &= np.array(spread, bool)
    return kept


def false_positives(claim: Claim) -> list[int] | None:
    """FP that FP per scan allows, whatever else is printed; None where it or scans are unknown."""
    rate = claim.rates.get("fp_scan")
    if rate is None or not claim.n_scans:
        return None
    low, high = _whole_numbers([(rate.low * claim.n_scans, rate.high * claim.n_scans)])
    some = np.arange(low, high + 1) if claim.fp is None else np.array([claim.fp])
    return some[_fits(claim.only(("fp_scan",)), 0, some, 0)].tolist()


def false_positives_bound(claim: Claim) -> bool:
    """Whether the claim says anything that limits the number of false positives."""
    per_scan = "fp_scan" in claim.rates and bool(claim.n_scans)
    return claim.fp is not None or per_scan or bool({"precision", "f1", "fp_cmb"} & {*claim.rates})


def solutions(claim: Claim) -> list[tuple[int, int, int]]:
    """All (TP, FP, FN) that print as claimed, given the number of annotated microbleeds.

    Where nothing printed limits the false positives, FP is given as 0.

    Raises
    ------
    AuditError
        If the number of annotated microbleeds is not known.
    """
    annotated = claim.annotated
    if annotated is None:
        raise AuditError("expected the number of annotated microbleeds, found none")
    bound = false_positives_bound(claim)
    spans = {}
    for tp in range(annotated + 1) if claim.tp is None else [claim.tp]:
        fn = annotated - tp
        if fn < 0 or (claim.fn is not None and fn != claim.fn):
            continue
        if "recall" in claim.rates and not claim.rates["recall"].holds(
            rate_of("recall", tp, 0, fn, None)
        ):
            continue
        spans[tp] = _bounds(claim, tp, annotated) if bound else (0, 0)
    thin = sum(high - low + 1 for low, high in spans.values()) > MOST
    found = []
    for tp, (low, high) in spans.items():
        room = MOST // len(spans)
        if thin and high - low >= room:
            some = np.unique(np.linspace(low, high, room).astype(int))
        else:
            some = np.arange(low, high + 1)
        fits = _fits(claim, tp, some, annotated - tp)
        found += [(tp, fp, annotated - tp) for fp in some[fits].tolist()]
    return found


def solutions_by_scans(claim: Claim) -> list[tuple[int, int, int]]:
    """As `solutions` where the number of microbleeds is unknown but FP per scan is printed.

    FP follow from the scans, TP from precision, FN from recall. Of many FN for one TP and FP
    the fewest and the most are given.
    """
    if not claim.n_scans or not {"fp_scan", "precision", "recall"} <= set(claim.rates):
        raise AuditError("expected scans, FP per scan, precision and recall")
    scan, precision = claim.rates["fp_scan"], claim.rates["precision"]
    if precision.high >= 1:
        raise AuditError(f"expected a precision below 1, found {precision.text}")
    found = []
    lowest, highest = _whole_numbers([(scan.low * claim.n_scans, scan.high * claim.n_scans)])
    for fp in range(lowest, highest + 1) if claim.fp is None else [claim.fp]:
        first, last = (fp * p / (1 - p) for p in (max(precision.low, 0), precision.high))
        stated = range(math.ceil(first - 1e-6), math.floor(last + 1e-6) + 1)
        for tp in stated if claim.tp is None else [claim.tp]:
            misses = _misses(claim, tp, fp)
            misses = misses[_fits(claim, tp, fp, misses)].tolist()
            found += [(tp, fp, fn) for fn in sorted({*misses[:1], *misses[-1:]})]
    return found


def _misses(claim: Claim, tp: int, fp: int) -> np.ndarray:
    """Fewest and most FN that the rates on their own allow, and their neighbours."""
    if claim.fn is not None:
        return np.array([claim.fn])
    parts = {"recall": (tp, tp), "f1": (2 * tp, 2 * tp + fp), "fp_cmb": (fp, tp)}
    ends = [
        _between(top, claim.rates[name], less)
        for name, (top, less) in parts.items()
        if name in claim.rates
    ]
    first, last = _whole_numbers(ends)
    near = {first, first + 1, last - 1, last}
    return np.array(sorted(n for n in near if first <= n <= last), int)


def f1_range(precision: Printed, recall: Printed) -> tuple[float, float]:
    """Range of F1 that printed precision and recall allow, whatever the counts."""

    def mean(p, r):
        return 2 * p * r / (p + r) if p + r > 0 else 0.0

    low = mean(max(precision.low, 0), max(recall.low, 0))
    return low, mean(min(precision.high, 1), min(recall.high, 1))
