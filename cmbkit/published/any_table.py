"""An audit of any table of detection results: rates that no counts can give.

The table has one row per method and data set. Columns that are understood (in any order and
spelling of `ALIASES`): n_cmb, n_scans, tp, fp, fn, precision, recall, f1, fp_cmb, fp_scan, and
averaging. Where ``averaging`` or the names of the rates say "pooled" (or "glob", "micro", "sum"),
rates come from summed counts. Where it says "scan" (or "macro", "mean"), only false positives per
scan are checked. Where nothing is said, a row that no summed counts give is a contradiction only if
means over scans cannot give it either. All other columns name the row.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.datasets.text_table import TableError, read_text_table
from cmbkit.published.conflicts import (
    KINDS,
    conflicts,
    counts_text,
    hint,
    per_scan,
    possible_counts,
    stated_counts,
)
from cmbkit.published.counts import (
    RATES,
    AuditError,
    Claim,
    f1_range,
    false_positives,
    false_positives_bound,
    printed,
)
from cmbkit.published.means import can_be_means
from cmbkit.reporting.layout import Column, heads, laid_out

COUNTS = ("tp", "fp", "fn", "n_cmb", "n_scans")
ALIASES = {
    "n_cmb": "cmb cmbs lesions microbleeds ncmb total_cmb total_cmbs n_gt n_lesions annotated",
    "n_scans": "scans n_scan images subjects n_images",
    "tp": "true_positives",
    "fp": "false_positives",
    "fn": "false_negatives",
    "precision": "ppv p glob_precision globprecision",
    "recall": "sensitivity tpr r glob_recall globrecall",
    "f1": "f1_score dice_lesion glob_f1 globf1 f",
    "fp_cmb": "fpcmb fp_per_cmb fp_per_lesion glob_fp_cmb fps_cmb",
    "fp_scan": "fpscan fp_per_scan fppi fps fp_avg fpavg fp_per_image fps_scan",
    "averaging": "average averaged",
}
OTHER_AVERAGE = re.compile(
    r"scan|macro|mean|median|patient|subject|image|case|volume|person|individual|participant"
    r"|exam|session|visit|stud(y|ies)|slice",
    re.IGNORECASE,
)
SUMMED = re.compile(r"sum|pool|micro|glob|total", re.IGNORECASE)
NUMBER = re.compile(r"[-+\d,\s%±]+")
SHOWN_COUNTS = [
    Column("n_ways", "Ways"),
    *(Column(name, name.upper(), shows="range") for name in ("tp", "fp", "fn")),
]
COUNT_COLUMNS = ["n_ways", *(n + end for n in ("tp", "fp", "fn") for end in ("", "_low", "_high"))]
FITS, CUT_OFF, CANNOT, OPEN = "fits", "fits only cut off", "cannot be", "not checkable"
AS_MEANS = "ambiguous"
"""No summed counts give the rates, means over scans could; the row does not say which they are."""
ROUNDED = "fits but for rounding"
"""F1 was computed from the printed precision and recall."""


def read_table(path) -> pd.DataFrame:
    """Read a table (`text_table.read_text_table`) as text, every cell as printed.

    Where commas do not part the cells, those inside numbers are decimal points.
    """
    path = Path(path)
    if not path.is_file():
        raise AuditError(f"{path}: expected a table (CSV, TSV or XLSX), found nothing")
    try:
        table = read_text_table(path)
    except TableError as error:
        raise AuditError(str(error)) from None
    points = table.attrs["separator"] != ","
    return table.fillna("").map(
        lambda cell: cell.replace(",", ".") if points and NUMBER.fullmatch(cell) else cell
    )


def known_columns(names) -> dict[str, str]:
    """Which column of a table holds what: understood name to the table's own."""
    found = {}
    for own in names:
        plain = re.sub(r"[^a-z0-9]+", "_", str(own).lower()).strip("_")
        for name, others in ALIASES.items():
            if plain == name or plain in others.split():
                if name in found:
                    raise AuditError(
                        f"columns: expected one for {name}, found {found[name]!r} and {own!r}"
                    )
                found[name] = own
    return found


def _whole(text) -> int | None:
    number = printed(text)
    if number is None:
        return None
    if number.value != int(number.value) or number.value < 0:
        raise AuditError(f"expected a whole number of at least 0, found {text!r}")
    return int(number.value)


def claim_of(row: dict, columns: dict[str, str], decimals=None, cut=False) -> Claim:
    """Read one row of a table (see `printed` for ``decimals`` and ``cut``)."""
    rates, counts = {}, {}
    for name, own in columns.items():
        try:
            if name in COUNTS:
                counts[name] = _whole(row[own])
            elif name in RATES:
                own_decimals = decimals.get(name) if isinstance(decimals, dict) else decimals
                rates[name] = printed(row[own], own_decimals, cut)
        except AuditError as error:
            raise AuditError(f"column {own}: {error}") from None
    kept = {name: rate for name, rate in rates.items() if rate is not None}
    for name in ("precision", "recall", "f1"):
        if name in kept and not 0 <= kept[name].value <= 1:
            raise AuditError(
                f"column {columns[name]}: expected 0 to 1 or a percent sign, "
                f"found {kept[name].text!r}"
            )
    return Claim(kept, **counts)


@dataclass(frozen=True)
class RowAudit:
    """What the audit says of one row.

    Attributes
    ----------
    known : tuple of str
        Which of tp, fp and fn the row tells; the others mean nothing in ``counts``.
    """

    verdict: str  # FITS, ROUNDED, CUT_OFF, AS_MEANS, CANNOT or OPEN
    arithmetic: str = ""  # why not
    counts: tuple[tuple[int, int, int], ...] = ()  # all whole counts that print as the row does
    known: tuple[str, ...] = KINDS

    def numbers(self) -> dict:
        """Number of ways, and TP, FP and FN: the only value, the lowest and the highest.

        Returns
        -------
        dict
            n_ways, and, of each count, tp, tp_low, tp_high; NaN where there is none.
        """
        found = {"n_ways": len(self.counts) if self.verdict != OPEN else np.nan}
        for place, name in enumerate(KINDS):
            values = [ways[place] for ways in self.counts if name in self.known]
            low, high = (min(values), max(values)) if values else (np.nan, np.nan)
            only = low if low == high else np.nan
            found |= {name: only, f"{name}_low": low, f"{name}_high": high}
        return found

    @property
    def text(self) -> str:
        """The counts in words; empty where there are none."""
        return counts_text(self.counts, self.known)


def audit_claim(claim: Claim, cut: Claim | None = None) -> RowAudit:
    """Check one row; ``cut``: the same row read as if decimals were cut off."""
    if wrong := stated_counts(claim):
        return RowAudit(CANNOT, wrong)
    if {"precision", "recall", "f1"} <= set(claim.rates):
        low, high = f1_range(claim.rates["precision"], claim.rates["recall"])
        f1 = claim.rates["f1"]
        if f1.high < low - 1e-9 or f1.low > high + 1e-9:
            text = f"precision and recall need F1 {low:.4f} to {high:.4f}, printed {f1.text}"
            return RowAudit(CANNOT, text)
    found = possible_counts(claim)
    if found is None or not claim.rates:
        return RowAudit(OPEN, "expected rates with the number of CMBs (or scans) they come from")
    known = KINDS if false_positives_bound(claim) else ("tp", "fn")
    if found:
        return RowAudit(FITS, "", tuple(found), known)
    rounded = _with_f1_of_printed(claim)
    if rounded:
        return RowAudit(ROUNDED, conflicts(claim), tuple(rounded), known)
    text = conflicts(claim) + hint(claim)
    fitting = possible_counts(cut) if cut is not None else None
    return RowAudit(CUT_OFF if fitting else CANNOT, text, tuple(fitting or ()), known)


def _with_f1_of_printed(claim: Claim) -> list:
    """Counts behind all but F1, where that is what the printed precision and recall give."""
    if not {"precision", "recall", "f1"} <= set(claim.rates):
        return []
    p, r = (claim.rates[name].value for name in ("precision", "recall"))
    if not p + r or not claim.rates["f1"].holds(2 * p * r / (p + r)):
        return []
    return possible_counts(claim.only({*claim.rates} - {"f1"})) or []


def _in_part(claim: Claim, cut: Claim, finding: RowAudit) -> RowAudit:
    """Check FP per scan, and precision from stated counts, where all else is open or a mean."""
    if wrong := stated_counts(claim):
        return RowAudit(CANNOT, wrong)
    tp, fp, precision = claim.tp, claim.fp, claim.rates.get("precision")
    if tp is not None and fp is not None and tp + fp and precision is not None:
        if not precision.holds(tp / (tp + fp)):
            text = f"TP {tp}, FP {fp} need precision {tp / (tp + fp):.4f}, printed {precision.text}"
            return RowAudit(CANNOT, text)
        finding = RowAudit(FITS, "", ((tp, fp, 0),), ("tp", "fp"))
    found, as_cut = false_positives(claim), false_positives(cut) or []
    if found:
        return RowAudit(
            FITS, "", tuple((tp or 0, n, 0) for n in found), ("fp",) if tp is None else ("tp", "fp")
        )
    if found is None:
        return finding
    counts = tuple((0, n, 0) for n in as_cut)
    return RowAudit(CUT_OFF if as_cut else CANNOT, per_scan(claim), counts, ("fp",))


def _or_means(finding: RowAudit, claim: Claim) -> RowAudit:
    """A contradiction, or that only where rates are of summed counts."""
    if not can_be_means(claim):
        return finding
    return RowAudit(
        AS_MEANS,
        f"fits no pooled counts ({finding.arithmetic}); would fit if averaged over scans",
    )


def audit_rows(
    table: pd.DataFrame, decimals: int | dict[str, int] | None = None
) -> list[tuple[str, RowAudit]]:
    """Name and finding of every row of a table, its cells as printed.

    ``decimals`` are those of all rates, or of some, where the table drops trailing zeros.

    Raises
    ------
    AuditError
        If there are no rows, no column is understood or a cell is no number; names the row and the
        column.
    """
    if table.empty:
        raise AuditError("expected rows, found none")
    columns = known_columns(table.columns)
    if not set(RATES) & set(columns):
        raise AuditError(
            f"columns: expected rates ({', '.join(RATES)}), found {', '.join(map(str, table))}"
        )
    names = [own for own in table if own not in columns.values()]
    pooled = all(SUMMED.search(str(columns[n])) for n in RATES if n in columns and n != "fp_scan")
    rows = []
    for number, row in enumerate(table.fillna("").astype(str).to_dict("records"), 1):
        label = ", ".join(row[own] for own in names if row[own]) or f"row {number}"
        try:
            claims = [claim_of(row, columns, decimals, cut) for cut in (False, True)]
        except AuditError as error:
            raise AuditError(f"row {number} ({label}): {error}") from None
        how = row[columns["averaging"]] if "averaging" in columns else ""
        if OTHER_AVERAGE.search(how) and not SUMMED.search(how):
            scan = [replace(c, rates=c.only(("fp_scan",)).rates) for c in claims]
            nothing = RowAudit(OPEN, "averaged over scans: no counts to check")
            rows.append((label, _in_part(*scan, nothing)))
            continue
        found = audit_claim(*claims)
        if found.verdict == OPEN:
            found = _in_part(*claims, found)
        if found.verdict == CANNOT and not SUMMED.search(how) and not pooled:
            found = _or_means(found, claims[0])
        rows.append((label, found))
    return rows


def audit_table(table: pd.DataFrame, decimals: int | dict[str, int] | None = None) -> pd.DataFrame:
    """Check every row of a table (parameters and errors as in `audit_rows`).

    Columns: row (its names), verdict, n_ways, tp, fp, fn with their _low and _high (see
    `RowAudit.numbers`) and arithmetic (why not).
    """
    rows = [
        {"row": label, "verdict": finding.verdict, **finding.numbers()}
        | {"arithmetic": finding.arithmetic}
        for label, finding in audit_rows(table, decimals)
    ]
    found = pd.DataFrame(rows).astype(dict.fromkeys(COUNT_COLUMNS, "Int64"))
    return laid_out(found, [*heads("row", "verdict"), *SHOWN_COUNTS, *heads("arithmetic")])
