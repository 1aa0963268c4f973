"""Label refinement beside the truth: Tables S2b and S2c, Figure S52."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cmbkit.evaluation.subgroups import slice_thickness
from cmbkit.phantom.truth import TOO_LARGE
from cmbkit.plotting.associations import size_against_truth
from cmbkit.plotting.canvas import nothing_to_show
from cmbkit.reporting.layout import Column, heads, laid_out

SETTING = ["reference", "difference", "connectivity"]
CHOSEN = "chosen per scan (biggest)"
GROUP = ["dataset", "slices"]
RULES = {False: "published", True: "guarded"}
NO_TRUTH = "Of no point or scribble of this run is the truth known."


def known(trials: pd.DataFrame) -> pd.DataFrame:
    """Trials of microbleeds whose visible region is known, with slices and setting."""
    rows = with_setting(trials[trials["radius_visible_mm"].notna()].reset_index(drop=True))
    slices = slice_thickness(rows.rename(columns={"thickness_mm": "slice_thickness_mm"}))
    return rows.assign(slices=slices)


def with_setting(trials: pd.DataFrame) -> pd.DataFrame:
    """Trials with their setting as text, e.g. "parent, absolute, 6"."""
    words = [", ".join(map(str, row)) for row in trials[SETTING].itertuples(index=False)]
    return trials.assign(setting=words)


def as_chosen(trials: pd.DataFrame) -> pd.DataFrame:
    """Trials of the setting that the thesis chooses: per scan, the biggest regions in sum.

    ``trials``: from `known`, or any with uid, guard, setting and radius_mm.
    """
    cubes = trials["radius_mm"].pow(3)
    keys = [trials["uid"], trials["guard"], trials["setting"]]
    sums = cubes.groupby(keys, sort=False).sum().reset_index()
    best = sums.loc[sums.groupby(["uid", "guard"], sort=False)["radius_mm"].idxmax()]
    return trials.merge(best[["uid", "guard", "setting"]], on=["uid", "guard", "setting"])


def table_s2b(trials: pd.DataFrame) -> pd.DataFrame:
    """True, visible and refined radius by dataset and slices (Table S2b).

    ``trials``: from `cmbkit.study.refinement.trials`.

    Columns: dataset, slices, n; radius_true_mm, radius_visible_mm, published, guarded (mean and
    _sd of the radius in mm); rank_published, rank_guarded (rank correlation with the visible
    radius); twice_published, twice_guarded (regions over twice too large).
    """
    columns = [
        *heads("dataset", "slices", n="CMBs"),
        Column("radius_true_mm", "True radius (mm)", 2),
        Column("radius_visible_mm", "Visible", 2),
        Column("published", "Refined as published", 2),
        Column("guarded", "Refined with the guard", 2),
        Column("rank_published", "Rank correlation, published", 2),
        Column("rank_guarded", "Rank correlation, guard", 2),
        *heads(twice_published="Over 2x, published", twice_guarded="Over 2x, guard"),
    ]
    rows = []
    for group, part in as_chosen(known(trials)).groupby(GROUP):
        one = part[~part["guard"].astype(bool)]
        row = dict(zip(GROUP, group, strict=True)) | {"n": len(one)}
        for name in ("radius_true_mm", "radius_visible_mm"):
            row |= {name: one[name].mean(), f"{name}_sd": one[name].std()}
        for guard, name in RULES.items():
            own = part[part["guard"] == guard]
            radius, visible = own["radius_mm"], own["radius_visible_mm"]
            row |= {name: radius.mean(), f"{name}_sd": radius.std()}
            row[f"rank_{name}"] = radius.corr(visible, method="spearman")
            row[f"twice_{name}"] = int((radius > TOO_LARGE * visible).sum())
        rows.append(row)
    note = "Mean ± SD; rank correlation (Spearman) with the visible radius." if rows else NO_TRUTH
    return laid_out(pd.DataFrame(rows, columns=None if rows else GROUP), columns, note=note)


def table_s2c(trials: pd.DataFrame) -> pd.DataFrame:
    """How wrong each setting and elbow rule is, thick slices apart (Table S2c).

    Columns: dataset, slices, setting, n; for the published elbow and, ending in _guarded, with the
    guard: off (exp of the mean |ln| of refined over visible radius: 1 is right), n_twice (regions
    over twice the visible radius), n_half (under half of it).
    """
    rows = known(trials)
    rows = pd.concat([rows, as_chosen(rows).assign(setting=CHOSEN)])
    ratio = rows["radius_mm"] / rows["radius_visible_mm"]
    rows = rows.assign(
        off=np.abs(np.log(ratio.astype(float))), n_twice=ratio > TOO_LARGE, n_half=ratio < 1 / 2
    )
    keys = [*GROUP, "setting"]
    table = rows.groupby([*keys, "guard"]).agg(
        n=("off", "size"), off=("off", "mean"), n_twice=("n_twice", "sum"), n_half=("n_half", "sum")
    )
    table["off"] = np.exp(table["off"])
    found = table.xs(False, level="guard") if len(table) else table.droplevel("guard")
    if len(table):
        found = found.join(table.xs(True, level="guard").drop(columns="n"), rsuffix="_guarded")
    columns = [
        *heads("dataset", "slices", "setting", n="CMBs"),
        Column("off", "Off by a factor of", 2, best="min"),
        *heads(n_twice="Over 2x", n_half="Under 0.5x"),
        Column("off_guarded", "Off, with the guard", 2, best="min"),
        *heads(n_twice_guarded="Over 2x, guard", n_half_guarded="Under 0.5x, guard"),
    ]
    note = "Refined over visible radius; setting: reference, difference, neighbours."
    note = note if len(found) else NO_TRUTH
    return laid_out(found.reset_index(), columns, within=tuple(GROUP), note=note)


def refinement_in_words(table: pd.DataFrame) -> str:
    """Which setting and rule comes nearest, a line per dataset and slices (`table_s2c`)."""
    lines = []
    for (dataset, slices), part in table.groupby(GROUP):
        plain = part.loc[part["off"].idxmin()]
        safe = part.loc[part["off_guarded"].idxmin()]
        guarded = safe["off_guarded"] < plain["off"]
        best, rule = (safe, "with") if guarded else (plain, "without")
        off = best["off_guarded"] if guarded else best["off"]
        as_is = part.set_index("setting").loc[CHOSEN]
        lines.append(
            f"{dataset}, slices {slices} ({as_is['n']} CMBs): nearest to the visible radius is the "
            f'setting "{best["setting"]}" {rule} the guard, off by a factor of {off:.2f} on '
            f"average. The published choice is off by {as_is['off']:.2f}; regions more than twice "
            f"too large: {as_is['n_twice']}. With the guard it is off by "
            f"{as_is['off_guarded']:.2f}; such regions: {as_is['n_twice_guarded']}."
        )
    return "\n\n".join(lines) or NO_TRUTH


def figure_s52(trials: pd.DataFrame) -> Figure:
    """Visible and true radius against refined radius, by dataset (Figure S52)."""
    rows = as_chosen(known(trials))
    return size_against_truth(rows, TOO_LARGE) if len(rows) else nothing_to_show(NO_TRUTH)
