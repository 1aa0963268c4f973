"""Whether rates that no summed counts give may be means over scans."""

from collections.abc import Iterator
from fractions import Fraction

from cmbkit.published.conflicts import stated_counts
from cmbkit.published.counts import Claim, Printed, false_positives

FEW = 12
"""Microbleeds up to which every way to spread them over scans is tried."""
EXTREMES = {
    "tp": {"precision": 0, "recall": 0, "f1": 0},
    "fn": {"recall": 1},
    "fp": {"precision": 1, "fp_cmb": 0},
}
"""What a rate is in every scan, and so on average, where a count is 0."""


def can_be_means(claim: Claim) -> bool:
    """Whether means over scans can print as claimed, as far as can be told.

    FP per scan are the same either way, and so is everything of a single scan. Stated counts must
    fit each other, and a mean recall of up to `FEW` microbleeds some spread over scans.
    """
    means = {name: rate for name, rate in claim.rates.items() if name != "fp_scan"}
    if not means or claim.n_scans == 1 or stated_counts(claim) or false_positives(claim) == []:
        return False
    sure = {
        k: v for count, kv in EXTREMES.items() if getattr(claim, count) == 0 for k, v in kv.items()
    }
    if any(not means[name].holds(value) for name, value in sure.items() if name in means):
        return False
    recall, n = means.get("recall"), claim.annotated
    if recall is None or n is None:
        return True
    return n > FEW or (n > 0 and _mean_recall_can_be(recall, n, claim.n_scans or n))


def _mean_recall_can_be(recall: Printed, n_cmb: int, n_scans: int) -> bool:
    """Whether some spread of microbleeds and of hits over scans has this mean of the recalls."""
    for sizes in _spreads(n_cmb, n_cmb):
        if len(sizes) <= n_scans:
            sums = {Fraction(0)}
            for size in sizes:
                sums = {total + Fraction(hits, size) for total in sums for hits in range(size + 1)}
            if any(recall.holds(float(total / len(sizes))) for total in sums):
                return True
    return False


def _spreads(n: int, largest: int) -> Iterator[tuple[int, ...]]:
    """All ways to write ``n`` as a sum of falling whole numbers."""
    if n == 0:
        yield ()
    for first in range(min(n, largest), 0, -1):
        for rest in _spreads(n - first, first):
            yield (first, *rest)
