"""What sections 8.1.1 to 8.1.3 say in their text (S11, S31), and thick slices alone (S32)."""

import numpy as np
import pandas as pd

from cmbkit.chapters.detection import COUNTS, DATASETS, INTERVAL, in_order
from cmbkit.chapters.sentences import one_of
from cmbkit.chapters.subgroup_analysis.tables import about
from cmbkit.evaluation.slice_experiment import FEWEST_BRAINS
from cmbkit.evaluation.statistics import summary, summary_by
from cmbkit.evaluation.subgroups import SCAN_SUBGROUPS, by_factor, cmb_count
from cmbkit.params import Evaluation, SliceExperiment
from cmbkit.plotting.curves import LEVELS
from cmbkit.published.numbers import stated, statements, thesis_numbers
from cmbkit.reporting.layout import PARTS, Column, heads, laid_out
from cmbkit.running.steps import counted

FACTORS = ("sequence", "slice thickness", "in-plane resolution", "many CMBs")
VARIED = {
    "averaging": "Signal of a slice",
    "radius": "Radius (mm)",
    "contrast": "Contrast (share of signal lost)",
    "count": "CMBs per brain",
    "tesla": "Field (T)",
    "te_ms": "Echo time (ms)",
}
"""What the experiment varies, and how a figure or table calls it."""
LEFT_OUT = "The experiment is left out of this run (evaluation: slice_experiment: brains: 0)."


def table_s11(scans: pd.DataFrame, params: Evaluation, *, model: str) -> pd.DataFrame:
    """F1 of all CMBs together by subgroup of scans, with 95 % intervals.

    ``scans``: scan rows of all models: dataset, patient, model, sequence, slice_thickness_mm,
    in_plane_mm, n_gt, tp, fp, fn.

    Columns: factor, subgroup, dataset, n_scans, n (annotated CMBs; groups without are left out),
    tp, fp, fn, f1, f1_low, f1_high, f1_thesis (what sections 8.1.1 and 8.1.3 state).
    """
    scans = scans[scans["model"] == model]
    groups = by_factor(scans, {factor: SCAN_SUBGROUPS[factor](scans) for factor in FACTORS})
    groups = in_order(groups, factor=FACTORS, dataset=DATASETS)
    table = summary_by(groups, ["factor", "subgroup", "dataset"], params)
    f1 = {f"pooled_f1{end}": f"f1{end}" for end in ("", "_low", "_high", "_interval")}
    table = table.assign(n=table["tp"] + table["fn"]).rename(columns=f1)
    table = table[table["n"] > 0].reset_index(drop=True)
    groups = table[["factor", "subgroup", "dataset"]].itertuples(index=False, name=None)
    table["f1_thesis"] = [stated_f1(*g) if model == "scratch" else np.nan for g in groups]
    columns = [
        *heads(factor="Scans by", subgroup="Subgroup", dataset="Dataset"),
        *heads(n_scans="Scans", n="CMBs"),
        *COUNTS,
        Column("f1", "F1", 3),
    ]
    kept = [column.key for column in columns]
    table = table[[*kept, "f1_low", "f1_high", "f1_interval", "f1_thesis"]]
    return laid_out(table, columns, note=about(model), otherwise="No microbleeds in these scans.")


def stated_f1(factor: str, subgroup: str, dataset: str) -> float:
    """globF1 that sections 8.1.1 and 8.1.3 state for a subgroup of scans; NaN if none."""
    thickness = {"<3 mm": "globF1 below 3 mm", ">=3 mm": "globF1 from 3 mm on"}
    where = {
        "slice thickness": ("Section 8.1.1", dataset, thickness.get(subgroup)),
        "sequence": ("Section 8.1.3", f"{dataset} {subgroup}", "globF1"),
    }
    table = statements().set_index(["where", "subject", "quantity"])["value"]
    return float(table.get(where.get(factor), np.nan))


def table_s31(scans: pd.DataFrame, params: Evaluation, *, model: str) -> pd.DataFrame:
    """scanF1* with and without scans of more than 10 CMBs, beside section 8.1.2.

    Parameters are those of `table_s11`.

    Columns: dataset, n_scans, n_left_out, f1_star (of all scans), f1_star_without, each with _low
    and _high, change (without - all); n_left_out, f1_star_without and change with _thesis (the last
    from the thesis's own two values).
    """
    scans, rows = scans[scans["model"] == model], []
    for dataset, group in in_order(scans, dataset=DATASETS).groupby("dataset", sort=False):
        kept = group[cmb_count(group) == "<=10 CMBs"]
        row = {"dataset": dataset, "n_scans": len(group), "n_left_out": len(group) - len(kept)}
        for name, part in (("f1_star", group), ("f1_star_without", kept)):
            found = summary(part, params)
            row |= {f"{name}{end}": found[f"scan_f1_star{end}"] for end in ("", *PARTS[1:4])}
        rows.append(row | {"change": row["f1_star_without"] - row["f1_star"]})
    table = pd.DataFrame(rows)
    told = [_stated_without(dataset) if model == "scratch" else {} for dataset in table["dataset"]]
    names = ["n_left_out_thesis", "f1_star_without_thesis", "change_thesis"]
    table = table.join(pd.DataFrame(told).reindex(columns=names))
    columns = [
        *heads("dataset", n_scans="Scans", n_left_out="Scans left out"),
        Column("f1_star", "scanF1*, all", 3),
        Column("f1_star_without", "scanF1*, without", 3),
        Column("change", "Change", 3),
    ]
    note = (
        f"{about(model)} {INTERVAL}. The thesis's change is recomputed "
        "from its two values: for CRB it prints +0.129."
    )
    return laid_out(table, columns, note=note)


def _stated_without(dataset: str) -> dict:
    printed = thesis_numbers("7.2").query("model == 'scratch'").set_index("dataset")["f1_star"]
    if dataset not in printed:
        return {}
    value = float(stated("Section 8.1.2", dataset, "scanF1* without them"))
    return {
        "n_left_out_thesis": int(stated("Section 8.1.2", dataset, "scans of more than 10 CMBs")),
        "f1_star_without_thesis": value,
        "change_thesis": value - printed[dataset],
    }


def table_s32(changes: pd.DataFrame, design: SliceExperiment) -> pd.DataFrame:
    """The same CMBs in thinner and thicker slices: lost and gained."""
    brains = "change: of recall, 95 % interval with brains as units"
    if design.brains < FEWEST_BRAINS:
        brains = f"change: of recall, without an interval: {_too_few(design)}"
    note = (
        "The very same CMBs at both thicknesses. lost: found in the thinner slices alone; "
        f"gained: in the thicker alone; {brains}; p: permutation test, brains as units (the two "
        "thicknesses of a brain are exchanged), not corrected for the number of tests; least: the "
        "smallest p that so many brains with a change allow; beyond the first: how much more it "
        "changes than at the first value of what is varied, of the same CMBs, with its p."
    )
    columns = [
        Column("factor", "Varied", names=VARIED),
        Column("level", "Value", shows="setting", names=LEVELS),
        Column("thinner_mm", "Thinner (mm)", shows="setting"),
        Column("thicker_mm", "Thicker (mm)", shows="setting"),
        *heads("brains", n="CMBs"),
        Column("recall_thinner", "Recall, thinner", 3),
        Column("recall_thicker", "Recall, thicker", 3),
        *heads("lost", "gained"),
        Column("change", "Change", 3),
        Column("p_value", "p", 4, shows="p"),
        Column("p_least", "p, least", 4, shows="p"),
        Column("apart", "Beyond the first", 3),
        Column("apart_p", "Its p", 4, shows="p"),
    ]
    if not design.brains:
        return laid_out(pd.DataFrame(columns=[c.key for c in columns]), columns, note=LEFT_OUT)
    return laid_out(changes, columns, note=note)


def thickness_in_words(changes: pd.DataFrame) -> str:
    """What thick slices do by complex sum and by averaged magnitudes (rows of `table_s32`)."""
    rows = changes[changes["factor"] == "averaging"] if len(changes) else changes
    if rows.empty:
        return "Whether averaging magnitudes overstates the loss: of the physical model alone."
    ends = rows[(rows["thinner_mm"] == rows["thinner_mm"].min())
                & (rows["thicker_mm"] == rows["thicker_mm"].max())]  # fmt: skip
    true, drawn = (ends[ends["level"] == how].iloc[0] for how in ("complex", "magnitude"))
    lost = "thick slices alone lose CMBs" if true["change_high"] < 0 else (
        "it is not shown that thick slices alone lose CMBs"
    )  # fmt: skip
    more = one_of(
        (drawn["apart_high"] < 0, "averaging magnitudes overstates the loss"),
        (drawn["apart_low"] > 0, "averaging magnitudes understates the loss"),
        (not drawn["apart_high"] < 0 and not drawn["apart_low"] > 0,
         "it is not shown that averaging magnitudes overstates the loss"),
    )  # fmt: skip
    if np.isfinite(drawn["apart_low"]):
        more += (
            f" (by {-drawn['apart']:.2f} [{-drawn['apart_high']:.2f}, {-drawn['apart_low']:.2f}], "
            "the same CMBs)"
        )
    told = [
        f"{row['change']:+.2f} [{row['change_low']:.2f}, {row['change_high']:.2f}]"
        for row in (true, drawn)
    ]
    return (
        f"From {true['thinner_mm']:g} to {true['thicker_mm']:g} mm recall changes by {told[0]} "
        f"with complex sums and by {told[1]} with averaged magnitudes ({true['brains']} brains, "
        f"{true['n']} CMBs): {lost}; {more}."
    )


def experiment_caption(design: SliceExperiment, n_scans: int, model: str = "contrast") -> str:
    """Size of the slice experiment and what was left out, in a few sentences."""
    if not design.brains:
        return "left out of this run"
    where = "whole brains"
    if design.slab_mm is not None:
        where = f"an axial slab of {design.slab_mm:g} mm each"
    intervals = "95 % intervals with brains as the units"
    if design.brains < FEWEST_BRAINS:
        intervals = (
            "Recall with Wilson's, false positives per scan with Poisson's 95 % interval, which "
            f"take CMBs as independent and so are rather too narrow: {_too_few(design)}"
        )
    seen = f"radius {design.radius_mm[0]:g} mm, {design.contrast[0]:.0%} of the signal lost"
    if model == "physical":
        seen = (
            f"visible radius {design.radius_mm[0]:g} mm (at 1 ppm, {design.tesla[0]:g} T and an "
            f"echo time of {design.te_ms[0]:g} ms)"
        )
    return (
        f"{counted(design.brains, 'synthetic brain')} in {n_scans} scans, {where}. Where nothing "
        f"else is varied, {design.count[0]} CMBs per brain, {seen}. {intervals}; no anatomical "
        "filter."
    )


def _too_few(design: SliceExperiment) -> str:
    return f"{counted(design.brains, 'brain')} cannot tell how brains differ"
