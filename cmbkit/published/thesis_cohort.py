"""The audit's checks of cohort sizes, and what all checks share (see `audit`)."""

from collections.abc import Iterator
from functools import cache

import numpy as np

from cmbkit.datasets.splits import STRATA
from cmbkit.published.counts import printed, spread_possible
from cmbkit.published.numbers import stated, thesis_numbers, thesis_table

COLUMNS = ["where", "finding", "printed", "recomputed", "arithmetic", "verdict", "reading"]
AGREES, CONTRADICTION, AMBIGUITY, ROUNDING = "agrees", "contradiction", "ambiguity", "rounding"
VERDICTS = (CONTRADICTION, AMBIGUITY, ROUNDING, AGREES)
"""Two numbers of one thing; numbers of two things that the words do not tell apart; digits cut
off; no difference."""
DATASETS = ("CRB", "DOU", "Valid")
THRESHOLDS = (3, 5, 11)
TRAINED_ON = ("MOMENI", "RODEJA", "VALDO")
numbers = cache(thesis_numbers)
"""`thesis_numbers`, read once."""


def _scans(name: str) -> int:
    if name == "Valid":
        split = numbers("A.8 valid")
        return int(split.loc[split["column"] == "Dataset", "count"].sum())
    return int(numbers("7.1").set_index("dataset").loc[name, "scans_total"])


N_SCANS = {name: _scans(name) for name in DATASETS}
"""Scans of the evaluated sets, from Table 7.1 and Figure A.8."""
AT_LEAST = {
    name: tuple(int(stated("Section 7.3", name, f"scans from {n} CMBs on")) for n in THRESHOLDS)
    for name in DATASETS
}
"""How many of them have at least 3, 5 and 11 CMBs."""


def finding_row(
    where, finding, printed, recomputed, arithmetic, agrees=None, kind=CONTRADICTION, reading=""
) -> dict:
    """One row of the audit; it agrees, unless told, where both values are the same.

    ``kind`` (of `VERDICTS`) and ``reading`` (under which both are right) hold where it does not
    agree.
    """
    agrees = printed == recomputed if agrees is None else agrees
    verdict, reading = (AGREES, "") if agrees else (kind, reading)
    values = (where, finding, str(printed), str(recomputed), arithmetic, verdict, reading)
    return dict(zip(COLUMNS, values, strict=True))


def cut_off(text: str, value: float) -> dict:
    """Kind and reading of a number that is printed otherwise than computed."""
    if not printed(text, cut=True).holds(value):
        return {"kind": CONTRADICTION}
    return {"kind": ROUNDING, "reading": f"{value:.4f}, its last digits cut off"}


def recall_solutions(
    tp: int, fn: int, n_scans: int, mean: float, sd: float, largest: int | None = None
) -> list[tuple]:
    """Numbers of CMBs per scan for which mean and sample SD of recall print as given.

    ``largest`` bounds the CMBs of one scan; all of them could be in one by default.
    """
    largest = min(largest or tp + fn, tp + fn - n_scans + 1)
    kinds = [(size, hits) for size in range(1, largest + 1) for hits in range(size + 1)]
    found = set()

    def place(chosen, start, cmbs_left, hits_left):
        scans_left = n_scans - len(chosen)
        if scans_left == 0:
            if cmbs_left == 0 and hits_left == 0:
                recall = np.array([hits / size for size, hits in chosen])
                spread = recall.std(ddof=1) if n_scans > 1 else 0.0
                if abs(recall.mean() - mean) < 0.000501 and abs(spread - sd) < 0.000501:
                    found.add(tuple(size for size, _ in chosen))
            return
        for index in range(start, len(kinds)):
            size, hits = kinds[index]
            if size * scans_left > cmbs_left:
                return
            if hits <= hits_left and cmbs_left - size <= largest * (scans_left - 1):
                place([*chosen, kinds[index]], index, cmbs_left - size, hits_left - hits)

    place([], 0, tp + fn, tp)
    return sorted(found)


def low_burden_scans() -> Iterator[dict]:
    """Tables 7.1 and 8.1: scans with 3 CMBs sit among those with fewer than 3."""
    below = numbers("7.1").set_index("dataset")["scans_below_3"]
    reading = "scans with 3 CMBs are among them"
    for name in ("CRB", "DOU"):
        needed = N_SCANS[name] - AT_LEAST[name][0]
        yield finding_row(
            "Table 7.1",
            f"{name}: scans with fewer than 3 CMBs",
            below[name],
            needed,
            f"{N_SCANS[name]} scans, {AT_LEAST[name][0]} with 3 or more (section 7.3, Table 7.5)",
            reading=reading,
        )
    rows = numbers("8.1").query("cmb_level == '<3' and dataset != 'Valid'")
    for row in rows.to_dict("records"):
        total = row["tp"] + row["fn"]
        fits = {}
        for most in (2, 3):
            scans = range(max(2, -(-total // most)), total + 1)
            solved = {
                n: recall_solutions(
                    row["tp"], row["fn"], n, row["scan_recall"], row["scan_recall_sd"], most
                )
                for n in scans
            }
            fits[most] = {n: sizes for n, sizes in solved.items() if sizes}
        least = N_SCANS["DOU"] - AT_LEAST["DOU"][0]
        possible = [n for n in fits[2] if row["dataset"] != "DOU" or n == least]
        yield finding_row(
            "Table 8.1",
            f"{row['dataset']}, {row['sequence']}, <3: every scan has 1 or 2 CMBs",
            f"recall {row['scan_recall']} ± {row['scan_recall_sd']}",
            _scan_sizes(fits[2] if possible else fits[3]),
            f"{row['tp']} TP and {row['fn']} FN: the numbers of CMBs per scan with this mean and SD"
            + (f"; section 7.3 leaves {least} scans below 3" if row["dataset"] == "DOU" else ""),
            bool(possible),
            reading=reading if fits[3] else "",
        )


def _scan_sizes(fits: dict[int, list[tuple]]) -> str:
    """Name the scans of each solution, or how many there are where solutions are many."""
    sizes = [found for solved in fits.values() for found in solved]
    if len(sizes) == 1 and len(sizes[0]) < 6:
        return f"scans of {' and '.join(map(str, sizes[0]))} CMBs"
    return f"{' or '.join(map(str, fits))} scans" if fits else "no numbers fit"


def spreads() -> Iterator[dict]:
    """Table 7.1: mean and standard deviation of CMBs per scan can come from whole numbers."""
    table = thesis_table("7.1").set_index("dataset")
    for name, row in table.iterrows():
        rate = printed(row["cmb_per_scan"])
        if rate is None:
            continue
        total, n = int(row["total_cmb"]), int(row["scans_with_cmb"])
        yield finding_row(
            "Table 7.1",
            f"{name}: mean and SD of CMBs per scan",
            rate.text,
            f"{total / n:.2f}",
            f"{total} CMBs / {n} scans; the SD needs a whole sum of squares, as odd as {total}",
            rate.holds(total / n) and spread_possible(total, n, rate),
        )


def split_figures() -> Iterator[dict]:
    """Figure A.8: the strata must add up to each attribute, and both splits to Table 7.1."""
    healthy = {}
    for part in ("train", "valid"):
        table = numbers(f"A.8 {part}")
        strata = table[table["column"] == "stratify_label"]
        total = int(strata["count"].sum())
        for attribute in STRATA:
            said = table[table["column"] == attribute].set_index("value")["count"]
            summed = strata.groupby(attribute)["count"].sum()
            odd = [v for v in said.index.union(summed.index) if said.get(v, 0) != summed.get(v, 0)]
            yield finding_row(
                "Figure A.8",
                f"{part}: {attribute} over the strata",
                ", ".join(f"{v} {said.get(v, 0)}" for v in odd or said.index),
                ", ".join(f"{v} {summed.get(v, 0)}" for v in odd or summed.index),
                f"sums of the stratify_label rows ({total} scans)",
                not odd,
            )
        shares = table["count"] / total
        wrong = table[(shares - table["proportion_pct"] / 100).abs() > 0.00006]
        yield finding_row(
            "Figure A.8",
            f"{part}: shares are counts over {total} scans",
            ", ".join(f"{share:g}%" for share in wrong["proportion_pct"]) or f"{len(table)} shares",
            ", ".join(f"{share:.2%}" for share in shares[wrong.index]) or f"{len(table)} agree",
            "; ".join(f"{r['value']} {r['count']}/{total}" for r in wrong.to_dict("records")),
            wrong.empty,
        )
        unhealthy = strata[strata["healthy_all"] == "False"]
        for name, count in unhealthy.groupby("Dataset")["count"].sum().items():
            healthy[name] = healthy.get(name, 0) + int(count)
    table = numbers("7.1").set_index("dataset")
    for name in TRAINED_ON:
        said, patients = table.loc[name, ["scans_with_cmb", "patients_with_cmb"]]
        possible = said <= healthy[name] <= table.loc[name, "scans_total"]
        yield finding_row(
            "Table 7.1, Figure A.8",
            f"{name}: scans with CMBs",
            said,
            healthy[name],
            "strata of both splits that are not healthy",
            kind=AMBIGUITY if possible else CONTRADICTION,
            reading=f"healthy is a patient: {patients} patients with CMBs have {healthy[name]} "
            f"scans, {said} of which show one",
        )


def cohort_sizes() -> Iterator[dict]:
    """Counts of scans and CMBs: splits, sMOMENI, training data."""
    train, valid = numbers("A.8 train"), numbers("A.8 valid")
    n_train, n_valid = (t.loc[t["column"] == "Dataset", "count"].sum() for t in (train, valid))
    share = n_train / (n_train + n_valid)
    n_patients = int(stated("Section 8.3.1", "train and validation", "patients"))
    share_stated = printed(stated("Section 7.1.2.1", "split", "share for training")).value
    yield finding_row(
        "Section 7.1.2.1",
        "share of scans in training and validation",
        f"{share_stated:.0%} for training",
        f"{100 * share:.0f} % and {100 - 100 * share:.0f} %",
        f"{n_train} and {n_valid} scans (Figure A.8)",
        round(share, 2) == share_stated,
        AMBIGUITY if (1 - share_stated) * n_patients <= n_valid else CONTRADICTION,
        f"of {n_patients} patients, by whom it is split: {(1 - share_stated) * n_patients:.0f} of "
        f"them can have {n_valid} scans",
    )
    levels = valid.loc[valid["column"] == "CMB_level", "count"]
    yield finding_row(
        "Figure A.8",
        "validation: scans over the CMB levels",
        int(levels.sum()),
        n_valid,
        f"{' + '.join(map(str, levels))}; 60.98 % of {n_valid} is {0.6098 * n_valid:.0f}, not 59",
        reading="50 is meant where 59 is printed",
    )
    table = thesis_table("7.1").set_index("dataset")
    total, n = int(table.loc["sMOMENI", "total_cmb"]), int(table.loc["sMOMENI", "scans_total"])
    fewest = int(stated("Section 4.5", "sMOMENI", "fewest CMBs per scan"))
    yield finding_row(
        "Section 4.5",
        "sMOMENI: CMBs per scan, at least",
        fewest,
        f"{total / n:.2f} on average",
        f"{total} CMBs / {n} scans",
        total / n >= fewest,
        AMBIGUITY,
        f"{fewest} were put in each; the table counts those left when duplicates and neighbours "
        "are dropped",
    )
    cmbs = sum(int(table.loc[name, "total_cmb"]) for name in TRAINED_ON)
    dou = int(table.loc["DOU", "total_cmb"])
    said = int(stated("Section 8.3.1", "train and validation", "CMBs"))
    yield finding_row(
        "Section 8.3.1",
        "CMBs in the train-validation splits",
        said,
        cmbs,
        f"MOMENI + RODEJA + VALDO; {cmbs + dou} counts DOU's {dou} too, which are test data",
        reading="with those of DOU" if cmbs + dou == said else "",
    )


def sphere() -> Iterator[dict]:
    """Section 5.1: the size cap of region growing."""
    axis = np.arange(-5, 6) ** 2
    voxels = int((axis[:, None, None] + axis[:, None] + axis <= 25).sum())
    volume = 4 / 3 * np.pi * 5**3
    said = int(stated("Section 5.1", "sphere of radius 5 mm", "voxels of 1 mm"))
    yield finding_row(
        "Section 5.1",
        "voxels of 1 mm in a sphere of radius 5 mm",
        said,
        f"{volume:.0f}",
        f"4/3 pi 5^3 = {volume:.1f} mm^3; {voxels} voxel centres lie inside",
        abs(volume - said) < 10,
        reading="4/3 pi 5^2 = 104.7, the radius squared" if said == 105 else "",
    )
