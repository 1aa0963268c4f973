"""The audit's checks of cohort sizes, and what all checks share (see `audit`)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations_with_replacement, product

import numpy as np
import pandas as pd

from cmbkit.evaluation.published import thesis_numbers, thesis_table

COLUMNS = ["where", "finding", "printed", "recomputed", "arithmetic", "verdict"]
N_SCANS = {"CRB": 18, "DOU": 20, "Valid": 82}
# Section 7.3 states how many scans have at least 3, 5 and 11 CMBs.
AT_LEAST = {"CRB": (11, 8, 6), "DOU": (8, 5, 3), "Valid": (8, 6, 3)}
TRAINED_ON = ("MOMENI", "RODEJA", "VALDO")


@cache
def numbers(number: str) -> pd.DataFrame:
    """`thesis_numbers`, read once."""
    return thesis_numbers(number)


def finding_row(where, finding, printed, recomputed, arithmetic, agrees) -> dict:
    """One row of the audit."""
    verdict = "agrees" if agrees else "differs"
    values = (where, finding, str(printed), str(recomputed), arithmetic, verdict)
    return dict(zip(COLUMNS, values, strict=True))


def recall_solutions(tp: int, fn: int, n_scans: int, mean: float, sd: float) -> list[tuple]:
    """Numbers of CMBs per scan for which mean and sample SD of recall print as given."""
    found = []
    for sizes in combinations_with_replacement(range(1, tp + fn + 1), n_scans):
        if sum(sizes) != tp + fn:
            continue
        for hits in product(*(range(size + 1) for size in sizes)):
            recall = np.divide(hits, sizes)
            close = abs(recall.mean() - mean) < 0.000501
            if sum(hits) == tp and close and abs(recall.std(ddof=1) - sd) < 0.000501:
                found.append(sizes)
    return sorted(set(found))


def low_burden_scans() -> Iterator[dict]:
    """Tables 7.1 and 8.1: scans with 3 CMBs sit among those with fewer than 3."""
    below = thesis_table("7.1").set_index("dataset")["scans_with_cmb_and_below_3"]
    for name in ("CRB", "DOU"):
        printed = int(below[name].split(",")[1])
        needed = N_SCANS[name] - AT_LEAST[name][0]
        yield finding_row(
            "Table 7.1",
            f"{name}: scans with fewer than 3 CMBs",
            printed,
            needed,
            f"{N_SCANS[name]} scans, {AT_LEAST[name][0]} with 3 or more (section 7.3, Table 7.5)",
            printed == needed,
        )
    row = numbers("8.1").query("dataset == 'CRB' and sequence == 'SWI' and cmb_level == '<3'")
    row = row.iloc[0]
    solutions = {
        n: recall_solutions(
            int(row["tp"]), int(row["fn"]), n, row["scan_recall"], row["scan_recall_sd"]
        )
        for n in range(2, int(row["tp"] + row["fn"]) + 1)
    }
    sizes = sorted({size for found in solutions.values() for size in found})
    yield finding_row(
        "Table 8.1",
        "CRB, SWI, <3: every scan has 1 or 2 CMBs",
        f"recall {row['scan_recall']} ± {row['scan_recall_sd']}",
        " or ".join(f"scans of {' and '.join(map(str, found))} CMBs" for found in sizes),
        f"{row['tp']} TP and {row['fn']} FN: the only way to this mean and SD is a scan of 3, "
        "so '<3' holds scans with up to 3",
        all(max(found) < 3 for found in sizes),
    )


def cohort_sizes() -> Iterator[dict]:
    """Counts of scans and CMBs: splits, sMOMENI, training data."""
    train, valid = numbers("A.8 train"), numbers("A.8 valid")
    n_train, n_valid = (t.loc[t["column"] == "Dataset", "count"].sum() for t in (train, valid))
    share = n_train / (n_train + n_valid)
    yield finding_row(
        "Section 7.1.2.1",
        "share of scans in training and validation",
        "75 % and 25 %",
        f"{100 * share:.0f} % and {100 - 100 * share:.0f} %",
        f"{n_train} and {n_valid} scans (Figure A.8)",
        round(share, 2) == 0.75,
    )
    levels = valid.loc[valid["column"] == "CMB_level", "count"]
    yield finding_row(
        "Figure A.8",
        "validation: scans over the CMB levels",
        int(levels.sum()),
        n_valid,
        f"{' + '.join(map(str, levels))}; 60.98 % of {n_valid} is {0.6098 * n_valid:.0f}, not 59",
        levels.sum() == n_valid,
    )
    table = thesis_table("7.1").set_index("dataset")
    total, n = int(table.loc["sMOMENI", "total_cmb"]), int(table.loc["sMOMENI", "scans_total"])
    yield finding_row(
        "Section 4.5",
        "sMOMENI: CMBs per scan, at least",
        10,
        f"{total / n:.2f} on average",
        f"{total} CMBs / {n} scans",
        total / n >= 10,
    )
    cmbs = sum(int(table.loc[name, "total_cmb"]) for name in TRAINED_ON)
    dou = int(table.loc["DOU", "total_cmb"])
    yield finding_row(
        "Section 8.3.1",
        "CMBs in the train-validation splits",
        830,
        cmbs,
        f"MOMENI + RODEJA + VALDO; {cmbs + dou} counts DOU's {dou} too, which are test data",
        cmbs == 830,
    )


def sphere() -> Iterator[dict]:
    """Section 5.1: the size cap of region growing."""
    axis = np.arange(-5, 6) ** 2
    voxels = int((axis[:, None, None] + axis[:, None] + axis <= 25).sum())
    volume = 4 / 3 * np.pi * 5**3
    yield finding_row(
        "Section 5.1",
        "voxels of 1 mm in a sphere of radius 5 mm",
        105,
        f"{volume:.0f}",
        f"4/3 pi 5^3 = {volume:.1f} mm^3; {voxels} voxel centres lie inside",
        abs(volume - 105) < 10,
    )
