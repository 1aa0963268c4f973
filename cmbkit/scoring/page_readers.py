"""Part of the page about several readers: how they agree, and who does better."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from cmbkit.evaluation.agreement import (
    band_names,
    count_agreement,
    intraclass,
    intraclass_interval,
    limits_interval,
)
from cmbkit.evaluation.intervals import FEWEST_PATIENTS, TOO_FEW
from cmbkit.evaluation.metrics import aggregate
from cmbkit.evaluation.multireader import ANALYSES, jackknife_covariance, obuchowski_rockette
from cmbkit.evaluation.readers import FEWEST_TO_WEIGH, against, majority, weigh
from cmbkit.evaluation.statistics import left_out, patient_codes, summary
from cmbkit.params import Evaluation
from cmbkit.reporting.layout import Column, laid_out
from cmbkit.reporting.one_page import OnePage
from cmbkit.scoring.page_tables import AGREEMENT, UNITS

OTHERS, WEIGHTED = "majority of the other raters", "raters weighed by their votes"


def add_readers(
    page: OnePage,
    found: pd.DataFrame,
    scans: pd.DataFrame,
    raters: Sequence[str],
    detectors: Sequence[str],
    params: Evaluation,
) -> None:
    """Add the section of readers.

    Parameters
    ----------
    found : DataFrame
        From `readers.findings_of_files`: uid, places, and a column of votes per reader.
    scans : DataFrame
        uid, dataset, patient of every scan.
    raters, detectors : sequence of str
        At least two raters; the first one made the reference of the rest of the page.
    """
    page.section("Readers")
    pairs = pair_agreement(found, scans, [*raters, *detectors], params)
    page.table("readers_pairs", pairs, "Agreement of each two readers")
    page.table(
        "readers_together", together(found, scans, raters, detectors), "Counts of all readers"
    )
    consensus = against_consensus(found, scans, raters, detectors, params)
    page.table("readers_consensus", consensus, "Each reader against the raters' consensus")
    if len(detectors) > 1:
        patients = patient_codes(scans).max(initial=-1) + 1
        if patients < FEWEST_PATIENTS or not found[[*raters, *detectors]].any().all():
            page.warning("The detectors are not compared over raters: too little was marked.", [])
        else:
            compared = detectors_compared(found, scans, detectors, raters)
            page.table("readers_compared", compared, "The detectors against all raters")
    page.file("findings", with_consensus(found, raters))


def with_consensus(found: pd.DataFrame, raters: Sequence[str]) -> pd.DataFrame:
    """Findings with what the raters' majority says and, from three raters on, a probability."""
    table = found.assign(majority=majority(found[list(raters)]))
    if len(raters) >= FEWEST_TO_WEIGH:
        table["probability"] = weigh(found[list(raters)])[0]
    return table


def pair_agreement(found, scans, readers: Sequence[str], params: Evaluation) -> pd.DataFrame:
    """`agreement.count_agreement` of each two readers, with the intervals of formulas beside.

    Returns
    -------
    DataFrame
        One row per measure and pair: value with _low, _high and _interval; formula_low,
        formula_high (F for the intraclass correlations, t for Bland and Altman's limits).
    """
    bands, rows = tuple(params.scan_thresholds), []
    for first, second in combinations(readers, 2):
        counts = against(found, scans, found[first], found[second])
        both = counts[["n_gt", "n_pred"]]
        ends = {}
        if len(scans) >= FEWEST_PATIENTS:
            ends = intraclass_interval(both) | limits_interval(counts["n_gt"], counts["n_pred"])
        for measure, of in count_agreement(counts, thresholds=bands).iterrows():
            low, high = ends.get(measure, (np.nan, np.nan))
            rows.append(
                {"measure": measure, "pair": f"{first}, {second}", "value": of["value"]}
                | {f"value_{end}": of[end] for end in ("low", "high", "interval")}
                | {"formula_low": low, "formula_high": high}
            )
    table = pd.DataFrame(rows)
    order = table["measure"].map({name: place for place, name in enumerate(AGREEMENT)})
    table = table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
    names = AGREEMENT | {"bias": "Bland-Altman: second - first, CMBs per scan"}
    columns = [
        Column("measure", "Measure", names=names),
        Column("pair", "Readers"),
        Column("value", "Value", 3),
        Column("formula", "By formula"),
    ]
    note = (
        f"Bands of counts: {', '.join(band_names(bands))}. Value: {UNITS}. By formula: scans as "
        f"independent units, from {FEWEST_PATIENTS} on; F of Shrout and Fleiss (1979), t of Bland "
        "and Altman (1999)."
    )
    return laid_out(table, columns, note=note)


def together(found, scans, raters: Sequence[str], detectors: Sequence[str]) -> pd.DataFrame:
    """Intraclass correlation of the counts of all raters, and of raters and a detector.

    Returns
    -------
    DataFrame
        One row per group: readers, n_readers, n_findings, n_all (marked by all), icc_2_1 and
        icc_3_1 with _low and _high by the F distribution, and _interval (why there is none).
    """
    rows = []
    for group in (list(raters), *([*raters, name] for name in detectors)):
        votes = found[group]
        marked = votes[votes.any(axis=1)]
        counts = votes.groupby(found["uid"]).sum().reindex(scans["uid"], fill_value=0)
        row = {"readers": ", ".join(group), "n_readers": len(group), "n_findings": len(marked)}
        row["n_all"] = int(marked.all(axis=1).sum())
        few = len(scans) < FEWEST_PATIENTS
        ends = dict.fromkeys(AGREEMENT, (np.nan, np.nan)) if few else intraclass_interval(counts)
        for name, value in intraclass(counts).items():
            row |= {
                name: float(value[0]),
                f"{name}_low": ends[name][0],
                f"{name}_high": ends[name][1],
                f"{name}_interval": TOO_FEW if few else "",
            }
        rows.append(row)
    columns = [
        Column("readers", "Readers"),
        Column("n_findings", "Findings"),
        Column("n_all", "Marked by all"),
        Column("icc_2_1", "ICC(2,1)", 3),
        Column("icc_3_1", "ICC(3,1)", 3),
    ]
    note = "Brackets: 95 % by the F distribution, scans as independent units."
    return laid_out(pd.DataFrame(rows), columns, note=note)


def against_consensus(found, scans, raters, detectors, params: Evaluation) -> pd.DataFrame:
    """Detection by each reader, a detector as one more rater.

    Returns
    -------
    DataFrame
        One row per reader and reference: reader, reference, the columns of `statistics.summary`
        and, from three raters on, weight_sensitivity and weight_false of `readers.weigh`.
    """
    rows, enough = [], len(raters) >= FEWEST_TO_WEIGH
    probability, rates = weigh(found[list(raters)]) if enough else (None, None)
    for reader in (*raters, *detectors):
        references = {OTHERS: majority(found[[name for name in raters if name != reader]])}
        if enough and reader in detectors:
            references[WEIGHTED] = probability > 0.5
        for name, reference in references.items():
            of = summary(against(found, scans, reference, found[reader]), params)
            rows.append({"reader": reader, "reference": name, **of})
            if enough and reader in raters:
                rates_of = rates.loc[raters.index(reader)]
                rows[-1]["weight_sensitivity"] = rates_of["sensitivity"]
                rows[-1]["weight_false"] = rates_of["false_share"]
    table = pd.DataFrame(rows)
    columns = [
        Column("reader", "Reader"),
        Column("reference", "Reference"),
        *(Column(name.lower(), name) for name in ("TP", "FP", "FN")),
        *(Column(f"pooled_{n.lower()}", n, 3) for n in ("Precision", "Recall", "F1")),
    ]
    if "weight_sensitivity" in table:
        columns += [Column("weight_sensitivity", "Sensitivity, from votes", 2)]
        columns += [Column("weight_false", "Share of false findings marked", 2)]
    note = (
        f"Majority: more than half; of two raters both. Brackets: {UNITS}. Findings: marks of "
        f"readers within {params.max_distance_mm:g} mm of each other (complete linkage), so that "
        "counts may differ a little from a match of two. Sensitivity and share from votes: one "
        "vote of each kind is added, which draws them to .5 where findings are few."
    )
    return laid_out(table, columns, note=note)


def detectors_compared(found, scans, detectors: Sequence[str], raters) -> pd.DataFrame:
    """F1 of two detectors against every rater, after Obuchowski and Rockette.

    Returns
    -------
    DataFrame
        One row per analysis: analysis, first, second (mean F1 over raters), difference with _low
        and _high, f, df_1, df_2, p_value.
    """
    weights = np.vstack([np.ones(len(scans)), left_out(scans)])
    rows = [[against(found, scans, found[r], found[name]) for r in raters] for name in detectors]
    f1 = np.array([[aggregate(row, weights)["pooled_f1"] for row in own] for own in rows])
    figures = f1[..., 0]
    test = obuchowski_rockette(figures, jackknife_covariance(f1[..., 1:]))
    first, second = figures.mean(axis=1)
    table = test.assign(first=first, second=second, difference=first - second)
    table["difference_low"] = table["difference"] - table["half"]
    table["difference_high"] = table["difference"] + table["half"]
    columns = [
        Column("analysis", "Analysis"),
        Column("first", detectors[0], 3),
        Column("second", detectors[1], 3),
        Column("difference", "Difference", 3),
        Column("f", "F", 2),
        Column("df_2", "Degrees of freedom", 1),
        Column("p_value", "p", 4, shows="p"),
    ]
    if table["remark"].any():
        columns.append(Column("remark", "Remark"))
    note = (
        f"F1 against each of {len(raters)} raters ({', '.join(raters)}), averaged; covariances by "
        "the jackknife over patients. Each analysis "
        + "; ".join(f"with {name} {what}" for name, what in ANALYSES.items())
        + "."
        + (" Two raters say next to nothing of others." if len(raters) == 2 else "")
    )
    return laid_out(table.reset_index(), columns, note=note)
