"""Recomputing what the thesis's printed numbers allow: what agrees, and what cannot be."""

from collections.abc import Iterator
from itertools import product

import pandas as pd

from cmbkit.evaluation.metrics import aggregate
from cmbkit.published.any_table import CUT_OFF, FITS, ROUNDED, audit_rows
from cmbkit.published.counts import RATES, f1_range, printed
from cmbkit.published.numbers import OWN_METHOD, stated, thesis_table
from cmbkit.published.thesis_cohort import (
    AGREES,
    AMBIGUITY,
    AT_LEAST,
    COLUMNS,
    CONTRADICTION,
    N_SCANS,
    ROUNDING,
    THRESHOLDS,
    VERDICTS,
    cohort_sizes,
    finding_row,
    low_burden_scans,
    numbers,
    sphere,
    split_figures,
    spreads,
)
from cmbkit.published.thesis_text import (
    ASSUMED,
    abstract_rates,
    cohort_totals,
    glob_f1_of_groups,
    literature_rates,
    literature_rules,
    location_groups,
    many_cmbs,
    said_twice,
    sequences_of_crb,
    slices_of_crb,
)


def call_counts() -> pd.DataFrame:
    """TP, FP and FN of the Scratch model per dataset, as its tables give them.

    CRB and DOU are the sums of Table 8.1. For Valid, Table 8.1 leaves out the scans without
    CMBs, so its FP come from Table 8.3.

    Columns: dataset, tp, fp, fn, n_scans.
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
        found = aggregate(pd.DataFrame([counts]))
        rates = ["precision", "recall", "f1", "fp_cmb"]
        ours = [f"{found[f'pooled_{rate}'][0]:.3f}" for rate in rates]
        theirs = [f"{printed.loc[name, rate]:.3f}" for rate in rates]
        yield finding_row(
            "Table 7.3",
            f"{name}, Scratch: globPrecision, globRecall, globF1, FPcmb",
            ", ".join(theirs),
            ", ".join(ours),
            f"TP {counts['tp']}, FP {counts['fp']}, FN {counts['fn']}",
        )


def false_positive_rates() -> Iterator[dict]:
    """FPscan against FPcmb, in the literature table, the abstract and Table 7.2."""
    counts = call_counts().set_index("dataset")
    own = numbers("8.4").set_index("method").loc[OWN_METHOD, "fp_scan"]
    for name, where, said in (
        ("DOU", "Table 8.4", own),
        ("DOU", "Abstract", float(stated("Abstract", "DOU", "fp_scan"))),
        ("CRB", "Abstract", float(stated("Abstract", "CRB", "fp_scan"))),
    ):
        fp, scans = counts.loc[name, "fp"], counts.loc[name, "n_scans"]
        cmbs = counts.loc[name, ["tp", "fn"]].sum()
        yield finding_row(
            where,
            f"{name}: false positives per scan are false positives per CMB",
            said,
            f"{fp / scans:.3f}",
            f"per scan {fp}/{scans}; per CMB {fp}/{cmbs} = {fp / cmbs:.3f}",
            abs(fp / scans - said) < 0.005,
            reading="per CMB",
        )
    table = numbers("7.2").query("model == 'scratch'").set_index("dataset")["fp_scan"]
    for name, row in counts.iterrows():
        rate = row["fp"] / row["n_scans"]
        more = f"; {table[name]} would need {row['fp'] / table[name]:.0f} scans"
        yield finding_row(
            "Table 7.2",
            f"{name}, Scratch: FPscan",
            f"{table[name]:.3f}",
            f"{rate:.3f}",
            f"{row['fp']} FP / {row['n_scans']} scans"
            + (more if abs(rate - table[name]) > 0.001 else ""),
            abs(rate - table[name]) < 0.001,
            reading=f"over {row['fp'] / table[name]:.0f} scans",
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
        n_high = AT_LEAST[row["dataset"]][THRESHOLDS.index(row["threshold"])]
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
        reading="the positive group has fewer",
    )
    yield finding_row(
        "Table 7.5",
        "Scratch at 11 CMBs: share of the high-burden scans that are found",
        "recall 1",
        "; ".join(sensitivity),
        "the printed specificity is the sensitivity for scans with 11 or more CMBs",
        False,
        reading="of scans with fewer CMBs",
    )


def sequence_against_location() -> Iterator[dict]:
    """Tables 8.1 and 8.2 sort the same calls."""
    by_sequence = numbers("8.1").groupby("dataset")[["tp", "fp", "fn"]].sum()
    by_location = numbers("8.2").groupby("dataset")[["tp", "fp", "fn"]].sum()
    counts = call_counts().set_index("dataset")
    for name in by_sequence.index:
        first, second = by_sequence.loc[name].tolist(), by_location.loc[name].tolist()
        whole = counts.loc[name, ["tp", "fp", "fn"]]
        tp, fp, fn = change = [b - a for a, b in zip(whole, second, strict=True)]
        possible = 0 <= fp <= -tp and 0 <= fn <= -tp
        yield finding_row(
            "Tables 8.1, 8.2",
            f"{name}: TP/FP/FN over sequences and over locations",
            "/".join(map(str, first)),
            "/".join(map(str, second)),
            "against all calls: {:+d} TP, {:+d} FP, {:+d} FN (a pair whose two halves lie in "
            "different regions turns into an FP and an FN)".format(*change),
            kind=AMBIGUITY if possible else CONTRADICTION,
            reading="such pairs count twice, halves in no region do not" if possible else "",
        )


def harmonic_means() -> Iterator[dict]:
    """Tables 7.2, 7.5, 8.1 and 8.2: the F1 that printed precision and recall allow."""
    for number, names, title in (
        ("7.2", ("precision", "recall", "f1_star"), "scanF1*"),
        ("7.5", ("precision", "recall", "f1"), "F1"),
        ("8.1", ("scan_precision", "scan_recall", "scan_f1_star"), "scanF1*"),
        ("8.2", ("scan_precision", "scan_recall", "scan_f1_star"), "scanF1*"),
    ):
        table = numbers(number)
        wrong = []
        for row in table.to_dict("records"):
            precision, recall, f1 = (printed(row[name], 3) for name in names)
            low, high = f1_range(precision, recall)
            if f1.high < low or f1.low > high:
                keys = [str(v) for v in row.values() if isinstance(v, str)]
                wrong.append(f"{', '.join(keys)}: {f1.text}, possible {low:.4f} to {high:.4f}")
        yield finding_row(
            f"Table {number}",
            f"{title} is the harmonic mean of precision and recall",
            f"{len(table)} rows",
            f"{len(table) - len(wrong)} rows fit",
            "; ".join(wrong) or "to the printed decimals",
            not wrong,
        )


def integer_counts() -> Iterator[dict]:
    """Tables 7.2 with 7.3, 8.1, 8.2 and 8.4: whole counts behind every row of rates."""
    counts = call_counts().set_index("dataset")
    both = thesis_table("7.3").merge(
        thesis_table("7.2")[["dataset", "model", "fp_scan"]], on=["dataset", "model"]
    )
    both["n_cmb"] = both["dataset"].map(counts["tp"] + counts["fn"])
    both["n_scans"] = both["dataset"].map(N_SCANS)
    dou = counts.loc["DOU"]
    compared = thesis_table("8.4").assign(n_cmb=dou["tp"] + dou["fn"], n_scans=N_SCANS["DOU"])
    kept = ["tp", "fp", "fn", "glob_f1"]
    by_sequence = thesis_table("8.1")[["dataset", "sequence", "cmb_level", *kept]]
    by_location = thesis_table("8.2")[["dataset", "location", *kept]]
    two = dict.fromkeys(("precision", "recall", "f1"), 2)
    for where, table, decimals in (
        ("Tables 7.2, 7.3", both, 3),
        ("Table 8.1", by_sequence, 3),
        ("Table 8.2", by_location, 3),
        ("Table 8.4", compared, two),
    ):
        rows = audit_rows(table.assign(averaging="pooled"), decimals)
        for (label, found), row in zip(rows, table.to_dict("records"), strict=True):
            rates = [n for n in table if n.removeprefix("glob_") in RATES]
            yield finding_row(
                where,
                f"whole counts behind {label}",
                ", ".join(f"{n.removeprefix('glob_')} {row[n]}" for n in rates),
                found.text or "none",
                found.arithmetic or "the rates of these counts print as they are printed",
                found.verdict == FITS,
                *_of_rates(found.verdict, row.get("method")),
            )


def _of_rates(verdict: str, method: str | None) -> tuple[str, str]:
    """Kind and reading of a row of rates that no whole counts give; ``method`` in Table 8.4."""
    readings = {CUT_OFF: "last digits cut off", ROUNDED: "F1 of the printed precision and recall"}
    if verdict in readings:
        return ROUNDING, readings[verdict]
    if method not in (None, OWN_METHOD):
        return AMBIGUITY, ASSUMED
    return CONTRADICTION, "per CMB" if method else ""


CHECKS = (
    glob_rates,
    false_positive_rates,
    abstract_rates,
    scan_classification_convention,
    low_burden_scans,
    spreads,
    sequence_against_location,
    glob_f1_of_groups,
    sequences_of_crb,
    many_cmbs,
    harmonic_means,
    integer_counts,
    literature_rates,
    literature_rules,
    cohort_sizes,
    cohort_totals,
    split_figures,
    slices_of_crb,
    location_groups,
    sphere,
    said_twice,
)


def audit(only_differences: bool = False) -> pd.DataFrame:
    """Every check of this module and of its neighbours.

    Columns: where (in the thesis), finding, printed, recomputed, arithmetic, verdict (of
    `thesis_cohort.VERDICTS`), reading (what would make both right, where something does).

    ``only_differences``: without what agrees, contradictions first.
    """
    table = pd.DataFrame([row for check in CHECKS for row in check()], columns=COLUMNS)
    return differences(table) if only_differences else table


def differences(findings: pd.DataFrame) -> pd.DataFrame:
    """Findings that do not agree: contradictions, ambiguities, rounding."""
    table = findings[findings["verdict"] != AGREES]
    order = table["verdict"].map(VERDICTS.index).sort_values(kind="stable").index
    return table.loc[order].reset_index(drop=True)
