"""Recomputing what the thesis's printed numbers allow: what agrees, and what cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pandas as pd

from cmbkit.evaluation.audit_cohort import (
    AT_LEAST,
    COLUMNS,
    N_SCANS,
    cohort_sizes,
    finding_row,
    low_burden_scans,
    numbers,
    sphere,
)
from cmbkit.evaluation.metrics import glob_averages, harmonic_mean


def call_counts() -> pd.DataFrame:
    """TP, FP and FN of the Scratch model per dataset, as its tables give them.

    CRB and DOU are the sums of Table 8.1. For Valid, Table 8.1 leaves out the scans without
    CMBs, so its FP come from Table 8.3.

    Returns
    -------
    DataFrame
        dataset, tp, fp, fn, n_scans.
    """
    counts = numbers("8.1").groupby("dataset")[["tp", "fp", "fn"]].sum()
    shape = numbers("8.3").query("call == 'FP'").set_index("dataset")["n"]
    counts.loc["Valid", "fp"] = shape["Valid"]
    return counts.assign(n_scans=pd.Series(N_SCANS)).reset_index()


def glob_rates() -> Iterator[dict]:
    """Table 7.3 from the counts of Tables 8.1 and 8.3."""
    printed = numbers("7.3").query("model == 'scratch'").set_index("dataset")
    for counts in call_counts().to_dict("records"):
        name = counts["dataset"]
        found = glob_averages(pd.DataFrame([counts]))
        rates = ["precision", "recall", "f1", "fp_cmb"]
        ours = [f"{found[rate]:.3f}" for rate in rates]
        theirs = [f"{printed.loc[name, rate]:.3f}" for rate in rates]
        yield finding_row(
            "Table 7.3",
            f"{name}, Scratch: globPrecision, globRecall, globF1, FPcmb",
            ", ".join(theirs),
            ", ".join(ours),
            f"TP {counts['tp']}, FP {counts['fp']}, FN {counts['fn']}",
            ours == theirs,
        )


def false_positive_rates() -> Iterator[dict]:
    """FPscan against FPcmb, in the literature table, the abstract and Table 7.2."""
    counts = call_counts().set_index("dataset")
    for name, where, printed in (
        ("DOU", "Table 8.4", 0.135),
        ("DOU", "abstract", 0.1),
        ("CRB", "abstract", 0.13),
    ):
        fp, scans = counts.loc[name, "fp"], counts.loc[name, "n_scans"]
        cmbs = counts.loc[name, ["tp", "fn"]].sum()
        yield finding_row(
            where,
            f"{name}: false positives per scan are false positives per CMB",
            printed,
            f"{fp / scans:.3f}",
            f"per scan {fp}/{scans}; per CMB {fp}/{cmbs} = {fp / cmbs:.3f}",
            abs(fp / scans - printed) < 0.005,
        )
    printed = numbers("7.2").query("model == 'scratch'").set_index("dataset")["fp_scan"]
    for name, row in counts.iterrows():
        rate = row["fp"] / row["n_scans"]
        more = f"; {printed[name]} would need {row['fp'] / printed[name]:.0f} scans"
        yield finding_row(
            "Table 7.2",
            f"{name}, Scratch: FPscan",
            f"{printed[name]:.3f}",
            f"{rate:.3f}",
            f"{row['fp']} FP / {row['n_scans']} scans"
            + (more if abs(rate - printed[name]) > 0.001 else ""),
            abs(rate - printed[name]) < 0.001,
        )


def integer_solutions(
    precision: float, recall: float, specificity: float, n_positive: int, n_negative: int
) -> list[tuple[int, int, int, int]]:
    """All (TP, FP, TN, FN) whose rates print as these three decimals."""

    def prints_as(numerator, denominator, value):
        return denominator > 0 and abs(numerator / denominator - value) < 0.000501

    return [
        (tp, fp, n_negative - fp, n_positive - tp)
        for tp, fp in product(range(n_positive + 1), range(n_negative + 1))
        if prints_as(tp, tp + fp, precision)
        and prints_as(tp, n_positive, recall)
        and prints_as(n_negative - fp, n_negative, specificity)
    ]


def scan_classification_convention() -> Iterator[dict]:
    """Table 7.5: which group is the positive one."""
    table = numbers("7.5")
    fits = {"at_least": 0, "fewer_than": 0}
    sensitivity = []
    for row in table.to_dict("records"):
        n_high = AT_LEAST[row["dataset"]][(3, 5, 11).index(row["threshold"])]
        n_low = N_SCANS[row["dataset"]] - n_high
        rates = (row["precision"], row["recall"], row["specificity"])
        fits["at_least"] += len(integer_solutions(*rates, n_high, n_low)) == 1
        swapped = integer_solutions(*rates, n_low, n_high)
        fits["fewer_than"] += len(swapped) == 1
        if row["model"] == "scratch" and row["threshold"] == 11:
            sensitivity += [f"{row['dataset']} {swapped[0][2]} of {n_high}"]
    yield finding_row(
        "Table 7.5",
        "the positive group is scans with at least so many CMBs",
        f"{len(table)} of {len(table)} rows",
        f"{fits['at_least']} rows fit; {fits['fewer_than']} fit the opposite (fewer)",
        "integer TP, FP, TN, FN with the group sizes of section 7.3; CRB, 3: recall "
        "6/7 = 0.857, specificity 5/11 = 0.455",
        fits["at_least"] == len(table),
    )
    yield finding_row(
        "Table 7.5",
        "Scratch at 11 CMBs: share of the high-burden scans that are found",
        "recall 1",
        "; ".join(sensitivity),
        "the printed specificity is the sensitivity for scans with 11 or more CMBs",
        False,
    )


def sequence_against_location() -> Iterator[dict]:
    """Tables 8.1 and 8.2 sort the same calls."""
    by_sequence = numbers("8.1").groupby("dataset")[["tp", "fp", "fn"]].sum()
    by_location = numbers("8.2").groupby("dataset")[["tp", "fp", "fn"]].sum()
    counts = call_counts().set_index("dataset")
    for name in by_sequence.index:
        first, second = by_sequence.loc[name].tolist(), by_location.loc[name].tolist()
        change = [b - a for a, b in zip(counts.loc[name, ["tp", "fp", "fn"]], second, strict=True)]
        yield finding_row(
            "Tables 8.1, 8.2",
            f"{name}: TP/FP/FN over sequences and over locations",
            "/".join(map(str, first)),
            "/".join(map(str, second)),
            "against all calls: {:+d} TP, {:+d} FP, {:+d} FN (a pair whose two halves lie in "
            "different regions turns into an FP and an FN)".format(*change),
            first == second,
        )
    sums = numbers("8.1").groupby(["dataset", "sequence"])[["tp", "fp", "fn"]].sum()
    for sequence, printed in (("SWI", 0.563), ("T2S", 0.867)):
        tp, fp, fn = sums.loc[("Valid", sequence)].tolist()
        f1 = 2 * tp / (2 * tp + fp + fn)
        yield finding_row(
            "Section 8.1.3",
            f"Valid, {sequence}: globF1",
            printed,
            f"{f1:.3f}",
            f"2*{tp} / (2*{tp} + {fp} + {fn}) from Table 8.1, which leaves out "
            f"the scans without CMBs; {printed} needs {2 * tp / printed - 2 * tp - fn:.0f} FP",
            abs(f1 - printed) < 0.001,
        )


def many_cmbs() -> Iterator[dict]:
    """Section 8.1.2: leaving out scans of more than 10 CMBs."""
    star = numbers("7.2").set_index(["dataset", "model"])["f1_star"]
    for name, after, printed in (("CRB", 0.532, 0.129), ("DOU", 0.877, 0.028)):
        delta = after - star[name, "scratch"]
        yield finding_row(
            "Section 8.1.2",
            f"{name}: gain in scanF1* without scans of more than 10 CMBs",
            f"{printed:+.3f}",
            f"{delta:+.3f}",
            f"{after} - {star[name, 'scratch']} (Table 7.2, Scratch); "
            f"against TL {after - star[name, 'tl']:+.3f}",
            abs(delta - printed) < 0.0015,
        )
    yield finding_row(
        "Section 8.1.2",
        "Valid: scans with more than 10 CMBs",
        4,
        AT_LEAST["Valid"][2],
        "Table 7.5 at 11 CMBs and section 7.3",
        AT_LEAST["Valid"][2] == 4,
    )


def literature_rates() -> Iterator[dict]:
    """Table 8.4: false positives per scan that precision and recall imply on DOU."""
    for row in numbers("8.4").iloc[:3].to_dict("records"):
        p, r = row["glob_precision"], row["glob_recall"]
        tp = r * 74
        implied = tp * (1 / p - 1) / N_SCANS["DOU"]
        rounding = tp * (1 / (p - 0.005) - 1) / N_SCANS["DOU"]
        yield finding_row(
            "Table 8.4",
            f"{row['method']}: FPscan (F1 {float(harmonic_mean(p, r)):.2f} as printed)",
            row["fp_scan"],
            f"{implied:.2f}",
            f"74 CMBs, 20 scans: {tp:.1f} TP, {tp * (1 / p - 1):.1f} FP, were the matching one "
            "to one",
            implied - 0.05 <= row["fp_scan"] <= max(rounding, implied) + 0.05,
        )


CHECKS = (
    glob_rates,
    false_positive_rates,
    scan_classification_convention,
    low_burden_scans,
    sequence_against_location,
    cohort_sizes,
    many_cmbs,
    sphere,
    literature_rates,
)


def audit() -> pd.DataFrame:
    """Every check of this module.

    Returns
    -------
    DataFrame
        where (in the thesis), finding, printed, recomputed, arithmetic, verdict ("agrees" or
        "differs").
    """
    return pd.DataFrame([row for check in CHECKS for row in check()], columns=COLUMNS)
