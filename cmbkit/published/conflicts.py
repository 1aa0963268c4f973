"""Why no counts give the rates of a row: the arithmetic, in words."""

from dataclasses import replace
from itertools import combinations

import numpy as np

from cmbkit.published.counts import (
    LARGEST,
    RATES,
    Claim,
    false_positives,
    rate_of,
    solutions,
    solutions_by_scans,
)

KINDS = ("tp", "fp", "fn")
TITLES = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "fp_cmb": "FP per CMB",
    "fp_scan": "FP per scan",
}


def possible_counts(claim: Claim) -> list | None:
    """Counts that fit, None where the claim says too little to tell."""
    if claim.annotated is not None:
        return solutions(claim)
    enough = claim.n_scans and {"fp_scan", "precision", "recall"} <= set(claim.rates)
    if enough and claim.rates["precision"].high < 1:
        return solutions_by_scans(claim)
    return None


def stated_counts(claim: Claim) -> str:
    """How stated counts contradict each other; empty where they do not."""
    if claim.n_cmb is None:
        return ""
    more = [(n, k) for n, k in (("TP", claim.tp), ("FN", claim.fn)) if (k or 0) > claim.n_cmb]
    if more:
        return "; ".join(f"{name} {k} of {claim.n_cmb} CMBs" for name, k in more)
    if None not in (claim.tp, claim.fn) and claim.tp + claim.fn != claim.n_cmb:
        return f"TP + FN = {claim.tp + claim.fn}, stated {claim.n_cmb} CMBs"
    return ""


def per_scan(claim: Claim) -> str:
    """Why no whole number of false positives gives FP per scan."""
    rate = claim.rates["fp_scan"]
    if claim.fp is None:
        return _nearest(claim, "fp_scan")
    own = claim.fp / claim.n_scans
    return f"FP {claim.fp} over {claim.n_scans} scans = {own:.4f}, printed {rate.text}"


def conflicts(claim: Claim) -> str:
    """Arithmetic of the smallest sets of rates that no counts give together."""
    if claim.annotated is None and claim.fp is not None and false_positives(claim) == []:
        return per_scan(claim)
    names = [name for name in RATES if name in claim.rates]
    names = [name for name in names if name != "fp_scan" or claim.n_scans]
    for size in range(1, len(names) + 1):
        texts = []
        for chosen in combinations(names, size):
            if possible_counts(claim.only(chosen)) != []:
                continue
            fixed = claim.tp is not None and claim.fp is not None
            if size == 1 and not fixed:
                texts.append(_nearest(claim, chosen[0]))
                continue
            rest = tuple(name for name in names if name != chosen[-1])
            others = rest if possible_counts(claim.only(rest)) else chosen[:-1]
            texts.append(_implied(claim, chosen[-1], others))
        texts = list(dict.fromkeys(filter(None, texts)))
        if texts:
            return "; ".join(texts)
    return "no counts give all of these rates"


def _nearest(claim: Claim, name: str) -> str:
    """Arithmetic of a rate that no count gives: the neighbours that counts do give."""
    base = claim.annotated if name in ("recall", "fp_cmb") else claim.n_scans
    rate = claim.rates[name]
    if name not in ("recall", "fp_cmb", "fp_scan") or not base:
        return f"{TITLES[name]} {rate.text} comes from no counts"
    below = int(np.floor(rate.value * base))
    unit = "CMBs" if name != "fp_scan" else "scans"
    return (
        f"{TITLES[name]} {rate.text} over {base} {unit}: {below}/{base} = {below / base:.4f}, "
        f"{below + 1}/{base} = {(below + 1) / base:.4f}"
    )


def _implied(claim: Claim, name: str, others: tuple[str, ...]) -> str:
    """What the other rates allow a rate to be."""
    found = possible_counts(claim.only(others))
    values = [rate_of(name, *counts, claim.n_scans) for counts in found or []]
    values = [value for value in values if np.isfinite(value)]
    given = ", ".join(f"{TITLES[n]} {claim.rates[n].text}" for n in others) or "the counts"
    if not values or max(values) >= LARGEST / max(claim.n_scans or 1, 1):
        return ""
    low, high = min(values), max(values)
    span = f"{low:.4f}" if high - low < 5e-5 else f"{low:.4f} to {high:.4f}"
    return f"{given} need {TITLES[name]} {span}, printed {claim.rates[name].text}"


def hint(claim: Claim) -> str:
    """Whether FP per scan is really FP per CMB, or another number of scans."""
    rate = claim.rates.get("fp_scan")
    if rate is None or claim.annotated is None or not claim.n_scans:
        return ""
    rest = claim.only([name for name in RATES if name != "fp_scan"])
    if not solutions(rest):
        return ""
    if "fp_cmb" not in claim.rates:
        moved = replace(rest, rates={**rest.rates, "fp_cmb": rate}, n_scans=None)
        if found := solutions(moved):
            return f"; as FP per CMB {rate.text} fits ({counts_text(found)})"
    scans = range(1, 2 * claim.n_scans + 1)
    others = [n for n in scans if solutions(replace(claim, n_scans=n))]
    return f"; it would fit {', '.join(map(str, others))} scans" if 0 < len(others) <= 3 else ""


def counts_text(counts, known: tuple[str, ...] = KINDS) -> str:
    """Counts such as "TP 51, FP 10, FN 23", or how many ways there are and their ranges.

    ``known``: which of `KINDS` the counts tell.
    """
    parts = []
    for name, values in zip(KINDS, zip(*counts, strict=True), strict=False):
        if name in known:
            low, high = min(values), max(values)
            parts.append(f"{name.upper()} " + (f"{low}" if low == high else f"{low}-{high}"))
    ways = f"{len(counts)} ways: " if len(counts) > 1 and "fp" in known else ""
    return ways + ", ".join(parts)
